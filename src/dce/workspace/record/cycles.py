"""Cycles: the iterations of the work. Cycle 0 holds the project's scope and always exists.

What must always hold: ids come from the database and are never reused; an edit of an outdated revision raises a conflict instead of
losing data; a deleted cycle is hidden, and its record is kept.
"""
# ruff: noqa: S608 - only constants of this module are put into SQL; values are always parameters

from collections.abc import Callable

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.database import Database
from dce.workspace.record.table import table_of

MAX_FIELD_CHARS = 2_000_000
"""Longest text field of a cycle: far more than any context window, far less than would stall the store."""

TEXTS = ("title", "context", "ephemeral")
"""The fields that a person writes."""


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """One iteration. `rev` grows with each edit of its texts; times are in seconds since the epoch.

    `card` names the model card used to generate; "" means the model in the settings.
    """

    id: int
    rev: int
    title: str
    context: str
    ephemeral: str
    chosen_generation: int | None
    chosen_slot: int | None
    card: str = ""
    created_at: float
    updated_at: float


class CycleHead(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle without its texts, for long lists. `generation`: the id of its latest generation, None before the first."""

    id: int
    rev: int
    title: str
    has_context: bool
    chosen_generation: int | None
    chosen_slot: int | None
    card: str
    updated_at: float
    generation: int | None


CYCLES = table_of("cycles", Cycle)
_CYCLES = f"SELECT {CYCLES.selected} FROM cycles WHERE deleted_at IS NULL"

_HEADS = """
SELECT id, rev, title, context != '', chosen_generation, chosen_slot, card, updated_at,
    (SELECT max(id) FROM generations WHERE cycle = cycles.id)
FROM cycles WHERE deleted_at IS NULL ORDER BY id
"""


class Cycles:
    """The cycles of one store."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def list(self) -> tuple[Cycle, ...]:
        """All cycles that are not deleted, by id; cycle 0 first."""
        return tuple(map(CYCLES.row, self._database.rows(f"{_CYCLES} ORDER BY id")))

    def heads(self) -> tuple[CycleHead, ...]:
        """All cycles that are not deleted, by id, without their texts."""
        return tuple(
            CycleHead(
                id=row[0],
                rev=row[1],
                title=row[2],
                has_context=bool(row[3]),
                chosen_generation=row[4],
                chosen_slot=row[5],
                card=row[6],
                updated_at=row[7],
                generation=row[8],
            )
            for row in self._database.rows(_HEADS)
        )

    def get(self, cycle_id: int) -> Cycle:
        """One cycle. Raises DceError not_found."""
        row = self._database.row(f"{_CYCLES} AND id = ?", (cycle_id,))
        if row is None:
            raise self._database.not_found(f"there is no cycle {cycle_id}")
        return CYCLES.row(row)

    def current(self) -> Cycle:
        """The latest cycle; cycle 0 if there is no other."""
        return CYCLES.row(self._database.row(f"{_CYCLES} ORDER BY id DESC LIMIT 1"))

    def create(self, title: str = "", context: str = "", ephemeral: str = "") -> Cycle:
        """Creates a cycle with a new id. Raises DceError invalid_input."""
        _check(title=title, context=context, ephemeral=ephemeral)
        now = self._clock()
        cycle = Cycle(
            id=0,
            rev=1,
            title=title,
            context=context,
            ephemeral=ephemeral,
            chosen_generation=None,
            chosen_slot=None,
            created_at=now,
            updated_at=now,
        )
        with self._database.transaction() as db:
            return self.get(CYCLES.insert(db, cycle, id=None))

    def edit(self, cycle_id: int, rev: int | None = None, **fields: str) -> Cycle:
        """Changes title, context or ephemeral. `rev`: the revision that was read; raises DceError conflict if it is not the current one."""
        _check(**fields)
        with self._database.transaction() as db:
            cycle = self.get(cycle_id)
            if rev is not None and rev != cycle.rev:
                raise DceError(
                    "conflict", f"cycle {cycle_id} has been edited since: it is at revision {cycle.rev}, yours is {rev}"
                )
            texts = [fields.get(name, getattr(cycle, name)) for name in TEXTS]
            db.execute(
                "UPDATE cycles SET title = ?, context = ?, ephemeral = ?, rev = rev + 1, updated_at = ? WHERE id = ?",
                (*texts, self._clock(), cycle_id),
            )
            return self.get(cycle_id)

    def choose(self, cycle_id: int, generation_id: int | None, slot: int | None, at: float | None = None) -> Cycle:
        """Records which response was accepted; None clears the choice. Not an edit: `rev` is unchanged. `at`: the time, None for now.

        Raises DceError not_found.
        """
        return self._set(cycle_id, "chosen_generation = ?, chosen_slot = ?", (generation_id, slot), at)

    def set_card(self, cycle_id: int, card: str) -> Cycle:
        """Sets the model card used to generate; "" means the model in the settings. Not an edit: `rev` is unchanged. Raises DceError not_found."""
        return self._set(cycle_id, "card = ?", (card,), None)

    def delete(self, cycle_id: int) -> None:
        """Hides a cycle; its number is never reused. Raises DceError invalid_input for cycle 0, and not_found."""
        if cycle_id == 0:
            raise DceError("invalid_input", "cycle 0 holds the project's scope and cannot be deleted")
        with self._database.transaction() as db:
            self.get(cycle_id)
            db.execute("UPDATE cycles SET deleted_at = ? WHERE id = ?", (self._clock(), cycle_id))

    def _set(self, cycle_id: int, what: str, values: tuple[object, ...], at: float | None) -> Cycle:
        with self._database.transaction() as db:
            self.get(cycle_id)
            now = self._clock() if at is None else at
            db.execute(f"UPDATE cycles SET {what}, updated_at = ? WHERE id = ?", (*values, now, cycle_id))
            return self.get(cycle_id)


def _check(**fields: str) -> None:
    unknown = set(fields).difference(TEXTS)
    if unknown:
        raise DceError("invalid_input", f"a cycle has no {', '.join(sorted(unknown))}")
    for name, value in fields.items():
        if len(value) > MAX_FIELD_CHARS:
            raise DceError("invalid_input", f"the {name} has {len(value):,} characters, at most {MAX_FIELD_CHARS:,}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DceError("invalid_input", f"the {name} is not valid Unicode: {error.reason}") from error
