"""behaving.py: the behaviour of a generation's answers compared in lanes, stored, and known to be stale when it is."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.judging.behaving import commands_to_compare, compare_behaviour
from dce.workspace.judging.behaviour_report import BehaviourReport
from dce.workspace.judging.board import BoardRow, board
from dce.workspace.judging.checking import check_responses
from dce.workspace.judging.command_consent import CommandConsents
from dce.workspace.record.responses import Status
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import Bench, reading_of, snapshot, write

BEFORE = "def double(n):\n    return n\n"
RIGHT = "def double(n):\n    return n * 2\n"
ALSO_RIGHT = "def double(n):\n    return n + n\n"
WRONG = "def double(n):\n    return n * 2 if n > 0 else 1\n"
BROKEN = "def double(n):\n    return 7\n"
TESTS = "import unittest\nfrom calc import double\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(double(2), 4)\n"
FILES = {"calc.py": BEFORE, "test_calc.py": TESTS}
CHECKS = '[[check]]\nname = "tests"\ncommand = ["python", "-m", "unittest"]\n'


def _bench(root: Path, files: Mapping[str, str] | None = None, checks: str = "") -> Bench:
    bench = Bench(root, FILES if files is None else files)
    if checks:
        write(bench.project.state_dir / "checks.toml", checks)
    CommandConsents(bench.store.meta).give(asyncio.run(commands_to_compare(bench)))
    return bench


def _compared(bench: Bench, generation: int, *, is_fresh: bool = False) -> BehaviourReport:
    return asyncio.run(compare_behaviour(bench, generation, is_fresh=is_fresh))


def _classes(report: BehaviourReport) -> dict[str, tuple[int, ...]]:
    return {found.letter: found.slots for found in report.classes}


def _rows(bench: Bench, generation: int) -> dict[int, BoardRow]:
    return {row.slot: row for row in board(bench, generation)}


def test_those_that_pass_are_compared(tmp_path: Path) -> None:
    """After the checks, the answers that break nothing are put in classes; the largest comes first, and a sentence says why."""
    bench = _bench(tmp_path, checks=CHECKS)
    answers = (WRONG, "def other():\n    pass\n", RIGHT, ALSO_RIGHT)
    generation = bench.answer(*({"calc.py": text} for text in answers))
    before = snapshot(tmp_path)
    asyncio.run(check_responses(bench, generation))
    report = _compared(bench, generation)
    assert snapshot(tmp_path) == before
    assert _classes(report) == {"A": (3, 4), "B": (1,)}
    assert report.sentence.startswith("2 of 3 that pass agree; 1 differs on `double(")
    rows = _rows(bench, generation)
    assert [row.slot for row in board(bench, generation)] == [3, 4, 1, 2]
    assert rows[3].why == (
        "Breaks nothing, 1 test gained, behaves like 4 (2 of 3 that pass agree), otherwise equal to 4: the lower number goes first."
    )
    assert "behaves like no other of 3 that pass" in rows[1].why
    assert (rows[2].class_, rows[2].evidence) == ("", ())
    shown = rows[1].evidence[0]
    assert (shown.shows, shown.alike, shown.of) == ("1", 1, 3)
    assert shown.most_show != shown.shows
    assert shown.base != ""


def test_tests_gained_come_before_behaviour(tmp_path: Path) -> None:
    """Answers that break nothing but gain less stay behind, however many agree, and have no say in what the better ones' support is."""
    bench = _bench(tmp_path, checks=CHECKS)
    answers = (BROKEN, BROKEN + "\n", BROKEN + "\n\n", WRONG, RIGHT)
    generation = bench.answer(*({"calc.py": text} for text in answers))
    asyncio.run(check_responses(bench, generation))
    report = _compared(bench, generation)
    assert "3 of 5 that break nothing agree" in report.sentence
    assert (report.share_of(1), report.share_of(4), report.share_of(5)) == (1.0, 0.5, 0.5)
    assert [row.slot for row in board(bench, generation)] == [4, 5, 1, 2, 3]


def test_support_is_named_only_where_it_decides(tmp_path: Path) -> None:
    """A response that is first by its tests alone is not said to differ from the others, or to agree with itself."""
    bench = _bench(tmp_path, checks=CHECKS)
    generation = bench.answer(*({"calc.py": text} for text in (BROKEN, RIGHT)))
    asyncio.run(check_responses(bench, generation))
    _compared(bench, generation)
    assert _rows(bench, generation)[2].why == (
        "Breaks nothing, 1 test gained, behaves like no other of 2 that break nothing."
    )


def test_without_checks_all_that_read_are_compared(tmp_path: Path) -> None:
    """A workspace without checks or tests still has docstrings and functions; what is cut off is not compared; a form
    that needed a repair is no reason."""
    bench = _bench(tmp_path, {"calc.py": BEFORE})
    repaired = Reading(files=(FileBlock(path="calc.py", content=RIGHT),), parse="repaired")
    generation = bench.answer(
        {"calc.py": WRONG},
        {"calc.py": RIGHT},
        {"calc.py": ALSO_RIGHT},
        repaired,
        {"calc.py": RIGHT},
        statuses={5: Status.TRUNCATED},
    )
    report = _compared(bench, generation)
    assert _classes(report) == {"A": (2, 3, 4), "B": (1,)}
    assert "that can be read agree" in report.sentence
    assert [row.slot for row in board(bench, generation)] == [2, 3, 4, 1, 5]


