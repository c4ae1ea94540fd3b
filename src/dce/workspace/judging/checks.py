"""The project's own checks, run on a response in a lane: the workspace with the response's files in it.

Invariants: the workspace itself is only read; neither a check nor any process it started outlives its deadline; its output is
bounded; no variable of DCE is in its environment. What a lane holds against a command that means harm depends on its kind, and the
report says which it was.
"""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from dce.workspace.judging.against_base import compared
from dce.workspace.judging.check_report import CheckReport, CheckRun, report_of
from dce.workspace.judging.check_run import not_run, run_of, text_of
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.folders import clear
from dce.workspace.judging.lanes.lane import LaidFile, Lane, RunOptions
from dce.workspace.judging.lanes.opening import Lanes, LaneUnfit, SetupFailed
from dce.workspace.judging.report_files import read, stamps, written_since
from dce.workspace.judging.results.asking import ask
from dce.workspace.judging.results.table import Left
from dce.workspace.schema.reading import Reading


async def run_checks(
    lanes: Lanes,
    checks: Sequence[Check],
    reading: Reading | None,
    base: CheckReport | None = None,
    laid: Iterable[LaidFile] = (),
) -> CheckReport:
    """Runs the checks, in order, on a response (None: on the unchanged workspace) in one lane, with `laid` over the response's files.

    `base` is the report on the unchanged workspace: checks that cannot start there are not run; without it, every failure counts
    as new. New failures in a stage keep the later stages from running. A check that fails, hits a limit or cannot start gives a run that
    is not ok. If no verdict is possible, the report has no runs and says why; a setup that fails for the response only is a run named
    `setup`. Raises DceError invalid_input for a workspace too large to
    copy, write_failed for a lane that cannot be made.
    """
    await lanes.begin()
    before = {run.name: run for run in base.runs} if base else {}
    wanted = [check for check in checks if not base or check.name in before]
    problem, node, runs = "", "", list[CheckRun]()
    try:
        async with lanes.opened(reading, laid) as lane:
            for check in wanted:
                if any(run.new_failures and run.stage != check.stage for run in runs):
                    runs.append(not_run(check))
                    continue
                run = await _run(check, lane, lanes)
                node = lane.node
                runs.append(run if reading is None else compared(run, before.get(check.name)))
    except LaneUnfit as unfit:
        problem, runs = str(unfit), []
    except SetupFailed as failed:
        if reading is None:
            problem = str(failed)
        else:
            setup = run_of(Check(name="setup", command=("setup",)), failed.ended, Left(output=text_of(failed.ended)))
            runs = [compared(setup, None)]
    report = report_of(tuple(runs), base.cannot_start if base else ())
    return msgspec.structs.replace(
        report, lane=lanes.kind, lane_why=lanes.why, problem=problem, on=lanes.settings.on, node=node
    )


async def _run(check: Check, lane: Lane, lanes: Lanes) -> CheckRun:
    asked = ask(check.command, str(lane.tmp), (*check.env, *lanes.settings.env))
    root = lanes.project.root if lane.kind == "overlay" else lane.written_root
    before = await asyncio.to_thread(stamps, lane.written_root, check.cwd, check.report) if check.report else {}
    for name in asked.reports:
        await asyncio.to_thread(clear, lane.written_tmp / name)  # an earlier check's is none of this one
    options = RunOptions(timeout_s=check.timeout_s, cwd=check.cwd, env=check.env, variables=asked.variables)
    ended = await lane.run(asked.command, options)

    def interpret() -> CheckRun:
        reports = read(lane.written_tmp / name for name in asked.reports)
        left = Left(
            output=text_of(ended),
            folder=str(root / check.cwd),
            named=written_since(lane.written_root, check.cwd, check.report, before),
            asked={path.name: data for path, data in reports.items()},
        )
        return run_of(check, ended, left)

    return await asyncio.to_thread(interpret)  # a test runner's output can be megabytes: not in the event loop
