"""The judging benchmark measures what it says: worth, share, and tasks that are well formed."""

import pytest
from bench.judging.choosing import (
    Judged,
    by_chance,
    by_class,
    by_support,
    by_tests,
    by_text,
    pairs_right,
    shares,
    then,
    worth,
)
from bench.judging.own_tasks import KINDS, load_tasks, problems


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
    assert by_support("made")(POOL) == [(4,), (4,), (5,), (3,)]


def test_the_gap_runs_from_a_random_pick_to_the_best() -> None:
    """Chance closes nothing, the truth all of it; pairs that tie count a half."""
    found = shares({"one": [POOL], "two": [POOL]}, {"chance": by_chance, "tests": by_tests})
    assert found["chance"].share == 0.0
    assert found["tests"].share == pytest.approx(1 / 3)
    assert pairs_right(by_tests, POOL) == (3.0, 4)


def test_every_task_is_well_formed() -> None:
    """Every kind is there, and there are as many tasks as the results speak of."""
    tasks = load_tasks()
    assert len(tasks) >= 40
    assert {task.kind for task in tasks.values()} == set(KINDS)


@pytest.mark.parametrize("name", ["sh_backup", "sh_unique_lines"])
def test_the_hidden_tests_tell_right_from_wrong(name: str) -> None:
    """On two tasks; `python -m bench.judging check` does it for all."""
    assert problems(name, load_tasks()[name]) == []
