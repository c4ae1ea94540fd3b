"""A route as a row: method, path, handler, what it takes and gives. OpenAPI is written from the same rows that serve.

What must always hold: a handler sees a body of the right type and size or is not called; whatever goes wrong in it leaves as
`{"error": {…}}`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from dce.panel.answers import answer_error, answer_json
from dce.panel.session import Session, fault
from dce.wire.errors import DceError

logger = logging.getLogger(__name__)
T = TypeVar("T", bound=msgspec.Struct)

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Largest request body: a cycle's texts (2,000,000 characters each at most) fit; nothing larger is ever sent."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler is given of the request. `body` is of the type that the route's row names; None if it names none."""

    session: Session
    path: Mapping[str, Any]
    query: Mapping[str, str]
    body: Any


class Route(msgspec.Struct, frozen=True):
    """One row. `takes`: the struct of the body; `query`: names of query parameters; `is_public`: needs no session."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[msgspec.Struct]]
    gives: type[msgspec.Struct]
    takes: type[msgspec.Struct] | None = None
    query: tuple[str, ...] = ()
    is_public: bool = False

    def serving(self, session: Session) -> StarletteRoute:
        """The row as a Starlette route over one session."""

        async def endpoint(request: Request) -> Response:
            try:
                body = await _body(request, self.takes) if self.takes else None
                call = Call(session=session, path=request.path_params, query=request.query_params, body=body)
                return await answer_json(await self.handler(call), request.headers.get("accept-encoding", ""))
            except DceError as error:
                return answer_error(error)
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception as error:
                logger.exception("%s %s failed", self.method, self.path)
                return answer_error(fault(error))

        return StarletteRoute(self.path, endpoint, methods=[self.method])


async def _body(request: Request, kind: type[T]) -> T:
    # A form of another site can send text/plain without asking; JSON it cannot.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise DceError("invalid_input", "the body must be JSON (Content-Type: application/json)")
    pieces, size = [], 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise DceError("invalid_input", f"the body is larger than {MAX_BODY_BYTES:,} bytes")
    try:
        return msgspec.json.decode(b"".join(pieces), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DceError("invalid_input", f"the body is not right: {error}") from error
