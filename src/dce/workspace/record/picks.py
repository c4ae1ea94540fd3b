"""Picks: which response the user accepted, and where it stood on the board at that moment.

What must always hold: a pick is stored with its acceptance or not at all; what is counted later is what the user saw then, whatever the
rank has become since.
"""

from typing import Literal

import msgspec

from dce.workspace.record.database import Database
from dce.workspace.record.table import table_of

Verdict = Literal["passed", "breaks_nothing", "failed", "unchecked"]
"""What the checks said of the pick: `unchecked` also if their verdict no longer held."""


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """The response of an acceptance. `rank` is its place among `answers`; 0 if the board could not be made."""

    rank: int
    answers: int
    verdict: Verdict


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a response that was accepted, once or in parts: as it stood the first time. `is_restored`: none of it is in force."""

    generation: int
    slot: int
    card: str
    model: str
    pick: Pick
    is_restored: bool


PICKS = table_of("picks", Pick)


class Picks:
    """The picks of one store. `Acceptances.insert` stores them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[Picked, ...]:
        """Every version that was accepted and not undone by an error, in the order of the first acceptance."""
        rows = self._database.rows(
            "SELECT a.generation, a.slot, a.version, card, model, rank, answers, verdict, a.restored_at IS NOT NULL"
            " FROM picks JOIN acceptances AS a ON a.id = picks.acceptance"
            " JOIN generations ON generations.id = a.generation"
            " WHERE a.state IN ('applied', 'restored') OR a.restored_at IS NOT NULL ORDER BY a.id"
        )
        found: dict[tuple[int, int, int], Picked] = {}
        for generation, slot, version, card, model, rank, answers, verdict, is_restored in rows:
            key = (generation, slot, version)
            first = found.get(key)
            if first is None:
                found[key] = Picked(
                    generation=generation,
                    slot=slot,
                    card=card,
                    model=model,
                    pick=Pick(rank=rank, answers=answers, verdict=verdict),
                    is_restored=bool(is_restored),
                )
            elif not is_restored:
                found[key] = msgspec.structs.replace(first, is_restored=False)
        return tuple(found.values())
