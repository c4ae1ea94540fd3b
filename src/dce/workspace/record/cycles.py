"""Cycles: the iterations of the work. Cycle 0 holds the project's scope and is always there.

What must always hold: ids come from the database and are never used twice; an edit made on an older revision is a conflict, not
a loss; a deleted cycle is hidden, its record stays.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.record.store import Store

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


class Cycles:
    """The cycles of one workspace."""

    def __init__(self, store: "Store", clock: Callable[[], float]) -> None:
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
