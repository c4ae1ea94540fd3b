"""The rows of judging and accepting: check reports, acceptances with their journal, and the blobs they need to be undone."""
# ruff: noqa: S608 - what is put together here are constants of this module; values are always parameters

import hashlib
from collections.abc import Iterable
from typing import Any, Literal, TypeVar

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.database import Database

T = TypeVar("T")
State = Literal["planned", "applied", "restored", "undone"]
"""`planned`: pre-images are durable, files are being written; `undone`: a planned one taken back after a crash."""

_COLUMNS = "id, generation, slot, version, state, files, created_at, restored_at"


class AcceptanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One acceptance as stored; `files` is JSON that accept.py writes and reads."""

    id: int
    generation: int
    slot: int
    version: int
    state: State
    files: str
    created_at: float
    restored_at: float | None


Mark = Literal["", "shortlisted", "rejected"]

MAX_RATING = 5
MAX_NOTE_CHARS = 20_000
"""Longest note on a response: a page of them, not a document."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a person thinks of one version of a response. `rating` 1 to 5; 0: none."""

    generation: int
    slot: int
    version: int
    mark: Mark = ""
    rating: int = 0
    note: str = ""


_JUDGED = ", ".join(Judgement.__struct_fields__)


class JudgingRecords(Database):
    """Check reports, judgements, acceptances and blobs, as rows."""

    def put_judgement(self, judgement: Judgement, now: float) -> None:
        """Keeps what a person thinks, in place of what they thought before. Raises DceError invalid_input."""
        if not 0 <= judgement.rating <= MAX_RATING:
            raise DceError("invalid_input", f"a rating is 0 (none) to {MAX_RATING}, not {judgement.rating}")
        if len(judgement.note) > MAX_NOTE_CHARS:
            raise DceError("invalid_input", f"a note has at most {MAX_NOTE_CHARS:,} characters")
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO judgements (generation, slot, version, mark, rating, note, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*msgspec.structs.astuple(judgement), now),
            )

    def judgements(self, generation_id: int) -> tuple[Judgement, ...]:
        """Those of the latest versions, by slot; responses that nobody judged are absent."""
        rows = self._rows(
            f"SELECT {_JUDGED} FROM judgements WHERE generation = ? AND version ="
            " (SELECT max(version) FROM responses AS response WHERE response.generation = judgements.generation"
            " AND response.slot = judgements.slot) ORDER BY slot",
            (generation_id,),
        )
        return tuple(_judgement(row) for row in rows)

    def all_judgements(self, generation_id: int) -> tuple[Judgement, ...]:
        """Those of all versions, by slot and version."""
        rows = self._rows(
            f"SELECT {_JUDGED} FROM judgements WHERE generation = ? ORDER BY slot, version", (generation_id,)
        )
        return tuple(_judgement(row) for row in rows)

    def put_check_report(self, generation_id: int, slot: int, version: int, report: msgspec.Struct) -> None:
        """Keeps the report of one version of a response, in place of an earlier one."""
        text = msgspec.json.encode(report).decode()
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO check_reports (generation, slot, version, report) VALUES (?, ?, ?, ?)",
                (generation_id, slot, version, text),
            )

    def check_reports(self, generation_id: int, kind: type[T]) -> dict[int, T]:
        """Slot → report of its latest version; slots without one are absent."""
        rows = self._rows(
            "SELECT slot, report FROM check_reports AS report WHERE generation = ? AND version ="
            " (SELECT max(version) FROM responses AS response"
            " WHERE response.generation = report.generation AND response.slot = report.slot) ORDER BY slot",
            (generation_id,),
        )
        return {slot: msgspec.json.decode(report, type=kind) for slot, report in rows}

    def put_blob(self, content: bytes) -> str:
        """Keeps bytes; gives their SHA-256, by which `get_blob` finds them."""
        return self.put_blobs([content])[0]

    def put_blobs(self, contents: Iterable[bytes]) -> list[str]:
        """As `put_blob`, all in one durable transaction."""
        keyed = [(hashlib.sha256(content).hexdigest(), content) for content in contents]
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO blobs (sha256, bytes) VALUES (?, ?)", keyed)
        return [sha256 for sha256, _ in keyed]

    def get_blob(self, sha256: str) -> bytes:
        """Raises DceError not_found."""
        row = self._row("SELECT bytes FROM blobs WHERE sha256 = ?", (sha256,))
        if row is None:
            raise DceError("not_found", f"there is no blob {sha256}")
        return bytes(row[0])

    def insert_acceptance(self, generation_id: int, slot: int, version: int, files: str, now: float) -> AcceptanceRow:
        """Journals an acceptance, state `planned`; durable when this returns."""
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO acceptances (generation, slot, version, state, files, created_at)"
                " VALUES (?, ?, ?, 'planned', ?, ?)",
                (generation_id, slot, version, files, now),
            )
            return self.get_acceptance(int(cursor.lastrowid or 0))

    def set_acceptance(
        self, acceptance_id: int, state: State, restored_at: float | None = None, files: str | None = None
    ) -> AcceptanceRow:
        """Moves an acceptance on; `files` replaces its list. Raises DceError not_found."""
        with self._transaction() as db:
            self.get_acceptance(acceptance_id)
            db.execute(
                "UPDATE acceptances SET state = ?, restored_at = ?, files = coalesce(?, files) WHERE id = ?",
                (state, restored_at, files, acceptance_id),
            )
            return self.get_acceptance(acceptance_id)

    def get_acceptance(self, acceptance_id: int) -> AcceptanceRow:
        """Raises DceError not_found."""
        row = self._row(f"SELECT {_COLUMNS} FROM acceptances WHERE id = ?", (acceptance_id,))
        if row is None:
            raise DceError("not_found", f"there is no acceptance {acceptance_id}")
        return _acceptance(row)

    def acceptances(self, *states: State) -> tuple[AcceptanceRow, ...]:
        """Those in one of `states` (none given: all), newest first."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM acceptances ORDER BY id DESC")
        found = (_acceptance(row) for row in rows)
        return tuple(row for row in found if not states or row.state in states)


def _acceptance(row: Any) -> AcceptanceRow:
    return AcceptanceRow(**dict(zip(_COLUMNS.split(", "), row, strict=True)))


def _judgement(row: Any) -> Judgement:
    return Judgement(**dict(zip(Judgement.__struct_fields__, row, strict=True)))
