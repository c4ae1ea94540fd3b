"""Cycles: ids from the database, revisions that detect concurrent edits, nothing lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.record.cycles import MAX_FIELD_CHARS, Cycles
from tests.fakes.provider import Clock
from tests.workspace.loop import a_generation, a_store


def test_cycle_0_is_always_there(tmp_path: Path) -> None:
    """A new workspace has only cycle 0, which is current and cannot be deleted."""
    with a_store(tmp_path) as store:
        cycles = Cycles(store.database, Clock())
        assert [cycle.id for cycle in cycles.list()] == [0]
        assert cycles.current().id == 0
        with pytest.raises(DceError) as caught:
            cycles.delete(0)
        assert caught.value.code == "invalid_input"


def test_ids_are_never_used_again(tmp_path: Path) -> None:
    """The number of a deleted cycle is not reused; the deleted one is hidden."""
    with a_store(tmp_path) as store:
        cycles = Cycles(store.database, Clock())
        first, second = cycles.create("one"), cycles.create("two", "context", "now")
        assert (first.id, second.id) == (1, 2)
        cycles.delete(2)
        assert cycles.create("three").id == 3
        assert [cycle.id for cycle in cycles.list()] == [0, 1, 3]
        for act in (cycles.get, cycles.delete, lambda at: cycles.edit(at, title="x")):
            with pytest.raises(DceError) as caught:
                act(2)
            assert caught.value.code == "not_found"


def test_an_edit_on_an_old_revision_is_a_conflict(tmp_path: Path) -> None:
    """Of two edits to the same revision, the second is refused and the first is kept."""
    with a_store(tmp_path) as store:
        cycles = Cycles(store.database, Clock())
        cycle = cycles.create("t")
        edited = cycles.edit(cycle.id, rev=cycle.rev, context="first")
        assert (edited.rev, edited.title, edited.context) == (2, "t", "first")
        assert edited.updated_at > cycle.updated_at
        with pytest.raises(DceError) as caught:
            cycles.edit(cycle.id, rev=cycle.rev, context="second")
        assert caught.value.code == "conflict"
        assert cycles.get(cycle.id) == edited
        assert cycles.edit(cycle.id, ephemeral="whenever").rev == 3


@pytest.mark.parametrize(
    "edit",
    [
        lambda cycles: cycles.edit(0, colour="red"),
        lambda cycles: cycles.edit(0, context="x" * (MAX_FIELD_CHARS + 1)),
        lambda cycles: cycles.create(title="half of a pair \ud83e"),
    ],
)
def test_bad_fields_are_refused(tmp_path: Path, edit: Callable[[Cycles], object]) -> None:
    """An unknown field, an over-long text and invalid Unicode are refused, and nothing changes."""
    with a_store(tmp_path) as store:
        cycles = Cycles(store.database, Clock())
        before = cycles.list()
        with pytest.raises(DceError) as caught:
            edit(cycles)
        assert caught.value.code == "invalid_input"
        assert cycles.list() == before


def test_a_choice_is_recorded_without_a_new_revision(tmp_path: Path) -> None:
    """Accepting records the response on the cycle and can be undone, without conflicting with an edit in progress."""
    with a_store(tmp_path) as store:
        cycles = Cycles(store.database, Clock())
        generation = a_generation(store)
        chosen = cycles.choose(0, generation.id, 2)
        assert (chosen.chosen_generation, chosen.chosen_slot, chosen.rev) == (generation.id, 2, 1)
        assert cycles.choose(0, None, None).chosen_slot is None
