"""checking.py, base_run.py and report_keys.py: the workspace first, each answer once, and nothing that has not changed."""

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.events import ChecksFinished, Event
from dce.workspace.judging.base_run import merged
from dce.workspace.judging.board import board
from dce.workspace.judging.check_report import CheckReport, CheckRun, report_of
from dce.workspace.judging.checking import check_responses, check_workspace
from dce.workspace.judging.checks_file import load_checks
from dce.workspace.judging.report_keys import Current, answer_key, base_key
from dce.workspace.project import Project
from dce.workspace.record.responses import Status
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import Bench, reading_of, write


def _run(bench: Bench, generation: int, slots: Sequence[int] | None = None, **how: Any) -> dict[int, CheckReport]:
    """The reports of a generation, with the user's consent."""
    bench.agree_to_commands()
    return asyncio.run(check_responses(bench, generation, slots, **how))


def _run_base(bench: Bench) -> CheckReport:
    """The report on the workspace as it is, with the user's consent."""
    bench.agree_to_commands()
    return asyncio.run(check_workspace(bench))


TOKEN = "import uuid; print(uuid.uuid4())"
"""Prints something else each time, so that a check that ran again can be told from one that did not."""
FAULTS = Path(__file__).parent.parent / "fixtures" / "faults"
FLAKY = FAULTS / "30-same-answer-different-verdict" / "test_f.txt"


def _checks(project: Project, text: str) -> None:
    (project.state_dir / "checks.toml").write_text(text)


def _script(code: str, name: str = "t", **settings: str) -> str:
    """A `[[check]]` table that runs Python code."""
    lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in settings.items()]
    command = msgspec.json.encode(["python", "-c", code]).decode()
    return "\n".join([f'[[check]]\nname = "{name}"\ncommand = {command}', *lines, ""])


def _slots(events: list[Event]) -> list[int]:
    return [event.slot for event in events if isinstance(event, ChecksFinished)]


def test_unchanged_responses_are_not_checked_again(tmp_path: Path) -> None:
    """A second run checks nothing, but announces every response; a changed file, check or `is_fresh` runs all again."""
    bench = Bench(tmp_path, {"a": "1"})
    _checks(bench.project, _script(TOKEN))
    generation = bench.answer({"a": "2"}, {"a": "3"})
    seen: dict[str, str] = {}

    def ran(*, is_fresh: bool = False) -> set[str]:
        """What ran: the slots, and "base" for the workspace."""
        told: list[Event] = []
        reports = _run(bench, generation, on_event=told.append, is_fresh=is_fresh)
        assert (sorted(reports), sorted(_slots(told))) == ([1, 2], [1, 2])
        outputs = {str(slot): report.runs[0].output for slot, report in reports.items()}
        outputs["base"] = _run_base(bench).runs[0].output
        before = seen.copy()
        seen.update(outputs)
        return {name for name, output in outputs.items() if before.get(name) != output}

    everything = {"base", "1", "2"}
    assert ran() == everything
    assert ran() == set()
    assert ran(is_fresh=True) == everything
    base = seen["base"]
    write(bench.root / "a", "changed")
    assert ran() == everything
    write(bench.root / "a", "1")
    assert ran() == everything
    assert seen["base"] == base  # the workspace's report of that state was in the cache
    _checks(bench.project, _script(TOKEN, name="other"))
    assert ran() == everything


def test_answers_that_do_the_same_share_a_verdict(tmp_path: Path) -> None:
    """Fault 30: identical answers are checked once, so a test that fails now and then cannot tell them apart."""
    bench = Bench(tmp_path, {"a": "1"})
    _checks(bench.project, _script(TOKEN))
    generation = bench.answer({"a": "2"}, {"a": "2"}, {"a": "2"}, {"a": "3"})
    events: list[Event] = []
    reports = _run(bench, generation, [1], on_event=events.append)
    alone = reports[1]
    reports = _run(bench, generation, on_event=events.append)
    assert reports[1] == reports[2] == reports[3] == alone
    assert reports[4].runs[0].output != alone.runs[0].output
    assert sorted(_slots(events)) == [1, 1, 2, 3, 4]
    assert bench.store.check_reports.latest(generation, CheckReport) == reports


