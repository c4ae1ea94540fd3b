"""Reports of the project's checks on responses: one per version, as the checks wrote it."""

from typing import TypeVar

import msgspec

from dce.workspace.record.database import Database

T = TypeVar("T")


class CheckReports:
    """The check reports of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, generation_id: int, slot: int, version: int, report: msgspec.Struct | msgspec.Raw) -> None:
        """Stores the report of one version of a response, replacing an earlier one."""
        text = msgspec.json.encode(report).decode()
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO check_reports (generation, slot, version, report) VALUES (?, ?, ?, ?)",
                (generation_id, slot, version, text),
            )

    def latest(self, generation_id: int, kind: type[T]) -> dict[int, T]:
        """Slot → report of its latest version; slots without a report are absent."""
        rows = self._database.rows(
            "SELECT slot, report FROM check_reports AS report WHERE generation = ? AND version ="
            " (SELECT max(version) FROM responses AS response"
            " WHERE response.generation = report.generation AND response.slot = report.slot) ORDER BY slot",
            (generation_id,),
        )
        return {slot: msgspec.json.decode(report, type=kind) for slot, report in rows}

    def raw(self, generation_id: int) -> tuple[tuple[int, int, bytes], ...]:
        """Slot, version and report (JSON as stored) of each report of a generation."""
        rows = self._database.rows(
            "SELECT slot, version, report FROM check_reports WHERE generation = ? ORDER BY slot, version",
            (generation_id,),
        )
        return tuple((row[0], row[1], row[2].encode()) for row in rows)
