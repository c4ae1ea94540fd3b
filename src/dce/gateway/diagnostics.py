"""Routes for `dce doctor`: a paced stream, and the caller's running streams. Neither uses a model.

The paced stream reveals a proxy that buffers events, however fast the model is; the list of the caller's streams shows whether a
dropped connection reached the gateway.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from dce.gateway.front.request import NO_BUFFERING, Request
from dce.gateway.streaming.live import Directory
from dce.wire.errors import DceError
from dce.wire.sse import comment

FRAMES = 8
INTERVAL_S = 0.1
"""Eight small events over 0.7 s: long enough to distinguish from one burst on a bad line, short enough to wait for, and too few bytes to
fill a proxy's buffer, so that a buffering proxy is noticed."""

MAX_SILENCE_S = 600.0
"""Longest silence that may be asked for: longer than the idle timeout of any usual proxy."""

MAX_PADDING_BYTES = 4_000_000
"""Largest answer that may be asked for: it waits in memory for a slow reader."""

PADDING = b'data: {"padding":"%b"}\n\n' % (b"x" * 8_000)
HEARTBEATS = 3

SILENT_PATIENCE_S = 60.0
"""How long a client that fetches nothing keeps the stream open after its end."""

Pause = Callable[[float], Awaitable[None]]


class RunningStream(msgspec.Struct, frozen=True, kw_only=True):
    """One running stream of the caller: its id, its model, and how many of its responses are running."""

    id: str
    model: str
    running: int


def _number(request: Request, name: str, most: float) -> float:
    """A query parameter from 0 to `most`; 0 if absent. Raises invalid_request."""
    text = request.query(name) or "0"
    if text.isascii() and text.replace(".", "", 1).isdigit() and len(text) <= 20 and float(text) <= most:
        return float(text)
    raise DceError("invalid_request", f"{name} must be a number from 0 to {most:g}")


class Diagnostics:
    """Answers `GET /api/dce/streamcheck` and `GET /api/dce/streams`."""

    def __init__(self, directory: Directory, pause: Pause = asyncio.sleep) -> None:
        self._directory = directory
        self._pause = pause

    async def streamcheck(self, request: Request) -> None:
        """Events at even intervals, each with the time it was sent, in milliseconds from the first. With `?silence_s=` a stream that is
        silent for so long in the middle, which reveals what cuts quiet connections, removes heartbeats or limits the size of answers."""
        if request.query("silence_s"):
            await self._silent(request)
            return
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

    async def _silent(self, request: Request) -> None:
        """A stream that is silent in the middle. Its first event says what follows: padding, heartbeats, the silence, the end."""
        silence_s = _number(request, "silence_s", MAX_SILENCE_S)
        size = int(_number(request, "bytes", MAX_PADDING_BYTES))
        await request.start(200, NO_BUFFERING)
        promise = {"silence_s": silence_s, "bytes": size, "comments": HEARTBEATS}
        request.connection.write(b"data: %b\n\n" % msgspec.json.encode(promise))
        for at in range(0, size, len(PADDING)):
            request.connection.write(PADDING)
            if at % (16 * len(PADDING)) == 0:
                await asyncio.sleep(0)  # other requests are served meanwhile
        for _ in range(HEARTBEATS):
            request.connection.write(comment("keep-alive"))
        await self._pause(silence_s)
        request.connection.write(b'data: {"end":true}\n\ndata: [DONE]\n\n')
        await request.finish(patience_s=SILENT_PATIENCE_S)

    async def streams(self, request: Request) -> None:
        """The running streams of the caller's key; other keys' streams are never shown."""
        running = [
            RunningStream(
                id=live.stream.id, model=live.stream.model, running=sum(c.is_open for c in live.stream.choices)
            )
            for live in self._directory.running(request.principal.key_id)
        ]
        await request.answer(200, {"streams": running})