def test_fault_30_a_flaky_test_is_named(tmp_path: Path) -> None:
    """A test that is known to fail now and then on the workspace itself is no response's new failure, and is named."""
    source = "\n".join(line for line in FLAKY.read_text("utf-8").splitlines() if "test_ok" not in line)
    bench = Bench(tmp_path, {"test_f.py": source.replace("% 2", "% 1"), "a": ""})
    _checks(bench.project, _script("import test_f; test_f.test_f()"))
    generation = bench.answer({"a": "x"})
    base = _run_base(bench)
    key = Current(bench.project).key(Reading())
    for failing, flaky in ((1, ("t",)), (0, ("t",)), (0, ())):
        run = msgspec.structs.replace(base.runs[0], ok=not failing, failed=failing, passed=1 - failing, flaky=flaky)
        bench.store.base_reports.put(key.checks, key.base, report_of((run,)), 0.0)
        report = _run(bench, generation, is_fresh=False)[1]
        assert (report.flaky, report.breaks_nothing) == (flaky, bool(flaky))
        bench.store.check_reports.put(generation, 1, 1, report)  # with no key: it must be made again
    checks = board(bench, generation)[0].checks
    assert checks is not None
    assert (checks.flaky, checks.new_failures) == ((), 1)


def test_fault_15_tests_that_collide_blame_no_response(tmp_path: Path) -> None:
    """Tests that get in each other's way when two lanes run either do not meet, or are found flaky on the workspace itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    test = (
        (FAULTS / "15-checks-in-parallel-collide" / "test_p.txt")
        .read_text("utf-8")
        .replace("26500", str(port))
        .replace("1.0", "2.0")
    )
    bench = Bench(tmp_path, {"test_p.py": test, "a": ""})
    _checks(bench.project, _script("import test_p; test_p.test_server()"))
    generation = bench.answer(*({"a": str(slot)} for slot in range(4)))
    reports = _run(bench, generation)
    assert [report.new_failures for report in reports.values()] == [0, 0, 0, 0]


def test_what_cannot_start_is_said_once(tmp_path: Path) -> None:
    """A check that cannot run here blames no response; if none can, the checks end with one error that says what is missing."""
    bench = Bench(tmp_path, {"a": ""})
    missing = '[[check]]\nname = "js"\ncommand = ["sh", "-c", "vitest run"]\n'
    _checks(bench.project, missing + _script("pass", name="py"))
    generation = bench.answer({"a": "x"})
    report = _run(bench, generation)[1]
    assert [run.name for run in report.runs] == ["py"]
    assert (report.cannot_start, report.is_passed) == (("js: vitest: not found",), True)
    _checks(bench.project, missing + '[[check]]\nname = "x"\ncommand = ["no-such-program"]\n')
    with pytest.raises(DceError) as caught:
        _run(bench, generation)
    assert "js: vitest: not found; x: no-such-program: not found" in caught.value.message
    assert caught.value.code == "invalid_input"


def test_what_cannot_start_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installing what was missing changes no listed file, so a report that says so is not kept."""
    bench, tool = Bench(tmp_path / "w", {"a": ""}), tmp_path / "bin" / "dce-test-tool"
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    _checks(bench.project, '[[check]]\nname = "t"\ncommand = ["dce-test-tool"]\n')
    assert _run_base(bench).cannot_start
    write(tool, "#!/bin/sh\n", 0o755)
    report = _run_base(bench)
    assert (report.cannot_start, report.is_passed) == ((), True)


def test_a_workspace_that_passes_other_tests_outdates_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the workspace's own result changes with the same files (something was installed), responses are compared anew."""
    bench, tool = Bench(tmp_path / "w", {"a": ""}), tmp_path / "bin" / "dce-test-tool"
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    _checks(bench.project, _script("import subprocess; subprocess.run(['dce-test-tool'], check=True)"))
    write(tool, "#!/bin/sh\nexit 1\n", 0o755)
    generation = bench.answer({"a": "x"})
    assert _run(bench, generation)[1].runs[0].fails_anyway
    write(tool, "#!/bin/sh\n", 0o755)
    assert _run(bench, generation)[1].runs[0].fails_anyway  # nothing that DCE can see has changed
    asyncio.run(check_workspace(bench, is_fresh=True))
    checks = board(bench, generation)[0].checks
    assert checks is not None
    assert checks.stale == "unknown"
    assert _run(bench, generation)[1].is_passed


def test_installing_packages_outdates_verdicts(tmp_path: Path) -> None:
    """What was checked with other packages is stale and runs again, though no listed file has changed."""
    bench = Bench(tmp_path, {"a": "", ".gitignore": "node_modules\n"})
    _checks(bench.project, _script("import os, sys; sys.exit(not os.path.exists('node_modules/dep'))"))
    generation = bench.answer({"a": "x"})
    assert _run(bench, generation)[1].runs[0].fails_anyway
    write(bench.root / "node_modules" / "dep", "")
    write(bench.root / "node_modules" / ".package-lock.json", "{}")
    checks = board(bench, generation)[0].checks
    assert checks is not None
    assert checks.stale == "workspace"
    assert _run(bench, generation)[1].is_passed


