"""Copies what can be read of a damaged store into a fresh one.

What must always hold: an unreadable page costs only the rows on it; an answer whose generation, prompt or cycle is lost is kept under
a substitute; rows already in the fresh store are not overwritten, so the best source comes first.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dce.workspace.record.failures import UNREADABLE

TABLES = (
    *("meta", "token_counts", "cycles", "prompts", "generations", "responses", "pieces", "check_reports"),
    *("blobs", "acceptances", "imports", "origins", "judgements", "base_reports", "behaviours"),
    "follow_ups",
    "picks",
    "comparisons",
)
"""All tables except the search index, which is rebuilt."""

_KEYS = {"meta": ("key",), "token_counts": ("tokenizer", "sha256")}
"""Tables without rowids, and their key columns."""

_MAX_GAP = 20_000
"""How many rowids after an unreadable one are tried before the rest of the table is read from its end."""

_SINCE_LATER = frozenset(
    {"imports", "origins", "judgements", "base_reports", "behaviours", "follow_ups", "picks", "comparisons"}
)
"""Tables that an intact store of an earlier version lacks."""

_REPAIRS = (
    "INSERT OR IGNORE INTO cycles (id, title, context, ephemeral, created_at, updated_at)"
    " VALUES (0, 'Project scope', '', '', 0, 0)",
    "INSERT OR IGNORE INTO generations (id, cycle, prompt_sha256, model, n, max_tokens, prompt_tokens, created_at)"
    " SELECT generation, 0, '', '', max(slot), 0, 0, 0 FROM (SELECT generation, slot FROM responses"
    " UNION SELECT generation, slot FROM acceptances)"
    " WHERE generation NOT IN (SELECT id FROM generations) GROUP BY generation",
    "INSERT OR IGNORE INTO cycles (id, title, context, ephemeral, created_at, updated_at)"
    " SELECT DISTINCT cycle, 'Recovered cycle ' || cycle, '', '', 0, 0 FROM generations"
    " WHERE cycle NOT IN (SELECT id FROM cycles)",
    "INSERT OR IGNORE INTO prompts (sha256, text, schema, nonce, sections, manifest, created_at)"
    " SELECT DISTINCT prompt_sha256, '', 'blocks', '', '[]', '[]', 0 FROM generations"
    " WHERE prompt_sha256 NOT IN (SELECT sha256 FROM prompts)",
    "INSERT OR IGNORE INTO responses (generation, slot, version, status)"
    " SELECT generation, slot, version, 'interrupted' FROM acceptances",
    "UPDATE cycles SET chosen_generation = NULL, chosen_slot = NULL"
    " WHERE chosen_generation NOT IN (SELECT id FROM generations)",
    *(
        f"DELETE FROM {table} WHERE (generation, slot, version) NOT IN (SELECT generation, slot, version FROM responses)"  # noqa: S608
        for table in ("pieces", "check_reports", "judgements")
    ),
    "DELETE FROM behaviours WHERE generation NOT IN (SELECT id FROM generations)",
    "DELETE FROM follow_ups WHERE (generation, from_slot, from_version) NOT IN"
    " (SELECT generation, slot, version FROM responses)"
    " OR (generation, slot) NOT IN (SELECT generation, slot FROM responses)",
    "DELETE FROM comparisons WHERE (generation, slot, version) NOT IN (SELECT generation, slot, version FROM responses)"
    " OR (generation, other, other_version) NOT IN (SELECT generation, slot, version FROM responses)",
    "DELETE FROM picks WHERE acceptance NOT IN (SELECT id FROM acceptances)",
    "DELETE FROM ended_responses",
    "INSERT INTO ended_responses (generation, slot, version) SELECT generation, slot, version FROM responses"
    " WHERE status NOT IN ('queued', 'connecting', 'thinking', 'generating') AND text != ''",
    "DELETE FROM origins WHERE cycle NOT IN (SELECT id FROM cycles) OR import NOT IN (SELECT id FROM imports)",
)
"""Creates substitutes for lost parent rows; reports and marks of a lost answer are deleted."""


def copy_rows(source: Path, target: sqlite3.Connection) -> tuple[dict[str, int], tuple[str, ...]]:
    """Adds the rows of `source` that `target` lacks; returns how many per table, and the tables that could not be read to the end."""
    added: dict[str, int] = {}
    damaged = []
    with contextlib.closing(sqlite3.connect(source)) as db:
        db.text_factory = lambda content: content.decode("utf-8", "replace")
        for table in TABLES:
            count, is_whole = _copy_table(db, target, table)
            added[table] = count
            if not is_whole:
                damaged.append(table)
        _copy_sequences(db, target)
    return added, tuple(damaged)


def repair_references(target: sqlite3.Connection) -> None:
    """Gives every row its parents, and rebuilds the search index."""
    for statement in _REPAIRS:
        target.execute(statement)
    for index in ("cycle_search", "response_search"):
        target.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")  # noqa: S608


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> tuple[int, bool]:
    """Copies one table; returns how many rows were added, and whether the table was read to its end."""
    try:
        theirs = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    except UNREADABLE:
        return 0, False
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})") if row[1] in theirs]
    if not columns:
        return 0, table in _SINCE_LATER
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    reading = _Reading(source, table, names)
    count = 0
    for row in reading.rows():
        # A row that violates a constraint of the table is corrupt.
        with contextlib.suppress(sqlite3.Error):
            count += target.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row).rowcount  # noqa: S608
    return count, reading.is_whole


def _copy_sequences(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copies the highest assigned ids, so that the id of a lost row is not assigned again."""
    with contextlib.suppress(*UNREADABLE):
        for name, last in source.execute("SELECT name, seq FROM sqlite_sequence").fetchall():
            target.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (last, name))


