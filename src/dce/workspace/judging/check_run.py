"""From what a check's command left behind to a run: did it start, what did its tests say, is it ok. Pure.

Invariants: the exit code overrides whatever the output or a report says; a command that ends well but whose tests failed is not ok.
"""

import msgspec

from dce.workspace.judging.check_report import MAX_FAILURES, CheckRun, State
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.diagnosis import first_error, why_not_fetched, why_not_started
from dce.workspace.judging.lanes.lane import Ended
from dce.workspace.judging.results.asking import is_fail_fast
from dce.workspace.judging.results.outcome import Results
from dce.workspace.judging.results.table import Left, read_results

MAX_OUTPUT_BYTES = 8 * 1024
"""How much of a check's output is kept: the end, where test runners report failures."""


def text_of(ended: Ended) -> str:
    """What a command printed."""
    return ended.output.decode("utf-8", "replace")


def run_of(check: Check, ended: Ended, left: Left) -> CheckRun:
    """The run of a check. Searches megabytes of output, so not for the event loop."""
    found = read_results(left) if not ended.problem else None
    kept = left.output.encode("utf-8", "replace")[-MAX_OUTPUT_BYTES:].decode("utf-8", "ignore")
    output = f"{kept.rstrip()}\n{ended.problem}".lstrip() if ended.problem else kept
    is_started = bool(ended.limits) or not ended.problem
    why = _why_not_started(ended, found, left.output) if is_started else ended.problem
    passed, failed, skipped = (found.passed, found.failed, found.skipped) if found else (0, 0, 0)
    if ended.exit_code != 0:
        failed = max(1, failed)  # whatever its output says
    elif found is None:
        passed = 1
    state: State = "cannot_start" if why else "killed" if ended.exit_code is None else "ran"
    run = CheckRun(
        name=check.name,
        ok=ended.exit_code == 0 and not failed,
        exit_code=ended.exit_code,
        passed=passed,
        failed=failed,
        skipped=skipped,
        duration_s=ended.duration_s,
        output=output,
        limits=ended.limits,
        stage=check.stage,
        state=state,
        note=why or _note(check, left),
    )
    if found is None:
        return run if run.ok or run.note else msgspec.structs.replace(run, note=_why_failed(None, left.output))
    stop = found.stop or ("early" if failed and is_fail_fast(check.command) else "")
    return msgspec.structs.replace(
        run,
        failures=found.failures[:MAX_FAILURES],
        runner=found.runner,
        tests=found.tests,
        named=len(found.tests),
        stop=stop,
        note=run.note or (_why_failed(found, left.output) if stop == "broken" else ""),
    )


def not_run(check: Check) -> CheckRun:
    """A check that an earlier stage stopped."""
    return CheckRun(
        name=check.name,
        ok=False,
        exit_code=None,
        passed=0,
        failed=0,
        duration_s=0.0,
        output="",
        stage=check.stage,
        state="not_run",
        note="an earlier stage has new failures",
    )


def _why_not_started(ended: Ended, found: Results | None, output: str) -> str:
    """Why the program behind the command could not run, by what was printed; "" if it ran."""
    if not ended.exit_code or (found is not None and (found.passed or found.stop != "broken")):
        return ""
    return why_not_started(ended.exit_code, output) if found is None else why_not_fetched(output)


def _why_failed(found: Results | None, output: str) -> str:
    """The first error in the output of a command none of whose tests could say what is wrong."""
    why = first_error(output)
    return f"tests cannot be loaded: {why}" if why and found is not None else why


def _note(check: Check, left: Left) -> str:
    if check.report and not left.named:
        return f"no report at {check.report} was written; the tests were read from the output"
    return ""
