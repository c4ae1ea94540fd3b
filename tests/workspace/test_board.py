"""board.py: the ranked table, and running the checks of a whole generation."""

import asyncio
import itertools
import sys
from pathlib import Path

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.events import ChecksFinished, Event
from dce.workspace.judging.board import BoardRow, board
from dce.workspace.judging.check_report import CheckReport, CheckRun, report_of
from dce.workspace.judging.checking import check_responses
from dce.workspace.judging.compare import FileChange
from dce.workspace.record.responses import Status
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import Bench, builtins, reading_of, snapshot, write

GOOD = "def add(a, b):\n    return a + b\n"
BAD = "def add(a, b):\n    return 0\n"
FILES = {
    "calc.py": BAD,
    "test_calc.py": "import unittest\nfrom calc import add\n"
    "class T(unittest.TestCase):\n    def test_add(self): self.assertEqual(add(1, 2), 3)\n",
}
CHECKS = '[[check]]\nname = "tests"\ncommand = ["python", "-m", "unittest"]\n'


def _report(failed: int = 0, new: int = 0) -> CheckReport:
    run = CheckRun(name="t", ok=not failed, exit_code=int(failed > 0), passed=5, failed=failed, duration_s=0, output="")
    return CheckReport(passed=5, failed=failed, new_failures=new, runs=(run,))


def _order(rows: list[BoardRow]) -> list[int]:
    assert [row.rank for row in rows] == list(range(1, len(rows) + 1))
    return [row.slot for row in rows]


def test_row_is_what_scripts_rely_on(tmp_path: Path) -> None:
    """A row has exactly the documented fields, as JSON."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"calc.py": GOOD, "test_calc.py": FILES["test_calc.py"]})
    bench.store.check_reports.put(generation, 1, 1, _report(failed=1, new=1))
    assert builtins(board(bench, generation)) == [
        {
            "slot": 1,
            "status": "complete",
            "tokens": {"thinking": 0, "answer": 0, "exact": False},
            "ttft_s": 1.0,
            "tokens_per_s": 0.0,
            "elapsed_s": 3.0,
            "parse": "ok",
            "files": [
                {"path": "calc.py", "change": "modified", "added": 1, "removed": 1, "flags": [], "written_path": ""}
            ],
            "checks": {
                "passed": 5,
                "failed": 1,
                "new_failures": 1,
                "gained": 0,
                "fails_anyway": False,
                "flaky": [],
                "stale": "unknown",
                "own": None,
                "limits": [],
            },
            "cluster": "A",
            "rank": 1,
            "flags": [],
            "prompt_read": None,
            "test_changes": [],
            "problems": [],
            "made_from": None,
            "judged": None,
            "why": "Breaks 1 test that passes without it (stale: the checks ran elsewhere or with an earlier version of DCE, or the workspace itself now passes other tests).",
            "evidence": [],
            "class": "",
            "is_stale": True,
            "accepted": False,
        }
    ]


def test_flaky_tests_and_limits_are_flags(tmp_path: Path) -> None:
    """A test that failed and is known to fail now and then, and a check that was killed at a limit, are flags of the row."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"calc.py": "1"}, {"calc.py": "2"}, {"calc.py": "3"})
    for slot, how in ((1, {"flaky": ("a",)}), (2, {"limits": ("memory", "time")}), (3, {})):
        run = msgspec.structs.replace(_report().runs[0], **how)
        bench.store.check_reports.put(generation, slot, 1, report_of((run,)))
    rows = {row.slot: row for row in board(bench, generation)}
    assert {slot: row.flags for slot, row in rows.items()} == {1: ("flaky",), 2: ("limit_hit",), 3: ()}
    assert rows[2].checks is not None
    assert rows[2].checks.limits == ("memory", "time")


def test_order_with_checks(tmp_path: Path) -> None:
    """Complete and passing first, whether its form needed a repair or not; then by fewest new failures and fewest failures; unreadable ones last."""
    bench = Bench(tmp_path, FILES)
    repaired = Reading(files=(FileBlock(path="calc.py", content=GOOD),), parse="repaired")
    generation = bench.answer(
        Reading(parse="failed"),  # 1: unreadable
        {"calc.py": "2"},  # 2: two failures, one new
        {"calc.py": "3"},  # 3: three failures, none new
        {"calc.py": "4"},  # 4: not checked
        repaired,  # 5: passes, but repaired
        {"calc.py": "6"},  # 6: passes, but truncated
        {"calc.py": "7"},  # 7: passes
        statuses={6: Status.TRUNCATED},
    )
    for slot, report in {2: _report(2, 1), 3: _report(3), 5: _report(), 6: _report(), 7: _report()}.items():
        bench.store.check_reports.put(generation, slot, 1, report)
    rows = board(bench, generation)
    assert _order(rows) == [5, 7, 6, 3, 2, 4, 1]
    assert rows[2].flags == ("truncated",)
    assert rows[-2].checks is None


