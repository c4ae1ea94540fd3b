"""The panel's route table, on one screen, and the ASGI application made of it.

Order outside in: the gate (who may talk to us), the routes, one shape for every error. No middleware touches a body.
"""

from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from dce.panel import (
    accept_routes,
    commands,
    context_routes,
    history_routes,
    manual_routes,
    progress_routes,
    review_routes,
    schemas,
    sending_routes,
    settings_routes,
    views,
)
from dce.panel.answers import answer_error
from dce.panel.assets import Assets, index_page
from dce.panel.route import Route
from dce.panel.security import Access, Gate
from dce.panel.session import Session
from dce.panel.stream import cursor_of, serve_events
from dce.panel.transfer_routes import transfer_routes
from dce.wire.errors import DceError, Hop

_GENERATION = "/api/generations/{generation:int}"
_SLOT = _GENERATION + "/slots/{slot:int}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/healthz", views.health, gives=schemas.Health, is_public=True),
    Route("GET", "/api/workspace", views.workspace, gives=schemas.WorkspaceView),
    Route("PUT", "/api/selection", commands.select, takes=schemas.SelectionChange, gives=schemas.SelectionChange),
    Route("GET", "/api/cycles", views.cycles, gives=schemas.CyclesView),
    Route("POST", "/api/cycles", commands.create_cycle, takes=schemas.CycleNew, gives=schemas.CycleView),
    Route("GET", "/api/cycles/{cycle:int}", views.cycle, gives=schemas.CycleView),
    Route("PUT", "/api/cycles/{cycle:int}", commands.edit_cycle, takes=schemas.CycleEdit, gives=schemas.CycleView),
    Route("GET", "/api/cycles/{cycle:int}/prompt", views.prompt, gives=schemas.PromptView, query=("text",)),
    Route("POST", "/api/generations", commands.generate, takes=schemas.GenerationOrder, gives=schemas.GenerationView),
    Route("GET", _GENERATION, views.generation, gives=schemas.GenerationView),
    Route("POST", _GENERATION + "/stop", commands.stop_all, gives=schemas.GenerationView),
    Route("GET", _GENERATION + "/board", views.board_view, gives=schemas.BoardView),
    Route("POST", _GENERATION + "/checks", commands.run_checks, gives=schemas.BoardView),
    Route("GET", _SLOT, views.slot, gives=schemas.SlotView),
    Route("POST", _SLOT + "/stop", commands.stop, gives=schemas.GenerationView),
    Route("POST", _SLOT + "/regenerate", commands.regenerate, gives=schemas.GenerationView),
    *accept_routes.ROUTES,
    *context_routes.ROUTES,
    *progress_routes.ROUTES,
    *review_routes.ROUTES,
    *settings_routes.ROUTES,
    *sending_routes.ROUTES,
    *history_routes.ROUTES,
    *manual_routes.ROUTES,
)

EVENTS_PATH = "/api/events"


class Events:
    """`GET /api/events?cursor=`: the window's one stream, as plain ASGI."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = Request(scope).query_params.get("cursor", "")
        await serve_events(self._session.log, cursor_of(scope, query), receive, send)


def create_app(session: Session, access: Access, port: int, static: Path) -> ASGIApp:
    """The application for one session, answering as 127.0.0.1:`port`. `static` holds the built front-end."""
    app = Starlette(
        routes=[
            *(route.serving(session) for route in ROUTES),
            StarletteRoute(EVENTS_PATH, Events(session), methods=["GET"]),
            *transfer_routes(session),
            StarletteRoute("/", index_page(static)),
            Mount("/", Assets(static)),
        ],
        exception_handlers={HTTPException: _answer_http_exception},
    )
    return Gate(app, access, port, public=[route.path for route in ROUTES if route.is_public])


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """What Starlette's router says (no such route, no such method) in our shape, with Starlette's status."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    phrase = HTTPStatus(status).phrase.lower()
    fact = DceError(
        "not_found" if status == HTTPStatus.NOT_FOUND else "invalid_request",
        f"{request.method} {request.url.path}: {phrase}",
        hop=Hop.CLIENT,
        hint="Reload the page: it may be of another version than the panel.",
    )
    answer = answer_error(fact)
    answer.status_code = status
    return answer
