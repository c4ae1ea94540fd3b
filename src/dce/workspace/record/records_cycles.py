"""The rows of cycles."""
# ruff: noqa: S608 - what is put together here are constants of this module; values are always parameters

from collections.abc import Mapping
from typing import Any

from dce.wire.errors import DceError
from dce.workspace.record.cycles import Cycle, CycleHead
from dce.workspace.record.database import Database

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
