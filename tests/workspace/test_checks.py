"""checks.py: the project's own checks on a response, in a lane of either kind."""

from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.judging.check_report import CheckReport, CheckRun
from dce.workspace.judging.check_run import MAX_OUTPUT_BYTES
from dce.workspace.judging.checks_file import Check, load_checks
from dce.workspace.project import Project
from tests.workspace.judging import reading_of, snapshot
from tests.workspace.laned import checked, project_of, script

TESTS = """
import unittest
from calc import add, sub
class T(unittest.TestCase):
    def test_add(self): self.assertEqual(add(1, 2), 3)
    def test_sub(self): self.assertEqual(sub(3, 2), 1)
"""
CALC = "def add(a, b):\n    return 0\n\ndef sub(a, b):\n    return a - b\n"
UNITTEST = Check(name="tests", command=("python", "-m", "unittest"))


def _project(root: Path, files: dict[str, str | bytes] | None = None) -> Project:
    return project_of(root, files or {"calc.py": CALC, "test_calc.py": TESTS})


def _run(project: Project, check: Check) -> CheckRun:
    return checked(project, [check]).runs[0]


def test_response_is_tested_not_the_workspace(tmp_path: Path) -> None:
    """Checks see the response's files; the workspace's own still fail, and none of its paths changes."""
    project = _project(tmp_path)
    before = snapshot(tmp_path, skip=())
    fixed = reading_of({"calc.py": CALC.replace("return 0", "return a + b")})
    base = checked(project, [UNITTEST], None)
    report = checked(project, [UNITTEST], fixed, base)
    assert (base.passed, base.failed, base.new_failures, base.is_passed) == (1, 1, 0, False)
    assert base.runs[0].failures == ("test_calc.T.test_add",)
    assert (report.passed, report.failed, report.new_failures, report.is_passed) == (2, 0, 0, True)
    assert report.runs[0].exit_code == 0
    assert "OK" in report.runs[0].output
    assert snapshot(tmp_path, skip=()) == before


def test_new_failures(tmp_path: Path) -> None:
    """Existing failures are not new; tests that break or no longer run are."""
    project = _project(tmp_path)
    base = checked(project, [UNITTEST], None)
    cases = {
        CALC: 0,
        CALC.replace("return a - b", "return 1 + a"): 1,
        "syntax error\n": 2,  # one failing import, of two tests that ran before
    }
    for content, expected in cases.items():
        report = checked(project, [UNITTEST], reading_of({"calc.py": content}), base)
        assert report.new_failures == expected, content
        assert not report.is_passed


def test_removing_tests_is_no_pass(tmp_path: Path) -> None:
    """A response that removes the failing test has new failures, although all its checks succeed."""
    project = _project(tmp_path)
    base = checked(project, [UNITTEST], None)
    fewer = TESTS.replace("    def test_add(self): self.assertEqual(add(1, 2), 3)\n", "")
    report = checked(project, [UNITTEST], reading_of({"test_calc.py": fewer}), base)
    assert (report.passed, report.failed, report.new_failures, report.is_passed) == (1, 0, 1, False)


def test_unnamed_failures_are_counted(tmp_path: Path) -> None:
    """If names are unknown, only failures beyond the earlier count are new; without a baseline, all are."""
    project = _project(tmp_path, {"a": ""})
    check = Check(name="t", command=("python", "-c", "import sys; print('3 failed, 1 passed in 0.1s'); sys.exit(1)"))
    run = CheckRun(name="t", ok=False, exit_code=1, passed=2, failed=2, duration_s=0, output="")
    before = CheckReport(passed=2, failed=2, new_failures=0, runs=(run,))
    reading = reading_of({"a": "x"})
    assert checked(project, [check], reading, before).new_failures == 1
    assert checked(project, [check], reading).new_failures == 3


def test_exit_code_counts_more_than_words(tmp_path: Path) -> None:
    """A failing command counts as failed whatever it prints; a plain command that succeeds counts as one passed test."""
    project = _project(tmp_path, {"a": ""})
    liar = _run(project, script("print('5 passed in 0.1s'); raise SystemExit(3)"))
    assert (liar.ok, liar.exit_code, liar.failed) == (False, 3, 1)
    plain = _run(project, script("pass"))
    assert (plain.ok, plain.passed, plain.failed) == (True, 1, 0)


