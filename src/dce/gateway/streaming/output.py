"""Where a stream's frames go: to the client as events, or into one JSON answer. The stream does not know which."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from dce.gateway.front.connection import ClientConnection
from dce.wire.chat import BadChunk, ChoiceDelta, Chunk, Usage, read_chunks
from dce.wire.errors import DceError, ErrorBody, Hop
from dce.wire.halves import whole, whole_in
from dce.wire.parts import ToolCall, ToolCalls
from dce.wire.sse import comment


class Output(Protocol):
    """Takes the data of frames, in order."""

    def frame(self, data: bytes) -> None:
        """One frame's data: an OpenAI chunk, an error object or `[DONE]`. Raises DceError for an invalid one."""

    def heartbeat(self) -> None:
        """Sends a heartbeat to a waiting client."""

    def flush(self) -> None:
        """Sends what is buffered."""


class EventOutput:
    """Server-sent events: `id: <stream>:<seq>`, one write per loop iteration, and a bounded replay buffer for a client that resumes.

    The frames of one loop iteration are numbered and joined into a batch, which is sent and kept. Sent batches are kept up to
    `replay_bytes`; unsent ones are never dropped: `on_full` is called when they exceed `backlog_bytes`.
    """

    def __init__(self, stream_id: str, replay_bytes: int, backlog_bytes: int) -> None:
        self._call_soon = asyncio.get_running_loop().call_soon
        self._prefix = b"id: " + stream_id.encode() + b":"
        self._replay_bytes = replay_bytes
        self._backlog_bytes = backlog_bytes
        self._connection: ClientConnection | None = None
        self.on_full: Callable[[], None] | None = None
        """Called when no client is attached and the backlog is full."""
        self._sequence = 0
        """The last number assigned; the frames of this loop iteration have none yet."""
        self._waiting: list[bytes] = []
        self._batches: deque[tuple[int, bytes]] = deque()
        """The number of the first frame, and the events."""
        self._kept_bytes = self._unsent_bytes = 0

    @property
    def last(self) -> int:
        """The number of the last frame that was sent or kept."""
        return self._sequence

    async def ready(self) -> None:
        """Returns when the head may be sent to a client. Raises what can still be an HTTP status."""

    @property
    def first_kept(self) -> int:
        """The number of the oldest frame that can still be replayed."""
        return self._batches[0][0] if self._batches else self._sequence + 1

    def check(self, after: int) -> None:
        """Checks that every frame after `after` is still kept. Raises stream_interrupted, so that a gap is never silent."""
        last = self._sequence + len(self._waiting)
        if not self.first_kept - 1 <= after <= last:
            message = f"frame {after} is not in the replay buffer, which holds {self.first_kept} to {last}"
            raise DceError("stream_interrupted", message, hop=Hop.GATEWAY)

    def attach(self, connection: ClientConnection, after: int) -> None:
        """Sends a client every frame after the last it saw, and from now on each new one."""
        self.check(after)
        self.detach()
        self.flush()
        self._connection = connection
        missed = b"".join(_after(batch, first, after) for first, batch in self._batches)
        if missed:
            connection.write(missed)
        self._unsent_bytes = 0
        self._trim()

    def detach(self) -> None:
        """The client disconnected."""
        self._connection = None

    def frame(self, data: bytes) -> None:
        if not self._waiting:
            # An engine step wakes all its responses in one loop iteration: their frames leave in one write at its end.
            self._call_soon(self.flush)
        self._waiting.append(data)

    def heartbeat(self) -> None:
        if self._connection is not None:
            self._connection.write(comment("keep-alive"))

    def flush(self) -> None:
        if not self._waiting:
            return
        first, prefix = self._sequence + 1, self._prefix
        batch = b"".join([b"%b%d\ndata: %b\n\n" % (prefix, at, data) for at, data in enumerate(self._waiting, first)])
        self._sequence += len(self._waiting)
        self._waiting.clear()
        self._batches.append((first, batch))
        self._kept_bytes += len(batch)
        if self._connection is not None:
            self._connection.write(batch)
            self._trim()
            return
        self._unsent_bytes += len(batch)
        if self._unsent_bytes >= self._backlog_bytes and self.on_full is not None:
            self.on_full()

    def _trim(self) -> None:
        """Drops the oldest sent batches."""
        while self._kept_bytes > self._replay_bytes:
            self._kept_bytes -= len(self._batches.popleft()[1])


