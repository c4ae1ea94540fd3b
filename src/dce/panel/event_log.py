"""The events published to windows: a bounded log with ids, which any number of windows follow as server-sent events.

What must always hold: a window that follows from a cursor gets every later event once, in order, or one `reset` event that tells
it to take a new snapshot; a window that is slow or gone costs nothing but its place in the log.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterator

import msgspec

from dce.panel.limits import MAX_EVENT_LOG_BYTES, MAX_EVENTS
from dce.wire import sse
from dce.workspace.events import Event

HEARTBEAT_S = 15.0
"""Longest silence on the connection, so that a proxy or a sleeping laptop does not leave a dead one looking alive."""


class EventLog:
    """The events of one server run, numbered from 1. Belongs to one event loop.

    A cursor is `RUN:SEQ`. It names the run so that a page that outlives the server is told to start over.
    """

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_EVENT_LOG_BYTES) -> None:
        self._run = secrets.token_hex(4)
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events: deque[tuple[str, bytes]] = deque()  # (the event's name, its JSON)
        self._bytes = 0
        self._last = 0
        self._appended = asyncio.Event()
        self._is_closed = False

    @property
    def cursor(self) -> str:
        """Where a reader with a snapshot of this moment goes on."""
        return f"{self._run}:{self._last}"

    def append(self, event: Event) -> None:
        """Numbers an event, keeps it, wakes the readers."""
        data = msgspec.json.encode(event)
        name = str(event.__struct_config__.tag)
        self._events.append((name, data))
        self._bytes += len(data)
        self._last += 1
        while len(self._events) > self._max_events or self._bytes > self._max_bytes:
            self._bytes -= len(self._events.popleft()[1])
        self._wake()

    def close(self) -> None:
        """Ends every reader: the server stops."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        # Readers wait on the present Event; a new one replaces it, so that each waits for what comes after it last read.
        self._appended.set()
        self._appended = asyncio.Event()

    async def follow(self, cursor: str, heartbeat_s: float = HEARTBEAT_S) -> AsyncIterator[bytes]:
        """SSE frames after `cursor`, until the log closes; a comment when nothing happened for `heartbeat_s`."""
        at = self._position(cursor)
        yield b"retry: 1000\n\n"  # ms until a browser reconnects
        while not self._is_closed:
            appended = self._appended
            if at is None or at < self._last - len(self._events):
                at = self._last
                yield sse.encode("{}", event="reset", id=self.cursor)
            frames = b"".join(self._since(at))
            at = self._last
            if frames:
                yield frames
                continue  # more may have come while that was written
            try:
                async with asyncio.timeout(heartbeat_s):
                    await appended.wait()
            except TimeoutError:
                yield sse.comment("still here")

    def _position(self, cursor: str) -> int | None:
        """The sequence number of a cursor of this run; None for any other text."""
        run, _, seq = cursor.partition(":")
        return int(seq) if run == self._run and seq.isascii() and seq.isdigit() and int(seq) <= self._last else None

    def _since(self, at: int) -> Iterator[bytes]:
        first = self._last - len(self._events) + 1
        for offset in range(max(0, at + 1 - first), len(self._events)):
            name, data = self._events[offset]
            yield sse.encode(data.decode(), event=name, id=f"{self._run}:{first + offset}")
