"""Cycles: the iterations of the work. Cycle 0 holds the project's scope and is always there.

What must always hold: ids come from the database and are never used twice; an edit made on an older revision is a conflict, not
a loss; a deleted cycle is hidden, its record stays.
"""
# ruff: noqa: S608 - what is put together here are constants of this module; values are always parameters

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.database import Database

MAX_FIELD_CHARS = 2_000_000
"""Longest context of a cycle: far above any context window, far below what would stall the store."""


class Cycle(msgspec.Struct, frozen=True, kw_only=True):
    """One iteration. `rev` grows with each edit of its texts; times are seconds since the epoch.

    `card` names the model card it generates by; "" is the settings' own.
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
    """A cycle without its texts, as a list of hundreds shows it. `generation`: its latest one's id, None before the first."""

    id: int
    rev: int
    title: str
    has_context: bool
    chosen_generation: int | None
    chosen_slot: int | None
    card: str
    updated_at: float
    generation: int | None


_COLUMNS = "id, rev, title, context, ephemeral, chosen_generation, chosen_slot, card, created_at, updated_at"

_HEADS = """
SELECT id, rev, title, context != '', chosen_generation, chosen_slot, card, updated_at,
    (SELECT max(id) FROM generations WHERE cycle = cycles.id)
FROM cycles WHERE deleted_at IS NULL ORDER BY id
"""


class CycleRecords(Database):
    """Cycles, as rows."""

    def list_cycles(self) -> tuple[Cycle, ...]:
        """All that are not deleted, by id."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM cycles WHERE deleted_at IS NULL ORDER BY id")
        return tuple(_cycle(row) for row in rows)

    def cycle_heads(self) -> tuple[CycleHead, ...]:
        """All that are not deleted, by id, without their texts."""
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
            for row in self._rows(_HEADS)
        )

    def get_cycle(self, cycle_id: int) -> Cycle:
        """One cycle. Raises DceError not_found."""
        row = self._row(f"SELECT {_COLUMNS} FROM cycles WHERE id = ? AND deleted_at IS NULL", (cycle_id,))
        if row is None:
            raise DceError("not_found", f"there is no cycle {cycle_id}")
        return _cycle(row)

    def latest_cycle(self) -> Cycle:
        """The one with the highest id; cycle 0 while there is no other."""
        row = self._row(f"SELECT {_COLUMNS} FROM cycles WHERE deleted_at IS NULL ORDER BY id DESC LIMIT 1")
        return _cycle(row)

    def set_card(self, cycle_id: int, card: str, now: float) -> Cycle:
        """Sets by which model card a cycle generates; "" is the settings' own. Raises DceError not_found."""
        with self._transaction() as db:
            self.get_cycle(cycle_id)
            db.execute("UPDATE cycles SET card = ?, updated_at = ? WHERE id = ?", (card, now, cycle_id))
            return self.get_cycle(cycle_id)

    def insert_cycle(self, title: str, context: str, ephemeral: str, now: float) -> Cycle:
        """A new cycle with the next id."""
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO cycles (title, context, ephemeral, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
                (title, context, ephemeral, now, now),
            )
            return self.get_cycle(int(cursor.lastrowid or 0))

    def update_cycle(self, cycle_id: int, rev: int | None, fields: Mapping[str, str], now: float) -> Cycle:
        """Sets texts. Raises DceError not_found, or conflict if `rev` is given and not the present one."""
        with self._transaction() as db:
            cycle = self.get_cycle(cycle_id)
            if rev is not None and rev != cycle.rev:
                raise DceError("conflict", f"cycle {cycle_id} was edited meanwhile: revision {cycle.rev}, yours {rev}")
            texts = [fields.get(name, getattr(cycle, name)) for name in ("title", "context", "ephemeral")]
            db.execute(
                "UPDATE cycles SET title = ?, context = ?, ephemeral = ?, rev = rev + 1, updated_at = ? WHERE id = ?",
                (*texts, now, cycle_id),
            )
            return self.get_cycle(cycle_id)

    def choose(self, cycle_id: int, generation_id: int | None, slot: int | None, now: float) -> Cycle:
        """Records the accepted response of a cycle, or that there is none. Raises DceError not_found."""
        with self._transaction() as db:
            self.get_cycle(cycle_id)
            db.execute(
                "UPDATE cycles SET chosen_generation = ?, chosen_slot = ?, updated_at = ? WHERE id = ?",
                (generation_id, slot, now, cycle_id),
            )
            return self.get_cycle(cycle_id)

    def delete_cycle(self, cycle_id: int, now: float) -> None:
        """Hides a cycle. Raises DceError not_found."""
        with self._transaction() as db:
            self.get_cycle(cycle_id)
            db.execute("UPDATE cycles SET deleted_at = ? WHERE id = ?", (now, cycle_id))


def _cycle(row: Any) -> Cycle:
    return Cycle(**dict(zip(_COLUMNS.split(", "), row, strict=True)))


class Cycles:
    """The cycles of one workspace."""

    def __init__(self, store: CycleRecords, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def list(self) -> tuple[Cycle, ...]:
        """All cycles, by id; cycle 0 first."""
        return self._store.list_cycles()

    def heads(self) -> tuple[CycleHead, ...]:
        """All cycles without their texts, by id."""
        return self._store.cycle_heads()

    def get(self, cycle_id: int) -> Cycle:
        """One cycle. Raises DceError not_found."""
        return self._store.get_cycle(cycle_id)

    def current(self) -> Cycle:
        """The latest cycle; cycle 0 while there is no other."""
        return self._store.latest_cycle()

    def create(self, title: str = "", context: str = "", ephemeral: str = "") -> Cycle:
        """A new cycle, with an id of its own."""
        _check(title=title, context=context, ephemeral=ephemeral)
        return self._store.insert_cycle(title, context, ephemeral, self._clock())

    def edit(self, cycle_id: int, rev: int | None = None, **fields: str) -> Cycle:
        """Changes title, context or ephemeral. `rev`: the revision that was read; if it is not the present one, DceError conflict."""
        _check(**fields)
        return self._store.update_cycle(cycle_id, rev, fields, self._clock())

    def choose(self, cycle_id: int, generation_id: int | None, slot: int | None) -> Cycle:
        """Records which response was accepted (None: none any more). Not an edit: `rev` stays."""
        return self._store.choose(cycle_id, generation_id, slot, self._clock())

    def set_card(self, cycle_id: int, card: str) -> Cycle:
        """Sets by which model card it generates; "" is the settings' own. Not an edit: `rev` stays."""
        return self._store.set_card(cycle_id, card, self._clock())

    def delete(self, cycle_id: int) -> None:
        """Hides a cycle; its number is not used again. Cycle 0 stays: DceError invalid_input."""
        if cycle_id == 0:
            raise DceError("invalid_input", "cycle 0 holds the project's scope and cannot be deleted")
        self._store.delete_cycle(cycle_id, self._clock())


def _check(**fields: str) -> None:
    unknown = set(fields) - {"title", "context", "ephemeral"}
    if unknown:
        raise DceError("invalid_input", f"a cycle has no {', '.join(sorted(unknown))}")
    for name, value in fields.items():
        if len(value) > MAX_FIELD_CHARS:
            raise DceError("invalid_input", f"the {name} has {len(value):,} characters, at most {MAX_FIELD_CHARS:,}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DceError("invalid_input", f"the {name} is not valid Unicode: {error.reason}") from error
