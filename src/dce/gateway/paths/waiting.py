"""Waiting for a flow's end: heartbeats while it is quiet, a cut for a client that has stopped reading."""

import asyncio
from typing import Protocol

from dce.gateway.front.request import Request
from dce.gateway.settings import GatewaySettings


class Flow(Protocol):
    """A stream or a relay, as the one who waits for its end sees it."""

    finished: asyncio.Future[None]

    @property
    def frames(self) -> int:
        """Grows while frames come."""

    @property
    def is_paused(self) -> bool:
        """Whether the client has stopped reading."""

    def heartbeat(self) -> None:
        """Tells a waiting client that we live."""


async def until_finished(flow: Flow, request: Request, settings: GatewaySettings) -> None:
    """Waits for the end: heartbeats while it is quiet, a cut for a client that has stopped reading."""
    watch = _Watch(flow, request, settings)
    try:
        await asyncio.shield(flow.finished)  # a client that goes ends its own waiting, not the flow
    finally:
        watch.stop()


class _Watch:
    """Looks at a flow now and then: one timer a client."""

    def __init__(self, flow: Flow, request: Request, settings: GatewaySettings) -> None:
        self._flow = flow
        self._request = request
        self._heartbeat_s, self._stall_s = settings.heartbeat_s, settings.write_stall_timeout_s
        self._loop = asyncio.get_running_loop()
        self._frames, self._quiet_since = flow.frames, self._loop.time()
        self._paused_since: float | None = None
        self._timer = self._next()

    def stop(self) -> None:
        """Looks no more."""
        self._timer.cancel()

    def _next(self) -> asyncio.TimerHandle:
        return self._loop.call_later(min(self._heartbeat_s, self._stall_s), self._look)

    def _look(self) -> None:
        flow, now = self._flow, self._loop.time()
        if flow.frames != self._frames:
            self._frames, self._quiet_since = flow.frames, now
        self._paused_since = (self._paused_since or now) if flow.is_paused else None
        if self._paused_since is not None and now - self._paused_since >= self._stall_s:
            self._request.wire.cut()
        elif not flow.is_paused and now - self._quiet_since >= self._heartbeat_s:
            flow.heartbeat()
            self._quiet_since = now
        self._timer = self._next()
