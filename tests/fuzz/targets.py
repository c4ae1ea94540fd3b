"""What any bytes at all must not break: one function a target, bytes in, AssertionError out. No randomness, no I/O.

hypothesis calls them in every test run, atheris (coverage-guided) in the long ones: `python -m tests.fuzz TARGET SECONDS`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
import uvicorn
from uvicorn.server import ServerState

from dce.gateway.backends.transport import Exchange
from dce.gateway.front.body import decode, encode_request, read_forward, read_generate, with_fields
from dce.gateway.front.connection import StreamingProtocol
from dce.gateway.streaming.frames import FrameSplitter
from dce.gateway.streaming.streams import Stream
from dce.wire.errors import DceError
from dce.wire.sse import Decoder, EventTooLarge
from tests.fakes.opener import FakeOpener
from tests.simulation.client import Connection
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import End

MAX_PIECES = 6


def pieces_of(data: bytes) -> list[bytes]:
    """The bytes cut at places that they choose themselves: their first byte says how many pieces."""
    count = 1 + (data[0] % MAX_PIECES if data else 0)
    step = max(1, len(data) // count)
    return [data[at : at + step] for at in range(0, len(data), step)]


def sse_decoder(data: bytes) -> None:
    """In any pieces the events are those of the whole; nothing but its own limit is ever raised."""

    def read(pieces: Sequence[bytes]) -> list[Any]:
        decoder = Decoder()
        return [event for piece in pieces for event in decoder.feed(piece)] + decoder.flush()

    with contextlib.suppress(EventTooLarge):
        assert read(pieces_of(data)) == read([data])


def frame_splitter(data: bytes) -> None:
    """In any pieces the frames are those of the whole."""

    def read(pieces: Sequence[bytes]) -> list[bytes]:
        splitter = FrameSplitter()
        return [frame for piece in pieces for frame in splitter.feed(piece)] + splitter.flush()

    with contextlib.suppress(DceError):
        assert read(pieces_of(data)) == read([data])


def body_editor(data: bytes) -> None:
    """A body is refused by name or understood; what is sent on is JSON that says the same and cannot be said twice."""
    with contextlib.suppress(DceError):
        ask = read_generate(data, max_n=20, is_json_wanted=False)
        own = {"model": "m", "n": 1, "cache_salt": "ours"}
        sent = b"".join(with_fields(encode_request(ask.common), own))
        assert msgspec.json.decode(sent) == {**ask.common, **own}
    with contextlib.suppress(DceError):
        passed = read_forward(data, max_n=20)
        bulk = encode_request(passed.fields) if passed.is_changed else passed.raw
        sent = b"".join(with_fields(bulk.rstrip(), {"cache_salt": "ours"})) if passed.fields else bulk
        again = decode(sent)
        assert again.get("cache_salt", "ours") == "ours"
        assert {**again, "cache_salt": None} == {**passed.fields, "cache_salt": None}


class _Sink:
    """Takes a stream's frames."""

    def frame(self, data: bytes) -> None:
        """Taken."""

    def heartbeat(self) -> None:
        """Taken."""

    def flush(self) -> None:
        """Nothing is buffered."""


class _Backend:
    """A connection whose bytes the fuzzer chose."""

    def __init__(self) -> None:
        self.sink: Any = None

    def start(self, sink: Any) -> None:
        self.sink = sink

    def abort(self) -> None:
        self.sink = None

    pause = resume = abort


def backend_stream(data: bytes) -> None:
    """Whatever a backend says, nothing is raised into its socket, and when it ends every choice has ended."""
    loop = VirtualLoop()

    async def scene() -> None:
        stream = Stream("s", "owner", "m", [[0, 1], [2]])
        backends = [_Backend(), _Backend()]

        async def opener(indices: Sequence[int]) -> Exchange:
            return cast("Exchange", backends[0 if 0 in indices else 1])

        await stream.open(FakeOpener(opener), 5.0)
        await asyncio.gather(*(part.opening for part in stream.parts if part.opening))
        stream.attach(_Sink())
        for at, piece in enumerate(pieces_of(data)):
            if backends[at % 2].sink is not None:
                backends[at % 2].sink.data(piece)
        for backend in backends:
            if backend.sink is not None:
                backend.sink.end(None)
        assert stream.finished.done()
        assert not any(choice.is_open for choice in stream.choices)

    _played(loop, scene)


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Answers when the body is whole; what reaches it must be unambiguous."""
    names = [name for name, _ in scope["headers"]]
    assert names.count(b"host") <= 1
    assert not {b"transfer-encoding", b"content-length"} <= set(names)
    assert scope["path"].startswith("/")
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class _Cable:
    """Stands for the network of an End: at once, in order."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.ends: set[End] = set()

    def soon(self, call: Callable[..., None], *args: Any) -> None:
        self._loop.call_soon(call, *args)

    def later(self, call: Callable[..., None]) -> None:
        self._loop.call_soon(call)

    def piece(self, size: int) -> int:
        return size


def http_front(data: bytes) -> None:
    """Any bytes on a connection: every answer is HTTP, the app sees only unambiguous requests, nothing is raised or kept."""
    loop = VirtualLoop()
    config = uvicorn.Config(_app, interface="asgi3", lifespan="off", log_config=None, access_log=False, ws="none")
    config.load()

    async def scene() -> None:
        cable = cast("Any", _Cable(loop))
        near, far = End(cable), End(cable)
        near.peer, far.peer = far, near
        client = Connection()
        server = StreamingProtocol(config=config, server_state=ServerState(), app_state={}, _loop=loop)
        near.protocol, far.protocol = client, server
        server.connection_made(far)
        client.connection_made(near)
        for piece in pieces_of(data):
            near.write(piece)
            await asyncio.sleep(0.01)
        await asyncio.sleep(60)
        near.abort()
        await asyncio.sleep(60)
        assert client.status in (0, 200, 400, 408)

    _played(loop, scene)


def _played(loop: VirtualLoop, scene: Callable[[], Any]) -> None:
    try:
        loop.run_until_complete(scene())
        assert not loop.faults, loop.faults
    finally:
        loop.close()


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "sse_decoder": sse_decoder,
    "frame_splitter": frame_splitter,
    "body_editor": body_editor,
    "backend_stream": backend_stream,
    "http_front": http_front,
}

SEEDS: Mapping[str, Sequence[bytes]] = {
    "sse_decoder": [b"id: s:1\ndata: x\n\n", b"event: a\r\ndata: b\r\rdata"],
    "frame_splitter": [b'data: {"choices":[]}\n\n', b": keep-alive\r\n\r\ndata: [DONE]\r\n\r\n"],
    "body_editor": [
        b'{"messages":[{"role":"user","content":"x"}],"n":2,"cache_salt":"theirs"}',
        b' {"model":"m","prompt":"x","stream":true} ',
    ],
    "backend_stream": [
        b'\x05data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\ndata: [DONE]\n\n',
        b'data: {"choices":[{"index":1,"delta":{},"finish_reason":"stop"}],"usage":{"completion_tokens":1}}\n\n',
        b'data: {"error":{"message":"m"}}\n\n',
    ],
    "http_front": [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabcGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
}
