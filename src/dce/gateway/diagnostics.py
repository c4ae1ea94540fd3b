"""What the gateway tells a caller about the way between them: whether events arrive one by one, and what of the caller's still runs.

Both are for `dce doctor` and cost no model anything: a paced stream shows a proxy that keeps events back however fast the model
is; the list of the caller's own streams shows whether dropping a connection reached the gateway.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from dce.gateway.front.request import NO_BUFFERING, Request
from dce.gateway.streaming.live import Directory

FRAMES = 8
INTERVAL_S = 0.1
"""Eight small events over 0.7 s: long enough to be told from one clump on a bad line, short enough to wait for, and too few bytes
to fill any proxy's buffer, so that a buffering one shows itself."""

Pause = Callable[[float], Awaitable[None]]


class RunningStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of the caller that has not ended: its id, its model, and how many of its responses run."""

    id: str
    model: str
    running: int


class Diagnostics:
    """Answers `GET /api/dce/streamcheck` and `GET /api/dce/streams`."""

    def __init__(self, directory: Directory, pause: Pause = asyncio.sleep) -> None:
        self._directory = directory
        self._pause = pause

    async def streamcheck(self, request: Request) -> None:
        """Events at even distances, each with the milliseconds at which it was sent, counted from the first."""
        loop = asyncio.get_running_loop()
        await request.start(200, NO_BUFFERING)
        began = loop.time()
        for at in range(FRAMES):
            if at:
                await self._pause(INTERVAL_S)
            sent_ms = round((loop.time() - began) * 1000)
            request.connection.write(b'data: {"frame":%d,"sent_ms":%d}\n\n' % (at, sent_ms))
        request.connection.write(b"data: [DONE]\n\n")
        await request.finish()

    async def streams(self, request: Request) -> None:
        """The streams of the caller's key that still cost something. Others' are as unknown as those that never were."""
        running = [
            RunningStream(
                id=live.stream.id, model=live.stream.model, running=sum(c.is_open for c in live.stream.choices)
            )
            for live in self._directory.running(request.principal.key_id)
        ]
        await request.answer(200, {"streams": running})
