"""The stream of one request as the original extension reads it (v1.2.0, `llm.service.ts`).

Its loop looks only at `data: ` lines, and in them only at `choices[0]`. Anything whose `finish_reason` is not null, also a frame without
choices or an error, means *complete*; the text of such a frame is lost. Thinking is `delta.reasoning_content`. An error is shown only as
an HTTP status: once the head has been sent, no frame says it. So here a frame holds one thing, `finish_reason` is always there, the end
comes in a frame of its own, and an error after the head becomes text that the parsed view shows. JSON is ASCII, because the loop decodes
each network chunk by itself.
"""

import asyncio
import json
from typing import Any

from dce.gateway.streaming.output import EventOutput
from dce.wire.chat import BadChunk, ChoiceDelta, read_chunks
from dce.wire.errors import DceError, ErrorBody

DONE = b"[DONE]"
LOST = "error"
"""The finish_reason of a response whose text ends with an error."""


class LegacyFrames:
    """Translates frames, one request's worth."""

    def __init__(self, stream_id: str, model: str, n: int) -> None:
        self._common = {"id": stream_id, "object": "chat.completion.chunk", "model": model}
        self._open = set(range(n))
        self._begun: set[int] = set()
        """The choices of which a delta said something: a whole message beside it then only repeats it."""
        self.waiting = self._frame(0, {})
        """What is said in the place of a notice: that there is no end yet."""
        self._has_said = False
        self.fault: ErrorBody | None = None
        """Why the request failed, if it did before anything was said."""

    def of(self, data: bytes) -> list[bytes]:
        """The frames to send in the place of one. Raises DceError for what is no frame."""
        if data == DONE:
            return [DONE]
        try:
            chunks = read_chunks(data.decode("utf-8", "replace"))
        except BadChunk as error:
            raise DceError("backend_error", f"the backend sent {error}") from None
        frames: list[bytes] = []
        for chunk in chunks:
            for choice in chunk.choices:
                frames += self._choice(choice)
            if chunk.error is not None and not chunk.choices:
                frames += [frame for index in sorted(self._open) for frame in self._lost(index, chunk.error)]
            if not chunk.choices and chunk.error is None and chunk.usage is None:
                frames.append(self.waiting)
        return frames

    def _choice(self, choice: ChoiceDelta) -> list[bytes]:
        if choice.index not in self._open:
            return []
        text = choice.text
        if text or choice.thinking or choice.tools:
            self._begun.add(choice.index)
        elif choice.index not in self._begun:
            text = choice.message
        frames = [
            self._frame(choice.index, {name: said})
            for name, said in (("reasoning_content", choice.thinking), ("content", text))
            if said
        ]
        self._has_said = self._has_said or bool(frames)
        if choice.error is not None:
            return frames + self._lost(choice.index, choice.error)
        if choice.finish_reason is not None:
            self._open.discard(choice.index)
            frames.append(self._frame(choice.index, {}, choice.finish_reason))
        return frames

    def _lost(self, index: int, error: ErrorBody) -> list[bytes]:
        self._open.discard(index)
        if not self._has_said and not self._open:
            self.fault = error
        return [self._frame(index, {"content": error_text(error)}), self._frame(index, {}, LOST)]

    def _frame(self, index: int, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice: dict[str, Any] = {"index": index, "delta": delta, "finish_reason": finish_reason}
        return json.dumps({**self._common, "choices": [choice]}, separators=(",", ":")).encode()


def error_text(error: ErrorBody) -> str:
    """An error as text for a person. The original shows what is in this tag beside the answer's files."""
    said = f"ERROR at the {error.hop or 'gateway'} ({error.code}): {error.message}. {error.hint}".strip()
    return f"\n\n<curator_activity>\n{said}\nThis response is not complete.\n</curator_activity>\n"


class LegacyOutput(EventOutput):
    """Events for the original's client."""

    def __init__(
        self, frames: LegacyFrames, stream_id: str, replay_bytes: int, backlog_bytes: int, patience_s: float
    ) -> None:
        """`patience_s`: how long the head waits for something to be said, while an error can still be a status."""
        super().__init__(stream_id, replay_bytes, backlog_bytes)
        self._frames = frames
        self._patience_s = patience_s
        self._said = asyncio.Event()

    def frame(self, data: bytes) -> None:
        for frame in self._frames.of(data):
            super().frame(frame)
            if frame != self._frames.waiting:
                self._said.set()

    async def ready(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._said.wait()
        except TimeoutError:
            return  # the head goes out, and heartbeats follow: the original gives up on a silent connection after 60 s
        if self._frames.fault is not None:
            raise DceError.from_body(self._frames.fault)
