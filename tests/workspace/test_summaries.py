"""Summaries of chosen responses: read once, cached, and read again when another version is chosen."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dce.workspace.preparing.summaries import Summaries
from dce.workspace.record.cycles import Cycle, Cycles
from dce.workspace.record.responses import Status
from dce.workspace.record.store import Store
from dce.workspace.schema.reading import Reading
from tests.workspace.loop import a_generation, a_store


class Rig:
    """A store with one cycle that chose slot 1, and summaries that record what they read."""

    def __init__(self, tmp_path: Path) -> None:
        self.store: Store = a_store(tmp_path)
        self.cycles = Cycles(self.store.database, lambda: 1.0)
        cycle = self.cycles.create("t")
        self.generation = a_generation(self.store, n=2, cycle=cycle.id)
        self.store.cycles.choose(cycle.id, self.generation.id, 1, 1.0)
        self.read: list[tuple[int, int, int]] = []

    def end(self, version: int) -> None:
        """Slot 1's version ends."""
        response = self.store.responses.get(self.generation.id, 1, version)
        self.store.progress.save_ends(
            [msgspec.structs.replace(response, status=Status.COMPLETE, text=f"answer {version}", ended_at=1.0)]
        )

    def summary(self) -> str:
        """The cycle's summary, from a new instance, as in another process."""
        cycle: Cycle = self.cycles.get(1)
        return Summaries(self.store, self._reading).of([cycle])[cycle.id]

    def _reading(self, generation: int, slot: int, version: int) -> Reading:
        self.read.append((generation, slot, version))
        text = self.store.responses.get(generation, slot, version).text
        return Reading(summary=text, plan="plan", activity="", files=(), parse="ok", flags=(), notes=())


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Closed at the end."""
    rig = Rig(tmp_path)
    yield rig
    rig.store.close()


def test_an_ended_response_is_read_once(rig: Rig) -> None:
    """Summary and plan of an ended response are stored; no process reads the answer again."""
    rig.end(1)
    assert [rig.summary() for _ in range(3)] == ["answer 1\n\nplan"] * 3
    assert rig.read == [(rig.generation.id, 1, 1)]


def test_a_running_response_is_read_every_time(rig: Rig) -> None:
    """A running response may still grow, so its summary is not stored."""
    assert rig.summary() == "plan"
    rig.end(1)
    assert rig.summary() == "answer 1\n\nplan"


def test_of_a_response_written_anew_the_new_version_counts(rig: Rig) -> None:
    """The stored summary of an earlier version is not used for a newer one."""
    rig.end(1)
    assert rig.summary() == "answer 1\n\nplan"
    rig.store.responses.insert_versions(rig.generation.id, [1])
    rig.end(2)
    assert rig.summary() == "answer 2\n\nplan"
    assert rig.store.history.chosen_versions() == {(rig.generation.id, 1): 2}


def test_a_cycle_without_a_choice_has_none(rig: Rig) -> None:
    """No response was selected: nothing is read."""
    rig.store.cycles.choose(1, None, None, 1.0)
    assert (rig.summary(), rig.read) == ("", [])
