"""Waiting for the end of a transfer: heartbeats while it is quiet, and disconnecting a client that has stopped reading."""

import asyncio
from typing import Protocol

from dce.gateway.front.request import Request
from dce.gateway.front.stall import StallWatch
from dce.gateway.settings import GatewaySettings


class Transfer(Protocol):
    """What a stream and a relay have in common: an answer being sent to a client."""

    finished: asyncio.Future[None]

    @property
    def frames(self) -> int:
        """Grows while frames arrive."""

    @property
    def is_paused(self) -> bool:
        """Whether the client has stopped reading."""

    def heartbeat(self) -> None:
        """Sends a heartbeat to a waiting client."""


async def until_finished(transfer: Transfer, request: Request, settings: GatewaySettings) -> None:
    """Waits for the end; sends heartbeats while it is quiet, and disconnects a client that has stopped reading."""
    watch = _Watch(transfer, request, settings)
    try:
        await asyncio.shield(transfer.finished)  # a client that disconnects ends its own wait, not the transfer
    finally:
        watch.stop()


class _Watch:
    """Checks a transfer periodically: one timer per client."""

    def __init__(self, transfer: Transfer, request: Request, settings: GatewaySettings) -> None:
        self._transfer = transfer
        self._heartbeat_s = settings.heartbeat_s
        self._every_s = min(settings.heartbeat_s, settings.write_stall_timeout_s)
        self._stall = StallWatch(request.connection, settings.write_stall_timeout_s)
        self._loop = asyncio.get_running_loop()
        self._frames, self._quiet_since = transfer.frames, self._loop.time()
        self._timer = self._next()

    def stop(self) -> None:
        """Stops checking."""
        self._timer.cancel()

    def _next(self) -> asyncio.TimerHandle:
        return self._loop.call_later(self._every_s, self._look)

    def _look(self) -> None:
        transfer, now = self._transfer, self._loop.time()
        if transfer.frames != self._frames:
            self._frames, self._quiet_since = transfer.frames, now
        self._stall.look(is_waiting=transfer.is_paused)
        if not transfer.is_paused and now - self._quiet_since >= self._heartbeat_s:
            transfer.heartbeat()
            self._quiet_since = now
        self._timer = self._next()
