"""The curator's judgements of responses: mark, rating and note. Each judgement applies to one version."""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

from typing import Literal

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.database import Database
from dce.workspace.record.table import table_of

Mark = Literal["", "shortlisted", "rejected"]

MAX_RATING = 5
MAX_NOTE_CHARS = 20_000
"""Longest note on a response: several pages, not a document."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A person's judgement of one version of a response. `rating` is 1 to 5, or 0 for none."""

    generation: int
    slot: int
    version: int
    mark: Mark = ""
    rating: int = 0
    note: str = ""


class JudgementChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes in a judgement; None: stays as it is."""

    mark: Mark | None = None
    rating: int | None = None
    note: str | None = None


JUDGEMENTS = table_of("judgements", Judgement)
_JUDGED = f"SELECT {JUDGEMENTS.selected} FROM judgements WHERE generation = ?"


class Judgements:
    """The judgements of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def edit(self, generation: int, slot: int, version: int, change: JudgementChange, now: float) -> Judgement:
        """Changes the judgement of a version; one that does not exist begins empty. Raises DceError invalid_input.

        Reading and writing are one transaction, so that two windows, or two clicks, that change different parts lose neither.
        """
        parts = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
        if not 0 <= parts.get("rating", 0) <= MAX_RATING:
            raise DceError("invalid_input", f"a rating is 0 (none) to {MAX_RATING}, not {parts['rating']}")
        if len(parts.get("note", "")) > MAX_NOTE_CHARS:
            raise DceError("invalid_input", f"a note has at most {MAX_NOTE_CHARS:,} characters")
        with self._database.transaction() as db:
            row = db.execute(f"{_JUDGED} AND slot = ? AND version = ?", (generation, slot, version)).fetchone()
            stored = JUDGEMENTS.row(row) if row else Judgement(generation=generation, slot=slot, version=version)
            judgement = msgspec.structs.replace(stored, **parts)
            JUDGEMENTS.insert(db, judgement, "REPLACE", updated_at=now)
        return judgement

    def latest(self, generation_id: int) -> tuple[Judgement, ...]:
        """The judgements of the latest versions, by slot; responses without a judgement are absent."""
        rows = self._database.rows(
            f"{_JUDGED} AND version ="
            " (SELECT max(version) FROM responses AS response WHERE response.generation = judgements.generation"
            " AND response.slot = judgements.slot) ORDER BY slot",
            (generation_id,),
        )
        return tuple(map(JUDGEMENTS.row, rows))

    def all(self, generation_id: int) -> tuple[Judgement, ...]:
        """The judgements of all versions, by slot and version."""
        return tuple(map(JUDGEMENTS.row, self._database.rows(f"{_JUDGED} ORDER BY slot, version", (generation_id,))))
