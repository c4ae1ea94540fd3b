"""A writer killed at any moment: everything acknowledged is in the store, the rest is whole or absent (faults D1, D2)."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from dce.workspace.record.responses import ACTIVE, Status
from dce.workspace.record.store import STORE_FILE, Store
from tests.workspace.killed_writer import PIECE

ROOT = Path(__file__).parents[2]


def _kill_once(path: Path, lines: int) -> list[list[str]]:
    """Lets a writer acknowledge `lines` writes and kills it in the middle of the next; returns what it acknowledged."""
    command = [sys.executable, "-m", "tests.workspace.killed_writer", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        said += writer.stdout.readlines()
    assert writer.returncode == -9
    return [line.split() for line in said if line.endswith("\n")]


def _check(path: Path, acknowledged: list[list[str]]) -> None:
    with Store(path) as store:
        assert store.database.row("PRAGMA integrity_check")[0] == "ok"
        assert store.database.rows("PRAGMA foreign_key_check") == []
        store.progress.interrupt_active(9.0)
        cycles = {cycle.id: cycle.rev for cycle in store.cycles.list()}
        for kind, *numbers in acknowledged:
            first, *rest = (int(number) for number in numbers)
            if kind == "cycle":
                assert cycles[first] >= rest[0]
                continue
            response = store.responses.get(first, rest[0])
            assert response.status not in ACTIVE
            if kind == "text":
                assert len(response.text) >= rest[1]
            else:
                assert (response.status, response.text) == (Status.COMPLETE, PIECE * 5)
        for generation in store.generations.list():
            assert [response.slot for response in store.responses.latest(generation.id)] == [1, 2]
        store.history.search('"0123456789"*', 5)


def _kill(path: Path, times: int) -> None:
    chance = random.Random(4)
    for _ in range(times):
        _check(path, _kill_once(path, chance.randrange(1, 40)))


def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """After ten kills at random moments, the store has every acknowledged cycle, revision, text and end."""
    _kill(tmp_path / STORE_FILE, 10)


@pytest.mark.real
@pytest.mark.timeout(900)
def test_a_killed_writer_loses_nothing_acknowledged_in_two_hundred_times(tmp_path: Path) -> None:
    """The same, two hundred times."""
    _kill(tmp_path / STORE_FILE, 200)
