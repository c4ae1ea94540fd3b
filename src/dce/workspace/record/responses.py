"""The N responses of a generation: status, text, tokens and times of each version.

What must always hold: a terminal version is never changed; a new version of a slot leaves the older ones unchanged.
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from dce.wire.errors import DceError, ErrorBody
from dce.workspace.record.database import Database
from dce.workspace.record.table import Table


class Status(StrEnum):
    """The status of a response. `queued`: not yet admitted by the gateway; `connecting`: admitted, no token yet; `waiting`: the
    server takes no request right now and is asked again soon. Only a running process knows that it waits: stored, it is `connecting`.
    """

    QUEUED = "queued"
    CONNECTING = "connecting"
    WAITING = "waiting"
    THINKING = "thinking"
    GENERATING = "generating"
    COMPLETE = "complete"
    TRUNCATED = "truncated"
    STOPPED = "stopped"
    ERROR = "error"
    INTERRUPTED = "interrupted"


ACTIVE = frozenset({Status.QUEUED, Status.CONNECTING, Status.WAITING, Status.THINKING, Status.GENERATING})
TERMINAL = frozenset(Status) - ACTIVE
ACTIVE_LIST = ", ".join(f"'{status}'" for status in sorted(ACTIVE))
"""The active statuses as an SQL list."""


MIN_TIMED_S = 0.2
"""No speed is computed below this many seconds from the first token: a burst was not generated in the time it took to arrive."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one response. `exact`: counted by the backend; otherwise estimated, and shown as an estimate."""

    thinking: int = 0
    answer: int = 0
    exact: bool = False

    @property
    def total(self) -> int:
        """Thinking and answer tokens together."""
        return self.thinking + self.answer


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one response. Times are seconds since the epoch. `prompt_tokens`: how much of the prompt the server read, by its own
    count; None if it did not say."""

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
    prompt_tokens: int | None = None

    @property
    def ttft_s(self) -> float | None:
        """Seconds from the request to the first token."""
        return _between(self.started_at, self.first_token_at)

    @property
    def elapsed_s(self) -> float | None:
        """Seconds from the request to the end; None while the response is running (see `elapsed_at`)."""
        return self.elapsed_at(None)

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens per second from the first token to the end; None while running, or if the time is too short (see `tokens_per_s_at`)."""
        return self.tokens_per_s_at(None)

    def elapsed_at(self, now: float | None) -> float | None:
        """Seconds from the request to the end, or to `now` while running."""
        return _between(self.started_at, self.ended_at if self.ended_at is not None else now)

    def tokens_per_s_at(self, now: float | None) -> float | None:
        """Tokens per second from the first token to the end, or to `now` while running; None below `MIN_TIMED_S`."""
        seconds = _between(self.first_token_at, self.ended_at if self.ended_at is not None else now)
        return self.tokens.total / seconds if seconds is not None and seconds >= MIN_TIMED_S else None


def _between(start: float | None, end: float | None) -> float | None:
    return max(0.0, end - start) if start is not None and end is not None else None


class News(msgspec.Struct, frozen=True, kw_only=True):
    """The text that a running response received since a cursor; offsets (in code points) say where the pieces belong."""

    thinking_offset: int
    thinking: str
    text_offset: int
    text: str

    def __bool__(self) -> bool:
        return bool(self.thinking or self.text)


def _pack(response: Response) -> tuple[object, ...]:
    return (
        response.generation,
        response.slot,
        response.version,
        Status.CONNECTING if response.status is Status.WAITING else response.status,
        response.thinking,
        response.text,
        response.tokens.thinking,
        response.tokens.answer,
        response.tokens.exact,
        response.finish_reason,
        msgspec.json.encode(response.error).decode() if response.error else None,
        response.started_at,
        response.first_token_at,
        response.thinking_ended_at,
        response.ended_at,
        response.prompt_tokens,
    )


def _unpack(generation: int, slot: int, version: int, status: str, thinking: str, text: str, *rest: Any) -> Response:
    thought, answered, is_exact, finish_reason, error, *times = rest
    return Response(
        generation=generation,
        slot=slot,
        version=version,
        status=Status(status),
        thinking=thinking,
        text=text,
        tokens=Tokens(thinking=thought, answer=answered, exact=bool(is_exact)),
        finish_reason=finish_reason,
        error=msgspec.json.decode(error, type=ErrorBody) if error else None,
        started_at=times[0],
        first_token_at=times[1],
        thinking_ended_at=times[2],
        ended_at=times[3],
        prompt_tokens=times[4],
    )


KEY = ("generation", "slot", "version")
RESPONSES = Table(
    "responses",
    (
        *(*KEY, "status", "thinking", "text", "thinking_tokens", "answer_tokens", "is_exact", "finish_reason", "error"),
        *("started_at", "first_token_at", "thinking_ended_at", "ended_at", "prompt_tokens"),
    ),
    _pack,
    _unpack,
)