def test_a_workspace_that_no_longer_runs_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ran once and cannot start now is not answered from the cache."""
    bench, tool = Bench(tmp_path / "w", {"a": ""}), tmp_path / "bin" / "dce-test-tool"
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    _checks(bench.project, '[[check]]\nname = "dce-test-tool"\ncommand = ["dce-test-tool"]\n')
    write(tool, "#!/bin/sh\n", 0o755)
    assert _run_base(bench).is_passed
    tool.unlink()
    assert asyncio.run(check_workspace(bench, is_fresh=True)).cannot_start == ("dce-test-tool: not found",)
    assert _run_base(bench).cannot_start


def test_an_answer_that_does_not_build_says_why(tmp_path: Path) -> None:
    """A command that fails before any test could say what is wrong shows its first error."""
    bench = Bench(tmp_path, {"a.py": "A = 1\n"})
    _checks(bench.project, _script("import a; print('1 passed in 0.1s')"))
    generation = bench.answer({"a.py": "A = (\n"}, {"a.py": "import no_such_module\n"})
    notes = {slot: report.runs[0].note for slot, report in _run(bench, generation).items()}
    assert notes == {1: "SyntaxError: '(' was never closed", 2: "ModuleNotFoundError: No module named 'no_such_module'"}


def test_stages_stop_later_ones(tmp_path: Path) -> None:
    """New failures in a stage keep the later stages from running; failures that the workspace has too do not."""
    bench = Bench(tmp_path, {"a": "1", "old": "bad"})
    lint = "import sys; sys.exit(open('a').read() == 'broken')"
    _checks(
        bench.project,
        _script("pass", name="tests")
        + _script("import sys; sys.exit(1)", name="fails anyway", stage="lint")
        + _script(lint, name="quick", stage="quick"),
    )
    generation = bench.answer({"a": "2"}, {"a": "broken"})
    reports = _run(bench, generation)
    assert [(run.name, run.state) for run in reports[1].runs] == [
        ("quick", "ran"),
        ("fails anyway", "ran"),
        ("tests", "ran"),
    ]
    assert reports[1].breaks_nothing
    assert [run.state for run in reports[2].runs] == ["ran", "not_run", "not_run"]
    assert not reports[2].breaks_nothing


def test_folder_and_report_of_a_check(tmp_path: Path) -> None:
    """A check runs in its `cwd` and is read from its `report`; a report that was there before is not believed."""
    junit = '<testsuite name="s"><testcase classname="C" name="a"/><testcase classname="C" name="b"><failure/></testcase></testsuite>'
    files = {"sub/report.xml": "<testsuite/>", "sub/old/x.xml": junit, "a": ""}
    bench = Bench(tmp_path, files)
    code = f"import sys; open('report.xml', 'w').write({junit!r}); sys.exit(1)"
    _checks(bench.project, _script(code, cwd="sub", report="**/*.xml"))
    run = _run_base(bench).runs[0]
    assert (run.passed, run.failed, run.failures, run.note) == (1, 1, ("C > b",), "")
    _checks(bench.project, _script("print('3 passed in 0.1s')", cwd="sub", report="old/*.xml"))
    run = _run_base(bench).runs[0]
    assert (run.passed, run.failed) == (3, 0)
    assert run.note == "no report at old/*.xml was written; the tests were read from the output"
    _checks(bench.project, _script("pass", cwd="nowhere"))
    assert _run_base(bench).cannot_start == ("t: `python` cannot start: there is no folder nowhere",)


def test_pytest_names_every_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that runs pytest in any way is compared test by test, those that pass included: pytest is asked for its report."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    tests = "import calc\ndef test_one(): assert calc.ONE == 1\ndef test_two(): assert calc.TWO == 2\n"
    bench = Bench(tmp_path, {"calc.py": "ONE, TWO = 1, 3\n", "test_calc.py": tests})
    _checks(
        bench.project,
        '[[check]]\nname = "t"\ncommand = ["python", "-m", "pytest", "-qq"]\nenv = ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]\n',
    )
    fewer = tests.replace("def test_one", "def helper")
    generation = bench.answer(
        {"calc.py": "ONE, TWO = 1, 2\n"}, {"calc.py": "ONE, TWO = 2, 2\n"}, {"test_calc.py": fewer}, {"calc.py": "("}
    )
    reports = _run(bench, generation)
    runs = {slot: report.runs[0] for slot, report in reports.items()}
    one, two = "test_calc.py::test_one", "test_calc.py::test_two"
    assert (runs[1].newly_passing, runs[1].new_failures) == ((two,), 0)
    assert (runs[2].newly_passing, runs[2].newly_failing) == ((two,), (one,))
    own = reports[3].own  # the workspace's test_one ran all the same
    assert own is not None
    assert (runs[3].missing, runs[3].fails_anyway, own.not_run) == ((), True, 1)
    assert (runs[4].missing, runs[4].new_failures) == ((one, two), 2)
    assert runs[4].note == "tests cannot be loaded: SyntaxError: '(' was never closed"


def test_stale_verdicts_say_so(tmp_path: Path) -> None:
    """The board says what changed since the checks ran: the checks, the workspace or the answer; what was put back is current again."""
    bench = Bench(tmp_path, {"a": "1", ".gitignore": "ignored\n"})
    _checks(bench.project, _script("pass"))
    generation = bench.answer({"a": "2"})

    def stale() -> str:
        checks = board(bench, generation)[0].checks
        assert checks is not None
        return checks.stale

    _run(bench, generation)
    assert stale() == ""
    write(bench.root / "ignored", "x")
    assert stale() == ""
    write(bench.root / "new", "x")
    assert stale() == "workspace"
    (bench.root / "new").unlink()
    write(bench.root / "a", "1")
    assert stale() == ""
    bench.readings[generation, 1] = reading_of({"a": "3"})
    assert stale() == "answer"
    _checks(bench.project, _script("1"))
    assert stale() == "checks"
    _checks(bench.project, "no toml")
    assert stale() == "checks"
    bench.store.check_reports.put(generation, 1, 1, report_of(()))
    assert stale() == "unknown"


def test_keys_are_of_what_checks_see(tmp_path: Path) -> None:
    """The key of the files covers names, contents, links and modes, not times and not DCE's own files."""
    project = Project.init(tmp_path)
    write(tmp_path / "a", "1")
    key = base_key(project)
    write(tmp_path / "a", "1")
    write(tmp_path / ".dce" / "config.toml", "x = 1\n")
    assert base_key(project) == key
    (tmp_path / "a").chmod(0o755)
    assert base_key(project) != key
    (tmp_path / "a").chmod(0o644)
    (tmp_path / "link").symlink_to("a")
    linked = base_key(project)
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    assert len({key, linked, base_key(project)}) == 3
    assert Current(project).stamp() == Current(project).stamp()


