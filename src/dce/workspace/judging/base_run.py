"""The checks on the workspace without any response: what cannot start here, what fails anyway, and what fails now and then.

Invariants: what cannot start is said once and blames no response.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.check_report import CheckReport, CheckRun, report_of
from dce.workspace.judging.checks import run_checks
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.opening import Lanes

CHEAP_S = 15.0
"""If the checks take no longer than this together, they run three times, to find what is flaky."""

MORE_RUNS = 2
"""How many runs follow the first one if it is cheap. They run at the same time, if `[lane] parallel` allows that, so that
tests that get in each other's way show it."""


async def run_base(lanes: Lanes, checks: Sequence[Check]) -> CheckReport:
    """Runs the checks on the workspace as it is: once, or three times if that is cheap. Raises DceError as `run_checks`."""
    first = await run_checks(lanes, checks, None)
    reports = [first]
    if sum(run.duration_s for run in first.runs) <= CHEAP_S and any(run.state == "ran" for run in first.runs):
        runnable = [check for check, run in zip(checks, first.runs, strict=True) if run.state in {"ran", "killed"}]
        if lanes.parallel > 1:
            reports += await asyncio.gather(*(run_checks(lanes, runnable, None) for _ in range(MORE_RUNS)))
        else:
            reports += [await run_checks(lanes, runnable, None) for _ in range(MORE_RUNS)]
    return merged(reports)


def merged(reports: Sequence[CheckReport]) -> CheckReport:
    """One report of several runs on the same files: each check's worst run, with the tests that did not always end alike as flaky."""
    by_name: dict[str, list[CheckRun]] = {}
    for report in reports:
        for run in report.runs:
            by_name.setdefault(run.name, []).append(run)
    cannot_start = tuple(_missing(run) for run in reports[0].runs if run.state == "cannot_start")
    kept = [_merged_runs(runs) for runs in by_name.values() if runs[0].state != "cannot_start"]
    total = report_of(tuple(kept), cannot_start)
    first = reports[0]
    return msgspec.structs.replace(
        total, lane=first.lane, lane_why=first.lane_why, problem=first.problem, on=first.on, node=first.node
    )


def require_some(report: CheckReport) -> None:
    """Raises DceError invalid_input if no check can run here: then nothing can be said about any response."""
    if report.problem or (report.cannot_start and not report.runs):
        raise DceError(
            "invalid_input",
            f"the checks cannot run here: {report.problem or '; '.join(report.cannot_start)}",
            hint="Install what they need, or correct .dce/checks.toml; `dce run-checks --workspace` tries them without a response.",
        )


def verdict_of(report: CheckReport) -> object:
    """What two reports on the workspace have in common if responses compared with either get the same verdict."""
    runs = [
        (run.name, run.ok, run.state, run.passed, run.failed, run.failures, run.flaky, run.stop) for run in report.runs
    ]
    return runs, report.cannot_start, report.problem


def _missing(run: CheckRun) -> str:
    """What a check misses: "js: vitest: not found"; a check named after its program does not say it twice."""
    return run.note if run.note.startswith(f"{run.name}: ") else f"{run.name}: {run.note}"


def _merged_runs(runs: Sequence[CheckRun]) -> CheckRun:
    worst = max(runs, key=lambda run: (run.failed, -run.passed))
    outcomes: dict[str, set[bool]] = {}
    for run in runs:
        for test in run.tests:
            if test.outcome != "skipped":
                outcomes.setdefault(test.name, set()).add(test.is_failure)
        # Where only failures are named, a test that is not among them has passed.
        for name in {name for other in runs for name in other.failures} if not run.is_fully_named else ():
            outcomes.setdefault(name, set()).add(name in run.failures)
    flaky = {name for name, seen in outcomes.items() if len(seen) > 1}
    if not flaky and len({run.ok for run in runs}) > 1:
        flaky = {worst.name}  # the check as a whole: its tests have no names
    return msgspec.structs.replace(worst, flaky=tuple(sorted(flaky)))
