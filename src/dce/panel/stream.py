"""One event stream for a window: a bounded log with ids, and its form as server-sent events.

What must always hold: a reader that follows from a cursor gets every later event once, in order, or one `reset` event that tells
it to take a new snapshot; a reader that is slow or gone costs nothing but its place in the log.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import msgspec
from starlette.types import Receive, Scope, Send

from dce.wire import sse
from dce.workspace.events import Event

MAX_EVENTS = 4_000
"""Events kept for readers that come back. Ten slots send at most 200 a second, so this is 20 seconds of the worst case."""

MAX_LOG_BYTES = 16 * 1024 * 1024
HEARTBEAT_S = 15.0
"""Longest silence on the wire, so that a proxy or a laptop's sleep does not leave a dead connection looking alive."""


class EventLog:
    """The events of one server run, numbered from 1. Belongs to one event loop.

    A cursor is `RUN:SEQ`. The run's name is in it so that a page that outlives the server is told to start anew.
    """

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_LOG_BYTES) -> None:
        self._run = secrets.token_hex(4)
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._frames: deque[tuple[str, bytes]] = deque()  # (the event's name, its JSON)
        self._bytes = 0
        self._last = 0
        self._news = asyncio.Event()
        self._is_closed = False

    @property
    def cursor(self) -> str:
        """Where a reader that has a snapshot of now goes on."""
        return f"{self._run}:{self._last}"

    def append(self, event: Event) -> None:
        """Numbers an event, keeps it, wakes the readers."""
        data = msgspec.json.encode(event)
        name = str(event.__struct_config__.tag)
        self._frames.append((name, data))
        self._bytes += len(data)
        self._last += 1
        while len(self._frames) > self._max_events or self._bytes > self._max_bytes:
            self._bytes -= len(self._frames.popleft()[1])
        self._wake()

    def close(self) -> None:
        """Ends every reader: the server stops."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        # Readers wait on the present Event; a new one takes its place, so that each waits for what comes after it looked.
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, cursor: str, heartbeat_s: float = HEARTBEAT_S) -> AsyncIterator[bytes]:
        """SSE frames after `cursor`, for ever; a comment when nothing happened for `heartbeat_s`."""
        at = self._position(cursor)
        yield b"retry: 1000\n\n"  # ms until a browser reconnects
        while not self._is_closed:
            news = self._news
            if at is None or at < self._last - len(self._frames):
                at = self._last
                yield sse.encode("{}", event="reset", id=self.cursor)
            frames = b"".join(self._since(at))
            at = self._last
            if frames:
                yield frames
                continue  # while that was written, more may have come
            try:
                async with asyncio.timeout(heartbeat_s):
                    await news.wait()
            except TimeoutError:
                yield sse.comment("still here")

    def _position(self, cursor: str) -> int | None:
        """The sequence number of a cursor of this run; None for any other text."""
        run, _, seq = cursor.partition(":")
        return int(seq) if run == self._run and seq.isascii() and seq.isdigit() and int(seq) <= self._last else None

    def _since(self, at: int) -> Iterator[bytes]:
        first = self._last - len(self._frames) + 1
        for offset in range(max(0, at + 1 - first), len(self._frames)):
            name, data = self._frames[offset]
            yield sse.encode(data.decode(), event=name, id=f"{self._run}:{first + offset}")


async def serve_events(log: EventLog, cursor: str, receive: Receive, send: Send) -> None:
    """The HTTP answer that follows the log until the client goes or the log closes. Plain ASGI: nothing in between buffers."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def write() -> None:
        async with aclosing(log.follow(cursor)) as frames:  # type: ignore[type-var]
            async for frame in frames:
                await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = (asyncio.create_task(write()), asyncio.create_task(watch()))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def cursor_of(scope: Scope, query: str) -> str:
    """Where the reader stands: what the browser sends on reconnecting wins over the address it first asked for."""
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            return str(value.decode("latin-1"))
    return query
