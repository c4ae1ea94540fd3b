"""Acceptances: which response's files were written into the workspace, with the journal from which they are restored."""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

from typing import Literal

import msgspec

from dce.workspace.record.database import Database
from dce.workspace.record.picks import PICKS, Pick
from dce.workspace.record.table import table_of

State = Literal["planned", "applied", "restored", "undone"]
"""`planned`: pre-images are durable, files are being written; `undone`: a planned acceptance rolled back after a crash."""


class AcceptanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One acceptance as stored; `files` is JSON, written and read by the code that accepts."""

    id: int
    generation: int
    slot: int
    version: int
    state: State
    files: str
    created_at: float
    restored_at: float | None


ACCEPTANCES = table_of("acceptances", AcceptanceRow)
_ACCEPTANCES = f"SELECT {ACCEPTANCES.selected} FROM acceptances"


class Acceptances:
    """The acceptances of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(
        self, generation_id: int, slot: int, version: int, files: str, now: float, pick: Pick | None = None
    ) -> AcceptanceRow:
        """Journals an acceptance in state `planned`, with where the response stood on the board; durable when this returns."""
        row = AcceptanceRow(
            id=0,
            generation=generation_id,
            slot=slot,
            version=version,
            state="planned",
            files=files,
            created_at=now,
            restored_at=None,
        )
        with self._database.transaction() as db:
            number = ACCEPTANCES.insert(db, row, id=None)
            if pick is not None:
                PICKS.insert(db, pick, acceptance=number)
            return self.get(number)

    def set(
        self, acceptance_id: int, state: State, restored_at: float | None = None, files: str | None = None
    ) -> AcceptanceRow:
        """Sets the state of an acceptance, and its `files` unless None. Raises DceError not_found."""
        with self._database.transaction() as db:
            self.get(acceptance_id)
            db.execute(
                "UPDATE acceptances SET state = ?, restored_at = ?, files = coalesce(?, files) WHERE id = ?",
                (state, restored_at, files, acceptance_id),
            )
            return self.get(acceptance_id)

    def get(self, acceptance_id: int) -> AcceptanceRow:
        """One acceptance. Raises DceError not_found."""
        row = self._database.row(f"{_ACCEPTANCES} WHERE id = ?", (acceptance_id,))
        if row is None:
            raise self._database.not_found(f"there is no acceptance {acceptance_id}")
        return ACCEPTANCES.row(row)

    def list(self, *states: State) -> tuple[AcceptanceRow, ...]:
        """The acceptances in one of `states` (all if none is given), newest first."""
        found = map(ACCEPTANCES.row, self._database.rows(f"{_ACCEPTANCES} ORDER BY id DESC"))
        return tuple(row for row in found if not states or row.state in states)
