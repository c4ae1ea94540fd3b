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
    clock = asyncio.get_running_loop().time
    step = min(settings.heartbeat_s, settings.write_stall_timeout_s)
    frames, quiet_since = flow.frames, clock()
    paused_since: float | None = None
    while not flow.finished.done():
        await asyncio.wait({flow.finished}, timeout=step)
        now = clock()
        if flow.frames != frames:
            frames, quiet_since = flow.frames, now
        paused_since = (paused_since or now) if flow.is_paused else None
        if paused_since is not None and now - paused_since >= settings.write_stall_timeout_s:
            request.wire.cut()
        elif not flow.is_paused and now - quiet_since >= settings.heartbeat_s:
            flow.heartbeat()
            quiet_since = now
