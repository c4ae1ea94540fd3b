"""Streams that outlive their connection: the directory of running ones, and what happens when a client disconnects or resumes.

A stream's task runs to its last frame, with or without a client. When the client disconnects, a grace period starts; a client that
resumes with the id of the last frame it saw gets everything after it, and the period ends. When the period expires, the backend
requests are closed. A stream belongs to its newest client; an older connection is closed. Invariants: after a resume no frame is
missing or repeated, and everything acquired for a stream is released exactly once.
"""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from dce.gateway.accounting.ledger import EndedBy
from dce.gateway.front.connection import ClientConnection
from dce.gateway.streaming.output import EventOutput
from dce.gateway.streaming.streams import Stream
from dce.wire.errors import DceError

RETRY_S = 10.0
"""Retry-After of a request refused for the streams its key left behind: some of them have ended by then."""


class DetachedLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many streams may be kept without a client; see GatewaySettings for the reasons."""

    total: int = 128
    per_key: int = 16


class LiveStream:
    """One running stream and its output. Implements `Transfer` for the proxy's waiting."""

    def __init__(self, stream: Stream, output: EventOutput, grace_s: float, release: Callable[[EndedBy], None]) -> None:
        self.stream = stream
        self.output = output
        output.on_full = stream.pause
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._grace_s = grace_s
        self._release = release
        self._grace: asyncio.TimerHandle | None = None
        self._connection: ClientConnection | None = None
        self.keep: Callable[[LiveStream], bool] = lambda _: True
        """Asked when the client disconnects: whether the stream may be kept for it. Set by the directory."""
        self.let: Callable[[LiveStream], object] = lambda _: None
        """Called when the stream has a client again."""
        self.task: asyncio.Task[None] | None = None
        self.ended_by: EndedBy = "client"
        """Who ended the stream, if it is abandoned."""

    @property
    def frames(self) -> int:
        """Grows while frames arrive."""
        return self.stream.frames

    @property
    def is_paused(self) -> bool:
        """Whether the client has stopped reading."""
        return self.stream.is_paused

    def heartbeat(self) -> None:
        """Sends a heartbeat to a waiting client."""
        self.output.heartbeat()

    def attach(self, connection: ClientConnection, after: int) -> None:
        """Attaches a client that has seen the frames up to `after`. Raises stream_interrupted if frames would be missing."""
        self.output.check(after)
        if self._connection is not None:
            self._connection.on_full = self._connection.on_writable = None
            self._connection.cut()
        self._stop_grace()
        self.let(self)
        self._connection = connection
        connection.on_full, connection.on_writable = self.stream.pause, self.stream.resume
        self.output.attach(connection, after)
        self.stream.resume() if connection.is_writable else self.stream.pause()

    def detach(self, connection: ClientConnection) -> None:
        """A client disconnected, perhaps before it was attached. Unless another client is attached, the grace period starts."""
        if self._connection not in (None, connection):
            return
        self._stop_grace()
        self._connection = None
        self.output.detach()
        self.stream.resume()  # the closed socket had paused it; during the grace period frames go to the buffer
        if self._grace_s <= 0 or not self.keep(self):
            self.abandon()
        else:
            self._grace = asyncio.get_running_loop().call_later(self._grace_s, self.abandon)

    def abandon(self) -> None:
        """No client resumed: ends the stream, finished or not."""
        self._stop_grace()
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        """Runs to the last frame, then keeps the frames for a client that loses the end of its stream: while a client is attached and
        for the grace period after it disconnects, when `abandon` ends this task."""
        await self.stream.finished
        for frame in self.stream.last_frames():
            self.output.frame(frame)
        self.output.flush()
        self.let_go()
        if self._grace_s > 0:
            await asyncio.get_running_loop().create_future()

    def let_go(self) -> None:
        """Releases what was acquired for the stream: once, when it has ended, finished or abandoned."""
        if not self.finished.done():
            self.finished.set_result(None)
            self.stream.close_now()
            self._release(self.ended_by)

    def _stop_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None


