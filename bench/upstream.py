"""A scripted backend for benchmarks: vLLM-shaped frames at an engine's pace, whose text is the time they were sent (ns).

`python -m bench.upstream PORT`. It does as little as it can, so that what is measured is the proxy. A request says by its
`max_tokens` how many frames it gets, and has a usage in each if it asks for running counts, as vLLM does. `GET /stats` tells
its CPU time, how many streams run, how many tokens it has sent, and when clients went away.
"""

import asyncio
import json
import re
import sys
import time
from collections import deque

import httptools
import uvloop

STEPS_PER_S, TOKENS_PER_S = 50, 5000
"""An engine's step gives every running stream a token; more streams than it can serve make the step longer."""
MODELS = json.dumps(
    {"object": "list", "data": [{"id": "bench", "object": "model", "owned_by": "vllm", "max_model_len": 10_000_000}]}
).encode()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
START = (
    b'data: {"id":"chatcmpl-ad47673a840c3573","object":"chat.completion.chunk","created":1795387140,"model":"bench",'
)
FRAME = (
    START
    + b'"choices":[{"index":%d,"delta":{"content":"%d"},"logprobs":null,"finish_reason":%b,"token_ids":null}]%b}\n\n'
)
RUNNING = b',"usage":{"prompt_tokens":9,"total_tokens":%d,"completion_tokens":%d}'
USAGE = START + b'"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":%d,"total_tokens":%d}}\n\n'
DONE = b"data: [DONE]\n\n"
ANSWER = json.dumps(
    {
        "id": "chatcmpl-ad47673a840c3573",
        "object": "chat.completion",
        "created": 1795387140,
        "model": "bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "1"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }
).encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Engine:
    """Ticks like an inference engine, and remembers who left it."""

    def __init__(self) -> None:
        self.running: list[Upstream] = []
        self.tokens = 0
        self.aborts_ns: deque[int] = deque(maxlen=2000)

    def add(self, stream: "Upstream") -> None:
        """A stream joins; the first one starts the clock."""
        if not self.running:
            self._next_at = asyncio.get_running_loop().time() + 1 / STEPS_PER_S
            asyncio.get_running_loop().call_at(self._next_at, self._step)
        self.running.append(stream)

    def _step(self) -> None:
        began = self._next_at
        self.running = [stream for stream in self.running if stream.step()]
        if self.running:
            tokens = sum(stream.n for stream in self.running)
            self._next_at = began + max(1 / STEPS_PER_S, tokens / TOKENS_PER_S)
            asyncio.get_running_loop().call_at(self._next_at, self._step)


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_running = False
        self.n = 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_running:
            self._engine.aborts_ns.append(time.monotonic_ns())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url = b""
        self._pieces: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self._url.endswith(b"/models"):
            self._json(MODELS)
        elif self._url.endswith(b"/stats"):
            self._json(self._stats())
        elif self._url.endswith(b"/completions"):
            self._complete()
        else:
            self._json(b"{}")

    def _complete(self) -> None:
        # The fields stand before or after the prompt, which may be megabytes.
        body = b"".join(self._pieces)
        fields = body[:500] + body[-3000:]
        if re.search(rb'"stream": ?true', fields) is None:
            self._json(ANSWER)
            return
        self.n, self._frames = _number(rb'"n": ?(\d+)', fields, 1), _number(rb'"max_tokens": ?(\d+)', fields, 100)
        self._is_counting = re.search(rb'"continuous_usage_stats": ?true', fields) is not None
        self.transport.write(HEAD)
        self._sent = 0
        self._is_running = True
        self._engine.add(self)

    def _json(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)

    def _stats(self) -> bytes:
        running = sum(not stream.transport.is_closing() for stream in self._engine.running)
        engine = self._engine
        answer = {"cpu_s": time.process_time(), "running": running, "tokens": engine.tokens}
        return json.dumps({**answer, "aborts_ns": list(engine.aborts_ns)}).encode()

    def step(self) -> bool:
        """Sends the next token of every choice; False when it was the last."""
        if self.transport.is_closing():
            return False
        self._sent += 1
        self._engine.tokens += self.n
        is_last = self._sent >= self._frames
        finish = b'"length"' if is_last else b"null"
        usage = RUNNING % (self._sent + 9, self._sent) if self._is_counting else b""
        frames = [_chunk(FRAME % (index, time.monotonic_ns(), finish, usage)) for index in range(self.n)]
        if is_last:
            self._is_running = False
            total = self._sent * self.n
            frames += [_chunk(USAGE % (total, total + 9)), _chunk(DONE), b"0\r\n\r\n"]
        self.transport.write(b"".join(frames))
        return not is_last


def _number(pattern: bytes, text: bytes, default: int) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else default


async def main(port: int) -> None:
    """Serves until killed."""
    engine = Engine()
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(engine), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
