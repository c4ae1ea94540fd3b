"""Browsing the history: an overview of all cycles, and full-text search over cycles and responses.

What must always hold: listing reads no response text, so it is as fast with 500 cycles as with five; search words are taken
literally, whatever characters they contain. Triggers keep the index up to date (`migrations.py`).
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

from collections.abc import Mapping
from typing import Literal

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.database import Database
from dce.workspace.record.responses import Status

MAX_HITS = 100
"""Maximum number of search hits: more than anyone reads, few enough to show an excerpt of each."""

MAX_QUERY_CHARS = 1000
"""Longest search query: a sentence, not a file."""


_EXCERPT_TOKENS = 24
"""Words in an excerpt: two lines of a terminal."""

# Only columns of the index `responses_at_a_glance`: in the table they follow the texts, which SQLite would have to read through.
_COUNTS = """
SELECT generations.cycle, responses.status, count(*), sum(responses.thinking_tokens + responses.answer_tokens)
FROM responses INDEXED BY responses_at_a_glance JOIN generations ON generations.id = responses.generation
WHERE responses.version = (SELECT max(other.version) FROM responses AS other
    WHERE other.generation = responses.generation AND other.slot = responses.slot)
GROUP BY generations.cycle, responses.status
"""
_VERSIONS = """
SELECT responses.generation, slot, version, status, thinking_tokens + answer_tokens
FROM responses INDEXED BY responses_at_a_glance JOIN generations ON generations.id = responses.generation
WHERE generations.cycle = ? ORDER BY responses.generation, slot, version
"""
_CYCLES = """
SELECT id, title, created_at, updated_at, (SELECT count(*) FROM generations WHERE cycle = cycles.id),
    chosen_generation, chosen_slot, card
FROM cycles WHERE deleted_at IS NULL ORDER BY id DESC
"""
_CYCLE_HITS = f"""
SELECT cycles.id, cycles.title, snippet(cycle_search, -1, '', '', '…', {_EXCERPT_TOKENS})
FROM cycle_search JOIN cycles ON cycles.id = cycle_search.rowid
WHERE cycle_search MATCH ? AND deleted_at IS NULL ORDER BY cycle_search.rowid DESC LIMIT ?
"""
_RESPONSE_HITS = f"""
SELECT cycles.id, cycles.title, generation, slot, version, snippet(response_search, 0, '', '', '…', {_EXCERPT_TOKENS})
FROM response_search JOIN ended_responses ON ended_responses.id = response_search.rowid
JOIN generations ON generations.id = generation JOIN cycles ON cycles.id = generations.cycle
WHERE response_search MATCH ? AND deleted_at IS NULL ORDER BY response_search.rowid DESC LIMIT ?
"""


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle in the overview. `statuses` counts the latest versions of all its responses; `tokens` is their total."""

    id: int
    title: str
    created_at: float
    updated_at: float
    generations: int
    responses: int
    statuses: Mapping[Status, int]
    tokens: int
    chosen_generation: int | None
    chosen_slot: int | None
    card: str


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a response without its text; `tokens` is its total."""

    generation: int
    slot: int
    version: int
    status: Status
    tokens: int


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A search hit, containing all words: a cycle's own text, or (with `generation`, `slot`, `version`) a response.

    `excerpt` is the text around the first of the words.
    """

    kind: Literal["cycle", "response"]
    cycle: int
    title: str
    generation: int | None = None
    slot: int | None = None
    version: int | None = None
    excerpt: str


def match_expression(query: str) -> str:
    """The query as an FTS5 expression: all words must match, each as a prefix. Raises DceError invalid_input."""
    words = [word for word in query.split() if any(char.isalnum() for char in word)]
    if not words or len(query) > MAX_QUERY_CHARS or "\x00" in query:
        raise DceError("invalid_input", f"a search needs at least one word and at most {MAX_QUERY_CHARS:,} characters")
    return " ".join('"' + word.replace('"', '""') + '"*' for word in words)


class History:
    """Read access to the history in one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cycles(self) -> tuple[HistoryRow, ...]:
        """Every cycle that is not deleted, newest first, with no text but its title."""
        with self._database.snapshot():
            counts: dict[int, dict[Status, int]] = {}
            tokens: dict[int, int] = {}
            for cycle, status, count, used in self._database.rows(_COUNTS):
                counts.setdefault(cycle, {})[Status(status)] = count
                tokens[cycle] = tokens.get(cycle, 0) + used
            rows = self._database.rows(_CYCLES)
        return tuple(
            HistoryRow(
                id=row[0],
                title=row[1],
                created_at=row[2],
                updated_at=row[3],
                generations=row[4],
                responses=sum(counts.get(row[0], {}).values()),
                statuses=counts.get(row[0], {}),
                tokens=tokens.get(row[0], 0),
                chosen_generation=row[5],
                chosen_slot=row[6],
                card=row[7],
            )
            for row in rows
        )

    def versions_of_cycle(self, cycle_id: int) -> tuple[VersionRow, ...]:
        """Every version of every response of a cycle, without texts, by generation, slot and version."""
        return tuple(
            VersionRow(generation=row[0], slot=row[1], version=row[2], status=Status(row[3]), tokens=row[4])
            for row in self._database.rows(_VERSIONS, (cycle_id,))
        )

    def search(self, expression: str, limit: int) -> tuple[Hit, ...]:
        """The hits for a `match_expression`: cycles first, then responses, each newest first."""
        with self._database.snapshot():
            cycles = [
                Hit(kind="cycle", cycle=row[0], title=row[1], excerpt=row[2])
                for row in self._database.rows(_CYCLE_HITS, (expression, limit))
            ]
            found = self._database.rows(_RESPONSE_HITS, (expression, limit - len(cycles)))
        responses = [
            Hit(
                kind="response",
                cycle=row[0],
                title=row[1],
                generation=row[2],
                slot=row[3],
                version=row[4],
                excerpt=row[5],
            )
            for row in found
        ]
        return (*cycles, *responses)

    def chosen_versions(self) -> dict[tuple[int, int], int]:
        """Generation and slot of each chosen response → the version that counts: the one accepted last, otherwise the latest.

        A slot may have been regenerated since it was accepted.
        """
        with self._database.snapshot():
            latest = self._database.rows(
                "SELECT chosen_generation, chosen_slot, (SELECT max(version) FROM responses"
                " WHERE generation = chosen_generation AND slot = chosen_slot) FROM cycles WHERE chosen_slot IS NOT NULL"
            )
            accepted = self._database.rows(
                "SELECT generation, slot, version FROM acceptances WHERE state = 'applied' ORDER BY id"
            )
        versions = {(generation, slot): version for generation, slot, version in accepted}
        return {row[:2]: versions.get(row[:2], row[2]) for row in latest}