_LATEST = (
    "version = (SELECT max(version) FROM responses AS other"
    " WHERE other.generation = responses.generation AND other.slot = responses.slot)"
)


class Responses:
    """The responses of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, generation_id: int) -> tuple[Response, ...]:
        """The latest version of each slot, by slot, with all text stored so far."""
        return self._select(f"generation = ? AND {_LATEST}", (generation_id,))

    def get(self, generation_id: int, slot: int, version: int | None = None) -> Response:
        """One response; `version` None means the latest. Raises DceError not_found."""
        found = self._select(
            f"generation = ? AND slot = ? AND {_LATEST if version is None else 'version = ?'}",
            (generation_id, slot) if version is None else (generation_id, slot, version),
        )
        if not found:
            wanted = f"response {slot}" if version is None else f"version {version} of response {slot}"
            raise self._database.not_found(f"generation {generation_id} has no {wanted}")
        return found[0]

    def slots(self, generation_id: int) -> tuple[int, ...]:
        """The slots of a generation, in order; reads no text."""
        query = "SELECT DISTINCT slot FROM responses WHERE generation = ? ORDER BY slot"
        return tuple(row[0] for row in self._database.rows(query, (generation_id,)))

    def versions(self, generation_id: int, slot: int) -> tuple[Response, ...]:
        """All versions of a slot, oldest first."""
        return self._select("generation = ? AND slot = ?", (generation_id, slot))

    def active(self) -> tuple[Response, ...]:
        """The responses that are running, or were when their process died."""
        return self._select(f"status IN ({ACTIVE_LIST})", ())

    def insert_versions(self, generation_id: int, slots: Sequence[int]) -> tuple[Response, ...]:
        """Adds a queued version to each slot; older versions are kept. Raises DceError not_found, or conflict while one is running."""
        with self._database.transaction() as db:
            for slot in slots:
                last = self.get(generation_id, slot)
                if last.status in ACTIVE:
                    raise DceError("conflict", f"response {slot} of generation {generation_id} is still {last.status}")
                RESPONSES.insert(db, Response(generation=generation_id, slot=slot, version=last.version + 1))
            return tuple(self.get(generation_id, slot) for slot in slots)

    def insert_continued(self, earlier: Response) -> Response:
        """Adds a queued version that begins with the text of `earlier`, which is kept. Raises DceError conflict if `earlier` is not the latest."""
        with self._database.transaction() as db:
            [response] = self.insert_versions(earlier.generation, [earlier.slot])
            if response.version != earlier.version + 1:
                raise DceError(
                    "conflict", f"response {earlier.slot} of generation {earlier.generation} has a newer version"
                )
            db.execute(
                "INSERT INTO pieces (generation, slot, version, thinking, text) VALUES (?, ?, ?, ?, ?)",
                (*key_of(response), earlier.thinking, earlier.text.rstrip()),
            )
            return response

    def insert_ended(self, response: Response) -> Response:
        """Adds an ended response that was not streamed, as the next version of its slot (a new slot increases the generation's `n`).

        Raises DceError not_found, or conflict while the slot's latest version is running.
        """
        with self._database.transaction() as db:
            if self._database.row("SELECT 1 FROM generations WHERE id = ?", (response.generation,)) is None:
                raise self._database.not_found(f"there is no generation {response.generation}")
            earlier = self.versions(response.generation, response.slot)
            if earlier and earlier[-1].status in ACTIVE:
                raise DceError(
                    "conflict",
                    f"response {response.slot} of generation {response.generation} is still {earlier[-1].status}",
                )
            response = msgspec.structs.replace(response, version=len(earlier) + 1)
            RESPONSES.insert(db, response)
            db.execute(
                "UPDATE generations SET n = max(n, ?), ended_at = ? WHERE id = ?",
                (response.slot, response.ended_at, response.generation),
            )
        return response

    def _select(self, where: str, parameters: Sequence[object]) -> tuple[Response, ...]:
        with self._database.snapshot():
            rows = self._database.rows(
                f"SELECT {RESPONSES.selected} FROM responses WHERE {where} ORDER BY generation, slot, version",
                parameters,
            )
            return tuple(self._with_pieces(RESPONSES.row(row)) for row in rows)

    def _with_pieces(self, response: Response) -> Response:
        """Fills in the text of a running response, which is still in pieces."""
        if response.status not in ACTIVE:
            return response
        rows = self._database.rows(
            "SELECT thinking, text FROM pieces WHERE generation = ? AND slot = ? AND version = ? ORDER BY id",
            key_of(response),
        )
        return msgspec.structs.replace(
            response, thinking="".join(row[0] for row in rows), text="".join(row[1] for row in rows)
        )


def key_of(response: Response) -> tuple[int, int, int]:
    """The key that identifies a version of a response."""
    return response.generation, response.slot, response.version
