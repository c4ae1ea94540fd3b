"""Comparisons: what a judge said of two answers, asked in both orders.

What must always hold: a comparison applies to the two versions that were compared, and to no later ones; a winner is stored only if
both orders named it.
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

from collections.abc import Iterable
from typing import Literal

import msgspec

from dce.workspace.record.database import Database
from dce.workspace.record.table import table_of

Why = Literal["", "order", "even", "unclear", "failed"]
"""Why a judge is unsure. `order`: it prefers whichever comes first, or last; `even`: it said so; `unclear`: it gave no verdict; `failed`: a
request failed."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two answers of a generation, the lower slot first. `winner`: a slot; 0: the judge is unsure. `card`, `model`: the judge. `said`,
    `said_swapped`: its words, with the lower slot as answer A and as answer B."""

    generation: int
    slot: int
    version: int
    other: int
    other_version: int
    card: str
    model: str
    winner: int
    why: Why
    said: str
    said_swapped: str


COMPARISONS = table_of("comparisons", Comparison)


class Comparisons:
    """The comparisons of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, comparisons: Iterable[Comparison], now: float) -> None:
        """Stores comparisons; they replace those of the same versions by an earlier judge."""
        with self._database.transaction() as db:
            for comparison in comparisons:
                COMPARISONS.insert(db, comparison, "REPLACE", created_at=now)

    def latest(self, generation_id: int) -> tuple[Comparison, ...]:
        """The comparisons of two latest versions, by slots."""
        newest = (
            "(SELECT max(version) FROM responses WHERE responses.generation = comparisons.generation"
            " AND responses.slot = comparisons.{})"
        )
        rows = self._database.rows(
            f"SELECT {COMPARISONS.selected} FROM comparisons WHERE generation = ?"
            f" AND version = {newest.format('slot')} AND other_version = {newest.format('other')} ORDER BY slot, other",
            (generation_id,),
        )
        return tuple(map(COMPARISONS.row, rows))
