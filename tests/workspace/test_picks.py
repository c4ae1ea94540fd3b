"""Picks: what was accepted and how it was ranked at that moment, counted honestly."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import accept, restore
from dce.workspace.judging.board import board
from dce.workspace.judging.check_report import CheckReport, CheckRun
from dce.workspace.judging.picked import Tally, stats_of
from dce.workspace.judging.report_keys import Current
from dce.workspace.record.picks import Pick, Picked, Verdict
from tests.workspace.judging import Bench

FILES = {"a.py": "1\n", "b.py": "1\n"}


def _checked(bench: Bench, generation: int, results: Mapping[int, bool]) -> None:
    """Stores a verdict on each slot that holds for the files as they are."""
    for slot, is_ok in results.items():
        run = CheckRun(
            name="t",
            ok=is_ok,
            exit_code=int(not is_ok),
            passed=int(is_ok),
            failed=int(not is_ok),
            duration_s=0,
            output="",
        )
        failed = int(not is_ok)
        report = CheckReport(passed=int(is_ok), failed=failed, new_failures=failed, runs=(run,))
        key = Current(bench.project).key(bench.reading(generation, slot))
        bench.store.check_reports.put(generation, slot, 1, report, key)


def _picks(bench: Bench) -> list[tuple[int, int, int, str, bool]]:
    return [
        (each.slot, each.pick.rank, each.pick.answers, each.pick.verdict, each.is_restored)
        for each in bench.store.picks.all()
    ]


def test_the_rank_is_that_of_the_moment(tmp_path: Path) -> None:
    """An acceptance stores the response's rank and verdict as they were before its files were written."""
    bench = Bench(tmp_path, {**FILES, ".dce/checks.toml": ""})
    generation = bench.answer({"a.py": "2\n"}, {"a.py": "3\n"}, {"a.py": "4\n"})
    _checked(bench, generation, {1: False, 2: True, 3: True})
    assert [row.slot for row in board(bench, generation)] == [2, 3, 1]
    accept(bench, generation, 3)
    assert _picks(bench) == [(3, 2, 3, "passed", False)]
    _checked(bench, generation, {3: False})
    assert _picks(bench) == [(3, 2, 3, "passed", False)]


def test_a_version_counts_once(tmp_path: Path) -> None:
    """Accepted in two parts, a response is one pick, and it is restored only once nothing of it is in force."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "2\n", "b.py": "2\n"}, {"a.py": "3\n"})
    accept(bench, generation, 1, ["a.py"])
    accept(bench, generation, 1, ["b.py"])
    assert _picks(bench) == [(1, 1, 2, "unchecked", False)]
    restore(bench)
    assert _picks(bench)[0][-1] is False
    [first] = [row.id for row in bench.store.acceptances.list("applied")]
    restore(bench, acceptance_id=first)
    assert _picks(bench)[0][-1] is True
    accept(bench, generation, 2)
    assert [pick[0] for pick in _picks(bench)] == [1, 2]


def test_what_was_not_accepted_is_no_pick(tmp_path: Path) -> None:
    """A dry run, a refused acceptance, and one that an error undid are not counted."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "2\n"}, {"../x": "3\n"})
    accept(bench, generation, 1, dry_run=True)
    with pytest.raises(DceError):
        accept(bench, generation, 2)

    def fail(step: str) -> None:
        if step == "planned":
            raise OSError("the disk is full")

    with pytest.raises(DceError):
        accept(bench, generation, 1, on_step=fail)
    assert _picks(bench) == []
    assert (tmp_path / "a.py").read_text() == "1\n"


def _picked(
    rank: int, answers: int, verdict: Verdict = "passed", model: str = "m", *, is_restored: bool = False
) -> Picked:
    return Picked(
        generation=1,
        slot=1,
        card="",
        model=model,
        pick=Pick(rank=rank, answers=answers, verdict=verdict),
        is_restored=is_restored,
    )


def test_only_a_choice_says_something_about_the_rank() -> None:
    """A pick from a single response, and one whose rank is unknown, are counted as picks and not as successes of the rank."""
    stats = stats_of(
        [
            _picked(1, 10),
            _picked(4, 5, "failed", is_restored=True),
            _picked(1, 1, "unchecked"),
            _picked(0, 0, "breaks_nothing", "other"),
        ]
    )
    assert stats.total == Tally(
        picks=4,
        compared=2,
        first=1,
        by_chance=0.3,
        ranks={1: 1, 4: 1},
        passed=1,
        breaks_nothing=1,
        failed=1,
        unchecked=1,
        restored=1,
    )
    assert [(tally.model, tally.picks, tally.first) for tally in stats.by_model] == [("m", 3, 1), ("other", 1, 0)]


def test_without_picks_everything_is_zero() -> None:
    """Nothing accepted: counts of zero, no division."""
    stats = stats_of([])
    assert (stats.total.picks, stats.total.by_chance, stats.by_model) == (0, 0, ())
