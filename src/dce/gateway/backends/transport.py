"""HTTP/1.1 to the backends: asyncio protocols, llhttp as the parser, pooled connections. The gateway's only outgoing connections.

The streaming path is callbacks on bytes: after `Exchange.start(sink)`, the socket's callback passes every piece of the body to
`sink.data` without a task switch. The usual piece is exactly one chunk (chunks.py) that ends with a blank line, as events do: it
bypasses the parser, whose state stays between two chunks.
Invariant: `sink.end` is called exactly once for a started exchange, unless the gateway aborts it.
"""

import asyncio
import logging
import math
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import httptools
import msgspec

from dce.wire.chunks import CHUNK_HEADS, MAX_WHOLE_CHUNK
from dce.wire.errors import DceError
from dce.wire.retry_after import retry_after_s

log = logging.getLogger("dce.gateway")

IDLE_CONNECTION_S = 30.0
"""How long a pooled connection may stay idle. vLLM closes its side after 5 s, which we notice; firewalls and NAT drop connections
silently, but only after minutes."""
MAX_IDLE_CONNECTIONS = 256
KEPT_CHUNKS = 4
"""How many of the chunks that bypassed the parser are kept (a power of two): the finish reason, the usage and the end of a stream
arrive in up to three."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Maximum answer read as a whole (`Exchange.read`): a non-streamed completion with twenty long choices fits."""
IDLE_LOOKS = 8
"""Idle checks per idle timeout: a stalled answer is found at most an eighth of the timeout late."""
MAX_EARLY_BYTES = 256 * 1024
"""Body bytes buffered before `start`; beyond this the backend is paused."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a backend listens."""

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """The host as written in URLs: an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"

    @classmethod
    def of(cls, url: str) -> tuple["Address", str]:
        """The address of a base URL, and its path prefix."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(scheme=parts.scheme, host=parts.hostname or "", port=port), parts.path.rstrip("/")


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds; see GatewaySettings for the reasons."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    first_token_s: float = 600.0


class Sink(Protocol):
    """Where a response body goes."""

    def data(self, piece: bytes) -> None:
        """The next bytes."""

    def end(self, error: DceError | None) -> None:
        """The body is complete (None) or broke off."""


class EventSink(Sink, Protocol):
    """A sink that passes on whole events only, and buffers a partial one until its end arrives."""

    is_holding: bool
    """Whether a partial event is buffered: the next piece must go to the sink."""


