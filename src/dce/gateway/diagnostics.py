"""Routes for `dce doctor`: a paced stream, and the caller's running streams. Neither uses a model.

The paced stream reveals a proxy that buffers events, however fast the model is; the list of the caller's streams shows whether a
dropped connection reached the gateway.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from dce.gateway.front.request import NO_BUFFERING, Request
from dce.gateway.streaming.live import Directory

FRAMES = 8
INTERVAL_S = 0.1
"""Eight small events over 0.7 s: long enough to distinguish from one burst on a bad line, short enough to wait for, and too few bytes to
fill a proxy's buffer, so that a buffering proxy is noticed."""

Pause = Callable[[float], Awaitable[None]]


class RunningStream(msgspec.Struct, frozen=True, kw_only=True):
    """One running stream of the caller: its id, its model, and how many of its responses are running."""

    id: str
    model: str
    running: int


class Diagnostics:
    """Answers `GET /api/dce/streamcheck` and `GET /api/dce/streams`."""

    def __init__(self, directory: Directory, pause: Pause = asyncio.sleep) -> None:
        self._directory = directory
        self._pause = pause

    async def streamcheck(self, request: Request) -> None:
        """Events at even intervals, each with the time it was sent, in milliseconds from the first."""
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
        """The running streams of the caller's key; other keys' streams are never shown."""
        running = [
            RunningStream(
                id=live.stream.id, model=live.stream.model, running=sum(c.is_open for c in live.stream.choices)
            )
            for live in self._directory.running(request.principal.key_id)
        ]
        await request.answer(200, {"streams": running})
