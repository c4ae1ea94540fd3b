"""Backend bytes to a client, untouched: the pass-through stream. A transport Sink.

What comes as one whole chunk goes on as it is, framing and all; anything else is framed anew. So whatever is written to the
client is whole chunks, and a heartbeat or an error may follow it. Ends truthfully: if the backend breaks off, the client gets
an error event instead of a silent end.
"""

import asyncio
from collections import deque

from dce.gateway.backends.faults import ran_too_long
from dce.gateway.backends.transport import Exchange
from dce.gateway.front.dialects import OPENAI, Dialect
from dce.gateway.front.wire import ClientWire
from dce.wire.chunks import chunk, content
from dce.wire.errors import DceError
from dce.wire.sse import comment

DONE = b"data: [DONE]\n\n"
"""After this all was said; that the connection then broke is nobody's loss."""
KEPT_CHUNKS = 6
"""The last reason, the usage and the end come in up to three chunks."""


class Relay:
    """One exchange's body onto the client's wire, with backpressure both ways."""

    def __init__(self, exchange: Exchange, wire: ClientWire, request_id: str, dialect: Dialect = OPENAI) -> None:
        self._exchange: Exchange | None = exchange
        self._wire = wire
        self._request_id = request_id
        self._dialect = dialect
        self._loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self._parsed = self._whole = 0
        self.first_at: float | None = None
        """When the first bytes came, on the loop's clock."""
        self.is_paused = False
        self.is_expired = False
        self.error: DceError | None = None
        """How the backend broke off, if it did."""
        self._last: deque[bytes] = deque(maxlen=KEPT_CHUNKS)
        """The end of what was passed on, with its framing."""

    @property
    def frames(self) -> int:
        """Events passed on; of pieces that hold several, about."""
        return self._parsed + (self._whole if self._exchange is None else self._exchange.whole_chunks)

    @property
    def is_over(self) -> bool:
        """Whether the backend's body has ended, well or not."""
        return self._exchange is None

    @property
    def tail(self) -> bytes:
        """The end of what was passed on, without framing."""
        return b"".join(map(content, self._last))

    def start(self) -> None:
        """Bytes flow from here on: every event but the first and the last few straight from socket to socket."""
        self._wire.on_full = self.pause
        if self._exchange is not None:
            self._exchange.start_through(self, self._wire.send, self._last)
        if not self._wire.is_writable:
            self.pause()

    def data(self, piece: bytes) -> None:
        """Passes on what one wake-up brought and was not one whole chunk, in one write."""
        if not self._last:
            self.first_at = self._loop.time()
        self._parsed += max(1, piece.count(b"\n\n"))
        framed = chunk(piece)
        self._last.append(framed)
        self._wire.send(framed)

    def end(self, error: DceError | None) -> None:
        """The backend's body is over; its connection belongs to the next request from here on."""
        self._whole = self.frames - self._parsed
        self._exchange = None
        self.error = error
        if error is not None and not self.tail.endswith(DONE):
            self._wire.write(b"\n\n" + self._dialect.event(error, self._request_id))
        if not self.finished.done():
            self.finished.set_result(None)

    def expire(self, total_s: float) -> None:
        """Time is up, which is no fault of the backend."""
        if self._exchange is not None:
            self._exchange.abort()
            self.is_expired = True
            self.end(ran_too_long(total_s))

    def pause(self) -> None:
        """The client's socket is full: the backend waits."""
        self.is_paused = True
        if self._exchange is not None:
            self._exchange.pause()

    def resume(self) -> None:
        """The client reads again."""
        if self.is_paused:
            self.is_paused = False
            if self._exchange is not None:
                self._exchange.resume()

    def heartbeat(self) -> None:
        """Tells a waiting client that we live; never in the middle of an event."""
        if not self._last or content(self._last[-1]).endswith((b"\n\n", b"\r\n\r\n")):
            self._wire.write(comment("keep-alive"))

    def close(self) -> None:
        """Closes the backend request if it still runs."""
        if self._exchange is not None:
            self._exchange.abort()