class Exchange(asyncio.Protocol):
    """One connection to a backend, carrying one exchange at a time."""

    def __init__(self, transport: "Transport", address: Address) -> None:
        self._owner = transport
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._socket: asyncio.Transport | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._parser = httptools.HttpResponseParser(self)
        self._head: asyncio.Future[None] = self._loop.create_future()
        self._arrival: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._on_piece: Callable[[bytes], object] | None = None
        self._on_whole_chunk: Callable[[bytes], object] | None = None
        """`_on_piece` while the parser is between two chunks, otherwise None."""
        self._holder: EventSink | None = None
        """The sink when chunks bypass it (`start_through`)."""
        self._has_chunk_ended = False
        self.whole_chunks = 0
        """How many chunks bypassed the parser."""
        self._kept: list[bytes] | None = None
        """The last of them with their framing, each at index number modulo KEPT_CHUNKS."""
        self._seen_chunks = 0
        self._pieces: list[bytes] = []
        self._is_complete = False
        self._is_kept_alive = False
        self._is_ended = False
        self._failure: DceError | None = None
        self._last_data_at = self._loop.time()
        self._silent_since: float | None = None
        """When `start` was called, if no body had arrived by then: while it equals the time of the last data, no token has arrived."""
        self._has_any_byte = False

    # -- used by the gateway ------------------------------------------------------------------------------------------

    def start(self, sink: Sink) -> None:
        """Delivers the body to `sink`, beginning with what has already arrived."""
        self._begin(sink, sink.data)

    def start_through(self, sink: EventSink, send: Callable[[bytes], object]) -> None:
        """Like `start`, but a piece that is exactly one chunk and ends an event goes, with its framing, to `send` instead of the sink:
        socket to socket in one call, unless the sink holds a partial event."""
        self._holder, self._kept = sink, [b""] * KEPT_CHUNKS
        self._begin(sink, send)

    def last_chunks(self, most: int = KEPT_CHUNKS) -> list[bytes]:
        """The last chunks that bypassed the sink, with their framing, oldest first; at most KEPT_CHUNKS."""
        last, kept = self.whole_chunks, self._kept
        if kept is None:
            return []
        first = last - min(most, last, KEPT_CHUNKS) + 1
        return [kept[number % KEPT_CHUNKS] for number in range(first, last + 1)]

    def _begin(self, sink: Sink, on_piece: Callable[[bytes], object]) -> None:
        self._sink, self._on_piece = sink, on_piece
        # A time at which no data can arrive: uvloop's clock stands still within a loop iteration, and data may arrive in this one.
        self._last_data_at = math.nextafter(self._loop.time(), 0)
        self._silent_since = None if self._pieces else self._last_data_at
        self._watch_idle()
        self._deliver()
        if self._socket is not None and not self._is_ended:
            self._socket.resume_reading()

    async def first_bytes(self, patience_s: float) -> None:
        """Waits until part of the body has arrived, or for `patience_s`. Raises DceError if the body broke off before: nothing was
        delivered, so the request may be sent elsewhere."""
        if not self._has_body:
            self._arrival = self._loop.create_future()
            patience = self._loop.call_later(patience_s, self._has_arrived)
            try:
                await self._arrival
            except asyncio.CancelledError:
                self.abort()
                raise
            finally:
                patience.cancel()
                self._arrival = None
        if self._failure is not None and not self._pieces:
            raise self._failure

    async def read(self, limit: int = MAX_ANSWER_BYTES) -> bytes:
        """The whole body."""
        collector = _Collector(self, limit, self._loop.create_future())
        self.start(collector)
        try:
            return await collector.done
        except asyncio.CancelledError:
            if (
                collector.done.cancelled()
            ):  # otherwise the answer is complete, and the connection may already be in use again
                self.abort()
            raise

    def pause(self) -> None:
        """Stops reading from the backend: its send buffer fills and it waits."""
        if self._socket is not None and not self._socket.is_closing():
            self._socket.pause_reading()

    def resume(self) -> None:
        """Resumes reading. The idle timer restarts: the silence was ours."""
        self._last_data_at = self._loop.time()
        if self._socket is not None and not self._socket.is_closing():
            self._socket.resume_reading()

    def abort(self) -> None:
        """Ends the exchange at once; the backend sees its connection close and stops generating."""
        self._is_ended = True
        self._let_go()
        if self._socket is not None:
            self._socket.abort()

    def header(self, name: bytes) -> bytes:
        """The value of a header, lower-case name; b"" if absent."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""

    @property
    def retry_after_s(self) -> float | None:
        """The seconds that its Retry-After header asks to wait; None if it has none."""
        return retry_after_s(self.header(b"retry-after").decode("latin-1"), time.time())

    # -- used by Transport --------------------------------------------------------------------------------------------

    @property
    def is_reusable(self) -> bool:
        """Whether the connection can carry another request."""
        return self._socket is not None and not self._socket.is_closing()

    @property
    def has_any_byte(self) -> bool:
        """Whether any byte of an answer has arrived: before that, the request may be sent again."""
        return self._has_any_byte

    async def send(self, pieces: Sequence[bytes], first_byte_s: float) -> None:
        """Writes a request and waits for the head of its answer."""
        if self._has_any_byte or self._head.done():
            self._reset()  # the connection carried another request before
        assert self._socket is not None
        self._socket.writelines(pieces)
        patience = self._loop.call_later(first_byte_s, self._head_is_late, first_byte_s)
        try:
            await self._head
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            patience.cancel()

    def _head_is_late(self, first_byte_s: float) -> None:
        self.abort()
        self._fail(DceError("backend_timeout", f"the backend sent nothing for {first_byte_s:g} s"))

    # -- asyncio.Protocol ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not registered as asyncio.Transport, but they are one.
        self._socket = cast("asyncio.Transport", transport)
        self._owner.connections.add(self)

    def data_received(self, data: bytes) -> None:
        # A local variable, because calling an attribute first looks it up as a method.
        take = self._on_whole_chunk
        if take is not None and len(data) < MAX_WHOLE_CHUNK:
            # Slices, because CPython 3.11's `startswith` and `endswith` spend longer parsing their arguments.
            head = CHUNK_HEADS[len(data)]
            size = len(head)
            if data[:size] == head and (data[-4:] == b"\n\n\r\n" or data[-6:] == b"\r\n\r\n\r\n"):
                count = self.whole_chunks = self.whole_chunks + 1
                kept = self._kept
                if kept is None:
                    take(data[size:-2])
                else:
                    kept[count % KEPT_CHUNKS] = data
                    take(data)
                return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        self._has_any_byte = True
        self._last_data_at = self._loop.time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(DceError("backend_error", "the backend's answer is not valid HTTP"))
            if self._socket is not None:
                self._socket.abort()
            return
        self._deliver()
        # After a partial chunk header `_has_chunk_ended` is still true for the chunk before; but such data cannot end with CRLF.
        is_between = self._has_chunk_ended and data.endswith(b"\r\n")
        is_held = self._holder is not None and self._holder.is_holding
        self._on_whole_chunk = self._on_piece if is_between and not is_held else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_idle_timer()
        self._owner.forget(self._address, self)
        if self._is_complete or self._is_ended:
            return
        if self.status and exc is None and not self._has_length():
            self._is_complete = True  # HTTP/1.0 style: closing the connection ends the body
        else:
            self._fail(
                DceError("stream_interrupted", "the backend closed the connection before its answer was complete")
            )
        self._deliver()

    # -- httptools ----------------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status: int = self._parser.get_status_code()
        if status < 200:  # an interim answer (100, 103): the real one follows
            self.headers.clear()
            return
        self.status = status
        if not self._head.done():
            self._head.set_result(None)

    def on_chunk_header(self) -> None:
        self._has_chunk_ended = False

    def on_chunk_complete(self) -> None:
        self._has_chunk_ended = True

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._is_complete = self.status >= 200
        # Only known here: the parser forgets the message's framing when this callback returns.
        self._is_kept_alive = bool(self._parser.should_keep_alive())

    # -- inside -------------------------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Calls the sink once per wake-up, however many chunks it brought."""
        if self._sink is None:
            if self._has_body:
                self._has_arrived()
            if sum(map(len, self._pieces)) > MAX_EARLY_BYTES:
                self.pause()
            return
        sink = self._sink
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            try:
                sink.data(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            except Exception as error:  # noqa: BLE001 - the sink would wait for its end for ever
                log.warning("an answer of the backend at %s cannot be read (%s)", self._address, type(error).__name__)
                self.abort()
                sink.end(DceError("backend_error", "the backend sent something that cannot be read"))
                return
        if self._sink is sink and not self._is_ended and (self._is_complete or self._failure):
            self._is_ended = True
            self._let_go()
            sink.end(None if self._is_complete else self._failure)
            if self._is_complete:
                self.resume()  # if a slow client paused it, the next request must not get a connection that does not read
                self._owner.give_back(self._address, self, keep=self._is_kept_alive)

    def _has_arrived(self) -> None:
        """Wakes `first_bytes`."""
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    @property
    def _has_body(self) -> bool:
        """Whether there is something to deliver: bytes, or the end."""
        return bool(self._pieces) or self._is_complete or self._failure is not None

    def _let_go(self) -> None:
        """Detaches the sink."""
        self._sink = self._holder = self._on_piece = self._on_whole_chunk = None
        self._stop_idle_timer()

    def _fail(self, error: DceError) -> None:
        self._failure = self._failure or error
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # marks it as retrieved: there may be no waiter left

    def _has_length(self) -> bool:
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    def _watch_idle(self) -> None:
        if not self._is_ended and not self._is_complete:
            timeouts = self._owner.timeouts
            first_look_s = min(timeouts.idle_s / IDLE_LOOKS, timeouts.first_token_s)
            self._idle_timer = self._loop.call_later(first_look_s, self._check_idle)

    def _check_idle(self) -> None:
        """One timer per answer, not per piece. Chunks that bypass the parser leave only their count, not a time. vLLM sends the head
        at once and then queues and prefills, so a separate limit applies until the first token."""
        timeouts, now = self._owner.timeouts, self._loop.time()
        if self.whole_chunks != self._seen_chunks:
            self._seen_chunks, self._last_data_at = self.whole_chunks, now
        is_silent = self._last_data_at == self._silent_since
        limit = timeouts.first_token_s if is_silent else timeouts.idle_s
        left = self._last_data_at + limit - now
        is_paused = self._socket is not None and not self._socket.is_reading()
        if left > 0 or is_paused:
            next_look_s = min(left if left > 0 else limit, timeouts.idle_s / IDLE_LOOKS)
            self._idle_timer = self._loop.call_later(next_look_s, self._check_idle)
            return
        what = "sent no token" if is_silent else "sent nothing in the middle of its answer"
        self._fail(DceError("backend_timeout", f"the backend {what} for {limit:g} s"))
        self._deliver()
        if self._socket is not None:
            self._socket.abort()

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None


class _Collector:
    """A sink that collects the body."""

    def __init__(self, exchange: Exchange, limit: int, done: asyncio.Future[bytes]) -> None:
        self._exchange = exchange
        self._limit = limit
        self._body = bytearray()
        self.done = done

    def data(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > self._limit and not self.done.done():
            self._exchange.abort()
            self.done.set_exception(
                DceError("backend_error", f"the backend's answer is longer than {self._limit} bytes")
            )

    def end(self, error: DceError | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(bytes(self._body))
        else:
            self.done.set_exception(error)


class Transport:
    """Opens exchanges, and pools idle connections."""

    def __init__(self, timeouts: Timeouts, tls: ssl.SSLContext | None = None) -> None:
        self.timeouts = timeouts
        self._tls = tls
        self.connections: set[Exchange] = set()
        """All open connections, idle or not."""
        self._idle: dict[Address, list[tuple[float, Exchange]]] = {}

    async def open(self, address: Address, pieces: Sequence[bytes], first_byte_s: float | None = None) -> Exchange:
        """Sends a request (bytes, in pieces) and returns once the head of the answer has arrived. Raises DceError."""
        limit = first_byte_s or self.timeouts.first_byte_s
        pooled = self._take(address)
        if pooled is not None:
            try:
                await pooled.send(pieces, limit)
            except DceError as error:
                # The backend may have closed the idle connection just as we used it: if nothing was answered, send it again.
                if pooled.has_any_byte or error.code != "stream_interrupted":
                    raise
            else:
                return pooled
        exchange = await self._connect(address)
        try:
            await exchange.send(pieces, limit)
        except DceError as error:
            if error.code == "stream_interrupted":
                message = f"the backend at {address} closed the connection without an answer"
                raise DceError("backend_unreachable", message) from None
            raise
        return exchange

    async def _connect(self, address: Address) -> Exchange:
        loop = asyncio.get_running_loop()
        tls = self._tls_context() if address.scheme == "https" else None
        try:
            async with asyncio.timeout(self.timeouts.connect_s):
                _, exchange = await loop.create_connection(
                    lambda: Exchange(self, address), address.host, address.port, ssl=tls
                )
        except TimeoutError:
            how = "no TLS connection" if tls else "no connection"
            raise DceError(
                "backend_unreachable", f"{how} to the backend at {address} within {self.timeouts.connect_s:g} s"
            ) from None
        except (OSError, ssl.SSLError) as error:
            raise DceError("backend_unreachable", f"no connection to the backend at {address}: {error}") from None
        return exchange

    def _tls_context(self) -> ssl.SSLContext:
        """Created once: reading the system's certificates blocks every stream for tens of milliseconds."""
        self._tls = self._tls or ssl.create_default_context()
        return self._tls

    def _take(self, address: Address) -> Exchange | None:
        now = asyncio.get_running_loop().time()
        resting = self._idle.get(address, [])
        while resting:
            since, exchange = resting.pop()
            if exchange.is_reusable and now - since < IDLE_CONNECTION_S:
                return exchange
            exchange.abort()
        return None

    def give_back(self, address: Address, exchange: Exchange, *, keep: bool) -> None:
        """A finished exchange returns its connection."""
        resting = self._idle.setdefault(address, [])
        if keep and exchange.is_reusable and len(resting) < MAX_IDLE_CONNECTIONS:
            resting.append((asyncio.get_running_loop().time(), exchange))
        else:
            exchange.abort()

    def forget(self, address: Address, exchange: Exchange) -> None:
        """A connection was closed, by either side."""
        self.connections.discard(exchange)
        resting = self._idle.get(address)
        if resting:
            resting[:] = [(since, other) for since, other in resting if other is not exchange]

    def drop_resting(self, address: Address) -> None:
        """Closes the idle connections to a backend that is no longer used."""
        for _, exchange in self._idle.pop(address, []):
            exchange.abort()

    def close(self) -> None:
        """Closes every connection; they are gone after the next loop iteration."""
        for exchange in list(self.connections):
            exchange.abort()
        self._idle.clear()


def request_head(method: str, path: str, address: Address, headers: Iterable[tuple[str, str]], length: int) -> bytes:
    """The head of a request, built by the gateway: the caller's framing and headers never reach a backend."""
    default = 443 if address.scheme == "https" else 80
    host = address.name if address.port == default else str(address)
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", f"content-length: {length}", "accept-encoding: identity"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def json_headers(key: str, request_id: str, extra: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """The headers every backend request carries."""
    headers = [("content-type", "application/json"), ("x-request-id", request_id)]
    if key:
        headers.append(("authorization", f"Bearer {key}"))
    return headers + [(name, str(value)) for name, value in (extra or {}).items()]
