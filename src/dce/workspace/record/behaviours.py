"""Comparisons of a generation's answers by behaviour, each with what it is about, so that it is known when that has changed."""

from typing import TypeVar

import msgspec

from dce.workspace.record.database import Database

T = TypeVar("T")

MAX_KEPT = 6
"""How many are kept for one generation: people accept and restore, and go back and forth between a few states."""


class ComparisonKey(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison is about: the workspace's files, the compared answers (JSON, slot and digest of each), the version of the probes
    and the checks, which decide what is compared and in which lanes. `stamp`: a digest of the files' sizes and times, by which unchanged files are
    known without reading them."""

    base: str
    answers: str
    probes: str
    checks: str
    stamp: str = ""


class Behaviours:
    """The comparisons of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, generation_id: int, key: ComparisonKey, report: msgspec.Struct, now: float) -> None:
        """Stores a comparison, replacing one of the same, and drops the generation's oldest ones."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO behaviours (generation, base, answers, probes, checks, stamp, report, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(generation_id, key.base, key.answers, key.probes, key.checks, key.stamp),
                    *(msgspec.json.encode(report).decode(), now),
                ),
            )
            db.execute(
                "DELETE FROM behaviours WHERE generation = ? AND id NOT IN"
                " (SELECT id FROM behaviours WHERE generation = ? ORDER BY id DESC LIMIT ?)",
                (generation_id, generation_id, MAX_KEPT),
            )

    def of_generation(self, generation_id: int, kind: type[T]) -> list[tuple[T, ComparisonKey]]:
        """The comparisons of a generation, newest first. One that this version cannot read is left out: it can be made again."""
        rows = self._database.rows(
            "SELECT report, base, answers, probes, checks, stamp FROM behaviours WHERE generation = ? ORDER BY id DESC",
            (generation_id,),
        )
        found = []
        for report, base, answers, probes, checks, stamp in rows:
            try:
                read = msgspec.json.decode(report, type=kind)
            except msgspec.DecodeError:
                continue
            key = ComparisonKey(base=base, answers=answers, probes=probes, checks=checks, stamp=stamp)
            found.append((read, key))
        return found
