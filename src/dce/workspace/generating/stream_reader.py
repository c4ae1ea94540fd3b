"""The gateway's stream, read: bytes in any pieces to provider events. No I/O.

What must always hold: each choice 0..n-1 ends exactly once, at the latest in `end`; nothing is told of a choice that has ended or
that was not asked for; a choice without a finish_reason is an error.
"""

from collections.abc import Callable, Iterator

import msgspec

from dce.wire.chat import DONE, BadChunk, ChoiceDelta, Chunk, read_chunks
from dce.wire.errors import DceError, ErrorBody
from dce.wire.sse import Decoder, Event, EventTooLarge
from dce.workspace.generating.provider_events import CountUpdate, Delta, Ended, Opened, ProviderEvent, Queued
from dce.workspace.http.peer import Peer


class StreamReader:
    """Reads one stream of `n` choices from `peer`.

    `has_final_usage`: the stream is one answer's, and a chunk without choices tells its count after its end.
    """

    def __init__(
        self,
        n: int,
        peer: Peer,
        stream_id: str = "",
        *,
        has_final_usage: bool = False,
    ) -> None:
        self._peer = peer
        self._has_final_usage = has_final_usage
        self._stream_id = stream_id
        self._decoder = Decoder()
        self._open = dict.fromkeys(range(n))
        self._model = ""
        self._loss: DceError | None = None
        self._is_orderly = False
        self._position: int | None = 0
        self.is_done = False

    def feed(self, piece: bytes) -> list[ProviderEvent]:
        """The events that `piece` completes. Garbage ends what is open with not_a_gateway."""
        return self._take(lambda: self._decoder.feed(piece))

    @property
    def position(self) -> int | None:
        """The number of the last frame that was read, 0 before the first; None if a frame came without one."""
        return self._position

    def lost(self, error: DceError, *, is_orderly: bool = False) -> None:
        """The connection is gone (`is_orderly`: it ended as connections do). The choices stay open until `end`."""
        self._loss, self._is_orderly = error, is_orderly

    def resume(self) -> None:
        """Another connection goes on after `position`; half a frame of the last one comes again."""
        self._decoder, self._loss = Decoder(), None

    def end(self) -> list[ProviderEvent]:
        """Nothing more comes: ends what is open with the error of the connection that was lost."""
        if self.is_done or self._loss is None:
            return []
        told = self._take(self._decoder.flush) if self._is_orderly else []
        return told + self.lose(self._loss)

    def lose(self, error: DceError) -> list[ProviderEvent]:
        """Ends every open choice with `error`."""
        self.is_done = True
        return [self._end(index, "", error.body()) for index in list(self._open)]

    def _take(self, decode: Callable[[], list[Event]]) -> list[ProviderEvent]:
        told: list[ProviderEvent] = []
        try:
            for event in decode():
                number = event.id.rpartition(":")[2]
                self._position = int(number) if number.isascii() and number.isdigit() else None
                told.extend(self._read(event.data))
        except (BadChunk, EventTooLarge) as error:
            told += self.lose(self._peer.fault(self._peer.foreign, f"the stream holds {error}"))
        return told

    def _read(self, data: str) -> Iterator[ProviderEvent]:
        if self.is_done:
            return
        if data.strip() == DONE:
            why = f"{self._peer.name} ended the stream without a finish_reason for this response"
            yield from self.lose(self._peer.fault("stream_interrupted", why))
            return
        for chunk in read_chunks(data):
            yield from self._chunk(chunk)

    def _chunk(self, chunk: Chunk) -> Iterator[ProviderEvent]:
        if chunk.queue_position is not None:
            is_waiting = chunk.queue_position > 0
            yield Queued(position=chunk.queue_position) if is_waiting else Opened(stream_id=self._stream_id)
            return
        if chunk.model and not self._model:
            self._model = chunk.model
            yield Opened(stream_id=self._stream_id, model=chunk.model)
        for choice in chunk.choices:
            if choice.index in self._open:
                # Usage of a chunk with one choice is that choice's; it is told before the end, which nothing may follow.
                usage = chunk.usage if len(chunk.choices) == 1 else None
                yield from self._choice(choice, usage.completion_tokens if usage else None)
        if self._has_final_usage and chunk.usage is not None and not chunk.choices:
            yield CountUpdate(index=0, completion_tokens=chunk.usage.completion_tokens)
        if chunk.error is not None:
            lost = [index for index in chunk.error.choices or list(self._open) if index in self._open]
            yield from [self._end(index, "", _own(chunk.error)) for index in lost]

    def _choice(self, choice: ChoiceDelta, completion_tokens: int | None) -> Iterator[ProviderEvent]:
        if choice.text or choice.thinking:
            yield Delta(index=choice.index, text=choice.text, thinking=choice.thinking)
        if completion_tokens is not None:
            yield CountUpdate(index=choice.index, completion_tokens=completion_tokens)
        if choice.error is not None:
            yield self._end(choice.index, choice.finish_reason or "error", _own(choice.error))
        elif choice.finish_reason:
            yield self._end(choice.index, choice.finish_reason, None)

    def _end(self, index: int, finish_reason: str, error: ErrorBody | None) -> Ended:
        del self._open[index]
        return Ended(index=index, finish_reason=finish_reason, error=error)


def _own(body: ErrorBody) -> ErrorBody:
    """Another hop's error as one of ours. Which choices of the stream it hit means nothing once it stands with a slot."""
    return msgspec.structs.replace(DceError.from_body(body).body(body.request_id), choices=())
