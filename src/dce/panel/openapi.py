"""The panel's API as an OpenAPI document, from the route table and the structs. `python -m dce.panel.openapi` prints it.

The document is kept in frontend/openapi.json, and the front-end's types are generated from it; a test here and `npm run check` there
fail when either is not what the structs say.
"""

import json
import re
import sys
from typing import Any

import msgspec

from dce import __version__
from dce.panel.app import EVENTS_PATH, ROUTES
from dce.panel.route import Route
from dce.panel.transfer_routes import EXPORT_PATH, IMPORT_PATH
from dce.wire.errors import ErrorBody
from dce.workspace.events import Event
from dce.workspace.transfer import ImportReport

_REF = "#/components/schemas/{name}"


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Every error of the panel."""

    error: ErrorBody


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    kinds: list[Any] = [ErrorAnswer, ImportReport, *Event.__args__]
    for route in ROUTES:
        kinds += [kind for kind in (route.takes, route.gives) if kind is not None and kind not in kinds]
    refs, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    ref_of = dict(zip(kinds, refs, strict=True))
    lax = {kind.__name__ for kind in kinds if kind.__struct_config__.omit_defaults} | {ErrorBody.__name__}
    lax |= {route.takes.__name__ for route in ROUTES if route.takes is not None}
    schemas = {name: _shaped(schema, is_lax=name in lax) for name, schema in sorted(schemas.items())}
    schemas["Event"] = {"anyOf": [ref_of[kind] for kind in Event.__args__], "description": "What the stream tells."}
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        path = re.sub(r":int", "", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, ref_of)
    paths[EXPORT_PATH] = {"get": _export_operation()}
    paths[IMPORT_PATH] = {"post": _import_operation(ref_of)}
    paths[EVENTS_PATH] = {"get": _events_operation()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "DCE panel", "version": __version__, "description": "The local API of `dce panel`."},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _shaped(schema: dict[str, Any], *, is_lax: bool) -> dict[str, Any]:
    """A schema without Python's defaults. What we send holds every field; what we are sent may leave out those with a default."""
    properties = schema.get("properties")
    if properties is None:
        return schema
    shaped = {
        name: {key: part for key, part in value.items() if key != "default"} for name, value in properties.items()
    }
    return schema | {"properties": shaped} | ({} if is_lax else {"required": list(properties)})


def _operation(route: Route, ref_of: dict[Any, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind else "string"}}
        for name, kind in re.findall(r"{(\w+)(:int)?}", route.path)
    ]
    parameters += [{"name": name, "in": "query", "schema": {"type": "string"}} for name in route.query]
    operation: dict[str, Any] = {
        "summary": (route.handler.__doc__ or "").strip(),
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": _json(ref_of[route.gives])},
            "default": {"description": "refused or failed", "content": _json(ref_of[ErrorAnswer])},
        },
    }
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": _json(ref_of[route.takes])}
    if route.is_public:
        operation["security"] = []
    return operation


def _events_operation() -> dict[str, Any]:
    return {
        "summary": "The window's one event stream (server-sent events; `Last-Event-ID` or `cursor` resumes).",
        "parameters": [{"name": "cursor", "in": "query", "schema": {"type": "string"}}],
        "responses": {"200": {"description": "events", "content": {"text/event-stream": {}}}},
    }


def _export_operation() -> dict[str, Any]:
    return {
        "summary": "The history as a file.",
        "parameters": [],
        "responses": {"200": {"description": "the file", "content": {"application/jsonl": {}}}},
    }


def _import_operation(ref_of: dict[Any, Any]) -> dict[str, Any]:
    names = {"name": "the file's name", "again": "`yes`: also if this very file was imported before"}
    return {
        "summary": "Adds the history in a file to this one's.",
        "parameters": [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in names.items()
        ],
        "requestBody": {"required": True, "content": {"application/octet-stream": {}}},
        "responses": {
            "200": {"description": "done", "content": _json(ref_of[ImportReport])},
            "default": {"description": "refused or failed", "content": _json(ref_of[ErrorAnswer])},
        },
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def text() -> str:
    """The document as it is kept in the repository."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
