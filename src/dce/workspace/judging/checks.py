"""The project's own checks, run on a response in a lane: the workspace with the response's files in it.

Invariants: the workspace itself is only read; neither a check nor any process it started outlives its deadline; its output is
bounded; no variable of DCE is in its environment. What a lane holds against a command that means harm depends on its kind, and the
report says which it was.
"""

import asyncio
from collections.abc import Iterable, Sequence

from dce.workspace.judging.check_report import MAX_FAILURES, CheckReport, CheckRun, count_new_failures
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Ended, LaidFile, Lane, RunOptions
from dce.workspace.judging.lanes.opening import Lanes, LaneUnfit, SetupFailed
from dce.workspace.judging.runners import read_counts
from dce.workspace.schema.reading import Reading

MAX_OUTPUT_BYTES = 8 * 1024
"""How much of a check's output is kept: the end, where test runners report failures."""


async def run_checks(
    lanes: Lanes,
    checks: Sequence[Check],
    reading: Reading | None,
    baseline: CheckReport | None = None,
    laid: Iterable[LaidFile] = (),
) -> CheckReport:
    """Runs the checks, in order, on a response (None: on the unchanged workspace) in one lane, with `laid` over the response's files.

    `baseline` is the report on the unchanged workspace; without one, every failure counts as new. A check that fails, hits a limit or
    cannot start gives a run that is not ok. If no verdict is possible, the report has no runs and says why; a setup
    that fails for the response only is a run named `setup`. Raises DceError
    invalid_input for a workspace too large to copy, write_failed for a lane that cannot be made.
    """
    await lanes.find_kind()
    problem, runs = "", []
    try:
        async with lanes.opened(reading, laid) as lane:
            runs = [await _run(check, lane) for check in checks]
    except LaneUnfit as unfit:
        problem = str(unfit)
    except SetupFailed as failed:
        if reading is None:
            problem = str(failed)
        else:
            runs = [await _result("setup", failed.ended)]
    return CheckReport(
        passed=sum(run.passed for run in runs),
        failed=sum(run.failed for run in runs),
        new_failures=0 if reading is None else count_new_failures(runs, baseline),
        runs=tuple(runs),
        lane=lanes.kind,
        lane_why=lanes.why,
        problem=problem,
    )


async def _run(check: Check, lane: Lane) -> CheckRun:
    return await _result(
        check.name, await lane.run(check.command, RunOptions(timeout_s=check.timeout_s, env=check.env))
    )


async def _result(name: str, ended: Ended) -> CheckRun:
    # A test runner's output can be megabytes: not in the event loop.
    text = ended.output.decode("utf-8", "replace")
    counts = await asyncio.to_thread(read_counts, text) if not ended.problem else None
    kept = ended.output[-MAX_OUTPUT_BYTES:].decode("utf-8", "replace")
    passed, failed = (counts.passed, counts.failed) if counts else (0, 0)
    if ended.exit_code != 0:
        failed = max(1, failed)  # whatever its output says
    elif counts is None:
        passed = 1
    return CheckRun(
        name=name,
        ok=ended.exit_code == 0 and not failed,
        exit_code=ended.exit_code,
        passed=passed,
        failed=failed,
        duration_s=ended.duration_s,
        output=f"{kept.rstrip()}\n{ended.problem}".lstrip() if ended.problem else kept,
        failures=counts.failures[:MAX_FAILURES] if counts else (),
        limits=ended.limits,
    )
