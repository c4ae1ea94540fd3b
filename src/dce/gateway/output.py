"""Where the frames of a stream go: to the client as events, or into one JSON answer. The stream does not know which."""

import asyncio
from collections import deque
from typing import Any, Protocol

from dce.gateway.wire import ClientWire
from dce.wire.chat import BadChunk, Chunk, Usage, read_chunks
from dce.wire.errors import DceError, ErrorBody, Hop
from dce.wire.sse import comment


class Output(Protocol):
    """Takes the data of frames, in order."""

    @property
    def is_writable(self) -> bool:
        """Whether more is welcome; if not, the backends are paused until `on_writable`."""

    def frame(self, data: bytes) -> None:
        """One frame's data: an OpenAI chunk, an error object or `[DONE]`. Raises DceError if it cannot take it."""

    def heartbeat(self) -> None:
        """Tells a waiting client that we live."""

    def flush(self) -> None:
        """Sends what is buffered now."""


class EventOutput:
    """Server-sent events: `id: <stream>:<seq>`, one write per turn of the loop, and a bounded memory for a client that resumes.

    Frames that were sent are kept up to `replay_bytes`; frames that nobody could take yet are never dropped: when there are
    more than `backlog_bytes` of them, the backends wait.
    """

    def __init__(self, stream_id: str, replay_bytes: int, backlog_bytes: int) -> None:
        self._call_soon = asyncio.get_running_loop().call_soon
        self._prefix = b"id: " + stream_id.encode() + b":"
        self._replay_bytes = replay_bytes
        self._backlog_bytes = backlog_bytes
        self._wire: ClientWire | None = None
        self._sequence = 0
        self._sent: deque[bytes] = deque()
        self._sent_bytes = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    @property
    def is_writable(self) -> bool:
        return self._waiting_bytes < self._backlog_bytes if self._wire is None else self._wire.is_writable

    @property
    def first_kept(self) -> int:
        """The number of the oldest frame that can still be sent again."""
        return self._sequence - len(self._waiting) - len(self._sent) + 1

    def check(self, after: int) -> None:
        """Whether everything after that frame is still here. Raises stream_interrupted, so that a gap is never silent."""
        if not self.first_kept - 1 <= after <= self._sequence:
            message = f"frame {after} is not in the replay buffer, which holds {self.first_kept} to {self._sequence}"
            raise DceError("stream_interrupted", message, hop=Hop.GATEWAY)

    def attach(self, wire: ClientWire, after: int) -> None:
        """Sends a client everything after the frame it saw last, and from now on what comes."""
        self.check(after)
        seen = max(0, after - self.first_kept + 1)
        frames = [*self._sent, *self._waiting][seen:]
        self._remember()
        self._wire = wire
        if frames:
            wire.write(b"".join(frames))

    def detach(self) -> None:
        """The client has gone."""
        self._wire = None

    def frame(self, data: bytes) -> None:
        self._sequence += 1
        if not self._waiting and self._wire is not None:
            # An engine's step wakes all of its streams in one turn of the loop: their frames leave in one write at its end.
            self._call_soon(self.flush)
        frame = b"%b%d\ndata: %b\n\n" % (self._prefix, self._sequence, data)
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)

    def heartbeat(self) -> None:
        if self._wire is not None:
            self._wire.write(comment("keep-alive"))

    def flush(self) -> None:
        if self._waiting and self._wire is not None:
            self._wire.write(b"".join(self._waiting))
            self._remember()

    def _remember(self) -> None:
        """What was waiting counts as sent; the oldest frames make room."""
        self._sent.extend(self._waiting)
        self._sent_bytes += self._waiting_bytes
        self._waiting, self._waiting_bytes = [], 0
        while self._sent_bytes > self._replay_bytes:
            self._sent_bytes -= len(self._sent.popleft())


class AnswerOutput:
    """The same frames gathered for `"stream": false`."""

    is_writable = True

    def __init__(self, n: int) -> None:
        self._texts: list[list[str]] = [[] for _ in range(n)]
        self._thinking: list[list[str]] = [[] for _ in range(n)]
        self._finish: list[str | None] = [None] * n
        self._errors: list[ErrorBody | None] = [None] * n
        self._usage = Usage()
        self._id = ""

    def frame(self, data: bytes) -> None:
        if data == b"[DONE]":
            return
        try:
            for chunk in read_chunks(data.decode("utf-8", "replace")):
                self._chunk(chunk)
        except BadChunk as error:  # what only looked like a frame
            raise DceError("backend_error", f"the backend sent {error}") from None

    def _chunk(self, chunk: Chunk) -> None:
        self._id = self._id or chunk.id
        if chunk.usage and not chunk.choices:
            self._usage = chunk.usage
        for choice in chunk.choices:
            if not 0 <= choice.index < len(self._texts):
                raise BadChunk("a chunk of a choice that nobody asked for")
            self._texts[choice.index].append(choice.text)
            self._thinking[choice.index].append(choice.thinking)
            self._finish[choice.index] = choice.finish_reason or self._finish[choice.index]
            self._errors[choice.index] = choice.error or self._errors[choice.index]

    def heartbeat(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def answer(self, stream_id: str, model: str) -> dict[str, Any]:
        """The JSON answer. Raises the error of the first response when none survived."""
        errors = [error for error in self._errors if error is not None]
        if len(errors) == len(self._errors):
            raise DceError.from_body(errors[0])
        texts = ["".join(pieces) for pieces in self._texts]
        return {
            "id": stream_id,
            "object": "chat.completion",
            "model": model,
            "responses": texts,
            "choices": [self._choice(index, text) for index, text in enumerate(texts)],
            "usage": {
                "prompt_tokens": self._usage.prompt_tokens,
                "completion_tokens": self._usage.completion_tokens,
                "total_tokens": self._usage.prompt_tokens + self._usage.completion_tokens,
            },
        }

    def _choice(self, index: int, text: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text}
        thinking = "".join(self._thinking[index])
        if thinking:
            message["reasoning"] = thinking
        choice: dict[str, Any] = {"index": index, "message": message, "finish_reason": self._finish[index]}
        error = self._errors[index]
        return choice if error is None else {**choice, "error": error}