def test_nothing_runs_before_consent(tmp_path: Path) -> None:
    """Comparing runs what a model wrote, so it is refused until the user has agreed; the message says what would run."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"calc.py": RIGHT}, {"calc.py": WRONG})
    with pytest.raises(DceError, match="short calls of the code") as refused:
        _compared(bench, generation)
    assert refused.value.code == "consent_needed"
    assert bench.store.behaviours.of_generation(generation, BehaviourReport) == []


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ((), "Behaviour is not compared: no response passes."),
        (({"calc.py": RIGHT},), "1 is the only one of those that can be read: there is nothing to compare it with."),
        (({"calc.py": RIGHT},) * 3, "All 3 that can be read are identical."),
        (
            ({"a.unknown": "1"}, {"a.unknown": "2"}),
            "Behaviour is not compared: no probes can be made for the files that the answers change.",
        ),
    ],
    ids=["none", "one", "identical", "unknown"],
)
def test_where_nothing_need_run(tmp_path: Path, answers: tuple[dict[str, str], ...], sentence: str) -> None:
    """With one answer, equal ones, or files that nobody can probe, nothing runs and no consent is asked for; the report says so."""
    bench = Bench(tmp_path, FILES)
    report = _compared(bench, bench.answer(*answers, Reading(parse="failed")))
    assert report.sentence == sentence


def test_an_unchanged_comparison_is_not_made_again(tmp_path: Path) -> None:
    """The same files, answers and checks are compared once; a change of any of them is told, and going back finds the old result."""
    bench = _bench(tmp_path)
    generation = bench.answer({"calc.py": RIGHT}, {"calc.py": WRONG})
    first = _compared(bench, generation)
    bench.clock = lambda: 2000.0
    assert _compared(bench, generation) == first
    assert not _rows(bench, generation)[1].is_stale
    write(tmp_path / "calc.py", BEFORE + "\n\nVALUE = 1\n")
    assert _rows(bench, generation)[1].is_stale
    assert _rows(bench, generation)[1].why.endswith(
        "(stale: the files or the installed packages changed after behaviour was compared)."
    )
    _compared(bench, generation)
    assert not _rows(bench, generation)[1].is_stale
    write(tmp_path / "calc.py", BEFORE)
    assert not _rows(bench, generation)[1].is_stale
    assert len(bench.store.behaviours.of_generation(generation, BehaviourReport)) == 2


def test_an_answer_that_changed_has_no_class(tmp_path: Path) -> None:
    """A new version of an answer has not been compared; the others keep their class, marked as stale."""
    bench = _bench(tmp_path)
    generation = bench.answer({"calc.py": RIGHT}, {"calc.py": WRONG}, {"calc.py": ALSO_RIGHT})
    _compared(bench, generation)
    bench.readings[generation, 1] = reading_of({"calc.py": BROKEN})
    rows = _rows(bench, generation)
    assert (rows[1].class_, rows[1].is_stale) == ("", False)
    assert (rows[3].class_, rows[3].is_stale) == ("A", True)


HOSTILE = {
    "prints": RIGHT.replace("    return", "    print('x' * 100_000)\n    return"),
    "writes": RIGHT.replace("    return", "    open('written.txt', 'w').write('x')\n    return"),
    "random": "import random, time, os\ndef double(n):\n    return os.urandom(4)\n",
    "loops": "def double(n):\n    while n != 2:\n        pass\n    return 4\n",
    "exits": "import os\ndef double(n):\n    os._exit(0)\n",
    "cannot be imported": "import nothing_of_this_name\n",
    "not Python": "def double(n:\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_odd_answers(tmp_path: Path, name: str) -> None:
    """Whatever an answer does, the comparison ends, the workspace is untouched, and the odd one is not put with those that work."""
    bench = _bench(tmp_path)
    generation = bench.answer({"calc.py": RIGHT}, {"calc.py": ALSO_RIGHT}, {"calc.py": HOSTILE[name]})
    before = snapshot(tmp_path)
    report = _compared(bench, generation)
    assert snapshot(tmp_path) == before
    first = report.class_of(1)
    assert first is not None
    assert set(first.slots) >= {1, 2}
    if name != "writes":  # a file in the lane's folder is not looked at
        assert 3 not in first.slots


def test_most_that_cannot_be_imported_do_not_win(tmp_path: Path) -> None:
    """Answers in which nothing runs are no class: however many fail alike, one that works comes first."""
    bench = _bench(tmp_path, {"calc.py": BEFORE})
    broken = {"calc.py": f"import nothing_of_this_name\n{RIGHT}"}
    generation = bench.answer(broken, {"calc.py": broken["calc.py"] + "\n"}, {"calc.py": RIGHT}, {"calc.py": WRONG})
    report = _compared(bench, generation)
    assert [left.slot for left in report.left_out] == [1, 2]
    assert report.left_out[0].why == "every probe raises ModuleNotFoundError"
    assert [row.slot for row in board(bench, generation)][:2] == [3, 4]


def test_a_check_that_says_nothing_is_no_merit(tmp_path: Path) -> None:
    """A command that fails without any response too, and reports no tests, is told as that; nobody is said to pass it or to break nothing."""
    bench = _bench(tmp_path, checks='[[check]]\nname = "lint"\ncommand = ["false"]\n')
    generation = bench.answer({"calc.py": RIGHT}, {"calc.py": WRONG}, {"calc.py": ALSO_RIGHT})
    asyncio.run(check_responses(bench, generation))
    assert "2 of 3 that can be read agree" in _compared(bench, generation).sentence
    assert _rows(bench, generation)[1].why.startswith(
        "`lint` says nothing about it, failing without any response too, behaves like 3"
    )
