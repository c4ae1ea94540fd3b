"""What a client sees while its request waits in the gateway's queue (vLLM's own queue would be invisible).

On DCE's own route the stream starts at once, with a frame that gives the position and another at each change; the frames share the
stream's ids, so the responses' frames follow without a gap. A relayed event stream gets comments, but only after a while: after a short
wait an error can still have its HTTP status. A client that asked for one JSON answer just waits.
"""

import asyncio
from collections.abc import Callable

import msgspec

from dce.gateway.front.dialects import Own
from dce.gateway.front.request import NO_BUFFERING, Request
from dce.gateway.settings import GatewaySettings
from dce.gateway.streaming.output import EventOutput
from dce.wire.errors import DceError, encode_error
from dce.wire.sse import comment

Headers = list[tuple[bytes, bytes]]


class QueuedStream:
    """Tells the client of `POST /api/dce/proxy` its position. `output` is the stream's output, None if it never waited."""

    def __init__(
        self,
        request: Request,
        stream_id: str,
        model: str,
        headers: Headers,
        settings: GatewaySettings,
        make_output: Callable[[], EventOutput],
    ) -> None:
        self.output: EventOutput | None = None
        self.frames = 0
        self._request = request
        self._stream_id = stream_id
        self._model = model
        self._headers = headers
        self._settings = settings
        self._make_output = make_output
        self._told: int | None = None
        self._told_at = 0.0

    async def tell(self, position: int) -> None:
        """Reports the current position; 0 means the turn has come."""
        now = asyncio.get_running_loop().time()
        if self.output is None:
            # X-DCE-Queued precedes the stream's id: a client that gets half a head does not take the stream for a resumable one.
            queued = (b"x-dce-queued", str(position).encode())
            await self._request.start(200, [*NO_BUFFERING, queued, *self._headers])
            self.output = self._make_output()
            self.output.attach(self._request.connection, 0)
            self._request.dialect = _Numbered(self.output)
        if position != self._told:
            self.frames += 1
            self.output.frame(queued_frame(self._stream_id, self._model, position))
            self.output.flush()
            self._told, self._told_at = position, now
        elif now - self._told_at >= self._settings.heartbeat_s:
            self.output.heartbeat()
            self._told_at = now


class _Numbered(Own):
    """Errors of a stream that started in the queue: frames with an id, like any other."""

    def __init__(self, output: EventOutput) -> None:
        self._output = output

    def event(self, error: DceError, request_id: str) -> bytes:
        self._output.frame(encode_error(error, request_id))
        self._output.flush()
        return b""


class QueuedRelay:
    """Keeps the connection of a waiting relayed request alive."""

    def __init__(self, request: Request, heartbeat_s: float) -> None:
        self._request = request
        self._heartbeat_s = heartbeat_s
        self._quiet_since: float | None = None

    async def tell(self, position: int) -> None:
        """Reports the current position."""
        now = asyncio.get_running_loop().time()
        if self._quiet_since is None:
            self._quiet_since = now
        if position and now - self._quiet_since >= self._heartbeat_s:
            if not self._request.is_started:
                await self._request.start(200, NO_BUFFERING)
            self._request.connection.write(comment(f"queued, number {position}"))
            self._quiet_since = now


def queued_frame(stream_id: str, model: str, position: int) -> bytes:
    """An OpenAI chunk without choices: SDKs skip it, DCE's client reads `queued`."""
    return msgspec.json.encode(
        {
            "id": stream_id,
            "object": "chat.completion.chunk",
            "model": model,
            "choices": [],
            "queued": {"position": position},
        }
    )
