"""against_base.py: what of a run is new, compared test by test with the unchanged workspace."""

import pytest

from dce.workspace.judging.against_base import compared
from dce.workspace.judging.check_report import CheckRun, report_of
from dce.workspace.judging.results.outcome import Outcome, Stop, TestResult

OUTCOMES: dict[str, Outcome] = {"+": "passed", "-": "failed", "!": "error", "s": "skipped"}


def _run(tests: str, *, stop: Stop = "", unnamed: int = 0, flaky: tuple[str, ...] = ()) -> CheckRun:
    """A run with these tests, as in "+a -b sc"; `unnamed` more passed without being named."""
    named = [TestResult(word[1:], OUTCOMES[word[0]]) for word in tests.split()]
    failures = tuple(test.name for test in named if test.is_failure)
    return CheckRun(
        name="t",
        ok=not failures,
        exit_code=int(bool(failures)),
        passed=sum(test.outcome == "passed" for test in named) + unnamed,
        failed=len(failures),
        skipped=sum(test.outcome == "skipped" for test in named),
        duration_s=0.0,
        output="",
        failures=failures,
        runner="r",
        stop=stop,
        flaky=flaky,
        tests=tuple(named),
    )


def _command(*, ok: bool) -> CheckRun:
    """A run of a command that reports no tests."""
    return CheckRun(
        name="t", ok=ok, exit_code=int(not ok), passed=int(ok), failed=int(not ok), duration_s=0.0, output=""
    )


@pytest.mark.parametrize(
    ("before", "after", "failing", "passing", "missing"),
    [
        ("+a -b", "+a -b", "", "", ""),
        ("+a -b", "+a +b", "", "b", ""),
        ("+a -b", "-a +b", "a", "b", ""),
        ("+a -b", "+a", "", "", "b"),
        ("+a -b", "sa -b", "", "", "a"),
        ("+a -b sc", "+a -b -c", "c", "", ""),
        ("+a", "+a +new", "", "", ""),
        ("+a", "+a -new", "new", "", ""),
        ("+a -b", "+a !b", "", "", ""),
        ("+a +b", "+a +c", "", "", "b"),
    ],
)
def test_named_tests(before: str, after: str, failing: str, passing: str, missing: str) -> None:
    """Tests that fail, pass or are missing only with the response are named; new tests that pass are no gain, skipped ones missing."""
    run = compared(_run(after), _run(before))
    assert (run.newly_failing, run.newly_passing, run.missing) == tuple(
        tuple(names.split()) for names in (failing, passing, missing)
    )
    assert run.new_failures == len(failing.split()) + len(missing.split())
    assert run.gained == len(passing.split())
    assert run.tests == ()


def test_what_fails_anyway() -> None:
    """A response that fails only what fails without it breaks nothing, although its checks do not all pass."""
    run = compared(_run("+a -b"), _run("+a -b"))
    report = report_of((run,))
    assert (run.fails_anyway, report.breaks_nothing, report.is_passed) == (True, True, False)
    broken = report_of((compared(_run("-a -b"), _run("+a -b")),))
    assert not broken.breaks_nothing


def test_fail_fast_does_not_invert_the_rank() -> None:
    """With `-x`, a real fix that reaches a later failing test has no new failure and gains, and doing nothing does not."""
    base = _run("+a -b", stop="early")
    nothing = compared(_run("+a -b", stop="early"), base)
    fix = compared(_run("+a +b +c -d", stop="early"), base)
    breaks = compared(_run("-a", stop="early"), base)
    assert (nothing.new_failures, nothing.gained) == (0, 0)
    assert (fix.new_failures, fix.gained, fix.newly_passing, fix.fails_anyway) == (0, 2, ("b",), True)
    assert (breaks.new_failures, breaks.missing, breaks.not_run, breaks.fails_anyway) == (1, (), 1, False)


def test_tests_that_could_not_be_loaded() -> None:
    """A broken import counts as its missing tests; repairing one is never worse than leaving it, whatever then fails."""
    breaks = compared(_run("!file +c", stop="broken"), _run("+file.a +file.b +c"))
    assert (breaks.new_failures, breaks.missing) == (2, ("file.a", "file.b"))
    repairs = compared(_run("+file.a -file.b +c"), _run("!file", stop="broken"))
    assert (repairs.new_failures, repairs.gained, repairs.missing) == (0, 2, ())
    assert compared(_run("!file", stop="broken"), _run("!file", stop="broken")).fails_anyway


def test_what_did_not_build() -> None:
    """If the unchanged workspace does not build, a response that builds gains, and none of its failures is new."""
    base = _command(ok=False)
    assert compared(_command(ok=False), base).fails_anyway
    builds = compared(_run("+a +b -c"), base)
    assert (builds.new_failures, builds.gained) == (0, 2)


def test_a_command_that_fails_anyway_says_nothing() -> None:
    """Without tests by name, a failure could be the same one or another: no report calls that breaking nothing unseen."""
    silent, named = compared(_command(ok=False), _command(ok=False)), compared(_run("+a -b"), _run("+a -b"))
    report = report_of((silent, named))
    assert (silent.tells_nothing, named.tells_nothing) == (True, False)
    assert report.telling_nothing == (silent.name,)
    assert not compared(_command(ok=False), _command(ok=True)).tells_nothing


def test_a_crash_loses_all_tests() -> None:
    """A run that reports nothing where tests ran before has lost them all."""
    run = compared(_command(ok=False), _run("+a +b +c"))
    assert run.new_failures == 3
    assert compared(_command(ok=False), _command(ok=True)).new_failures == 1


def test_flaky_tests_are_no_ones_fault() -> None:
    """A test that fails now and then without any response is not a new failure, nor a gain when it passes."""
    base = _run("+a +b", flaky=("b",))
    fails = compared(_run("+a -b"), base)
    assert (fails.new_failures, fails.flaky, fails.newly_failing) == (0, ("b",), ())
    assert compared(_run("+a +b"), _run("+a -b", flaky=("b",))).gained == 0


def test_unnamed_tests_are_counted() -> None:
    """Where a runner names failures only, they are compared by name and the rest by number."""
    base = _run("-b", unnamed=5)
    run = compared(_run("-c", unnamed=4), base)
    assert (run.newly_failing, run.new_failures) == (("c",), 2)
    fix = compared(_run("", unnamed=6), base)
    assert (fix.new_failures, fix.gained, fix.newly_passing) == (0, 1, ("b",))


def test_without_a_baseline_every_failure_is_new() -> None:
    """If nothing is known of the unchanged workspace, every failure counts."""
    run = compared(_run("+a -b -c"), None)
    assert (run.new_failures, run.newly_failing, run.fails_anyway) == (2, ("b", "c"), False)
