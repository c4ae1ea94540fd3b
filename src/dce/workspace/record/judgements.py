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


JUDGEMENTS = table_of("judgements", Judgement)
_JUDGED = f"SELECT {JUDGEMENTS.selected} FROM judgements WHERE generation = ?"


class Judgements:
    """The judgements of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, judgement: Judgement, now: float) -> None:
        """Stores a judgement, replacing an earlier one. Raises DceError invalid_input."""
        if not 0 <= judgement.rating <= MAX_RATING:
            raise DceError("invalid_input", f"a rating is 0 (none) to {MAX_RATING}, not {judgement.rating}")
        if len(judgement.note) > MAX_NOTE_CHARS:
            raise DceError("invalid_input", f"a note has at most {MAX_NOTE_CHARS:,} characters")
        with self._database.transaction() as db:
            JUDGEMENTS.insert(db, judgement, "REPLACE", updated_at=now)

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
