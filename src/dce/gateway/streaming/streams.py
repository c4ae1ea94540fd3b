"""One prompt, N responses, one stream: the core of the gateway.

A `Stream` has N choices and one or more parts. A part is one backend request, carrying one choice (fan-out) or several (native).
Backend bytes enter through `Part.data`, are split into frames, renumbered and passed to the output; on that path nothing decodes JSON
or switches tasks. Invariants: every choice ends exactly once, as finished (its finish_reason was seen), stopped (by the client) or
lost (with an error that says why); `[DONE]` is sent only if none was lost. A choice whose backend failed before its first frame may
get a new part instead of being lost, so that no text is ever delivered twice.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from dce.gateway.accounting.counts import Count, counts, total
from dce.gateway.backends.faults import frame_fault, ran_too_long
from dce.gateway.backends.transport import Exchange
from dce.gateway.streaming.endings import SETTLE_S, Endings
from dce.gateway.streaming.frames import FrameSplitter, FrameTemplate, index_of, is_plain, with_index
from dce.gateway.streaming.output import Output
from dce.wire.chat import BadChunk, Usage, choice_index, chunk_of, read_values
from dce.wire.errors import DceError, ErrorBody, Hop
from dce.wire.finish import reason_of

DONE = b"[DONE]"

log = logging.getLogger("dce.gateway")


class ChoiceState(StrEnum):
    """The state of one response."""

    OPEN = "open"
    FINISHED = "finished"
    STOPPED = "stopped"
    LOST = "lost"


class Choice:
    """One response: its state, its times on the loop's clock, and what the backend counted."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.state = ChoiceState.OPEN
        self.is_open = True
        self.error: DceError | None = None
        self.finish_reason = ""
        """The model's finish reason; empty unless finished."""
        self.last_frame = b""
        self.first_at: float | None = None
        self.ended_at: float | None = None
        self.usage: Usage | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the model ended it."""
        return self.state is ChoiceState.FINISHED

    def end(self, state: ChoiceState, at: float, error: DceError | None = None) -> None:
        """Moves from OPEN to another state, once."""
        assert self.is_open, f"choice {self.index} ends twice"
        self.state, self.ended_at, self.error, self.is_open = state, at, error, False


class Opener(Protocol):
    """Sends a part's backend request, and is told how it ended."""

    async def __call__(self, indices: Sequence[int]) -> Exchange:
        """Opens an exchange and returns it once its head has arrived with status 200. Raises DceError when no backend takes it."""

    def ended(self, indices: Sequence[int], error: DceError | None) -> None:
        """The request that carried these choices has ended, with or without an error."""

    def failed(self, indices: Sequence[int], error: DceError) -> bool:
        """The request failed before any frame of these choices arrived. Returns whether it may be retried for them."""

    def dropped(self, indices: Sequence[int]) -> None:
        """The request was closed by our side."""