def test_the_same_text_breaks_no_tie(tmp_path: Path) -> None:
    """Without checks and behaviour: complete and clean first, then the lower slot, however many have the same text."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer(
        {"calc.py": "1\n"}, {"calc.py": "2\n"}, {"calc.py": "3\n"}, {"calc.py": "2\n\n"}, {}, statuses={1: Status.ERROR}
    )
    rows = board(bench, generation)
    assert _order(rows) == [2, 3, 4, 1, 5]
    assert {row.slot: row.cluster for row in rows} == {1: "B", 2: "A", 3: "C", 4: "A", 5: ""}
    assert all(board(bench, generation) == rows for _ in range(3))


def test_passing_beats_agreement(tmp_path: Path) -> None:
    """One passing response ranks above many that agree and fail."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer(*[{"calc.py": "same\n"}] * 3, {"calc.py": GOOD})
    for slot in (1, 2, 3, 4):
        bench.store.check_reports.put(generation, slot, 1, _report(failed=0 if slot == 4 else 1))
    assert _order(board(bench, generation)) == [4, 1, 2, 3]


def test_flags_of_answer_and_files_in_fixed_order(tmp_path: Path) -> None:
    """A row's flags are those of the answer and its files, each once, in the documented order."""
    bench = Bench(tmp_path, FILES)
    reading = Reading(
        files=(
            FileBlock(path="../x", content="x"),
            FileBlock(path=".env", content="x", status="ambiguous"),
            FileBlock(path=".github/workflows/ci.yml", content="x"),
            FileBlock(path="uv.lock", content="x"),
            FileBlock(path="other.py", content="x", status="truncated"),
        ),
        flags=("missing_files", "elision", "truncated"),
    )
    row = board(bench, bench.answer(reading))[0]
    assert row.flags == (
        "truncated",
        "elision",
        "missing_files",
        "outside_workspace",
        "touches_secrets",
        "runs_by_itself",
        "sets_policy",
        "ambiguous_block",
    )
    assert row.files[0] == FileChange(path="../x", change="new", added=1, removed=0, flags=("outside_workspace",))


