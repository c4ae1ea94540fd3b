"""Backend bytes to a client, untouched: the pass-through stream. A transport EventSink.

A chunk that ends an event goes on as it is, framing and all; anything else is framed anew, and the beginning of an event is kept
until its end is there. So whatever the client has are whole events in whole chunks, and a heartbeat or an error may follow.
Ends truthfully: if the backend breaks off, the client gets an error event instead of a silent end, and never half an event.
"""

import asyncio
from collections import deque

from dce.gateway.backends.faults import ran_too_long
from dce.gateway.backends.transport import KEPT_CHUNKS, Exchange
from dce.gateway.front.connection import ClientConnection
from dce.gateway.front.dialects import OPENAI, Dialect
from dce.wire.chunks import chunk, content
from dce.wire.errors import DceError
from dce.wire.sse import MAX_EVENT_BYTES, comment

DONE = b"data: [DONE]\n\n"
"""After this all was said; that the connection then broke is nobody's loss."""
KEPT_PIECES = 2 * KEPT_CHUNKS
"""Of what was passed on: the last reason, the usage and the end, in however many pieces they came."""
_BLANK_LINES = (b"\n\n", b"\n\r\n", b"\r\r")
"""Ends of an event, whatever its line ends are."""


class Relay:
    """One exchange's body onto the client's connection, with backpressure both ways."""

    def __init__(
        self, exchange: Exchange, connection: ClientConnection, request_id: str, dialect: Dialect = OPENAI
    ) -> None:
        self._exchange: Exchange | None = exchange
        self._connection = connection
        self._request_id = request_id
        self._dialect = dialect
        self._loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self._parsed = self._whole = 0
        self.first_at: float | None = None
        """When the first event came, on the loop's clock."""
        self.is_paused = False
        self.is_expired = False
        self.is_holding = False
        self.error: DceError | None = None
        """How the backend broke off, if it did."""
        self._held = bytearray()
        """The beginning of an event whose end has not come yet."""
        self._last: deque[bytes] = deque(maxlen=KEPT_PIECES)
        """The end of what was passed on, with its framing; without the chunks that went past since `_noted` of them."""
        self._noted = 0

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
        self._note()
        return b"".join(map(content, self._last))

    def start(self) -> None:
        """Bytes flow from here on: every event but the first and the last few straight from socket to socket."""
        self._connection.on_full = self.pause
        if self._exchange is not None:
            self._exchange.start_through(self, self._connection.send)
        if not self._connection.is_writable:
            self.pause()

    def data(self, piece: bytes) -> None:
        """Passes on the events that are complete with what one wake-up brought and was not one whole chunk, in one write."""
        if self._held or not piece.endswith(b"\n\n"):
            piece = self._completed(piece)
        if piece:
            self._pass_on(piece)
        if len(self._held) > MAX_EVENT_BYTES:
            self._break(DceError("backend_error", f"the backend sent an event of more than {MAX_EVENT_BYTES} bytes"))

    def end(self, error: DceError | None) -> None:
        """The backend's body is over; its connection belongs to the next request from here on."""
        if error is None and self._held:
            self._pass_on(bytes(self._held))  # an end without a blank line: what came is what the backend meant
        self._note()
        self._whole = self.frames - self._parsed
        self._exchange = None
        self.error = error
        if error is not None and not self.tail.endswith(DONE):
            self._connection.write(self._dialect.event(error, self._request_id))
        if not self.finished.done():
            self.finished.set_result(None)

    def expire(self, total_s: float) -> None:
        """Time is up, which is no fault of the backend."""
        if self._exchange is not None:
            self.is_expired = True
            self._break(ran_too_long(total_s))

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
        """Tells a waiting client that we live."""
        self._connection.write(comment("keep-alive"))

    def close(self) -> None:
        """Closes the backend request if it still runs."""
        if self._exchange is not None:
            self._exchange.abort()

    def _completed(self, piece: bytes) -> bytes:
        """The events that `piece` completes; keeps what is left."""
        known = max(0, len(self._held) - 2)  # a blank line may begin in what was kept
        self._held += piece
        ends = [self._held.rfind(blank, known) + len(blank) for blank in _BLANK_LINES if blank in self._held[known:]]
        cut = max(ends, default=0)
        whole = bytes(self._held[:cut])
        del self._held[:cut]
        self.is_holding = bool(self._held)
        return whole

    def _pass_on(self, piece: bytes) -> None:
        if self.first_at is None:
            self.first_at = self._loop.time()
        self._note()
        self._parsed += max(1, piece.count(b"\n\n"))
        framed = chunk(piece)
        self._last.append(framed)
        self._connection.send(framed)

    def _note(self) -> None:
        """The chunks that went past since the last time belong before what comes now."""
        if self._exchange is not None and self._exchange.whole_chunks > self._noted:
            self._last.extend(self._exchange.last_chunks(self._exchange.whole_chunks - self._noted))
            self._noted = self._exchange.whole_chunks

    def _break(self, error: DceError) -> None:
        if self._exchange is not None:
            self._exchange.abort()
            self.end(error)