class Part:
    """One backend request and the choices it carries; a transport Sink."""

    def __init__(self, stream: "Stream", indices: Sequence[int]) -> None:
        self._stream = stream
        self.indices = tuple(indices)
        self.exchange: Exchange | None = None
        self.opening: asyncio.Task[None] | None = None
        self.is_opened = False
        self.sum: Usage | None = None
        self._uncounted: list[int] = []
        """Choices that have ended but whose usage has not arrived yet."""
        self._splitter = FrameSplitter()
        self._sent = self.indices
        self._is_single = len(self.indices) == 1
        self._template = FrameTemplate()
        self._only: Choice | None = None
        """The choice of a request that carries only one, once it has started."""
        self._is_done = False
        self._endings = Endings()
        self._settling: asyncio.TimerHandle | None = None
        self._own: int | None = None
        """In a request for one choice: the first index that the backend sent. Another index is another choice, which nobody requested."""
        self._has_strangers = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will arrive: the answer is complete, or the request is closed."""
        return self._is_done or (self.exchange is None and self.opening is None)

    def data(self, piece: bytes) -> None:
        """Bytes from the backend: whole frames are passed on at once. Raises nothing: what cannot be read costs this request only."""
        try:
            frame, choice = self._template.frame(piece), self._only
            if frame and choice is not None and choice.is_open:
                choice.last_frame = frame
                stream = self._stream  # like `emit`, without the call
                stream.frames += 1
                take = stream.take
                take(frame)
            else:
                self._read(piece)
        except Exception as error:  # noqa: BLE001 - an exception would leave the choices open for ever
            self.fail(error)

    def _read(self, piece: bytes) -> None:
        for frame in self._splitter.feed(piece):
            self._frame(frame, piece)
        if not self._splitter.is_between_frames:
            self._template = FrameTemplate()  # the next piece is the rest of a frame, even if it matches the template

    def end(self, error: DceError | None) -> None:
        """The backend's answer has ended; every unfinished choice is lost."""
        is_orderly = error is None
        if error is None:
            try:
                for frame in self._splitter.flush():
                    # The frame's end is only assumed, so it is decoded even if it looks plain; half a frame must not pass as one.
                    self._frame(frame, b"") if frame == DONE else self._decoded(frame)
            except Exception as fault:  # noqa: BLE001 - as in `data`
                self.fail(fault)
            error = DceError("stream_interrupted", "the backend ended the stream without finishing this response")
            if (said := self._splitter.said) is not None:
                error = frame_fault(said)
        self.exchange = None
        self._finish(self._endings.take(is_orderly=is_orderly))
        self._stop_settling()
        self._stream.lose(self, error)

    def close(self) -> None:
        """Closes the backend request, opened or not. A complete one is left to end by itself, so that its connection is reused."""
        self._stop_settling()
        if self.opening is not None:
            self.opening.cancel()
            self.opening = None
        if self.exchange is not None and not self._is_done:
            self.exchange.abort()
            self.exchange = None

    def fail(self, fault: Exception) -> None:
        """The answer cannot be read any further; the choices that are not whole are lost."""
        self.finish_whole()
        self.close()
        self._stream.lose(self, _unread(fault))

    def _frame(self, data: bytes, piece: bytes) -> None:
        if is_plain(data):
            # A backend numbers the choices of its own request from 0; one that does not takes the slow path.
            was = index_of(data)
            index = self._index(was)
            numbered = data if was == index else with_index(data, index, was)
            if numbered is not None and index in self.indices and self._is_own(was):
                if self._endings:
                    self._go_on(index)
                self._stream.pass_on(index, numbered)
                if self._is_single:
                    self._only = self._stream.choices[index]
                    self._template.learn(piece, data, numbered)
                return
        if data == DONE:
            self._is_done = True
            self._finish(self._endings.take(is_orderly=True))
            self._stream.done(self)
        else:
            self._decoded(data)

    def _decoded(self, data: bytes) -> None:
        """The rare frames: a choice's end, usage, errors, several choices at once. Raises BadChunk for anything that is not a chunk."""
        for value in read_values(data.decode("utf-8", "replace")):
            chunk = chunk_of(value)
            if chunk.error is not None:
                self.fail(frame_fault(chunk.error))
            elif chunk.choices:
                self._each_choice(value)
            elif chunk.usage is not None:
                self._count(chunk.usage)

    def _each_choice(self, value: dict[str, Any]) -> None:
        for choice in value["choices"]:
            if not isinstance(choice, dict):
                continue
            was = choice_index(choice.get("index"))
            if not self._is_own(was):
                continue
            index = self._index(0 if self._is_single else was)
            if index not in self.indices:
                continue
            self._go_on(index)
            frame = {**value, "choices": [{**choice, "index": index}]}
            if reason_of(choice.get("finish_reason")) is None:
                self._stream.pass_on(index, _encoded(frame))
            else:
                self._hold(index, frame)

    def _hold(self, index: int, frame: dict[str, Any]) -> None:
        """A finish_reason: the choice ends unless more of it follows."""
        _encoded(frame)  # a frame that cannot be sent is found out now
        self._only = None  # the next frame must not bypass the ending
        self._endings.hold(index, frame, self._stream.choices[index].last_frame)
        if index not in self._uncounted:
            self._uncounted.append(index)
        self._settle_later()

    def _go_on(self, index: int) -> None:
        """More of a choice arrived: a frame of it that is held back comes first."""
        held = self._endings.go_on(index)
        if held is not None:
            self._stream.pass_on(index, _encoded(held))

    def finish_whole(self, index: int | None = None) -> None:
        """Ends the choices (None: all) that have a finish_reason with nothing after it: what happens next does not concern them."""
        self._finish(self._endings.take(index))

    def _finish(self, endings: Iterable[tuple[int, dict[str, Any], str]]) -> None:
        for index, frame, reason in list(endings):
            self._stream.pass_on(index, _encoded(_with_usage(frame, self._stream.choices[index].usage)))
            self._stream.finish(index, reason)

    def _settle_later(self) -> None:
        if self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(SETTLE_S, self._settle)

    def _stop_settling(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    def _settle(self) -> None:
        """Ends the choices that were silent after their finish_reason; an answer that is whole then does not keep its connection."""
        self._settling = None
        if self._is_done or self.exchange is None:
            return
        choices = self._stream.choices
        if not self._stream.is_paused:
            self._finish(self._endings.settle(lambda index: choices[index].last_frame))
        if self._endings:
            self._settle_later()
        elif not any(choices[index].is_open for index in self.indices):
            self.close()
            self._stream.done(self)

    def _index(self, was: int) -> int:
        """The choice that the backend numbers `was`; -1 if it was not requested."""
        return self._sent[was] if 0 <= was < len(self._sent) else -1

    def _is_own(self, was: int) -> bool:
        """Whether a frame numbered `was` is of this request: of the choices that answer a request for one, only the first is."""
        if not self._is_single:
            return True
        if self._own is None:
            self._own = was
        if was != self._own and not self._has_strangers:
            self._has_strangers = True
            log.warning("a backend answered a request for one response with several; only the first is kept")
        return was == self._own

    def _count(self, usage: Usage) -> None:
        """vLLM sends one usage at the end, summed over its choices; llama.cpp sends one per choice, right after it ends."""
        ended, self._uncounted = self._uncounted, []
        of = self.indices if self._is_single else ended
        if len(of) == 1:
            self._stream.choices[of[0]].usage = usage
        else:
            self.sum = usage
        if not self._is_single:
            for index in ended:
                self.finish_whole(index)  # the server counts a choice once it is done with it


class Stream:
    """N choices on their way to one client. Owned by the principal whose key created it."""

    def __init__(self, stream_id: str, owner: str, model: str, plan: Sequence[Sequence[int]]) -> None:
        self.id = stream_id
        self.owner = owner
        self.model = model
        self.parts = [Part(self, indices) for indices in plan]
        self.choices = [Choice(index) for index in range(sum(map(len, plan)))]
        self._part_of = {index: part for part in self.parts for index in part.indices}
        self._output: Output | None = None
        self._early: list[bytes] = []
        self.take: Callable[[bytes], None] = self._early.append
        """Where frames go. Parts call it directly and count the frames themselves; everything else uses `emit`."""
        self._is_paused = False
        self._opener: Opener | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self._noticed: asyncio.Future[None] = self._loop.create_future()
        self.frames = 0

    # -- the request's side -------------------------------------------------------------------------------------------

    async def open(self, opener: Opener, patience_s: float, total_s: float | None = None) -> None:
        """Sends all backend requests. Returns when the first is answered, when there is a notice for the client, or after `patience_s`;
        raises when the request is refused as invalid or none could be opened, which can still become an HTTP status. Choices that have
        not ended after `total_s` are lost."""
        self._opener = opener
        if total_s is not None:
            self._deadline = self._loop.call_later(total_s, self._expire, total_s)
        for part in self.parts:
            part.opening = asyncio.create_task(self._open(part, opener))
        deadline = self._loop.time() + patience_s
        while waiting := {part.opening for part in self.parts if part.opening}:
            done, _ = await asyncio.wait(
                {*waiting, self._noticed},
                timeout=max(0.0, deadline - self._loop.time()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done or any(part.is_opened for part in self.parts) or self.finished.done() or self._noticed.done():
                break
        if any(part.is_opened for part in self.parts):
            return
        lost = [choice.error for choice in self.choices if choice.error is not None]
        refused = next((error for error in lost if error.kind.type == "invalid_request_error"), None)
        if refused is not None or len(lost) == len(self.choices):
            raise refused or lost[0]

    def attach(self, output: Output) -> None:
        """Sends frames to `output`, beginning with those that arrived while the requests were being opened."""
        self._output, self.take = output, output.frame
        early, self._early = self._early, []
        for data in early:
            try:
                output.frame(data)
            except Exception as error:  # noqa: BLE001 - it costs its own response only
                self._lose_early(max(0, index_of(data)), error)

    def _lose_early(self, index: int, fault: Exception) -> None:
        """The output cannot read a frame that arrived before there was an output. The model may even have finished that response since."""
        self._part_of[index].fail(fault)
        choice = self.choices[index]
        if choice.is_finished:
            choice.state, choice.error = ChoiceState.LOST, _unread(fault)
            self._emit_lost(choice)

    def notice(self, data: bytes) -> None:
        """Sends a frame that belongs to no response: what the client waits for."""
        take = self.take
        take(data)
        if not self._noticed.done():
            self._noticed.set_result(None)

    def stop(self, index: int) -> bool:
        """Ends one choice at the client's request; its backend request is closed when no other choice needs it."""
        choice = self.choices[index]
        self._part_of[index].finish_whole(index)
        if not choice.is_open:
            return False
        choice.end(ChoiceState.STOPPED, self._loop.time())
        self.emit(_chunk(self, {"index": index, "delta": {}, "finish_reason": "stopped"}))
        part = self._part_of[index]
        if not any(self.choices[other].is_open for other in part.indices):
            part.close()
            if self._opener is not None:
                self._opener.dropped(part.indices)
        self.check_finished()
        return True

    def stop_all(self) -> None:
        """Ends every open choice at the client's request."""
        for choice in self.choices:
            self.stop(choice.index)

    def pause(self) -> None:
        """The client's buffer is full: pauses all backends."""
        self._is_paused = True
        for part in self.parts:
            if part.exchange is not None:
                part.exchange.pause()

    def resume(self) -> None:
        """The client reads again."""
        if self._is_paused:
            self._is_paused = False
            for part in self.parts:
                if part.exchange is not None:
                    part.exchange.resume()

    @property
    def is_paused(self) -> bool:
        """Whether the backends are paused until the client reads."""
        return self._is_paused

    def heartbeat(self) -> None:
        """Sends a heartbeat to a waiting client."""
        if self._output is not None:
            self._output.heartbeat()

    async def close(self) -> None:
        """Ends every backend request. When this returns, everything acquired for them is released."""
        openings = [part.opening for part in self.parts if part.opening is not None]
        self.close_now()
        await asyncio.gather(*openings, return_exceptions=True)

    def close_now(self) -> None:
        """Like `close`, without waiting for requests that are still being opened."""
        self._stop_deadline()
        for part in self.parts:
            part.close()

    # -- the backends' side -------------------------------------------------------------------------------------------

    async def _open(self, part: Part, opener: Opener) -> None:
        try:
            exchange = await opener(part.indices)
        except DceError as error:
            part.opening = None
            self._end_lost(part.indices, error)
            return
        except Exception as error:  # noqa: BLE001 - a request that is never opened nor lost would keep its client waiting for ever
            part.opening = None
            self._end_lost(part.indices, _unread(error))
            return
        part.exchange, part.opening, part.is_opened = exchange, None, True
        exchange.start(part)
        if self._is_paused and part.exchange is not None:
            exchange.pause()

    def pass_on(self, index: int, data: bytes) -> None:
        """Takes a renumbered frame of one choice. Frames of an ended choice are dropped."""
        choice = self.choices[index]
        if choice.is_open:
            if not choice.last_frame:
                choice.first_at = self._loop.time()
            choice.last_frame = data
            self.emit(data)

    def emit(self, data: bytes) -> None:
        """Sends a frame of an open choice, or of the stream, to the output, or keeps it until there is one."""
        self.frames += 1
        take = self.take
        take(data)

    def finish(self, index: int, reason: str) -> None:
        """The model ended this choice."""
        choice = self.choices[index]
        if choice.is_open:
            choice.end(ChoiceState.FINISHED, self._loop.time())
            choice.finish_reason = reason
            self.check_finished()

    def done(self, part: Part) -> None:
        """The part's answer is complete."""
        if self._opener is not None and not self._open_in(part):
            self._opener.ended(part.indices, None)
        self.check_finished()

    def lose(self, part: Part, error: DceError) -> None:
        """The part broke off: its open choices are lost, except that those without any frame may be retried elsewhere."""
        left = self._open_in(part)
        silent = [index for index in left if not self.choices[index].last_frame]
        opener = self._opener
        if opener is not None and silent and opener.failed(silent, error):
            part.indices = tuple(index for index in part.indices if index not in silent)
            self._send_again(silent, opener)
        elif opener is not None:
            opener.ended(part.indices, error if left else None)
        self._end_lost(part.indices, error)

    def _expire(self, total_s: float) -> None:
        """The total timeout was reached. Nothing is retried."""
        error = ran_too_long(total_s)
        for part in list(self.parts):
            part.finish_whole()
            part.close()
            if self._opener is not None:
                self._opener.dropped(part.indices)
            self._end_lost(part.indices, error)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _send_again(self, indices: Sequence[int], opener: Opener) -> None:
        again = Part(self, indices)
        self.parts = [*(part for part in self.parts if part.indices), again]
        self._part_of.update(dict.fromkeys(indices, again))
        again.opening = asyncio.create_task(self._open(again, opener))

    def _open_in(self, part: Part) -> list[int]:
        return [index for index in part.indices if self.choices[index].is_open]

    def _end_lost(self, indices: Sequence[int], error: DceError) -> None:
        for index in indices:
            choice = self.choices[index]
            if choice.is_open:
                choice.end(ChoiceState.LOST, self._loop.time(), error)
                self._emit_lost(choice)
        self.check_finished()

    def _emit_lost(self, choice: Choice) -> None:
        index, error = choice.index, choice.error
        assert error is not None
        self.emit(_chunk(self, {"index": index, "delta": {}, "finish_reason": "error", "error": _body(error, index)}))

    def counts(self) -> list[Count]:
        """What each choice cost; for an aborted one, the last count seen."""
        return counts(self.parts, self.choices, self.frames)

    def usage(self) -> Usage:
        """The sum over the choices; the prompt counts once."""
        return total(self.counts())

    def check_finished(self) -> None:
        """Finishes the stream when every choice has ended and every part has reported its usage or is closed."""
        is_ended = not any(choice.is_open for choice in self.choices)
        if is_ended and all(part.is_over for part in self.parts) and not self.finished.done():
            self._stop_deadline()
            self.finished.set_result(None)

    # -- inside -------------------------------------------------------------------------------------------------------

    def last_frames(self) -> list[bytes]:
        """The frames that end the stream: the usage, then `[DONE]` or the error that names the lost choices."""
        usage = _counts(self.usage())
        last = msgspec.json.encode(
            {"id": self.id, "object": "chat.completion.chunk", "model": self.model, "choices": [], "usage": usage}
        )
        lost = tuple(choice.index for choice in self.choices if choice.state is ChoiceState.LOST)
        if not lost:
            return [last, DONE]
        first = next(choice.error for choice in self.choices if choice.error is not None)
        message = f"{len(lost)} of {len(self.choices)} responses were lost: {first.message}"
        error = DceError(first.code, message, hint=first.hint, hop=first.hop, choices=lost)
        return [last, msgspec.json.encode({"error": error.body()})]


def _chunk(stream: Stream, choice: dict[str, Any]) -> bytes:
    return msgspec.json.encode(
        {"id": stream.id, "object": "chat.completion.chunk", "model": stream.model, "choices": [choice]}
    )


def _unread(fault: Exception) -> DceError:
    """The error of a response whose answer could not be read. What the backend sent is not logged: it may be a prompt."""
    if isinstance(fault, DceError):
        return fault
    if isinstance(fault, BadChunk):
        return DceError("backend_error", "the backend sent a frame that is not a JSON chunk")
    log.warning("a backend sent something that cannot be read (%s)", type(fault).__name__)
    return DceError("backend_error", "the backend sent something that cannot be read", hop=Hop.BACKEND)


def _with_usage(frame: dict[str, Any], usage: Usage | None) -> dict[str, Any]:
    """The last frame of a choice with its count, unless it has one: a client counts a response before its end."""
    is_told = usage is None or usage.is_prompt_partial or frame.get("usage")
    return frame if usage is None or is_told else {**frame, "usage": _counts(usage)}


def _counts(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def _body(error: DceError, index: int) -> ErrorBody:
    return msgspec.structs.replace(error.body(), choices=(index,))


def _encoded(value: dict[str, Any]) -> bytes:
    """Encodes JSON again. Half a surrogate stays escaped, as it came: the other half may be in the next frame. Raises BadChunk."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
    except (OverflowError, RecursionError, ValueError, TypeError) as error:
        raise BadChunk("a chunk that cannot be encoded") from error
