"""Backend bytes to a client, untouched: the pass-through stream. A transport Sink.

Ends truthfully: if the backend breaks off, the client gets an error event instead of a silent end.
"""

import asyncio

from dce.gateway.transport import Exchange
from dce.gateway.wire import ClientWire
from dce.wire.errors import DceError, encode_error
from dce.wire.sse import comment


class Relay:
    """One exchange's body onto the client's wire, with backpressure both ways."""

    def __init__(self, exchange: Exchange, wire: ClientWire, request_id: str) -> None:
        self._exchange: Exchange | None = exchange
        self._wire = wire
        self._request_id = request_id
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.frames = 0
        self.is_paused = False
        self._is_between_events = True

    def data(self, piece: bytes) -> None:
        """Passes on what one wake-up brought, in one write."""
        self.frames += 1
        self._is_between_events = piece.endswith((b"\n\n", b"\r\n\r\n"))
        self._wire.write(piece)
        if not self._wire.is_writable:
            self.is_paused = True
            if self._exchange is not None:
                self._exchange.pause()

    def end(self, error: DceError | None) -> None:
        """The backend's body is over; its connection belongs to the next request from here on."""
        self._exchange = None
        if error is not None:
            self._wire.write(b"\n\ndata: " + encode_error(error, self._request_id) + b"\n\n")
        if not self.finished.done():
            self.finished.set_result(None)

    def resume(self) -> None:
        """The client reads again."""
        if self.is_paused:
            self.is_paused = False
            if self._exchange is not None:
                self._exchange.resume()

    def heartbeat(self) -> None:
        """Tells a waiting client that we live; never in the middle of an event."""
        if self._is_between_events:
            self._wire.write(comment("keep-alive"))

    def close(self) -> None:
        """Closes the backend request if it still runs."""
        if self._exchange is not None:
            self._exchange.abort()