def test_answers_are_keyed_by_what_they_do() -> None:
    """The order of an answer's files does not count; an act, a mode and a path do."""
    one, two = FileBlock(path="a", content="x"), FileBlock(path="b", content="x")
    assert answer_key(Reading(files=(one, two))) == answer_key(Reading(files=(two, one), summary="other words"))
    others = [
        FileBlock(path="c", content="x"),
        FileBlock(path="a", content="x", mode="755"),
        FileBlock(path="a", content="", action="delete"),
        FileBlock(path="a", content="x", from_path="b"),
    ]
    assert len({answer_key(Reading(files=(block,))) for block in (one, *others)}) == 5


def test_several_runs_are_merged() -> None:
    """Of several runs on the workspace the worst counts, and what differs between them is flaky, by name where names are known."""

    def run(failures: tuple[str, ...]) -> CheckReport:
        failed = len(failures)
        one = CheckRun(
            name="t",
            ok=not failed,
            exit_code=int(bool(failed)),
            duration_s=0.0,
            output="",
            passed=3 - failed,
            failed=failed,
            failures=failures,
            runner="pytest",
        )
        return report_of((one,))

    report = merged([run(("a",)), run(("a", "b")), run(("a",))])
    assert (report.failed, report.runs[0].flaky) == (2, ("b",))
    assert merged([run(()), run(())]).runs[0].flaky == ()


def test_checks_file_with_stages(tmp_path: Path) -> None:
    """Checks are in the order of their stages; an unknown stage, an absolute folder and a report outside are named as mistakes."""
    project = Project.init(tmp_path)
    _checks(
        project, _script("1", name="a") + _script("2", name="b", stage="quick", cwd="packages/x", report="out/*.xml")
    )
    assert [check.name for check in load_checks(project)] == ["b", "a"]
    for key, value in (("stage", "slow"), ("cwd", "/tmp"), ("cwd", "a/../.."), ("report", "../x"), ("cwd", "a\\b")):
        _checks(project, _script("1", **{key: value}))
        with pytest.raises(DceError) as caught:
            load_checks(project)
        assert key in caught.value.message


def test_a_running_response_is_not_checked(tmp_path: Path) -> None:
    """Only ended responses with files are checked."""
    bench = Bench(tmp_path, {"a": ""})
    _checks(bench.project, _script("pass"))
    generation = bench.answer({"a": "1"}, Reading(), {"a": "2"}, statuses={3: Status.GENERATING})
    assert list(_run(bench, generation)) == [1]
