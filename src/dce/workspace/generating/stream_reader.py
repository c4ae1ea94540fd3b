"""Turns a stream's bytes, in pieces of any size, into provider events. No I/O.

Invariants: each choice 0..n-1 ends exactly once, at the latest in `end`; no event is emitted for a choice that has ended or was not
requested; a choice without a finish_reason is an error. A gateway's finish_reason is final. Other servers send it early or with every
chunk, so theirs counts only when the stream ends or nothing follows it.
"""

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from dce.wire.chat import DONE, BadChunk, ChoiceDelta, Chunk, Usage, read_chunks, read_error
from dce.wire.errors import DceError, ErrorBody, Hop
from dce.wire.halves import whole
from dce.wire.sse import ERROR, Decoder, Event, EventTooLarge
from dce.workspace.generating.choice_reader import ChoiceReader
from dce.workspace.generating.provider_events import CountUpdate, Ended, Opened, ProviderEvent, Queued, Waiting
from dce.workspace.http.peer import Peer

_INDEX = re.compile(r'"index":([0-9]{1,4})\b')

MAX_TOLD_BYTES = 300
"""How much of a body that is not an event stream is shown: a sentence, not a page."""


class StreamReader:
    """Reads one stream of `n` choices from `peer`.

    `has_final_usage`: the stream carries one answer, and a chunk without choices reports its count after its end.
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
        self._open = {index: ChoiceReader(index) for index in range(n)}
        self._model = ""
        self._own: int | None = None
        self._requested = range(n)
        self._beginning = b""
        self._has_begun = False
        self._loss: DceError | None = None
        self._is_orderly = False
        self._position: int | None = 0
        self.is_done = False

    def feed(self, piece: bytes) -> list[ProviderEvent]:
        """The events that `piece` completes. Garbage ends all open choices with the peer's `foreign` code."""
        if self._has_final_usage and not self._has_begun:
            self._beginning = (self._beginning + piece)[:MAX_TOLD_BYTES]
        return self._take(lambda: self._decoder.feed(piece))

    @property
    def position(self) -> int | None:
        """The number of the last frame read, 0 before the first; None if the last frame had no number."""
        return self._position

    @property
    def is_settling(self) -> bool:
        """Whether every open choice has a finish_reason, so that the stream should end soon."""
        return self._has_final_usage and bool(self._open) and all(choice.reason for choice in self._open.values())

    def settle(self) -> list[ProviderEvent]:
        """Ends open choices by their finish_reason after nothing followed it for long enough, although the connection is still open."""
        return self.lose(self._peer.interrupted("stayed open and silent"), is_orderly=True)

    def lost(self, error: DceError, *, is_orderly: bool = False) -> None:
        """Notes that the connection is gone (`is_orderly`: closed normally). The choices stay open until `end`."""
        self._loss, self._is_orderly = error, is_orderly

    def resume(self) -> None:
        """Prepares for a connection that resumes after `position`; a partial frame will be sent again."""
        self._decoder, self._loss = Decoder(), None

    def end(self) -> list[ProviderEvent]:
        """Ends all open choices with the error of the lost connection, when nothing more will come."""
        if self.is_done or self._loss is None:
            return []
        told = self._take(self._decoder.flush) if self._is_orderly else []
        return told if self.is_done else told + self.lose(self._said() or self._loss, is_orderly=self._is_orderly)

    def _said(self) -> DceError | None:
        """The error of a server that sent no event at all: the beginning of its body is the reason."""
        said = " ".join(self._beginning.decode("utf-8", "replace").split())
        if self._has_begun or not said or said.startswith(("data:", ":")):
            return None
        return self._peer.fault(self._peer.foreign, f"{self._peer.name} did not send an event stream but: {said}")

    def lose(self, error: DceError, *, is_orderly: bool = False) -> list[ProviderEvent]:
        """Ends every open choice: by its finish_reason if it has one and nothing after it was lost, otherwise with `error`."""
        self.is_done = True
        told: list[ProviderEvent] = []
        for index in list(self._open):
            told += self._lose(index, error.body(), is_orderly=is_orderly)
        return told

    def _take(self, decode: Callable[[], list[Event]]) -> list[ProviderEvent]:
        told: list[ProviderEvent] = []
        try:
            for event in decode():
                self._has_begun = True
                number = event.id.rpartition(":")[2]
                self._position = int(number) if number.isascii() and number.isdigit() else None
                told.extend(self._read(event))
        except EventTooLarge as error:
            told += self.lose(self._peer.fault(self._peer.foreign, f"the stream contains {error}"))
        except Exception:  # noqa: BLE001 - whatever was sent ends this stream, and nothing else
            told += self.lose(self._unreadable())
        return told

    def _unreadable(self) -> DceError:
        return self._peer.fault(self._peer.foreign, f"{self._peer.name} sent something that cannot be read")

    def _read(self, event: Event) -> Iterator[ProviderEvent]:
        data = event.data
        if self.is_done:
            return
        if event.event == ERROR:
            yield from self._chunk(Chunk(error=read_error(data)))
            return
        if data.strip() == DONE:
            why = f"{self._peer.name} ended the stream without a finish_reason for this response"
            yield from self.lose(self._peer.fault("stream_interrupted", why), is_orderly=True)
            return
        try:
            chunks = read_chunks(data)
        except BadChunk as error:
            yield from self._bad(data, error)
            return
        for chunk in chunks:
            yield from self._chunk(chunk)

    def _bad(self, data: str, error: BadChunk) -> Iterator[ProviderEvent]:
        """A frame that is no chunk. A gateway passes some on unread, under the index of the response that they belong to."""
        named = set(_INDEX.findall(data))
        index = int(named.pop()) if len(named) == 1 else -1
        if self._has_final_usage or index not in self._requested:
            yield from self.lose(self._peer.fault(self._peer.foreign, f"the stream contains {error}"))
        elif index in self._open:
            fault = DceError("backend_error", f"the backend sent {error}", hop=Hop.BACKEND)
            yield from self._end(index, "error", fault.body())

    def _chunk(self, chunk: Chunk) -> Iterator[ProviderEvent]:
        if chunk.queue_position is not None:
            is_waiting = chunk.queue_position > 0
            yield Queued(position=chunk.queue_position) if is_waiting else Opened(stream_id=self._stream_id)
            return
        if chunk.busy is not None:
            for index in chunk.busy.choices:
                if index in self._open:
                    yield Waiting(index=index, why=chunk.busy.message, retry_in_s=chunk.busy.retry_in_s)
            return
        if chunk.model and not self._model:
            self._model = chunk.model
            yield Opened(stream_id=self._stream_id, model=chunk.model)
        for choice in self._ours(chunk.choices):
            if choice.index in self._open:
                # Usage in a chunk with one choice belongs to that choice; emit it before the end, which must be last.
                usage = chunk.usage if len(chunk.choices) == 1 else None
                yield from self._guarded(choice, usage)
        if self._has_final_usage and chunk.usage is not None and not chunk.choices:
            yield _counted(0, chunk.usage)
        if chunk.error is not None:
            lost = [index for index in chunk.error.choices or list(self._open) if index in self._open]
            for index in lost:
                yield from self._lose(index, _own(chunk.error))

    def _ours(self, choices: tuple[ChoiceDelta, ...]) -> Iterable[ChoiceDelta]:
        """The choices that were requested. In the answer to a request for one, that is the first index seen, whatever it is; another index
        is another choice, which nobody requested."""
        if not self._has_final_usage:
            return choices
        if self._own is None and choices:
            self._own = choices[0].index
        ours = [choice for choice in choices if choice.index == self._own]
        return [msgspec.structs.replace(choice, index=0) for choice in ours] if self._own else ours

    def _guarded(self, choice: ChoiceDelta, usage: Usage | None) -> Iterator[ProviderEvent]:
        """Like `_choice`; what cannot be read ends this choice and no other."""
        try:
            yield from self._choice(choice, usage)
        except Exception:  # noqa: BLE001
            if choice.index in self._open:
                yield from self._end(choice.index, "error", self._unreadable().body())

    def _choice(self, choice: ChoiceDelta, usage: Usage | None) -> Iterator[ProviderEvent]:
        reader = self._open[choice.index]
        if delta := reader.add(choice):
            yield delta
        if usage is not None:
            yield _counted(choice.index, usage)
        if choice.error is not None:
            yield from self._end(choice.index, choice.finish_reason or "error", _own(choice.error))
        elif choice.finish_reason and not self._has_final_usage:
            yield from self._end(choice.index, reader.reason, None)

    def _lose(self, index: int, error: ErrorBody, *, is_orderly: bool = False) -> Iterator[ProviderEvent]:
        choice = self._open[index]
        is_whole = choice.reason and (is_orderly or not choice.has_gone_on)
        yield from self._end(index, choice.reason if is_whole else "", None if is_whole else error)

    def _end(self, index: int, finish_reason: str, error: ErrorBody | None) -> Iterator[ProviderEvent]:
        reader = self._open.pop(index)
        try:
            delta, fault = reader.flush(), reader.fault()
        except Exception:  # noqa: BLE001 - as in `_guarded`
            delta, fault = None, self._unreadable().body()
        if delta:
            yield delta
        yield Ended(index=index, finish_reason=whole(finish_reason), error=error or fault)


def _counted(index: int, usage: Usage) -> CountUpdate:
    """A server's count. Some count what they had cached apart from the rest of the prompt."""
    cached = usage.cached_tokens if usage.cached_tokens > usage.prompt_tokens else 0
    read = 0 if usage.is_prompt_partial else usage.prompt_tokens + cached
    return CountUpdate(index=index, completion_tokens=usage.completion_tokens, prompt_tokens=read)


def _own(body: ErrorBody) -> ErrorBody:
    """Another hop's error as a DCE error, without the affected choices, which mean nothing on a single slot."""
    return msgspec.structs.replace(DceError.from_body(body).body(body.request_id), choices=())
