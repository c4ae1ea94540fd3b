"""The API held to its own document by a tool that knows neither: any request that the document allows, and some that it does not."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from dce.panel.app import ROUTES
from dce.panel.openapi import document
from dce.panel.server import PanelServer
from tests.panel.rig import make_workspace

REACHES_OUT = {"/api/settings", "/api/cards/{name}", "/api/cycles/{cycle}/card", "/api/models", "/api/doctor"}
"""Would make the panel talk to whatever host the tool invents; each has tests of its own."""
OPERATIONS = [
    (method.upper(), path)
    for path, operations in document()["paths"].items()
    for method in operations
    if path != "/api/events" and (path not in REACHES_OUT or method == "get")
]


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, requests.Session]]:
    """A panel over the sample workspace, and a browser's cookie."""
    with (
        make_workspace(tmp_path_factory.mktemp("schemathesis") / "words") as workspace,
        PanelServer(workspace, port=0) as server,
        requests.Session() as session,
    ):
        session.trust_env = False
        assert session.get(server.url).status_code == 200
        session.headers["origin"] = server.address
        yield server.address, session


def test_every_route_is_in_the_document() -> None:
    """What is not in the document would not be tested."""
    documented = {(method, path) for path, methods in document()["paths"].items() for method in map(str.upper, methods)}
    assert {(route.method, route.path.replace(":int", "")) for route in ROUTES} <= documented


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda value: value)
def test_answers_are_as_the_document_says(panel: tuple[str, requests.Session], method: str, path: str) -> None:
    """No request makes the panel fail; every answer, refusals too, has the content type and the shape that the document gives."""
    address, session = panel
    operation = schemathesis.openapi.from_dict(document())[path][method]

    @seed(1)
    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy())
    def holds(case: "schemathesis.Case[Any]") -> None:
        answer = case.call(base_url=address, session=session)
        case.validate_response(
            answer, checks=[not_a_server_error, content_type_conformance, response_schema_conformance]
        )

    holds()
