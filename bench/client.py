"""The counting client of the gateway benchmarks: streams whose frames are counted, each frame's age taken from its text.

`python -m bench.client JOB`, a JSON object as `Job` below, prints one JSON line. Times are of one response each: of ten choices
in one stream, every choice has its own first token and its own gaps.
"""

import asyncio
import re
import statistics
import sys
import time
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import uvloop

_TOKEN = re.compile(rb'"index": ?(\d+)[^\n]*?"content": ?"(\d+)"')


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. `streams`: all at once · `serial`: one after the other · `requests`: small ones without streaming, in a loop."""

    url: str
    key: str = ""
    kind: Literal["streams", "serial", "requests"] = "streams"
    count: int = 1
    n: int = 1
    frames: int = 100
    prompt_bytes: int = 1000
    gap_s: float = 0.0
    """Pause between two serial ones."""
    cut_after: int = 0
    """Frames of one stream after which all streams are closed; 0: never."""
    connections: int = 32


class Times:
    """What was seen, of all streams; nanoseconds."""

    def __init__(self) -> None:
        self.events = 0
        self.ages: list[int] = []
        self.firsts: list[int] = []
        self.gaps: list[int] = []

    def row(self) -> dict[str, float]:
        """The figures in milliseconds."""
        row: dict[str, float] = {"events": self.events}
        for name, values in (("age", self.ages), ("ttft", self.firsts), ("itl", self.gaps)):
            if values:
                values.sort()
                row[f"{name}_p50_ms"] = round(statistics.median(values) / 1e6, 3)
                row[f"{name}_p99_ms"] = round(values[int(len(values) * 0.99)] / 1e6, 3)
                row[f"{name}_max_ms"] = round(values[-1] / 1e6, 3)
        return row


class Stream(asyncio.Protocol):
    """One streamed request."""

    def __init__(
        self, request: bytes, times: Times, done: asyncio.Future[None], on_token: Callable[[int], None]
    ) -> None:
        self._request = request
        self._times = times
        self.done = done
        self._on_token = on_token
        self._tail = b""
        self._last: dict[bytes, int] = {}
        self._tokens = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._began = time.monotonic_ns()
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now, times, last = time.monotonic_ns(), self._times, self._last
        data = self._tail + data
        cut = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
        whole, self._tail = data[:cut], data[cut:]
        for index, stamp in _TOKEN.findall(whole):
            times.events += 1
            times.ages.append(now - int(stamp))
            before = last.get(index)
            if before is None:
                times.firsts.append(now - self._began)
            else:
                times.gaps.append(now - before)
            last[index] = now
            self._tokens += 1
        if b"data: [DONE]" in whole and not self.done.done():
            self.done.set_result(None)
            self.transport.close()
        self._on_token(self._tokens)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"a stream ended after {self._tokens} tokens: {self._tail[-300:]!r}"))


class Asker(asyncio.Protocol):
    """Small requests one after the other on one connection."""

    def __init__(self, request: bytes, count: int, done: asyncio.Future[None]) -> None:
        self._request = request
        self._left = count
        self.done = done
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if b'"total_tokens"' not in self._answer or not self._answer.rstrip().endswith((b"}", b"\r\n0")):
            return
        self._answer = b""
        self._left -= 1
        if self._left > 0:
            self.transport.write(self._request)
        elif not self.done.done():
            self.done.set_result(None)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"no answer: {self._answer[-300:]!r}"))


def request_of(job: Job) -> bytes:
    """The request's bytes."""
    parts = urlsplit(job.url)
    prompt = ("lorem ipsum " * (job.prompt_bytes // 12 + 1))[: job.prompt_bytes]
    fields = {
        "model": "bench",
        "messages": [{"role": "user", "content": prompt}],
        "n": job.n,
        "max_tokens": job.frames,
        "stream": job.kind != "requests",
    }
    body = msgspec.json.encode(fields)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {job.key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run(job: Job) -> dict[str, float]:
    """Does the job; figures of all its streams."""
    loop = asyncio.get_running_loop()
    parts, request, times = urlsplit(job.url), request_of(job), Times()
    began, cpu = time.monotonic(), time.process_time()
    streams: list[Stream] = []
    cut_at_ns = 0

    def check(tokens: int) -> None:
        nonlocal cut_at_ns
        if job.cut_after and tokens >= job.cut_after and not cut_at_ns:
            cut_at_ns = time.monotonic_ns()
            for stream in streams:
                if not stream.done.done():
                    stream.done.set_result(None)
                stream.transport.abort()

    async def stream() -> asyncio.Future[None]:
        done: asyncio.Future[None] = loop.create_future()
        _, made = await loop.create_connection(lambda: Stream(request, times, done, check), parts.hostname, parts.port)
        streams.append(made)
        return done

    if job.kind == "streams":
        await asyncio.gather(*[await stream() for _ in range(job.count)])
    elif job.kind == "serial":
        for _ in range(job.count):
            await (await stream())
            await asyncio.sleep(job.gap_s)
    else:
        waiting = [loop.create_future() for _ in range(job.connections)]
        each = job.count // job.connections
        for done in waiting:
            await loop.create_connection(lambda done=done: Asker(request, each, done), parts.hostname, parts.port)
        await asyncio.gather(*waiting)
        times.events = each * job.connections
    row = {"wall_s": round(time.monotonic() - began, 3), "client_cpu_s": round(time.process_time() - cpu, 3)}
    return {**times.row(), **row, "cut_at_ns": cut_at_ns}


if __name__ == "__main__":
    found = uvloop.run(run(msgspec.json.decode(sys.argv[1], type=Job)))
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