def test_output_is_bounded(tmp_path: Path) -> None:
    """Only the end of the output is kept, whatever its bytes; stdin is empty."""
    code = """
        import sys
        assert sys.stdin.read() == ""
        for _ in range(3000): sys.stdout.buffer.write(b"\\xff" + b"x" * 1023)
        print("the end")
    """
    run = _run(_project(tmp_path, {"a": ""}), script(code))
    assert run.ok
    assert run.output.endswith("the end\n")
    assert len(run.output) <= MAX_OUTPUT_BYTES


def test_checks_run_in_order_in_one_lane(tmp_path: Path) -> None:
    """A later check sees what an earlier one built."""
    checks = [
        Check(name="build", command=("python", "-c", "open('built', 'w')")),
        Check(name="test", command=("python", "-c", "open('built')")),
    ]
    report = checked(_project(tmp_path, {"a": ""}), checks, None)
    assert [(run.name, run.ok) for run in report.runs] == [("build", True), ("test", True)]


def test_a_report_of_an_earlier_check_is_not_read_again(tmp_path: Path) -> None:
    """Each check has its own report: one that writes none has no tests, whatever an earlier one left in the same lane."""
    report = "open(os.environ['PYTEST_ADDOPTS'].split('=')[1].split()[0], 'w').write('<testsuite><testcase name=\"a\"/></testsuite>')"
    checks = [
        Check(name="first", command=("python", "-c", f"import os; {report}")),
        Check(name="second", command=("python", "-c", "pass")),
    ]
    found = checked(_project(tmp_path, {"a": ""}), checks, None)
    assert [run.named for run in found.runs] == [1, 0]


def test_checks_file(tmp_path: Path) -> None:
    """.dce/checks.toml is read; a workspace without one has no checks."""
    project = _project(tmp_path, {"a": ""})
    assert load_checks(project) == ()
    (project.state_dir / "checks.toml").write_text(
        '[[check]]\nname = "unit"\ncommand = ["python", "-m", "unittest"]\ntimeout_s = 30\n\n'
        '[[check]]\nname = "lint"\ncommand = ["ruff", "check"]\nenv = ["RUFF_CACHE_DIR"]\n'
    )
    assert load_checks(project) == (
        Check(name="unit", command=("python", "-m", "unittest"), timeout_s=30),
        Check(name="lint", command=("ruff", "check"), env=("RUFF_CACHE_DIR",)),
    )


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("check = 3", "Expected `array`"),
        ("[[check]", "cannot be used"),
        ('[[check]]\nname = "a"\ncommand = "python -m unittest"', "Expected `array`"),
        ('[[check]]\nname = "a"\ncommand = []', "list of words"),
        ('[[check]]\nname = "a"\ncommand = ["x"]\ntimeout_s = 0', "timeout_s"),
        ('[[check]]\nname = "a"\ncommand = ["x"]\ntimeout = 9', "timeout"),
        ('[[check]]\nname = ""\ncommand = ["x"]', "not empty"),
        ('[[check]]\nname = "a"\ncommand = ["x"]\n' * 2, "unique"),
        ('[[check]]\nname = "a"\ncommand = ["x"]\n' * 21, "at most 20"),
        ('[lane]\nmemory = "lots"', "memory"),
        ('[lane]\nmemory = "0G"', "memory"),
        ("[lane]\ndisk = 8", "Expected `str`"),
        ("[lane]\nprocesses = 0", "processes"),
        ("[lane]\nparallel = 65", "parallel"),
        ('[lane]\nlink = ["a/.dce/b"]', "link"),
        ("[lane]\nsetup = [[]]", "setup"),
        ('[lane]\nsetup = ["npm ci"]', "Expected `array`"),
        ("[lane]\nnetworking = true", "networking"),
    ],
)
def test_bad_checks_file(tmp_path: Path, text: str, fact: str) -> None:
    """A mistake in checks.toml gives one clear error that names the file and the fault."""
    project = _project(tmp_path, {"a": ""})
    (project.state_dir / "checks.toml").write_text(text)
    with pytest.raises(DceError) as caught:
        load_checks(project)
    assert caught.value.code == "invalid_input"
    assert "checks.toml" in caught.value.message
    assert fact in caught.value.message
