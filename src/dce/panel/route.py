"""A route as a row of a table: method, path, handler, what it takes and gives. OpenAPI is written from the same rows that serve.

What must always hold: a handler sees a body of the right type and size or is not called; a handler that is a plain function runs in
a thread, so that it may block; whatever goes wrong in it leaves as `{"error": {…}}`; windows are notified of a change after the handler
made it durable.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from dce.panel.http_responses import error_response, json_response
from dce.panel.limits import MAX_BODY_BYTES
from dce.panel.runtime import PanelRuntime
from dce.wire.errors import DceError, Hop

logger = logging.getLogger(__name__)
T = TypeVar("T", bound=msgspec.Struct)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler gets of the request. `body` has the type that the route's row names; None if it names none."""

    panel: PanelRuntime
    path: Mapping[str, Any]
    query: Mapping[str, str]
    body: Any = None


Handler = Callable[[Call], Awaitable[msgspec.Struct]] | Callable[[Call], msgspec.Struct]
"""A plain function runs in a thread and may block; a coroutine runs in the event loop and may not."""


class Route(msgspec.Struct, frozen=True):
    """One row. `takes`: the struct of the body; `query`: names of query parameters; `changes`: what every window is notified of
    when the handler succeeded (a body with `dry_run` set changes nothing); `is_public`: needs no session."""

    method: str
    path: str
    handler: Handler
    gives: type[msgspec.Struct]
    takes: type[msgspec.Struct] | None = None
    query: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    max_body_bytes: int = MAX_BODY_BYTES
    is_public: bool = False

    def serving(self, panel: PanelRuntime) -> StarletteRoute:
        """The row as a Starlette route over one panel."""

        async def respond(request: Request) -> Response:
            body = await _body(request, self.takes, self.max_body_bytes) if self.takes else None
            call = Call(panel=panel, path=request.path_params, query=request.query_params, body=body)
            found = await self._handled(call)
            if not getattr(body, "dry_run", False):
                for what in self.changes:
                    panel.notify(what)
            return await json_response(found, request.headers.get("accept-encoding", ""))

        return StarletteRoute(self.path, _guarded(respond), methods=[self.method])

    async def _handled(self, call: Call) -> msgspec.Struct:
        if inspect.iscoroutinefunction(self.handler):
            return await self.handler(call)  # type: ignore[no-any-return]
        return await asyncio.to_thread(self.handler, call)  # type: ignore[arg-type]


class RawRoute(msgspec.Struct, frozen=True):
    """A row for a route whose body or response is no JSON struct. It writes its own OpenAPI `operation`, but for the responses of one
    that `gives` a struct."""

    method: str
    path: str
    handler: Callable[[PanelRuntime, Request], Awaitable[Response]]
    operation: Mapping[str, Any]
    gives: type[msgspec.Struct] | None = None

    def serving(self, panel: PanelRuntime) -> StarletteRoute:
        """The row as a Starlette route over one panel."""

        async def respond(request: Request) -> Response:
            return await self.handler(panel, request)

        return StarletteRoute(self.path, _guarded(respond), methods=[self.method])


def _guarded(respond: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """With every exception turned into a response of the one error shape."""

    async def endpoint(request: Request) -> Response:
        try:
            return await respond(request)
        except DceError as error:
            return error_response(error)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            logger.exception("%s %s failed", request.method, request.url.path)
            return error_response(_unforeseen(error))

    return endpoint


def _unforeseen(error: Exception) -> DceError:
    """An exception that no code expected, as an error that a window can show."""
    return DceError(
        "internal",
        f"{type(error).__name__}: {error}",
        hop=Hop.CLIENT,
        hint="This is a bug in DCE: the terminal where the panel runs shows the traceback. Please report it.",
    )


async def _body(request: Request, kind: type[T], max_bytes: int) -> T:
    # A form of another site can send text/plain without asking; JSON it cannot.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise DceError("invalid_input", "the body must be JSON (Content-Type: application/json)")
    pieces, size = [], 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise DceError("invalid_input", f"the body is larger than {max_bytes:,} bytes")
    return await asyncio.to_thread(_decoded, pieces, kind)


def _decoded(pieces: list[bytes], kind: type[T]) -> T:
    try:
        return msgspec.json.decode(b"".join(pieces), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DceError("invalid_input", f"the body is invalid: {error}") from error
