"""Reports of the project's checks on responses: one per version, as the checks wrote it, and what it is a verdict on."""

from typing import TypeVar

import msgspec

from dce.workspace.record.database import Database

T = TypeVar("T")


class ReportKey(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is a verdict on: digests of the checks, of the workspace's files, and of the answer's files.

    `stamp`: a digest of the files' sizes and times, by which unchanged files are known without reading them. "" is not known:
    reports of earlier versions and imported ones.
    """

    checks: str = ""
    base: str = ""
    answer: str = ""
    stamp: str = ""


class CheckReports:
    """The check reports of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        generation_id: int,
        slot: int,
        version: int,
        report: msgspec.Struct | msgspec.Raw,
        key: ReportKey = ReportKey(),  # noqa: B008 - frozen
    ) -> None:
        """Stores the report of one version of a response, replacing an earlier one."""
        text = msgspec.json.encode(report).decode()
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO check_reports (generation, slot, version, report, checks, base, answer, stamp)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (generation_id, slot, version, text, key.checks, key.base, key.answer, key.stamp),
            )

    def latest(self, generation_id: int, kind: type[T]) -> dict[int, T]:
        """Slot → report of its latest version; slots without a report are absent."""
        return {slot: report for slot, (report, _) in self.keyed(generation_id, kind).items()}

    def keyed(self, generation_id: int, kind: type[T]) -> dict[int, tuple[T, ReportKey]]:
        """Slot → report of its latest version, and what it is a verdict on; slots without a report are absent."""
        rows = self._database.rows(
            "SELECT slot, report, checks, base, answer, stamp FROM check_reports AS report"
            " WHERE generation = ? AND version = (SELECT max(version) FROM responses AS response"
            " WHERE response.generation = report.generation AND response.slot = report.slot) ORDER BY slot",
            (generation_id,),
        )
        return {
            slot: (
                msgspec.json.decode(report, type=kind),
                ReportKey(checks=checks, base=base, answer=answer, stamp=stamp),
            )
            for slot, report, checks, base, answer, stamp in rows
        }

    def outdate(self, checks: str, base: str) -> None:
        """Takes their key from the reports with these checks on this state of the files: what they were compared with has changed."""
        with self._database.transaction() as db:
            db.execute(
                "UPDATE check_reports SET checks = '', base = '', answer = '', stamp = '' WHERE checks = ? AND base = ?",
                (checks, base),
            )

    def raw(self, generation_id: int) -> tuple[tuple[int, int, bytes], ...]:
        """Slot, version and report (JSON as stored) of each report of a generation."""
        rows = self._database.rows(
            "SELECT slot, version, report FROM check_reports WHERE generation = ? ORDER BY slot, version",
            (generation_id,),
        )
        return tuple((row[0], row[1], row[2].encode()) for row in rows)
