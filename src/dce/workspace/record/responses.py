"""One of the N answers, as the record keeps it: its status, its text, its tokens and its times."""

from enum import StrEnum

import msgspec

from dce.wire.errors import ErrorBody


class Status(StrEnum):
    """Where a response stands. `queued`: not admitted by the gateway yet; `connecting`: admitted, no token yet."""

    QUEUED = "queued"
    CONNECTING = "connecting"
    THINKING = "thinking"
    GENERATING = "generating"
    COMPLETE = "complete"
    TRUNCATED = "truncated"
    STOPPED = "stopped"
    ERROR = "error"
    INTERRUPTED = "interrupted"


ACTIVE = frozenset({Status.QUEUED, Status.CONNECTING, Status.THINKING, Status.GENERATING})
TERMINAL = frozenset(Status) - ACTIVE


LEAST_TIMED_S = 0.2
"""Below this many seconds from the first token there is no speed: what arrives in one burst was not generated in that time."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one response. `exact`: the backend counted them; else they are estimated, and shown so."""

    thinking: int = 0
    answer: int = 0
    exact: bool = False

    @property
    def total(self) -> int:
        """Both kinds."""
        return self.thinking + self.answer


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one response. Times are seconds since the epoch."""

    generation: int
    slot: int
    version: int
    status: Status = Status.QUEUED
    thinking: str = ""
    text: str = ""
    tokens: Tokens = Tokens()
    finish_reason: str = ""
    error: ErrorBody | None = None
    started_at: float | None = None
    first_token_at: float | None = None
    thinking_ended_at: float | None = None
    ended_at: float | None = None

    @property
    def ttft_s(self) -> float | None:
        """Seconds from the request to the first token."""
        return _between(self.started_at, self.first_token_at)

    @property
    def elapsed_s(self) -> float | None:
        """Seconds from the request to the end; None while it runs (see `elapsed_at`)."""
        return self.elapsed_at(None)

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens a second from the first token to the end; None while it runs, or too short a time (see `tokens_per_s_at`)."""
        return self.tokens_per_s_at(None)

    def elapsed_at(self, now: float | None) -> float | None:
        """Seconds from the request to the end, or to `now` while it runs."""
        return _between(self.started_at, self.ended_at if self.ended_at is not None else now)

    def tokens_per_s_at(self, now: float | None) -> float | None:
        """Tokens a second from the first token to the end, or to `now` while it runs; None below `LEAST_TIMED_S`."""
        seconds = _between(self.first_token_at, self.ended_at if self.ended_at is not None else now)
        return self.tokens.total / seconds if seconds is not None and seconds >= LEAST_TIMED_S else None


def _between(start: float | None, end: float | None) -> float | None:
    return max(0.0, end - start) if start is not None and end is not None else None


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What a live response gained since a cursor; offsets (in code points) say where the pieces belong."""

    thinking_offset: int
    thinking: str
    text_offset: int
    text: str

    def __bool__(self) -> bool:
        return bool(self.thinking or self.text)
