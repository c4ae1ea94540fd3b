"""The rows of looking through the record. The index follows the texts by triggers (`migrations.py`)."""
# ruff: noqa: S608 - what is put together here are constants of this module; values are always parameters

from dce.workspace.record.database import Database
from dce.workspace.record.history import HistoryRow, Hit, VersionRow
from dce.workspace.record.responses import Status

_EXCERPT_TOKENS = 24
"""Words of an excerpt: two lines of a terminal."""

# Only the columns of the index `responses_at_a_glance`: behind them lie the texts, which SQLite would read on the way.
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


class HistoryRecords(Database):
    """Cycles at a glance, and search."""

    def history(self) -> tuple[HistoryRow, ...]:
        """Every cycle that is not deleted, the newest first, without any text but its title."""
        with self._snapshot():
            counts: dict[int, dict[Status, int]] = {}
            tokens: dict[int, int] = {}
            for cycle, status, count, used in self._rows(_COUNTS):
                counts.setdefault(cycle, {})[Status(status)] = count
                tokens[cycle] = tokens.get(cycle, 0) + used
            rows = self._rows(_CYCLES)
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
        """Every version of every response of a cycle, without any text, by generation, slot and version."""
        return tuple(
            VersionRow(generation=row[0], slot=row[1], version=row[2], status=Status(row[3]), tokens=row[4])
            for row in self._rows(_VERSIONS, (cycle_id,))
        )

    def search(self, expression: str, limit: int) -> tuple[Hit, ...]:
        """Where the words of a `history.match_expression` stand, cycles first, the newest of each first."""
        with self._snapshot():
            cycles = [
                Hit(kind="cycle", cycle=row[0], title=row[1], excerpt=row[2])
                for row in self._rows(_CYCLE_HITS, (expression, limit))
            ]
            found = self._rows(_RESPONSE_HITS, (expression, limit - len(cycles)))
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
