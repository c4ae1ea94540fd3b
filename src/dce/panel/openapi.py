"""The panel's API as an OpenAPI document, from the route table and the structs. `python -m dce.panel.openapi` prints it.

The document is kept in frontend/openapi.json, and the front-end's types are generated from it. A test here and `npm run check` there
fail if either differs from the structs.
"""

import json
import re
import sys
from typing import Any

import msgspec

from dce import __version__
from dce.panel.app import RAW_ROUTES, ROUTES
from dce.panel.route import RawRoute, Route
from dce.wire.errors import ErrorBody
from dce.workspace.events import Event

_REF = "#/components/schemas/{name}"


class ErrorResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Every error of the panel."""

    error: ErrorBody


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    kinds: list[Any] = [ErrorResponse, *Event.__args__]
    named = [kind for route in ROUTES for kind in (route.takes, route.gives)] + [route.gives for route in RAW_ROUTES]
    kinds = list(dict.fromkeys([*kinds, *(kind for kind in named if kind is not None)]))
    refs, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    ref_of = dict(zip(kinds, refs, strict=True))
    lax = {kind.__name__ for kind in kinds if kind.__struct_config__.omit_defaults} | {ErrorBody.__name__}
    lax |= {route.takes.__name__ for route in ROUTES if route.takes is not None}
    schemas = {name: _shaped(schema, is_lax=name in lax) for name, schema in sorted(schemas.items())}
    schemas["Event"] = {"anyOf": [ref_of[kind] for kind in Event.__args__], "description": "An event of the stream."}
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        path = re.sub(r":int", "", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, ref_of)
    for raw in RAW_ROUTES:
        paths.setdefault(raw.path, {})[raw.method.lower()] = _raw_operation(raw, ref_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DCE panel", "version": __version__, "description": "The local API of `dce panel`."},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _shaped(schema: dict[str, Any], *, is_lax: bool) -> dict[str, Any]:
    """A schema without Python's defaults. What we send has every field; what we are sent may leave out those with a default."""
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
        "responses": _responses(ref_of[route.gives], ref_of),
    }
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": _json(ref_of[route.takes])}
    if route.is_public:
        operation["security"] = []
    return operation


def _raw_operation(route: RawRoute, ref_of: dict[Any, Any]) -> dict[str, Any]:
    own = dict(route.operation)
    return own if route.gives is None else own | {"responses": _responses(ref_of[route.gives], ref_of)}


def _responses(result: Any, ref_of: dict[Any, Any]) -> dict[str, Any]:
    return {
        "200": {"description": "done", "content": _json(result)},
        "default": {"description": "refused or failed", "content": _json(ref_of[ErrorResponse])},
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def text() -> str:
    """The document as the repository keeps it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
