"""Follow-ups: the answer that a response was made from, and what was asked about it.

What must always hold: a follow-up and its queued response are created together or not at all; it is made from an earlier slot, so a
chain of follow-ups ends; `request` is the text that was sent, so that regenerating or continuing the response sends the same again.
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

from typing import Literal

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.database import Database
from dce.workspace.record.responses import RESPONSES, Response
from dce.workspace.record.table import table_of

Kind = Literal["reply", "repair", "fuse"]
"""`reply`: the user's words; `repair`: with the output of failing checks; `fuse`: with another answer."""

MAX_SLOTS = 60
"""Most responses of one generation, follow-ups included: more than anyone compares, and few enough to read all of them for the board."""


class MadeFrom(msgspec.Struct, frozen=True, kw_only=True):
    """Where a response comes from: the version of the slot that it was made from. `other`, `other_version`: the answer it was fused
    with; 0 if none."""

    slot: int
    version: int
    kind: Kind
    other: int = 0
    other_version: int = 0


class FollowUp(msgspec.Struct, frozen=True, kw_only=True):
    """The follow-up that filled a slot, with all its versions. `request`: the message after the answer, exactly as sent."""

    generation: int
    slot: int
    kind: Kind
    from_slot: int
    from_version: int
    other_slot: int = 0
    other_version: int = 0
    request: str

    def __repr__(self) -> str:
        return f"FollowUp({self.kind} {self.slot} from {self.from_slot} v{self.from_version})"

    @property
    def made_from(self) -> MadeFrom:
        """Its lineage, without the text."""
        return MadeFrom(
            slot=self.from_slot,
            version=self.from_version,
            kind=self.kind,
            other=self.other_slot,
            other_version=self.other_version,
        )


FOLLOW_UPS = table_of("follow_ups", FollowUp)
_FOLLOW_UPS = f"SELECT {FOLLOW_UPS.selected} FROM follow_ups WHERE generation = ?"


class FollowUps:
    """The follow-ups of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, follow_up: FollowUp, now: float) -> Response:
        """Adds a queued response in the next slot (the given slot is ignored), which increases the generation's `n`.

        Raises DceError conflict if the generation has `MAX_SLOTS` slots already.
        """
        generation = follow_up.generation
        with self._database.transaction() as db:
            slot = self._next_slot(generation)
            if slot > MAX_SLOTS:
                raise DceError(
                    "conflict",
                    f"generation {generation} has {slot - 1} responses, and no generation has more than {MAX_SLOTS}",
                    hint="Accept the best so far and go on with a new cycle: `dce cycle new`.",
                )
            response = Response(generation=generation, slot=slot, version=1)
            RESPONSES.insert(db, response)
            FOLLOW_UPS.insert(db, follow_up, slot=slot, created_at=now)
            db.execute("UPDATE generations SET n = max(n, ?) WHERE id = ?", (slot, generation))
        return response

    def find(self, generation_id: int, slot: int) -> FollowUp | None:
        """The follow-up that filled a slot; None if it was asked with the others."""
        row = self._database.row(f"{_FOLLOW_UPS} AND slot = ?", (generation_id, slot))
        return FOLLOW_UPS.row(row) if row else None

    def of(self, generation_id: int) -> dict[int, FollowUp]:
        """The follow-ups of a generation, by slot."""
        rows = self._database.rows(f"{_FOLLOW_UPS} ORDER BY slot", (generation_id,))
        return {found.slot: found for found in map(FOLLOW_UPS.row, rows)}

    def _next_slot(self, generation_id: int) -> int:
        query = "SELECT max(n, coalesce((SELECT max(slot) FROM responses WHERE generation = id), 0)) FROM generations WHERE id = ?"
        row = self._database.row(query, (generation_id,))
        if row is None:
            raise self._database.not_found(f"there is no generation {generation_id}")
        return int(row[0]) + 1
