"""A response while it streams: its states as a table, its text in pieces, its tokens by phase.

What must always hold: only `TRANSITIONS` are possible; a response is `complete` only if a finish_reason was seen; a terminal
response never changes again; text is kept as a list of pieces, so the cost of an answer is linear in its length, not quadratic.
"""

from collections.abc import Callable, Mapping

import msgspec

from dce.wire.errors import ErrorBody
from dce.wire.finish import Outcome, outcome_of
from dce.wire.halves import whole
from dce.workspace.record.responses import TERMINAL, News, Response, Status, Tokens

_FAILED = frozenset({Status.STOPPED, Status.ERROR, Status.INTERRUPTED})


_FINISHED = frozenset({Status.COMPLETE, Status.TRUNCATED})


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.CONNECTING}) | _FAILED,
    # A model may end without writing anything: then connecting → complete is correct.
    Status.CONNECTING: frozenset({Status.WAITING, Status.THINKING, Status.GENERATING}) | _FINISHED | _FAILED,
    Status.WAITING: frozenset({Status.CONNECTING, Status.THINKING, Status.GENERATING}) | _FINISHED | _FAILED,
    Status.THINKING: frozenset({Status.GENERATING}) | _FINISHED | _FAILED,
    Status.GENERATING: _FINISHED | _FAILED,
    **{status: frozenset() for status in TERMINAL},
}


FINISHES: Mapping[Outcome, Status] = {
    Outcome.WHOLE: Status.COMPLETE,
    Outcome.CUT: Status.TRUNCATED,
    Outcome.STOPPED: Status.STOPPED,
    Outcome.FAILED: Status.ERROR,
}
"""The status of each outcome of a finish_reason."""


class IllegalTransition(RuntimeError):
    """A bug in DCE: a response was asked for a transition that its state does not allow."""


class Cursor(msgspec.Struct, frozen=True):
    """How far a consumer has read a live response: pieces taken, and the offsets (code points) they reach."""

    thinking_pieces: int = 0
    text_pieces: int = 0
    thinking_offset: int = 0
    text_offset: int = 0


