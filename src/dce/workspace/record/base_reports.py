"""Reports of the checks on the workspace without any response: a cache, keyed by the checks and the state of the files."""

from typing import TypeVar

import msgspec

from dce.workspace.record.database import Database

T = TypeVar("T")

MAX_KEPT = 20
"""How many are kept: people go back and forth between a few states, and a report can hold the names of 50,000 tests."""


class BaseReports:
    """The cached reports of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, checks: str, base: str, report: msgspec.Struct, now: float) -> None:
        """Stores the report for these checks on this state of the files, and drops the oldest ones."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO base_reports (checks, base, report, created_at) VALUES (?, ?, ?, ?)",
                (checks, base, msgspec.json.encode(report).decode(), now),
            )
            db.execute(
                "DELETE FROM base_reports WHERE id NOT IN (SELECT id FROM base_reports ORDER BY id DESC LIMIT ?)",
                (MAX_KEPT,),
            )

    def drop(self, checks: str, base: str) -> None:
        """Forgets the report for these checks on this state of the files, if there is one."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM base_reports WHERE checks = ? AND base = ?", (checks, base))

    def find(self, checks: str, base: str, kind: type[T]) -> T | None:
        """The report, or None. One that this version cannot read counts as none: it is only a cache."""
        rows = self._database.rows("SELECT report FROM base_reports WHERE checks = ? AND base = ?", (checks, base))
        for (report,) in rows:
            try:
                return msgspec.json.decode(report, type=kind)
            except msgspec.DecodeError:
                return None
        return None
