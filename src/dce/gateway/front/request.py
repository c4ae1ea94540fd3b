"""One HTTP request as the handlers see it: caller, body, and ways to answer."""

import asyncio
import contextlib
import math
from typing import Any
from urllib.parse import parse_qs

import msgspec

from dce.gateway.access.auth import Principal
from dce.gateway.front.connection import ClientConnection
from dce.gateway.front.dialects import OWN, Dialect
from dce.gateway.front.stall import LastBytes
from dce.wire.errors import DceError

NO_BUFFERING = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
"""Headers of every stream: proxies must neither buffer nor transform it."""

MAX_DRAIN_BYTES = 64 * 1024 * 1024
MAX_DRAIN_S = 10.0
"""How much of a body refused for its size is still read, and for how long. Closing a connection with bytes in flight resets it, and a
proxy or client that sends everything before it reads would then see the reset instead of the answer."""


class Request:
    """`route` is the pattern of the route, `path_values` are the values of its `{…}` places; `log_fields` go into the log line: ids,
    names and counts, never content."""

    def __init__(self, scope: Any, receive: Any, send: Any, connection: ClientConnection, request_id: str) -> None:
        self._receive = receive
        self._send = send
        self.scope = scope
        self.connection = connection
        self.id = request_id
        self.principal = Principal(key_id="", name="")
        self.route = ""
        self.path_values: dict[str, str] = {}
        self.dialect: Dialect = OWN
        """The route's dialect, for errors."""
        self.log_fields: dict[str, str | int] = {}
        self.headers: list[tuple[bytes, bytes]] = []
        """Headers of the answer, whatever it is."""
        self.traceparent = ""
        """W3C trace context of the request's span; empty without tracing."""
        self.refusal: DceError | None = None
        """Why the gateway cancelled the request's task, if it is to be told to the client."""
        self.status = 0
        self.is_started = False
        self._is_read = self._is_whole = False
        """Whether reading of the body has started, and whether all of it has arrived."""

    def header(self, name: bytes) -> str:
        """The first value of a header; empty if absent. `name` in lower case."""
        for key, value in self.scope["headers"]:
            if key == name:
                return str(value, "latin-1")
        return ""

    def query(self, name: str) -> str:
        """The first value of a query parameter; empty if absent."""
        try:
            values = parse_qs(self.scope["query_string"].decode("latin-1"), max_num_fields=10).get(name)
        except ValueError:
            raise DceError("invalid_request", "the query string has too many parameters") from None
        return values[0] if values else ""

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises body_too_large before more than `limit` bytes are kept."""
        codings = [value for name, value in self.scope["headers"] if name == b"content-encoding"]
        if any(coding.lower() not in (b"", b"identity") for coding in codings):
            raise DceError(
                "invalid_request",
                "compressed request bodies are not accepted",
                hint="Send the body without Content-Encoding.",
            )
        declared = self.header(b"content-length")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        pieces: list[bytes] = []
        size = 0
        self._is_read = True
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            self._is_whole = not message.get("more_body", False)
            if size > limit:
                raise _too_large(limit)
            if self._is_whole:
                return b"".join(pieces)

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Sends the head."""
        self.is_started = True
        self.status = status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, *self.headers, (b"x-request-id", self.id.encode())],
            }
        )

    async def finish(self, body: bytes = b"", patience_s: float | None = None) -> None:
        """Sends the (rest of the) body and ends the response. A client that disconnects from now on interrupts nothing; one that
        fetches nothing of what was streamed for `patience_s` is disconnected."""
        self.connection.release()
        watch = LastBytes(self.connection, patience_s) if patience_s else None
        try:
            await self._send({"type": "http.response.body", "body": body, "more_body": False})
        finally:
            if watch is not None:
                watch.stop()

    async def answer(self, status: int, value: Any, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        """A whole JSON answer."""
        body = value if isinstance(value, bytes) else msgspec.json.encode(value)
        await self.start(status, [*_json_headers(body), *(headers or [])])
        await self.finish(body)

    async def no_content(self) -> None:
        """204."""
        await self.start(204, [])
        await self.finish()

    async def fail(self, error: DceError) -> None:
        """An error as the whole answer."""
        headers = (
            []
            if error.retry_after_s is None
            else [(b"retry-after", str(max(1, math.ceil(error.retry_after_s))).encode())]
        )
        if error.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        body = self.dialect.error(error, self.id)
        if error.code == "body_too_large":
            await self._answer_before_the_end(error.status, body, [*headers, (b"connection", b"close")])
        else:
            await self.answer(error.status, body, headers)

    async def _answer_before_the_end(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """A whole answer while the request's body is still arriving: reads and discards the rest, then closes the connection."""
        await self.start(status, [*_json_headers(body), *headers])
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        self.connection.release()  # the client has its answer; if it disconnects now, nothing is interrupted
        is_waiting = not self._is_read and self.header(b"expect").lower() == "100-continue"
        if not self._is_whole and not is_waiting:  # a client that expects 100-continue has sent no body
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MAX_DRAIN_S):
                    await self._drain()
        await self.finish()

    async def _drain(self) -> None:
        left = MAX_DRAIN_BYTES
        while left > 0:
            message = await self._receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return
            left -= len(message.get("body", b""))


class ClientGone(Exception):
    """The client closed its connection; there is no one to answer."""


def _json_headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]


def _too_large(limit: int) -> DceError:
    return DceError("body_too_large", f"the request body is larger than {limit} bytes")
