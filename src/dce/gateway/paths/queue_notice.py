"""What a client sees while its request waits: in the gateway's queue (vLLM's own would be invisible), or for a busy backend.

On DCE's own route the stream starts at once, with a frame that gives the position and another at each change; the frames share the
stream's ids, so the responses' frames follow without a gap. A relayed event stream gets comments, but only after a while: after a short
wait an error can still have its HTTP status. A client that asked for one JSON answer just waits.
"""

import asyncio
import math
from collections.abc import Callable, Sequence

import msgspec

from dce.gateway.front.body import GenerateBody
from dce.gateway.front.dialects import Own
from dce.gateway.front.request import NO_BUFFERING, Request
from dce.gateway.settings import GatewaySettings
from dce.gateway.streaming.output import EventOutput
from dce.wire.errors import DceError, encode_error
from dce.wire.sse import comment

Headers = list[tuple[bytes, bytes]]
MakeOutput = Callable[[str], EventOutput]
"""Makes a stream's output; its argument is the model's name."""


class QueuedStream:
    """Tells the client of `POST /api/dce/proxy` its position. `output` is the stream's output, None if it never waited."""

    def __init__(
        self,
        request: Request,
        stream_id: str,
        ask: GenerateBody,
        headers: Headers,
        settings: GatewaySettings,
        make_output: MakeOutput,
    ) -> None:
        self.output: EventOutput | None = None
        self.frames = 0
        self._request = request
        self._stream_id = stream_id
        self._ask = ask
        self.model = ask.model
        """As asked for; the served one once that is known."""
        self._headers = headers
        self._settings = settings
        self._make_output = make_output
        self._told: int | None = None
        self._told_at = 0.0

    async def tell(self, position: int) -> None:
        """Reports the current position; 0 means the turn has come."""
        now = asyncio.get_running_loop().time()
        # X-DCE-Queued precedes the stream's id: a client that gets half a head does not take the stream for a resumable one.
        output = await self._begin([(b"x-dce-queued", str(position).encode())])
        if position != self._told:
            self._frame(output, queued_frame(self._stream_id, self.model, position))
            self._told, self._told_at = position, now
        elif now - self._told_at >= self._settings.heartbeat_s:
            output.heartbeat()
            self._told_at = now

    async def busy(self, error: DceError, left_s: float) -> None:
        """Reports that the backend is still loading, and when it is asked again: all responses wait."""
        output = await self._begin([])
        everyone = range(self._ask.n)
        self._frame(output, busy_frame(self._stream_id, self.model, everyone, error, left_s))

    async def _begin(self, more: Headers) -> EventOutput:
        if self.output is None:
            await self._request.start(200, [*NO_BUFFERING, *more, *self._headers])
            self.output = self._make_output(self.model)
            self.output.attach(self._request.connection, 0)
            self._request.dialect = _Numbered(self.output)
        return self.output

    def _frame(self, output: EventOutput, data: bytes) -> None:
        output.frame(data)
        output.flush()
        self.frames = output.last


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
        await self._say(f"queued, number {position}" if position else "")

    async def busy(self, error: DceError, left_s: float) -> None:
        """Reports that a backend is busy, and when it is asked again."""
        await self._say(f"{_why(error)}, asked again in {math.ceil(left_s)} s")

    async def _say(self, text: str) -> None:
        now = asyncio.get_running_loop().time()
        if self._quiet_since is None:
            self._quiet_since = now
        if text and now - self._quiet_since >= self._heartbeat_s:
            if not self._request.is_started:
                await self._request.start(200, NO_BUFFERING)
            self._request.connection.write(comment(text))
            self._quiet_since = now


def _why(error: DceError) -> str:
    return "the backend is busy" if error.code == "rate_limited" else "the backend is loading its model or not ready"


def busy_frame(stream_id: str, model: str, indices: Sequence[int], error: DceError, left_s: float) -> bytes:
    """An OpenAI chunk without choices, as for the queue: DCE's client reads `busy`, and which responses wait."""
    busy = {
        "choices": list(indices),
        "code": error.code,
        "message": _why(error),
        "retry_in_s": math.ceil(left_s),
    }
    return msgspec.json.encode(
        {"id": stream_id, "object": "chat.completion.chunk", "model": model, "choices": [], "busy": busy}
    )


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