class Directory:
    """The running streams, by id. `limits`: how many may be kept without a client, as set now."""

    def __init__(self, limits: Callable[[], DetachedLimits] = DetachedLimits) -> None:
        self._limits = limits
        self._live: dict[str, LiveStream] = {}
        self._detached: dict[LiveStream, None] = {}
        """The streams without a client, the oldest first: running ones, and ended ones that are kept for a client that lost the end."""

    @property
    def is_empty(self) -> bool:
        """Whether no stream is running or kept."""
        return not self._live

    def start(self, live: LiveStream) -> None:
        """Runs a stream in its own task."""
        self._live[live.stream.id] = live
        live.keep, live.let = self._keep, self._let
        live.task = asyncio.create_task(live.run(), name=f"stream {live.stream.id}")
        live.task.add_done_callback(lambda _: self._ended(live))

    def find(self, stream_id: str, owner: str) -> LiveStream:
        """The owner's stream. Another key's stream is reported as unknown, like one that never existed."""
        live = self._live.get(stream_id)
        if live is None or live.stream.owner != owner:
            raise _unknown()
        return live

    def find_running(self, stream_id: str, owner: str) -> LiveStream:
        """Like `find`, but only a stream that has not ended."""
        live = self.find(stream_id, owner)
        if live.finished.done():
            raise _unknown()
        return live

    def running(self, owner: str) -> list[LiveStream]:
        """The owner's streams that have not ended."""
        return [live for live in self._live.values() if live.stream.owner == owner and not live.finished.done()]

    def check_room(self, owner: str) -> None:
        """Checks that a key whose client wants its stream kept has not left too many running. Raises rate_limited."""
        limit = self._limits().per_key
        running = sum(live.stream.owner == owner and not live.finished.done() for live in self._detached)
        if running >= limit:
            raise DceError(
                "rate_limited",
                f"{running} streams of this key run without a client, and the limit is {limit}",
                hint="Resume or stop them (GET /api/dce/streams lists them), retry in "
                f"{RETRY_S:g} s (Retry-After), or ask without X-DCE-Resume-Grace.",
                retry_after_s=RETRY_S,
            )

    def _keep(self, live: LiveStream) -> bool:
        """Keeps a stream whose client has gone, unless there is no room: of ended ones, the oldest gives way."""
        if live in self._detached:
            return True
        if self._live.get(live.stream.id) is not live:
            return False  # it was ended while its client was there
        limits = self._limits()
        others = [one for one in self._detached if one.stream.owner == live.stream.owner]
        if len(others) < limits.per_key:
            others = list(self._detached) if len(self._detached) >= limits.total else []
        if others or not min(limits.per_key, limits.total):
            ended = next((one for one in others if one.finished.done()), None)
            if ended is None:
                return False
            ended.abandon()
            self._let(ended)
        self._detached[live] = None
        return True

    def _let(self, live: LiveStream) -> None:
        self._detached.pop(live, None)

    def owners(self) -> set[str]:
        """The keys that streams belong to."""
        return {live.stream.owner for live in self._live.values()}

    def end(self, owner: str) -> None:
        """Ends the owner's streams, with or without a client: its key was revoked. An attached client is told by its request."""
        for live in list(self._live.values()):
            if live.stream.owner == owner:
                live.ended_by = "gateway"
                live.abandon()

    def _ended(self, live: LiveStream) -> None:
        # Not in the task's own `finally`: a task cancelled before its first step never reaches it.
        del self._live[live.stream.id]
        self._let(live)
        live.let_go()

    def is_any_paused(self) -> bool:
        """Whether a client has stopped reading, so that its backends are paused."""
        return any(live.is_paused for live in self._live.values())

    async def close(self) -> None:
        """Ends all streams, because the gateway is stopping."""
        for live in list(self._live.values()):
            live.ended_by = "gateway"
            await live.stream.close()
            live.abandon()
            if live.task is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await live.task
        await asyncio.sleep(0)  # the tasks' done callbacks run one loop iteration later


def _unknown() -> DceError:
    hint = "It may have ended; the text received so far is in the workspace."
    return DceError("route_not_found", "this key has no such stream", hint=hint)
