"""Judges one answer: by the workspace's tests, laid over it, and by its own as it wrote them.

Invariants: the verdict never comes from a test or a configuration that the answer wrote; what its own tests say is told beside it. The
second run is made only for an answer that changes the exam. A build file of the answer counts only if the workspace's does not do, the
runner names its tests, and none of the workspace's is missing.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from dce.workspace.judging.check_report import CheckReport, CheckRun, OwnTests
from dce.workspace.judging.checks import run_checks
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.exam.exam_of import exam_of
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.schema.reading import Reading


async def examine(lanes: Lanes, checks: Sequence[Check], reading: Reading, base: CheckReport) -> CheckReport:
    """The report on an answer. `base` is that on the unchanged workspace. Raises DceError as `run_checks`."""
    exam = await asyncio.to_thread(exam_of, lanes.project, reading, checks)
    report = await run_checks(lanes, checks, reading, base, exam.laid)
    if exam.without_build is not None and not report.problem and report.new_failures:
        built = await run_checks(lanes, checks, reading, base, exam.without_build)
        if _is_whole(built, base) and built.new_failures < report.new_failures:
            report = built
    report = msgspec.structs.replace(report, test_changes=exam.changes)
    if not exam.laid or report.problem:
        return report
    own = await run_checks(lanes, checks, reading, base)
    return msgspec.structs.replace(report, own=own_tests(report, own, base))


def own_tests(exam: CheckReport, own: CheckReport, base: CheckReport) -> OwnTests:
    """What the answer's own tests say, beside the workspace's (`exam`)."""
    before = {run.name: run for run in base.runs}
    pairs = [(run, other) for run in exam.runs for other in own.runs if run.name == other.name and other.state == "ran"]
    return OwnTests(
        passed=own.passed,
        failed=own.failed,
        new_failures=own.new_failures,
        not_run=sum(_not_run(run, before.get(run.name)) for run in own.runs),
        contradicted=tuple(name for run, other in pairs for name in _contradicted(run, other)),
        gained=tuple(name for run, other in pairs for name in other.newly_passing if name not in run.newly_passing),
        failures=tuple(name for run, other in pairs for name in other.newly_failing if name not in run.failures),
        problem=own.problem,
    )


def _contradicted(run: CheckRun, own: CheckRun) -> list[str]:
    """The tests that fail as the workspace has them and pass as the answer does; the check, if its tests have no names."""
    if not run.runner and not own.runner:
        return [run.name] * (run.new_failures > 0 and own.ok)
    return [name for name in run.newly_failing if own.runner and name not in {*own.failures, *own.missing}]


def _not_run(run: CheckRun, before: CheckRun | None) -> int:
    """How many tests of the workspace the answer's own tests leave out without others in their place."""
    if before is None or run.state != "ran" or run.stop:
        return 0
    missing = len(run.missing) if run.runner and not run.ok else run.new_failures
    return min(missing, max(0, before.passed + before.failed - run.passed - run.failed))


def _is_whole(report: CheckReport, base: CheckReport) -> bool:
    """Whether every test of the workspace is known, by name, to have run."""
    before = {run.name: run for run in base.runs}
    return not report.problem and all(
        run.state == "ran"
        and run.runner
        and run.named == run.total
        and not run.missing
        and not run.not_run
        and before[run.name].is_fully_named
        for run in report.runs
        if run.name in before
    )
