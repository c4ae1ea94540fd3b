"""The way to the backends, over real sockets, with a server that does exactly what the test says."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway.backends.transport import (
    KEPT_CHUNKS,
    MAX_EARLY_BYTES,
    Address,
    Exchange,
    Timeouts,
    Transport,
    json_headers,
    request_head,
)
from dce.wire.chunks import chunk
from dce.wire.errors import DceError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
PATIENT = Timeouts(connect_s=5, first_byte_s=5, idle_s=5)


class Server:
    """Counts the connections; answers each request by the handler, until that returns without having read one."""

    def __init__(self) -> None:
        self.address = Address(scheme="http", host="127.0.0.1", port=0)
        self.accepted = 0
        self.open = 0
        self.changed = asyncio.Condition()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something about the connections."""
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(condition)

    async def count(self, by: int) -> None:
        async with self.changed:
            self.accepted += by > 0
            self.open += by
            self.changed.notify_all()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Server]:
    """A server of that handler."""
    server = Server()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.count(1)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            await server.count(-1)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.address = Address(scheme="http", host="127.0.0.1", port=listener.sockets[0].getsockname()[1])
    try:
        yield server
        await server.until(lambda: server.open == 0)
    finally:
        listener.close()


def answering(*answers: bytes, then_close: bool = False) -> Handler:
    """Reads a request, sends the next answer, and so on over all connections; keeps the connection open or closes it."""
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(left.pop(0))
            await writer.drain()
            if then_close:
                return

    return handle


class Sink:
    """Keeps what comes; `done` ends with the body or the error."""

    def __init__(self, on_data: Callable[[], None] = lambda: None) -> None:
        self._on_data = on_data
        self.body = b""
        self.ends = 0
        self.is_holding = False
        self.done: asyncio.Future[DceError | None] = asyncio.get_running_loop().create_future()

    def data(self, piece: bytes) -> None:
        self.body += piece
        self._on_data()

    def end(self, error: DceError | None) -> None:
        self.ends += 1
        self.done.set_result(error)


def head_for(address: Address) -> list[bytes]:
    """A small request."""
    return [request_head("GET", "/", address, json_headers("", "r"), 0)]


def played(
    handler: Handler, scene: Callable[[Server, Transport], Awaitable[None]], timeouts: Timeouts = PATIENT
) -> None:
    """Runs a scene with a server and a transport."""

    async def run() -> None:
        async with serving(handler) as server:
            transport = Transport(timeouts)
            try:
                await scene(server, transport)
            finally:
                transport.close()

    asyncio.run(run())


async def fault(awaitable: Awaitable[Any]) -> str:
    """The code of the error."""
    with pytest.raises(DceError) as caught:
        await awaitable
    return caught.value.code


@pytest.mark.parametrize(
    ("answer", "then_close"),
    [
        (OK + b"content-length: 5\r\n\r\nhello", False),
        (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 5\r\n\r\nhello", False),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK + b"content-length: 5\r\n\r\nhello", False),
    ],
    ids=["length", "chunked", "closed", "continue", "hints"],
)
def test_a_body_of_every_framing(answer: bytes, then_close: bool) -> None:
    """Length, chunks or the connection's end frame the body; interim answers are passed over."""

    async def scene(server: Server, transport: Transport) -> None:
        exchange = await transport.open(server.address, head_for(server.address))
        assert exchange.status == 200
        assert exchange.header(b"link") == b""
        assert await exchange.read() == b"hello"

    played(answering(answer, then_close=then_close), scene)


def test_nobody_listens() -> None:
    """A refused connection and a name that does not exist are the backend's unreachability, with the address."""

    async def scene() -> None:
        transport = Transport(PATIENT)
        listener = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        listener.close()
        await listener.wait_closed()
        for host in ("127.0.0.1", "no-such-host.invalid"):
            address = Address(scheme="http", host=host, port=port)
            with pytest.raises(DceError, match=f"{host}:{port}") as caught:
                await transport.open(address, head_for(address))
            assert caught.value.code == "backend_unreachable"

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "backend_unreachable"),
        (b"HTTP/1.1 200", "backend_unreachable"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "backend_error"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "backend_error"),
    ],
    ids=["nothing", "half a head", "ssh", "tls"],
)
def test_an_answer_that_is_none(answer: bytes, code: str) -> None:
    """A server that hangs up or speaks something else is named before a stream has begun."""

    async def scene(server: Server, transport: Transport) -> None:
        assert await fault(transport.open(server.address, head_for(server.address))) == code

    played(answering(answer, then_close=True), scene)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"content-length: 9\r\n\r\nhello", "stream_interrupted"),
        (b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "stream_interrupted"),
        (b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", "backend_error"),
    ],
    ids=["short", "no last chunk", "bad chunk"],
)
def test_a_body_that_breaks_ends_once_with_an_error(body: bytes, code: str) -> None:
    """What had come is delivered, then one end with the reason."""

    async def scene(server: Server, transport: Transport) -> None:
        sink = Sink()
        (await transport.open(server.address, head_for(server.address))).start(sink)
        error = await sink.done
        assert error is not None
        assert (error.code, sink.body, sink.ends) == (code, b"hello", 1)

    played(answering(OK + body, then_close=True), scene)


