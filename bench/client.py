"""The counting client of the streaming benchmarks: many streams, frames counted, the latency of each taken from its text.

`python -m bench.client URL KEY STREAMS N PROMPT_BYTES` prints one JSON line.
"""

import asyncio
import json
import re
import statistics
import sys
import time
from urllib.parse import urlsplit

import uvloop

_STAMP = re.compile(rb'"content":"(\d+)"')


class Client(asyncio.Protocol):
    """One stream."""

    def __init__(self, request: bytes, latencies_ns: list[int], done: asyncio.Future[int]) -> None:
        self._request = request
        self._latencies_ns = latencies_ns
        self._done = done
        self._tail = b""
        self._count = 0
        self.first_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        data = self._tail + data
        cut = data.rfind(b"\n\n") + 2
        whole, self._tail = data[:cut], data[cut:]
        stamps = _STAMP.findall(whole)
        self._count += len(stamps)
        self._latencies_ns.extend(now - int(stamp) for stamp in stamps)
        if b"data: [DONE]" in whole and not self._done.done():
            self._done.set_result(self._count)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(f"a stream ended after {self._count} frames: {self._tail[-300:]!r}"))


async def main(url: str, key: str, streams: int, n: int, prompt_bytes: int) -> dict[str, float]:
    """Runs all streams at once."""
    parts = urlsplit(url)
    prompt = ("lorem ipsum " * (prompt_bytes // 12 + 1))[:prompt_bytes]
    body = json.dumps(
        {"model": "bench", "messages": [{"role": "user", "content": prompt}], "n": n, "stream": True}
    ).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    latencies_ns: list[int] = []
    waiting = [loop.create_future() for _ in range(streams)]
    began = time.monotonic()
    for done in waiting:
        await loop.create_connection(
            lambda done=done: Client(head.encode() + body, latencies_ns, done), parts.hostname, parts.port
        )
    events = sum(await asyncio.gather(*waiting))
    latencies = sorted(latency / 1e6 for latency in latencies_ns)
    return {
        "events": events,
        "wall_s": round(time.monotonic() - began, 3),
        "latency_p50_ms": round(statistics.median(latencies), 3),
        "latency_p99_ms": round(latencies[int(len(latencies) * 0.99)], 3),
    }


if __name__ == "__main__":
    _, url, key, streams, n, prompt_bytes = sys.argv
    print(json.dumps(uvloop.run(main(url, key, int(streams), int(n), int(prompt_bytes)))))
