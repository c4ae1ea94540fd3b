"""Where the frames of a stream go: to the client as events, or into one JSON answer. The stream does not know which."""

import asyncio
from typing import Any, Protocol

from dce.gateway.wire import ClientWire
from dce.wire.chat import BadChunk, Chunk, Usage, read_chunks
from dce.wire.errors import DceError, ErrorBody
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
    """Server-sent events on the client's connection: `id: <stream>:<seq>`, one write per turn of the loop."""

    def __init__(self, wire: ClientWire, stream_id: str) -> None:
        self._wire = wire
        self._call_soon = asyncio.get_running_loop().call_soon
        self._prefix = b"id: " + stream_id.encode() + b":"
        self._sequence = 0
        self._buffer: list[bytes] = []

    @property
    def is_writable(self) -> bool:
        return self._wire.is_writable

    def frame(self, data: bytes) -> None:
        self._sequence += 1
        if not self._buffer:
            # An engine's step wakes all of its streams in one turn of the loop: their frames leave in one write at its end.
            self._call_soon(self.flush)
        self._buffer.append(b"%b%d\ndata: %b\n\n" % (self._prefix, self._sequence, data))

    def heartbeat(self) -> None:
        self._wire.write(comment("keep-alive"))

    def flush(self) -> None:
        if self._buffer:
            frames, self._buffer = self._buffer, []
            self._wire.write(b"".join(frames))


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
