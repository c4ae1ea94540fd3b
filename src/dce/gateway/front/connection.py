"""The client's connection, for streaming: uvicorn handles HTTP, and a stream writes its chunks directly to the socket.

`StreamingProtocol` adds one thing to uvicorn's protocol: a `ClientConnection` in the request's scope, under
`scope["extensions"]["dce.connection"]`. The ASGI app sends `http.response.start`; then the stream writes through the connection without
a task switch; an empty final `http.response.body` ends the response. Keep-alive, limits, shutdown and TLS remain uvicorn's.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from dce.gateway.front.guard import GuardedProtocol
from dce.gateway.front.stall import unread_bytes
from dce.wire.chunks import chunk

EXTENSION = "dce.connection"


class ClientConnection:
    """One client connection. At most one request uses it at a time (HTTP/1.1 answers in order)."""

    def __init__(self, protocol: "StreamingProtocol") -> None:
        self._protocol = protocol
        self.on_writable: Callable[[], None] | None = None
        """Called when a full socket has room again; set by the sender."""
        self.on_full: Callable[[], None] | None = None
        """Called when the socket is full or closed. Data sent after that is buffered, or lost if the socket is closed."""
        self.on_gone: Callable[[], object] | None = None
        """Called once when the client disconnects; set by the request's handler."""
        self.send: Callable[[bytes], object] = _drop
        """The socket's own `write`, for whole chunks with their framing; discards them once the client has disconnected.
        A caller that keeps a reference must stop sending when `on_full` is called: a closed socket's `write` raises."""
        self.is_writable = True
        self.is_gone = False

    def made(self) -> None:
        """The connection is established."""
        self.send = self._protocol.transport.write

    def release(self) -> None:
        """The request is over."""
        self.on_full = self.on_writable = self.on_gone = None

    def write(self, data: bytes) -> None:
        """Sends one chunk of a chunked response body."""
        if data:
            self.send(chunk(data))

    @property
    def unread(self) -> int:
        """Bytes sent that the client has not fetched yet."""
        return 0 if self.is_gone else unread_bytes(self._protocol.transport)

    def cut(self) -> None:
        """Closes the connection at once: the client has stopped reading."""
        if not self.is_gone:
            self._protocol.transport.abort()

    def paused(self) -> None:
        """The socket is full."""
        self.is_writable = False
        if self.on_full is not None:
            self.on_full()

    def resumed(self) -> None:
        """The socket has room."""
        self.is_writable = True
        if self.on_writable is not None:
            self.on_writable()

    def gone(self) -> None:
        """The client or the network closed the connection."""
        self.is_gone = True
        self.send = _drop
        self.paused()
        if self.on_gone is not None:
            self.on_gone()


class StreamingProtocol(GuardedProtocol):
    """uvicorn's HTTP protocol, guarded, with a `ClientConnection` in each request's scope."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connection = ClientConnection(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self.connection.made()

    def on_message_begin(self) -> None:
        """A request begins: puts the connection into its scope."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {EXTENSION: self.connection}

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has disconnected."""
        super().connection_lost(exc)
        self.connection.gone()

    def pause_writing(self) -> None:
        """The socket is full."""
        super().pause_writing()
        self.connection.paused()

    def resume_writing(self) -> None:
        """The socket has room."""
        super().resume_writing()
        self.connection.resumed()


def connection_of(scope: Any) -> ClientConnection:
    """The connection of a request."""
    return cast("ClientConnection", scope["extensions"][EXTENSION])


def _drop(_: bytes) -> None:
    """Discards bytes for a client that has disconnected."""