class LiveResponse:
    """A response while it streams. Its status follows `TRANSITIONS`; `record()` is its current state."""

    def __init__(self, record: Response, estimate: Callable[[str], int], earlier: "Response | None" = None) -> None:
        """`earlier`: the version that this one continues; its text, tokens and times carry over."""
        self._record = record
        self._estimate = estimate
        self._earlier = earlier
        self._thinking: list[str] = [earlier.thinking] if earlier else []
        self._text: list[str] = [earlier.text.rstrip()] if earlier else []
        self._tally = _Tally(earlier.tokens if earlier else Tokens())

    @property
    def begun(self) -> Cursor:
        """The cursor after the text of the continued version, which is in the store already."""
        if self._earlier is None:
            return Cursor()
        return Cursor(1, 1, len(self._thinking[0]), len(self._text[0]))

    @property
    def slot(self) -> int:
        """Its slot, 1..N."""
        return self._record.slot

    @property
    def status(self) -> Status:
        """Its current status."""
        return self._record.status

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self._record.status in TERMINAL

    def start(self, now: float) -> None:
        """Notes that the request is sent."""
        if self._earlier is None:
            self._set(started_at=now)
            return
        began = now - (self._earlier.elapsed_s or 0.0)
        self._set(started_at=began, first_token_at=began + (self._earlier.ttft_s or 0.0))

    def connect(self) -> None:
        """Notes that the gateway admitted it."""
        self._move(Status.CONNECTING)

    def wait(self) -> None:
        """Notes that the server takes no request right now. A response that has begun does not wait any more."""
        if self.status is Status.CONNECTING:
            self._move(Status.WAITING)

    def add(self, text: str, thinking: str, now: float) -> None:
        """Adds one delta. The first answer text ends the thinking phase; later thinking is kept without a status change."""
        if not text and not thinking:
            return
        text, thinking = (
            whole(text),
            whole(thinking),
        )  # last guard: text that cannot be stored would end every response of the run
        if self._record.first_token_at is None:
            self._set(first_token_at=now)
        if thinking:
            self._thinking.append(thinking)
            if self.status in (Status.CONNECTING, Status.WAITING):
                self._move(Status.THINKING)
        if text:
            self._text.append(text)
            if self.status is Status.THINKING:
                self._set(thinking_ended_at=now)
            if self.status is not Status.GENERATING:
                self._move(Status.GENERATING)
        self._tally.guess(is_thinking=not text)

    def count(self, completion_tokens: int, prompt_tokens: int = 0) -> None:
        """Takes the backend's own token count of this response so far, and of its prompt (0: it does not say)."""
        self._tally.count(completion_tokens)
        if prompt_tokens and prompt_tokens != self._record.prompt_tokens:
            self._set(prompt_tokens=prompt_tokens)

    def end(self, status: Status, now: float, finish_reason: str = "", error: ErrorBody | None = None) -> None:
        """Ends the response, once, and joins its text."""
        was_thinking = self.status is Status.THINKING
        self._move(status)
        thinking, text = "".join(self._thinking), "".join(self._text)
        tokens = self._tally.tokens
        if not self._tally.has_count:
            # A chunk holds at least one token, so the estimate must not be below the number of chunks.
            tokens = Tokens(
                thinking=max(tokens.thinking, self._estimate(thinking)), answer=max(tokens.answer, self._estimate(text))
            )
        self._set(thinking=thinking, text=text, tokens=tokens, finish_reason=finish_reason, error=error, ended_at=now)
        if was_thinking:
            self._set(thinking_ended_at=now)

    def record(self) -> Response:
        """The current state. While it streams the text is left out (`news` returns it), so the call is cheap."""
        if self.is_terminal:
            return self._record
        return msgspec.structs.replace(self._record, tokens=self._tally.tokens)

    def news(self, since: Cursor) -> tuple[News, Cursor]:
        """The text that came since a cursor, and the new cursor."""
        thinking = "".join(self._thinking[since.thinking_pieces :])
        text = "".join(self._text[since.text_pieces :])
        news = News(thinking_offset=since.thinking_offset, thinking=thinking, text_offset=since.text_offset, text=text)
        cursor = Cursor(
            len(self._thinking),
            len(self._text),
            since.thinking_offset + len(thinking),
            since.text_offset + len(text),
        )
        return news, cursor

    def _move(self, status: Status) -> None:
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"response {self.slot}: {self.status} cannot become {status}")
        self._set(status=status)

    def _set(self, **fields: object) -> None:
        self._record = msgspec.structs.replace(self._record, **fields)


class _Tally:
    """Tokens by phase: the backend's counts, plus an estimate of one token per chunk since the last count."""

    def __init__(self, counted: Tokens) -> None:
        self.has_count = False
        self._counted = counted
        self._guessed_thinking = 0
        self._guessed_answer = 0
        self._is_thinking = False

    @property
    def tokens(self) -> Tokens:
        return Tokens(
            thinking=self._counted.thinking + self._guessed_thinking,
            answer=self._counted.answer + self._guessed_answer,
            exact=self.has_count and not self._guessed_thinking and not self._guessed_answer,
        )

    def guess(self, *, is_thinking: bool) -> None:
        self._is_thinking = is_thinking
        if is_thinking:
            self._guessed_thinking += 1
        else:
            self._guessed_answer += 1

    def count(self, completion_tokens: int) -> None:
        """Takes a new count. The gain since the last one is divided between the phases in proportion to their chunks."""
        gained = max(0, completion_tokens - self._counted.total)
        chunks = self._guessed_thinking + self._guessed_answer
        thinking = gained * self._guessed_thinking // chunks if chunks else gained * self._is_thinking
        self._counted = Tokens(
            thinking=self._counted.thinking + thinking, answer=self._counted.answer + gained - thinking, exact=True
        )
        self._guessed_thinking = self._guessed_answer = 0
        self.has_count = True


def status_of_finish(finish_reason: str) -> Status:
    """The terminal status for a finish_reason; a missing one means an error."""
    return FINISHES[outcome_of(finish_reason)]
