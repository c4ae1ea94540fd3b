"""Protects against hostile requests before authentication: heads, framing, slow clients. Below the ASGI app, above llhttp.

llhttp refuses invalid HTTP. This module refuses valid HTTP that two parsers could read differently (a second Host, ambiguous framing)
or that costs much for little (endless heads, one-byte chunks, slow bodies). A refusal is an error in the usual shape, after which the
connection is closed; nothing of the request has reached a backend. An offer to upgrade is ignored, as HTTP allows. A client that closes
only its sending side gets its answer (probe.py).
"""

import asyncio
import re
import secrets
from collections.abc import Callable
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from dce.gateway.front.dialects import dialect_at
from dce.gateway.front.probe import BEFORE_ANSWER, IN_STREAM, Probe
from dce.wire.errors import DceError

MAX_HEAD_BYTES = 64 * 1024
"""Request line plus headers: a browser with every cookie of a company's domain sends 16 KB."""
MAX_HEADERS = 100
"""A chain of proxies adds about a dozen."""
MAX_SMALL_CHUNKS = 1_000
MIN_CHUNK_BYTES = 64
"""After MAX_SMALL_CHUNKS chunks their average size must reach this: each costs as much to parse as a kilobyte."""

_HOST = re.compile(rb"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


class ClientTimeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How slow a client may be; see GatewaySettings for the reasons."""

    head_s: float = 10.0
    body_window_s: float = 10.0
    body_bytes_per_s: int = 10 * 1024


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with early refusals. Each request's head and body have a timeout."""

    def __init__(
        self,
        *args: Any,
        patience: ClientTimeouts | None = None,
        on_refused: Callable[[str], object] = lambda _code: None,
        **kwargs: Any,
    ) -> None:
        """`on_refused` is called with the error code of each refusal, which the app never sees."""
        super().__init__(*args, **kwargs)
        self.url = b""  # uvicorn sets it when a request begins, and what is refused may be none
        self._patience = patience or ClientTimeouts()
        self._on_refused = on_refused
        self._refusal: DceError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_in_head = self._is_in_body = False
        self._head_bytes = self._body_bytes = self._window_bytes = self._chunks = 0
        self._running: RequestResponseCycle | None = None
        """The request that is being answered; `cycle` is the last one that arrived."""
        self._probe: Probe | None = None

    # -- the connection -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: its first head must arrive in time."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has disconnected."""
        self._stop_timer()
        if self._probe is not None:
            self._probe.stop()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn omits this after a reset, and dead connections stayed for a minute

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived. Anything between two requests, even an empty line, starts the next request's head."""
        is_resting = not self._is_in_body and (self.cycle is None or self.cycle.response_complete)
        if is_resting and self._timer is None:
            self._expect_head()
        self._feed(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._timer is None and not self.transport.is_closing():
                self._expect_head()
            if self._head_bytes > MAX_HEAD_BYTES + len(data) and not self.transport.is_closing():
                self._answer_and_close(_too_large_head())
        elif self._is_in_body and self._timer is None and not self.transport.is_closing():
            self._window_bytes = self._body_bytes
            self._timer = self.loop.call_later(self._patience.body_window_s, self._check_body)

    def _feed(self, data: bytes) -> None:
        """Parses what has arrived. The parser takes whatever follows an offer to upgrade for another protocol: it gets that head again,
        without the offer, and goes on behind it."""
        self._unset_keepalive_if_required()
        rest: memoryview | None = memoryview(data)
        try:
            while rest:
                rest = self._behind_upgrade(rest)
        except httptools.HttpParserError:
            self.send_400_response("")

    def _behind_upgrade(self, data: memoryview) -> memoryview | None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.parser.feed_data(self._head_without_upgrade())
            return data[upgrade.args[0] :]
        return None

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends nothing more. If its request is whole, it may be waiting for the answer: the connection stays open to send."""
        is_whole = self.cycle is not None and not self.cycle.response_complete and not self._is_in_body
        if not is_whole:
            return None
        self._stop_timer()  # what has arrived of a next request will never be whole
        self.cycle.keep_alive = False
        if self._probe is None:
            self._probe = Probe(self._send_probe)
        return True

    def _send_probe(self) -> None:
        cycle = self._running
        if cycle is None or cycle.response_complete or self.transport.is_closing():
            return
        if not cycle.response_started:
            if cycle.scope["http_version"] != "1.0":
                self.transport.write(BEFORE_ANSWER)
        elif cycle.chunked_encoding:
            self.transport.write(IN_STREAM)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # -- llhttp -------------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = self._body_bytes = self._chunks = 0
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        super().on_url(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. After the head it is a trailer, which would be treated as a header that nobody has checked."""
        if not self._is_in_head:
            raise self._refuse("trailers are not accepted")
        super().on_header(name, value)
        self._count_head(len(name) + len(value))
        if len(self.headers) > MAX_HEADERS:
            raise self._refuse(f"the request has more than {MAX_HEADERS} headers")

    def on_headers_complete(self) -> None:
        """The head is complete: refuses what two parsers could read differently."""
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            return  # `_feed` has the head read again
        self._stop_timer()
        self._check_head()
        self._is_in_head, self._is_in_body = False, True
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1
        if self._chunks > MAX_SMALL_CHUNKS and self._body_bytes < self._chunks * MIN_CHUNK_BYTES:
            raise self._refuse(f"the body comes in chunks of less than {MIN_CHUNK_BYTES} bytes")

    def on_chunk_complete(self) -> None:
        """A chunk ends; the parser wants both callbacks."""

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self.parser.should_upgrade():
            return
        self._is_in_body = False
        self._stop_timer()
        super().on_message_complete()

    # -- refusing -----------------------------------------------------------------------------------------------------

    def _count_head(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEAD_BYTES:
            self._refusal = _too_large_head()
            raise self._refusal

    def _check_head(self) -> None:
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and self.parser.get_http_version() != "1.0"):
            raise self._refuse("the request must have exactly one Host header")
        if hosts and not _HOST.fullmatch(hosts[0]):
            raise self._refuse("the Host header is not a host and a port")
        if not self.url.startswith(b"/"):
            raise self._refuse("the request's target must be a path")
        encodings = [value for name, value in self.headers if name == b"transfer-encoding"]
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if len(encodings) + len(lengths) > 1 or (encodings and encodings[0].lower() != b"chunked"):
            raise self._refuse("the body must be framed in one way: Content-Length or Transfer-Encoding: chunked")
        if self.parser.get_method() == b"CONNECT":
            raise self._refuse("the gateway is no proxy: it does not take CONNECT")

    def _refuse(self, message: str) -> DceError:
        """Records the refusal for the answer, because the parser wraps exceptions of its callbacks."""
        self._refusal = DceError("invalid_request", message, hint="Use an ordinary HTTP/1.1 client or proxy.")
        return self._refusal

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser or the guard refused."""
        del msg  # uvicorn's own text
        self._answer_and_close(self._refusal or self._refuse("the data received is not an HTTP/1.1 request"))

    def _answer_and_close(self, error: DceError) -> None:
        """Answers, unless that would corrupt an answer in progress, and closes the connection."""
        self._stop_timer()
        self._on_refused(error.code)
        cycle = self.cycle
        is_anothers = cycle is not None and not cycle.response_complete and not (self._is_in_body and cycle.more_body)
        is_begun = cycle is not None and self._is_in_body and cycle.response_started
        if not is_anothers and not is_begun:
            path = self.url.partition(b"?")[0].decode("latin-1")
            body = dialect_at(path).error(error, request_id := secrets.token_hex(8))
            head = (
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\ncache-control: no-store\r\n"
                f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[error.status] + head.encode() + body)
        if cycle is not None:
            cycle.disconnected = True  # its task must not continue with half a body
        self.transport.close()

    # -- slowness -----------------------------------------------------------------------------------------------------

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self._patience.head_s, self._head_is_late)

    def _head_is_late(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._answer_and_close(
                DceError("request_timeout", f"the request's head was incomplete after {self._patience.head_s:g} s")
            )

    def _check_body(self) -> None:
        """One check per window: enough bytes must have arrived, unless it was the gateway that did not read."""
        self._timer = None
        if self.transport.is_closing() or not self._is_in_body:
            return
        window = self._patience.body_window_s
        if (
            not self.flow.read_paused
            and self._body_bytes - self._window_bytes < window * self._patience.body_bytes_per_s
        ):
            rate = self._patience.body_bytes_per_s
            self._answer_and_close(
                DceError("request_timeout", f"the body arrived at less than {rate} bytes per second")
            )
            return
        self._window_bytes = self._body_bytes
        self._timer = self.loop.call_later(window, self._check_body)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _too_large_head() -> DceError:
    return DceError("invalid_request", f"the request's head is larger than {MAX_HEAD_BYTES} bytes")
