"""A scripted backend for benchmarks: vLLM-shaped frames at a fixed rate, whose text is the time they were sent (ns).

`python -m bench.upstream PORT FRAMES FRAMES_PER_S`. It does as little as it can, so that what is measured is the proxy.
"""

import asyncio
import json
import sys
import time

import httptools
import uvloop

MODELS = json.dumps(
    {"object": "list", "data": [{"id": "bench", "object": "model", "owned_by": "vllm", "max_model_len": 1_000_000}]}
).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
FRAME = (
    b'data: {"id":"chatcmpl-ad47673a840c3573","object":"chat.completion.chunk","created":1795387140,"model":"bench",'
    b'"choices":[{"index":0,"delta":{"content":"%d"},"logprobs":null,"finish_reason":%b,"token_ids":null}]}\n\n'
)
USAGE = b'data: {"id":"chatcmpl-ad47673a840c3573","object":"chat.completion.chunk","model":"bench","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":%d}}\n\n'
DONE = b"data: [DONE]\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Engine:
    """Ticks like an inference engine: one step gives every running stream its next token."""

    def __init__(self, frames: int, frames_per_s: float) -> None:
        self.frames = frames
        self._interval_s = 1 / frames_per_s
        self._running: list[Upstream] = []

    def add(self, stream: "Upstream") -> None:
        """A stream joins; the first one starts the clock."""
        if not self._running:
            self._next_at = asyncio.get_running_loop().time() + self._interval_s
            asyncio.get_running_loop().call_at(self._next_at, self._step)
        self._running.append(stream)

    def _step(self) -> None:
        self._running = [stream for stream in self._running if stream.step()]
        if self._running:
            self._next_at += self._interval_s
            asyncio.get_running_loop().call_at(self._next_at, self._step)


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        if self._url.endswith(b"/models"):
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(MODELS), MODELS)
            )
            return
        self._transport.write(HEAD)
        self._sent = 0
        self._engine.add(self)

    def step(self) -> bool:
        """Sends the next token; False when it was the last."""
        if self._transport.is_closing():
            return False
        self._sent += 1
        is_last = self._sent >= self._engine.frames
        frame = _chunk(FRAME % (time.monotonic_ns(), b'"length"' if is_last else b"null"))
        self._transport.write(frame + _chunk(USAGE % self._sent) + _chunk(DONE) + b"0\r\n\r\n" if is_last else frame)
        return not is_last


async def main(port: int, frames: int, frames_per_s: float) -> None:
    """Serves until killed."""
    engine = Engine(frames, frames_per_s)
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(engine), "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