TEXTS = st.sampled_from(
    [b"data: x\n\n", b"w\r\n\r\n", b"\n", b"a", b"\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"y" * 300, b"z" * 5000]
)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(TEXTS, min_size=1, max_size=12), st.booleans(), st.booleans())
def test_a_body_is_the_same_however_it_is_cut(
    data: st.DataObject, texts: list[bytes], is_framed: bool, is_up: bool
) -> None:
    """Chunks that look like chunks, arriving alone, together, in parts, or byte by byte: the body is what was sent."""
    framed = [chunk(text) for text in texts]
    if is_up:
        framed[-1] = framed[-1].replace(b"\r\n", b";a=b\r\n", 1)  # an extension
    raw = b"".join(framed)
    ends = [sum(map(len, framed[:at])) for at in range(1, len(framed))]
    cuts = st.sampled_from(ends) | st.integers(1, len(raw) - 1) if ends else st.integers(1, len(raw) - 1)
    at = [0, *sorted(data.draw(st.sets(cuts, max_size=30))), len(raw)]

    async def run() -> None:
        exchange = Exchange(Transport(PATIENT), Address(scheme="http", host="h", port=1))
        sink = Sink()
        chunks: list[bytes] = []

        def take(piece: bytes) -> None:
            chunks.append(piece)
            head, _, rest = piece.partition(b"\r\n")
            assert (int(head, 16), rest[-2:]) == (len(rest) - 2, b"\r\n")
            sink.body += rest[:-2]

        exchange.data_received(CHUNKED)
        exchange.start_through(sink, take) if is_framed else exchange.start(sink)
        for begin, end in itertools.pairwise(at):
            exchange.data_received(raw[begin:end])
        assert (sink.body, sink.ends) == (b"".join(texts), 0)
        assert exchange.last_chunks() == chunks[-KEPT_CHUNKS:]
        exchange.data_received(b"0\r\n\r\n")
        assert (sink.body, await sink.done) == (b"".join(texts), None)

    asyncio.run(run())


def test_a_piece_that_continues_a_chunks_size_is_no_chunk() -> None:
    """A read may end within a chunk's size. What follows may look exactly like a whole chunk, and is the rest of a larger one."""

    async def run() -> None:
        exchange = Exchange(Transport(PATIENT), Address(scheme="http", host="h", port=1))
        sink, chunks = Sink(), list[bytes]()
        exchange.data_received(CHUNKED)
        exchange.start_through(sink, chunks.append)
        large = b"dataxx\n\n\r\n" + b"y" * 14  # 0x18 bytes, whose first 0x8 look like a chunk of their own
        for piece in (chunk(b"one\n\n"), chunk(b"two\n\n") + b"1", b"8\r\n" + large[:10], large[10:] + b"\r\n"):
            exchange.data_received(piece)
        exchange.data_received(b"0\r\n\r\n")
        assert await sink.done is None
        assert (sink.body, chunks) == (b"one\n\ntwo\n\n" + large, [])

    asyncio.run(run())


