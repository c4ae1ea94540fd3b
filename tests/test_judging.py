"""The judging benchmark measures what it says: worth, share, and tasks that are well formed."""

from pathlib import Path

import pytest
from bench.judging.choosing import (
    CRASHES,
    NOTHING,
    SHOWS,
    Judged,
    by_chance,
    by_class,
    by_shows_something,
    by_support,
    by_tests,
    by_text,
    pairs_right,
    shares,
    then,
    worth,
)
from bench.judging.own_report import pools
from bench.judging.own_tasks import FOLDER, HELD_OUT, KINDS, load_tasks, problems
from bench.judging.ways import OWN


def answer(is_right: bool, text: str = "", tests: int = 0, **probes: str) -> Judged:
    return Judged(is_right, text, tests, 2, {"made": probes})


POOL = (
    answer(True, "a", 2, p="1", q="1"),
    answer(True, "b", 2, p="1", q="2"),
    answer(False, "c", 2, p="1", q="3"),
    answer(False, "c", 1, p="4", q="3"),
)


def test_a_tie_is_worth_its_average() -> None:
    """No way gains by luck: what it puts equal counts by its share of right answers."""
    assert worth(by_chance, POOL) == 0.5
    assert worth(by_tests, POOL) == pytest.approx(2 / 3)
    assert worth(by_text, POOL) == 0.0


def test_a_second_way_sees_only_what_the_first_ties() -> None:
    """Tests come first, however many answers agree."""
    keys = then(by_tests, by_text)(POOL)
    assert keys == [(2, 1), (2, 1), (2, 1), (1, 1)]


def test_support_counts_probe_by_probe_and_classes_whole() -> None:
    """An answer that agrees on most probes has more support than one that agrees on none; as a whole all four differ."""
    assert by_class("made")(POOL) == [(1,)] * 4
    cut = [*POOL[:3], answer(False, "d", 1, p="not run", q="3")]
    assert by_support("made")(cut)[2:] == [(0.5,), (0.5,)]  # what was not run says nothing: only `q` decides
    assert by_support("made")(POOL) == [(0.5,), (0.5,), (0.625,), (0.375,)]


def test_the_gap_runs_from_a_random_pick_to_the_best() -> None:
    """Chance closes nothing, the truth all of it; pairs that tie count a half."""
    found = shares({"one": [POOL], "two": [POOL]}, {"chance": by_chance, "tests": by_tests})
    assert found["chance"].share == 0.0
    assert found["tests"].share == pytest.approx(1 / 3)
    assert pairs_right(by_tests, POOL) == (3.0, 4)


def test_broken_answers_that_agree_are_no_majority() -> None:
    """An answer that shows nothing but exceptions and None comes last; what crashed has no support where that is asked for."""
    crash, value = {"p": "x", "q": "x"}, {"p": "1", "q": "2"}
    broken = [
        Judged(False, str(number), 0, 0, {"made": crash}, shown={"made": {"p": "NameError", "q": NOTHING}})
        for number in range(3)
    ]
    right = Judged(True, "r", 0, 0, {"made": value}, shown={"made": {"p": SHOWS, "q": "ValueError"}})
    pool = [*broken, right]
    assert worth(by_support("made"), pool) == 0.0
    assert worth(then(by_shows_something("made"), by_support("made")), pool) == 1.0
    assert by_support("made", CRASHES)(pool) == [(0.375,), (0.375,), (0.375,), (0.25,)]


def test_every_task_is_well_formed() -> None:
    """Every kind is there, there are as many tasks as the results speak of, and no held-out task is among those that were looked at."""
    tasks, held_out = load_tasks(), load_tasks(HELD_OUT)
    assert len(tasks) >= 50
    assert len(held_out) >= 8
    assert {task.kind for task in tasks.values()} == set(KINDS)
    assert not set(tasks) & set(held_out)


def test_the_benchmark_runs_on_two_tasks(tmp_path: Path) -> None:
    """From the workspace and its answers to a rank: one task of lists and one without tests, where behaviour finds a right answer."""
    tasks = {name: task for name, task in load_tasks(FOLDER).items() if name in {"merge_ranges", "flatten_json"}}
    found = pools(tasks, 1, tmp_path / "kept.jsonl")
    assert set(found) == {"merge_ranges", "flatten_json"}
    behaviour = shares(found, OWN)["tests, behaviour"]
    assert behaviour.right > shares(found, OWN)["tests"].right
    assert behaviour.pairs > 0.5
    again = pools(tasks, 1, tmp_path / "kept.jsonl")
    assert again == found


@pytest.mark.parametrize("name", ["sh_backup", "sh_unique_lines"])
def test_the_hidden_tests_tell_right_from_wrong(name: str) -> None:
    """On two tasks; `python -m bench.judging check` does it for all."""
    assert problems(name, load_tasks()[name]) == []
