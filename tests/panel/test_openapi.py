"""The API's description, and the front-end's types made from it."""

from pathlib import Path

import pytest

from dce.panel.app import ROUTES
from dce.panel.openapi import document, text

FRONTEND = Path(__file__).parents[2] / "frontend"


def test_the_kept_document_is_what_the_structs_say() -> None:
    """frontend/openapi.json is current: else run `python -m dce.panel.openapi > frontend/openapi.json` and `npm run types`."""
    if not FRONTEND.exists():
        pytest.skip("not a checkout")
    assert (FRONTEND / "openapi.json").read_text(encoding="utf-8") == text()


def test_the_front_ends_types_name_every_struct() -> None:
    """Each schema of the document is a type of the same name in generated.ts (`npm run check` compares them whole)."""
    if not FRONTEND.exists():
        pytest.skip("not a checkout")
    generated = (FRONTEND / "src" / "api" / "generated.ts").read_text(encoding="utf-8")
    for name in document()["components"]["schemas"]:
        assert f"export interface {name} " in generated or f"export type {name} " in generated


def test_every_route_is_described() -> None:
    """Each row of the table has its path, method, answer and a sentence about it."""
    paths = document()["paths"]
    for route in ROUTES:
        operation = paths[route.path.replace(":int", "")][route.method.lower()]
        assert operation["summary"]
        assert "200" in operation["responses"]
        assert ("requestBody" in operation) == (route.takes is not None)


def test_every_reference_leads_somewhere() -> None:
    """No schema names another that is not there."""
    schemas = document()["components"]["schemas"]

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [ref for part in value.values() for ref in references(part)]
        return [ref for part in value for ref in references(part)] if isinstance(value, list) else []

    assert {ref.rpartition("/")[2] for ref in references(document())} <= set(schemas)