def test_the_usual_chunks_skip_the_parser() -> None:
    """From the second on, a chunk that comes alone is handed on with its framing; the first and the last are parsed."""

    async def run() -> None:
        exchange = Exchange(Transport(PATIENT), Address(scheme="http", host="h", port=1))
        sink, chunks = Sink(), list[bytes]()
        exchange.data_received(CHUNKED)
        exchange.start_through(sink, chunks.append)
        for text in (b"one\n\n", b"two\n\n", b"three\r\n\r\n"):
            exchange.data_received(chunk(text))
        exchange.data_received(chunk(b"four\n\n") + b"0\r\n\r\n")
        assert chunks == [chunk(b"two\n\n"), chunk(b"three\r\n\r\n")]
        assert exchange.whole_chunks == 2
        assert sink.body == b"one\n\nfour\n\n"
        assert await sink.done is None

    asyncio.run(run())


class Holding(Sink):
    """Keeps the beginning of an event until its end is there."""

    def data(self, piece: bytes) -> None:
        super().data(piece)
        self.is_holding = not self.body.endswith(b"\n\n")


def test_a_chunk_that_does_not_end_an_event_goes_to_the_sink() -> None:
    """Only whole events go past it; and nothing does while it holds the beginning of one, however the next chunk ends."""

    async def run() -> None:
        exchange = Exchange(Transport(PATIENT), Address(scheme="http", host="h", port=1))
        sink, chunks = Holding(), list[bytes]()
        exchange.data_received(CHUNKED)
        exchange.start_through(sink, chunks.append)
        for text in (b"one\n\n", b"tw", b"\n", b"o\n\n", b"three\n\n", b"four\n\n"):
            exchange.data_received(chunk(text))
        assert sink.body == b"one\n\ntw\no\n\n"
        assert chunks == [chunk(b"three\n\n"), chunk(b"four\n\n")]
        exchange.abort()

    asyncio.run(run())


def silent_after(first: bytes) -> Handler:
    """Sends this and then nothing, until the other side closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        await reader.read()

    return handle


def test_silence_before_and_within_an_answer() -> None:
    """No first byte, or a pause that is too long, is a timeout, and the connection is closed."""
    impatient = Timeouts(connect_s=5, first_byte_s=0.05, idle_s=0.05)

    async def before(server: Server, transport: Transport) -> None:
        assert await fault(transport.open(server.address, head_for(server.address))) == "backend_timeout"

    async def within(server: Server, transport: Transport) -> None:
        exchange = await transport.open(server.address, head_for(server.address), 5.0)
        assert await fault(exchange.read()) == "backend_timeout"

    played(silent_after(b""), before, impatient)
    played(silent_after(CHUNKED + b"1\r\na\r\n"), within, impatient)


def test_the_first_token_has_a_time_of_its_own() -> None:
    """After its head a backend may queue and prefill for longer than it may pause later, and less long than for ever."""
    patient = Timeouts(connect_s=5, first_byte_s=5, idle_s=0.02, first_token_s=0.2)
    impatient = Timeouts(connect_s=5, first_byte_s=5, idle_s=5, first_token_s=0.02)

    def said(words: str) -> Callable[[Server, Transport], Awaitable[None]]:
        async def scene(server: Server, transport: Transport) -> None:
            sink = Sink()
            exchange = await transport.open(server.address, head_for(server.address))
            exchange.start(sink)
            error = await sink.done
            assert error is not None
            assert (error.code, words in error.message) == ("backend_timeout", True)

        return scene

    played(silent_after(CHUNKED), said("no token for 0.2 s"), patient)
    played(silent_after(CHUNKED), said("no token for 0.02 s"), impatient)
    played(silent_after(CHUNKED + b"1\r\na\r\n"), said("sent nothing in the middle of its answer for 0.02 s"), patient)


def test_a_pause_of_ours_is_no_silence_of_the_backend() -> None:
    """While the client does not read, the backend's clock stands still; it starts anew when reading goes on."""

    async def scene(server: Server, transport: Transport) -> None:
        sink = Sink()
        exchange = await transport.open(server.address, head_for(server.address))
        exchange.start(sink)
        exchange.pause()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(sink.done), 0.2)
        exchange.resume()
        error = await sink.done
        assert error is not None
        assert error.code == "backend_timeout"

    played(silent_after(CHUNKED + b"1\r\na\r\n"), scene, Timeouts(connect_s=5, first_byte_s=5, idle_s=0.05))


