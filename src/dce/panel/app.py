"""The panel's route table and the ASGI application made of it.

Order outside in: the gate (who may send requests), the routes, one shape for every error. No middleware touches a body.
"""

from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp

from dce.panel.assets import Assets, index_page
from dce.panel.http_responses import error_response
from dce.panel.resources import (
    accept,
    behaviour,
    checks,
    cycles,
    events,
    files,
    followup,
    generations,
    history,
    prompt,
    responses,
    review,
    secrets,
    selection,
    sending,
    servers,
    settings,
    transfer,
    workspace,
)
from dce.panel.route import RawRoute, Route
from dce.panel.runtime import PanelRuntime
from dce.panel.security import Access, Gate
from dce.wire.errors import DceError, Hop

ROUTES: tuple[Route, ...] = (
    *workspace.ROUTES,
    *files.ROUTES,
    *selection.ROUTES,
    *cycles.ROUTES,
    *prompt.ROUTES,
    *sending.ROUTES,
    *secrets.ROUTES,
    *generations.ROUTES,
    *responses.ROUTES,
    *followup.ROUTES,
    *review.ROUTES,
    *checks.ROUTES,
    *behaviour.ROUTES,
    *accept.ROUTES,
    *history.ROUTES,
    *settings.ROUTES,
    *servers.ROUTES,
)
RAW_ROUTES: tuple[RawRoute, ...] = (*events.ROUTES, *transfer.ROUTES)


def create_app(panel: PanelRuntime, access: Access, port: int, static: Path) -> ASGIApp:
    """The application for one panel, which serves as 127.0.0.1:`port`. `static` contains the built front-end."""
    app = Starlette(
        routes=[
            *(route.serving(panel) for route in ROUTES),
            *(route.serving(panel) for route in RAW_ROUTES),
            StarletteRoute("/", index_page(static)),
            Mount("/", Assets(static)),
        ],
        exception_handlers={HTTPException: _http_exception_response},
    )
    return Gate(app, access, port, public=[route.path for route in ROUTES if route.is_public])


async def _http_exception_response(request: Request, error: Exception) -> Response:
    """What Starlette's router refuses (no such route, no such method) in our shape, with Starlette's status."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    phrase = HTTPStatus(status).phrase.lower()
    fact = DceError(
        "not_found" if status == HTTPStatus.NOT_FOUND else "invalid_request",
        f"{request.method} {request.url.path}: {phrase}",
        hop=Hop.CLIENT,
        hint="Reload the page: it may belong to another version of the panel.",
    )
    response = error_response(fact)
    response.status_code = status
    return response
