"""The event stream of a window: server-sent events from the panel's log."""

import asyncio
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dce.panel.event_log import EventLog
from dce.panel.route import RawRoute
from dce.panel.runtime import PanelRuntime


class EventStream(Response):
    """Follows the log until the client disconnects or the log closes. Nothing between it and the socket buffers."""

    def __init__(self, log: EventLog, cursor: str) -> None:
        super().__init__()
        self._log = log
        self._cursor = cursor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """As ASGI says. The body is endless, so no length is declared."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

        async def write() -> None:
            async with aclosing(self._log.follow(self._cursor)) as frames:  # type: ignore[type-var]
                async for frame in frames:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        async def until_disconnect() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        tasks = (asyncio.create_task(write()), asyncio.create_task(until_disconnect()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def cursor_of(request: Request) -> str:
    """Where the reader is. What the browser sends when it reconnects outranks the address that it first asked for."""
    return request.headers.get("last-event-id") or request.query_params.get("cursor", "")


async def stream(panel: PanelRuntime, request: Request) -> Response:
    """The events after a cursor."""
    return EventStream(panel.log, cursor_of(request))


ROUTES: tuple[RawRoute, ...] = (
    RawRoute(
        "GET",
        "/api/events",
        stream,
        {
            "summary": "The window's event stream (server-sent events; `Last-Event-ID` or `cursor` resumes).",
            "parameters": [{"name": "cursor", "in": "query", "schema": {"type": "string"}}],
            "responses": {"200": {"description": "events", "content": {"text/event-stream": {}}}},
        },
    ),
)