def test_running_responses_have_rows(tmp_path: Path) -> None:
    """A running response has a row, after those that have ended."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer(Reading(parse="failed"), {"calc.py": GOOD}, statuses={1: Status.QUEUED})
    assert _order(board(bench, generation)) == [2, 1]


def test_unknown_generation(tmp_path: Path) -> None:
    """A missing generation is not found."""
    with pytest.raises(DceError) as caught:
        board(Bench(tmp_path), 7)
    assert caught.value.code == "not_found"


def test_checks_of_a_generation(tmp_path: Path) -> None:
    """All ended responses with files are checked against the unchanged workspace, stored, then announced; the workspace does not change."""
    bench = Bench(tmp_path, FILES)
    (bench.project.state_dir / "checks.toml").write_text(CHECKS)
    bench.agree_to_commands()
    generation = bench.answer(
        {"calc.py": BAD + "\n"}, {"calc.py": GOOD}, {"calc.py": "def"}, Reading(parse="failed"), {"calc.py": GOOD},
        statuses={5: Status.GENERATING},
    )  # fmt: skip
    before = snapshot(tmp_path)
    events: list[Event] = []

    def on_event(event: Event) -> None:
        if not isinstance(event, ChecksFinished):
            return
        assert event.slot in bench.store.check_reports.latest(generation, CheckReport)
        events.append(event)

    reports = asyncio.run(check_responses(bench, generation, on_event=on_event))
    assert {slot: (report.passed, report.failed, report.new_failures) for slot, report in reports.items()} == {
        1: (0, 1, 0),
        2: (1, 0, 0),
        3: (0, 1, 1),
    }
    assert bench.store.check_reports.latest(generation, CheckReport) == reports
    assert len(events) == 3
    assert snapshot(tmp_path) == before
    assert _order(board(bench, generation)) == [2, 1, 3, 5, 4]


def test_checks_of_some_slots(tmp_path: Path) -> None:
    """Only the named slots are checked; a missing or running one is an error."""
    bench = Bench(tmp_path, FILES)
    (bench.project.state_dir / "checks.toml").write_text(CHECKS)
    bench.agree_to_commands()
    generation = bench.answer({"calc.py": GOOD}, {"calc.py": GOOD}, {"calc.py": BAD}, statuses={3: Status.GENERATING})
    assert list(asyncio.run(check_responses(bench, generation, [2]))) == [2]
    for slot, code in ((9, "not_found"), (3, "conflict")):
        with pytest.raises(DceError) as caught:
            asyncio.run(check_responses(bench, generation, [slot]))
        assert caught.value.code == code


def test_no_checks(tmp_path: Path) -> None:
    """Without checks.toml there is nothing to run, and the error says where to write it."""
    bench = Bench(tmp_path, FILES)
    with pytest.raises(DceError) as caught:
        asyncio.run(check_responses(bench, bench.answer({"calc.py": GOOD})))
    assert caught.value.code == "not_found"
    assert "checks.toml" in caught.value.hint


def test_order_is_total(tmp_path: Path) -> None:
    """However status, reading and checks combine, every slot has its own rank, and failed readings rank below readable ones."""
    bench = Bench(tmp_path, FILES)
    combinations = list(
        itertools.product(("ok", "repaired", "failed"), (Status.COMPLETE, Status.TRUNCATED), (None, 0, 1))
    )
    answers = [
        msgspec.structs.replace(reading_of({"calc.py": str(n)} if parse != "failed" else {}), parse=parse)
        for n, (parse, _, _) in enumerate(combinations)
    ]
    statuses = {slot: status for slot, (_, status, _) in enumerate(combinations, start=1)}
    generation = bench.answer(*answers, statuses=statuses)
    for slot, (_, _, failed) in enumerate(combinations, start=1):
        if failed is not None:
            bench.store.check_reports.put(generation, slot, 1, _report(failed))
    rows = board(bench, generation)
    assert sorted(_order(rows)) == list(range(1, len(combinations) + 1))
    parses = [row.parse for row in rows]
    assert "failed" not in parses[: len(parses) * 2 // 3]
    assert (rows[0].parse, rows[0].status, rows[0].checks is not None) == ("ok", Status.COMPLETE, True)


def test_what_fails_anyway_keeps_nobody_out(tmp_path: Path) -> None:
    """With a test that fails without any response, the fix is first, then what breaks nothing, then what breaks something."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer(*[{"calc.py": str(slot)} for slot in range(4)])
    run = CheckRun(name="t", ok=False, exit_code=1, passed=5, failed=1, duration_s=0, output="", fails_anyway=True)
    nothing, fix = report_of((run,)), report_of((msgspec.structs.replace(run, passed=6, gained=1),))
    breaks = report_of((msgspec.structs.replace(run, fails_anyway=False, new_failures=1, gained=1),))
    for slot, report in enumerate((breaks, nothing, fix, nothing), start=1):
        bench.store.check_reports.put(generation, slot, 1, report)
    assert _order(board(bench, generation)) == [3, 2, 4, 1]


def test_no_verdict_is_no_pass(tmp_path: Path) -> None:
    """An answer that the checks could not judge counts as unchecked, is flagged, and is not announced as checked."""
    bench = Bench(tmp_path, FILES)
    (bench.project.state_dir / "checks.toml").write_text(CHECKS)
    bench.agree_to_commands()
    write(
        tmp_path / ".venv" / "bin" / "python",
        f'#!/bin/sh\nPYTHONPATH={tmp_path}/site-packages exec {sys.executable} -P "$@"\n',
        mode=0o755,
    )
    write(tmp_path / "site-packages" / "calc.py", BAD)
    generation = bench.answer({"calc.py": GOOD}, {"other.txt": "x\n"})
    announced: list[Event] = []
    reports = asyncio.run(check_responses(bench, generation, on_event=announced.append))
    assert "Python imports `calc` from" in reports[1].problem
    assert reports[2].problem == ""
    rows = {row.slot: row for row in board(bench, generation)}
    assert (rows[1].checks, "no_verdict" in rows[1].flags) == (None, True)
    assert (rows[2].checks is None, "no_verdict" in rows[2].flags) == (False, False)
    assert [event.slot for event in announced if isinstance(event, ChecksFinished)] == [2]


def test_a_setup_that_fails_is_said_once(tmp_path: Path) -> None:
    """If the lanes cannot be set up for the workspace as it is, that is one error, and no answer is blamed."""
    bench = Bench(tmp_path, FILES)
    (bench.project.state_dir / "checks.toml").write_text(
        f'{CHECKS}\n[lane]\nsetup = [["sh", "-c", "echo no registry; exit 3"]]\n'
    )
    bench.agree_to_commands()
    generation = bench.answer({"calc.py": GOOD})
    with pytest.raises(DceError) as caught:
        asyncio.run(check_responses(bench, generation))
    assert caught.value.code == "invalid_input"
    assert "no registry" in caught.value.message
    assert bench.store.check_reports.latest(generation, CheckReport) == {}
