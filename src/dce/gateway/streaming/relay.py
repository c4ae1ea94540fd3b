"""Relays a backend's event stream to a client byte for byte (the /v1 routes). A transport EventSink.

A chunk that ends an event is forwarded as it is, framing included; anything else is reframed, and a partial event is buffered until
its end arrives. The client thus always has whole events in whole chunks, so that a heartbeat or an error may follow. If the backend
breaks off, the client gets an error event: never a silent end, never half an event.
"""

import asyncio
import re
from collections import deque

from dce.gateway.backends.faults import ran_too_long
from dce.gateway.backends.transport import KEPT_CHUNKS, Exchange
from dce.gateway.front.connection import ClientConnection
from dce.gateway.front.dialects import OPENAI, Dialect
from dce.gateway.streaming.tail import error_in
from dce.wire.chunks import chunk, content
from dce.wire.errors import DceError
from dce.wire.sse import MAX_EVENT_BYTES, Beginning, comment

DONE = b"data: [DONE]\n\n"
"""After this the answer is complete; if the connection then breaks, nothing is lost."""
_ONLY_DONE = re.compile(rb"\s*data:\s*\[DONE\]\s*")
KEPT_PIECES = 2 * KEPT_CHUNKS
"""How many forwarded pieces are kept: enough for the finish reason, the usage and the end."""
_BLANK_LINES = (b"\n\n", b"\n\r\n", b"\r\r")
"""Ends of an event, for every kind of line end."""


class Relay:
    """Relays one exchange's body to the client's connection, with backpressure."""

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
        """When the first event arrived, on the loop's clock."""
        self.is_paused = False
        self.is_expired = False
        self.is_holding = False
        self.error: DceError | None = None
        """Why the backend broke off, if it did."""
        self._beginning = Beginning()
        self._held = bytearray()
        """A partial event."""
        self._last: deque[bytes] = deque(maxlen=KEPT_PIECES)
        """The last forwarded pieces with their framing, without the chunks that bypassed the relay after the first `_noted`."""
        self._noted = 0

    @property
    def frames(self) -> int:
        """Events forwarded; approximate when one piece holds several."""
        return self._parsed + (self._whole if self._exchange is None else self._exchange.whole_chunks)

    @property
    def is_over(self) -> bool:
        """Whether the backend's body has ended, with or without an error."""
        return self._exchange is None

    @property
    def tail(self) -> bytes:
        """The end of the forwarded body, without framing."""
        self._note()
        return b"".join(map(content, self._last))

    def start(self) -> None:
        """Starts forwarding: all events but the first and the last few go directly from socket to socket."""
        self._connection.on_full = self.pause
        if self._exchange is not None:
            self._exchange.start_through(self, self._connection.send)
        if not self._connection.is_writable:
            self.pause()

    def data(self, piece: bytes) -> None:
        """Forwards, in one write, the events completed by a piece that was not exactly one chunk."""
        if not self._beginning.is_over:
            # A client may take a byte order mark for the beginning of the first field's name.
            piece = self._beginning.strip(piece)
        if self.is_holding or not piece.endswith(b"\n\n"):
            piece = self._completed(piece)
        if piece:
            self._pass_on(piece)
        if len(self._held) > MAX_EVENT_BYTES:
            self._break(DceError("backend_error", f"the backend sent an event of more than {MAX_EVENT_BYTES} bytes"))

    def end(self, error: DceError | None) -> None:
        """The backend's body has ended; its connection now belongs to the next request."""
        held = bytes(self._held) + self._beginning.rest()
        if error is None and held:
            self._pass_on(held)  # the backend ended without a blank line: its last event is complete
        self._note()
        tail = self.tail
        if error is None and not self._dialect.has_ended(tail):
            error = error_in(tail) or DceError(
                "stream_interrupted", "the backend ended the stream without finishing the response"
            )
            if tail and not tail.endswith(_BLANK_LINES):
                self._connection.write(b"\n\n")  # the error must not become part of the last event
        self._whole = self.frames - self._parsed
        self._exchange = None
        self.error = error
        if error is not None and not tail.endswith(DONE):
            self._connection.write(self._dialect.event(error, self._request_id))
        if not self.finished.done():
            self.finished.set_result(None)

    def expire(self, total_s: float) -> None:
        """The total timeout was reached, which is not the backend's fault."""
        if self._exchange is not None:
            self.is_expired = True
            self._break(ran_too_long(total_s))

    def pause(self) -> None:
        """The client's socket is full: pauses the backend."""
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
        """Sends a heartbeat to a waiting client."""
        self._connection.write(comment("keep-alive"))

    def close(self) -> None:
        """Closes the backend request if it is still running."""
        if self._exchange is not None:
            self._exchange.abort()

    def _completed(self, piece: bytes) -> bytes:
        """The events that `piece` completes; the rest is buffered."""
        known = max(0, len(self._held) - 2)  # a blank line may begin in the buffered part
        self._held += piece
        ends = [self._held.rfind(blank, known) + len(blank) for blank in _BLANK_LINES if blank in self._held[known:]]
        cut = max(ends, default=0)
        whole = bytes(self._held[:cut])
        del self._held[:cut]
        self.is_holding = bool(self._held) or not self._beginning.is_over
        return whole

    def _pass_on(self, piece: bytes) -> None:
        if self.first_at is None and _ONLY_DONE.fullmatch(piece):
            self._break(DceError("backend_error", "the backend ended the stream without sending anything"))
            return
        if self.first_at is None:
            self.first_at = self._loop.time()
        self._note()
        self._parsed += max(1, piece.count(b"\n\n"))
        framed = chunk(piece)
        self._last.append(framed)
        self._connection.send(framed)

    def _note(self) -> None:
        """Records the chunks that bypassed the relay since the last call: they precede what comes now."""
        if self._exchange is not None and self._exchange.whole_chunks > self._noted:
            self._last.extend(self._exchange.last_chunks(self._exchange.whole_chunks - self._noted))
            self._noted = self._exchange.whole_chunks

    def _break(self, error: DceError) -> None:
        if self._exchange is not None:
            self._exchange.abort()
            self.end(error)