class _Reading:
    """Reads one table of a damaged database, skipping what cannot be read."""

    def __init__(self, db: sqlite3.Connection, table: str, names: str) -> None:
        self._db, self._table, self._names = db, table, names
        self.is_whole = True

    def rows(self) -> Iterator[Sequence[Any]]:
        """Every readable row; some rows may come twice, and the caller ignores duplicates."""
        if self._table in _KEYS:
            yield from self._from_both_ends(_KEYS[self._table])
            return
        after = -1  # cycle 0 is a row, too
        while True:
            try:
                for number, *row in self._select("WHERE rowid > ? ORDER BY rowid", (after,)):
                    after = number
                    yield row
            except UNREADABLE:
                self.is_whole = False
            else:
                return
            beyond = self._next_readable(after)
            if beyond is None:
                break
            after = beyond
        for _, *row in self._until_error("ORDER BY rowid DESC"):
            yield row

    def _next_readable(self, after: int) -> int | None:
        """The rowid after which reading can continue; None if none is found. Every page has at least one row, so gaps are short."""
        for number in range(after + 1, after + _MAX_GAP):
            with contextlib.suppress(*UNREADABLE):
                self._select("WHERE rowid > ? ORDER BY rowid LIMIT 1", (number,)).fetchone()
                return number
        return None

    def _from_both_ends(self, keys: Sequence[str]) -> Iterator[Sequence[Any]]:
        for direction in ("", " DESC"):
            order = ", ".join(f"{key}{direction}" for key in keys)
            for _, *row in self._until_error(f"ORDER BY {order}"):
                yield row
            if self.is_whole:
                return

    def _until_error(self, how: str) -> Iterator[Sequence[Any]]:
        try:
            yield from self._select(how, ())
        except UNREADABLE:
            self.is_whole = False

    def _select(self, how: str, values: Sequence[object]) -> sqlite3.Cursor:
        number = "NULL" if self._table in _KEYS else "rowid"
        return self._db.execute(f"SELECT {number}, {self._names} FROM {self._table} {how}", values)  # noqa: S608