def _after(batch: bytes, first: int, after: int) -> bytes:
    """The events of a batch with numbers greater than `after`. A blank line occurs only at the end of an event."""
    seen = after + 1 - first
    return batch if seen <= 0 else b"".join(batch.split(b"\n\n", seen)[seen:])


class _Answer:
    """One choice of a JSON answer, collected from its chunks."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.error: ErrorBody | None = None
        self._texts: list[str] = []
        self._message = ""
        self._thinking: list[str] = []
        self._tools = ToolCalls()
        self._logprobs: dict[str, list[Any]] = {}
        self._finish: str | None = None

    def add(self, choice: ChoiceDelta) -> None:
        self._texts.append(choice.text)
        self._message = choice.message or self._message
        self._thinking.append(choice.thinking)
        self._finish = choice.finish_reason or self._finish
        self.error = choice.error or self.error
        for piece in choice.tools:
            self._tools.add(piece)
        for kind, tokens in (choice.logprobs or {}).items():
            if isinstance(tokens, list):  # `content` and `refusal`: one item a token
                self._logprobs.setdefault(kind, []).extend(tokens)

    @property
    def text(self) -> str:
        return whole("".join(self._texts) or self._message)

    def value(self) -> dict[str, Any]:
        text, thinking = self.text, whole("".join(self._thinking))
        message: dict[str, Any] = {"role": "assistant", "content": text or None if self._tools else text}
        if thinking:
            message["reasoning"] = thinking
        if self._tools:
            message["tool_calls"] = [self._call(at, call) for at, call in enumerate(self._tools.calls)]
        reason = None if self._finish is None else whole(self._finish)
        choice: dict[str, Any] = {"index": self.index, "message": message, "finish_reason": reason}
        if self._logprobs and (logprobs := _sendable(self._logprobs)) is not None:
            choice["logprobs"] = logprobs
        return choice if self.error is None else {**choice, "error": self.error}

    def _call(self, at: int, call: ToolCall) -> dict[str, Any]:
        function = {"name": whole(call.name), "arguments": whole(call.arguments)}
        # A client answers a call by its id, so one that came without gets its own.
        return {"id": whole(call.id) or f"call_{self.index}_{at}", "type": "function", "function": function}


def _sendable(logprobs: dict[str, Any]) -> Any:
    """The logprobs as they can be encoded; None if they cannot, because they are nested too deeply or a number is too large."""
    try:
        found = whole_in(logprobs)
        msgspec.json.encode(found)
    except (RecursionError, OverflowError, ValueError):
        return None
    return found


class AnswerOutput:
    """Collects the frames into one answer, for `"stream": false`."""

    def __init__(self, n: int) -> None:
        self._answers = [_Answer(index) for index in range(n)]
        self._usage = Usage()

    def frame(self, data: bytes) -> None:
        if data == b"[DONE]":
            return
        try:
            for chunk in read_chunks(data.decode("utf-8", "replace")):
                self._chunk(chunk)
        except BadChunk as error:  # it only looked like a frame
            raise DceError("backend_error", f"the backend sent {error}") from None

    def _chunk(self, chunk: Chunk) -> None:
        if chunk.usage and not chunk.choices:
            self._usage = chunk.usage
        for choice in chunk.choices:
            if not 0 <= choice.index < len(self._answers):
                raise BadChunk("a chunk of a choice that was not requested")
            self._answers[choice.index].add(choice)

    def heartbeat(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def answer(self, stream_id: str, model: str) -> dict[str, Any]:
        """The JSON answer. Raises the first response's error when every response was lost."""
        errors = [answer.error for answer in self._answers if answer.error is not None]
        if len(errors) == len(self._answers):
            raise DceError.from_body(errors[0])
        return {
            "id": stream_id,
            "object": "chat.completion",
            "model": model,
            "responses": [answer.text for answer in self._answers],
            "choices": [answer.value() for answer in self._answers],
            "usage": {
                "prompt_tokens": self._usage.prompt_tokens,
                "completion_tokens": self._usage.completion_tokens,
                "total_tokens": self._usage.prompt_tokens + self._usage.completion_tokens,
            },
        }
