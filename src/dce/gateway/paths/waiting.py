"""Waiting for a transfer's end: heartbeats while it is quiet, a cut for a client that has stopped reading."""

import asyncio
from typing import Protocol

from dce.gateway.front.request import Request
from dce.gateway.settings import GatewaySettings


class Transfer(Protocol):
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


async def until_finished(transfer: Transfer, request: Request, settings: GatewaySettings) -> None:
    """Waits for the end: heartbeats while it is quiet, a cut for a client that has stopped reading."""
    watch = _Watch(transfer, request, settings)
    try:
        await asyncio.shield(transfer.finished)  # a client that goes ends its own waiting, not the transfer
    finally:
        watch.stop()


class _Watch:
    """Looks at a transfer now and then: one timer a client."""

    def __init__(self, transfer: Transfer, request: Request, settings: GatewaySettings) -> None:
        self._transfer = transfer
        self._request = request
        self._heartbeat_s, self._stall_s = settings.heartbeat_s, settings.write_stall_timeout_s
        self._loop = asyncio.get_running_loop()
        self._frames, self._quiet_since = transfer.frames, self._loop.time()
        self._paused_since: float | None = None
        self._timer = self._next()

    def stop(self) -> None:
        """Looks no more."""
        self._timer.cancel()

    def _next(self) -> asyncio.TimerHandle:
        return self._loop.call_later(min(self._heartbeat_s, self._stall_s), self._look)

    def _look(self) -> None:
        transfer, now = self._transfer, self._loop.time()
        if transfer.frames != self._frames:
            self._frames, self._quiet_since = transfer.frames, now
        self._paused_since = (self._paused_since or now) if transfer.is_paused else None
        if self._paused_since is not None and now - self._paused_since >= self._stall_s:
            self._request.connection.cut()
        elif not transfer.is_paused and now - self._quiet_since >= self._heartbeat_s:
            transfer.heartbeat()
            self._quiet_since = now
        self._timer = self._next()