def test_aborting_closes_the_connection_and_says_nothing_more() -> None:
    """After an abort the backend sees its connection close and the sink hears nothing."""

    async def scene(server: Server, transport: Transport) -> None:
        sink = Sink()
        exchange = await transport.open(server.address, head_for(server.address))
        exchange.start(sink)
        exchange.abort()
        exchange.abort()
        await server.until(lambda: server.open == 0)
        assert sink.ends == 0

    played(silent_after(CHUNKED + b"1\r\na\r\n"), scene)


def test_closing_ends_every_connection() -> None:
    """What rests and what is in the middle of an answer is closed alike; nothing is left for a loop that ends."""

    async def scene(server: Server, transport: Transport) -> None:
        busy = await transport.open(server.address, head_for(server.address))
        busy.start(Sink())
        assert len(transport.connections) == 1
        transport.close()
        await asyncio.sleep(0)
        assert not transport.connections
        await server.until(lambda: server.open == 0)

    played(silent_after(CHUNKED + b"1\r\na\r\n"), scene)


@pytest.mark.parametrize("where", ["head", "body"])
def test_cancelling_closes_the_connection(where: str) -> None:
    """Whoever is cancelled while waiting for a backend leaves no open request there."""

    async def scene(server: Server, transport: Transport) -> None:
        async def ask() -> None:
            exchange = await transport.open(server.address, head_for(server.address))
            await exchange.read()

        task = asyncio.create_task(ask())
        await server.until(lambda: server.open == 1)
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(lambda: server.open == 0)

    played(silent_after(b"" if where == "head" else CHUNKED + b"1\r\na\r\n"), scene)


def test_an_answer_beyond_the_limit_is_refused() -> None:
    """An answer that is read whole has a limit; beyond it the connection is closed."""

    async def scene(server: Server, transport: Transport) -> None:
        exchange = await transport.open(server.address, head_for(server.address))
        assert await fault(exchange.read(100)) == "backend_error"
        await server.until(lambda: server.open == 0)

    played(silent_after(CHUNKED + b"ff\r\n" + b"x" * 255 + b"\r\n"), scene)


def test_bytes_before_anybody_asks_are_limited() -> None:
    """A backend that sends megabytes before the stream is attached waits, and loses nothing."""
    size = 8 * MAX_EARLY_BYTES

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"content-length: %d\r\n\r\n" % size + b"x" * size)
        await writer.drain()

    async def scene(server: Server, transport: Transport) -> None:
        exchange = await transport.open(server.address, head_for(server.address))
        await asyncio.sleep(0.05)
        assert sum(map(len, exchange._pieces)) < 3 * MAX_EARLY_BYTES
        assert len(await exchange.read()) == size

    played(handle, scene)


def test_the_head_of_a_request_is_ours() -> None:
    """Method, path, host and length are framed by the gateway; an IPv6 host has its brackets; no key, no header."""
    address, prefix = Address.of("http://[::1]:8000/base/")
    assert (address.host, address.port, prefix, str(address)) == ("::1", 8000, "/base", "[::1]:8000")
    head = request_head("POST", prefix + "/v1", address, json_headers("k", "r1"), 7).decode()
    assert head.startswith("POST /base/v1 HTTP/1.1\r\nhost: [::1]:8000\r\ncontent-length: 7\r\n")
    assert "authorization: Bearer k\r\n" in head
    assert head.endswith("\r\n\r\n")
    assert "authorization" not in request_head("GET", "/", address, json_headers("", "r"), 0).decode()
    assert Address.of("https://h")[0].port == 443
    assert b"host: h\r\n" in request_head("GET", "/", Address.of("https://h")[0], [], 0)


def test_a_sink_that_raises_gets_its_end() -> None:
    """An answer that its reader cannot take ends with an error and closes the connection; its reader does not wait for ever."""

    def burst() -> None:
        raise KeyError("a bug")

    async def scene(server: Server, transport: Transport) -> None:
        sink = Sink(burst)
        exchange = await transport.open(server.address, head_for(server.address))
        exchange.start(sink)
        error = await sink.done
        assert error is not None
        assert error.code == "backend_error"
        assert sink.ends == 1
        await server.until(lambda: server.open == 0)

    played(silent_after(CHUNKED + b"1\r\na\r\n"), scene)
