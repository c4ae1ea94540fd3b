"""From what a check's command left behind to a run: did it start, what did its tests say, is it ok. Pure.

Invariants: the exit code overrides whatever the output or a report says; a command that ends well but whose tests failed is not ok.
"""

import re

import msgspec

from dce.workspace.judging.check_report import MAX_FAILURES, CheckRun, State
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Ended
from dce.workspace.judging.results.asking import is_fail_fast
from dce.workspace.judging.results.outcome import Results
from dce.workspace.judging.results.table import Left, read_results

MAX_OUTPUT_BYTES = 8 * 1024
"""How much of a check's output is kept: the end, where test runners report failures."""


_CANNOT_START: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^(?:/\S*/)?(?:sh|bash|dash|zsh)(?::| \d+:)? ?(?:\d+: |line \d+: )?(?P<what>\S+): (?:command )?not found$", re.MULTILINE), "{what}: not found"),
    (re.compile(r"^(?:/usr/bin/)?env: .(?P<what>[^'’\n]+).: No such file or directory$", re.MULTILINE), "{what}: not found"),
    (re.compile(r"^\S*python[\d.]*: No module named (?P<what>[\w.]+)$", re.MULTILINE), "no Python module {what}"),
    (re.compile(r"^\S*python[\d.]*: can't open file '(?P<what>[^'\n]+)'", re.MULTILINE), "{what}: no such file"),
    (re.compile(r"^npm (?:ERR!|error) Missing script: \"(?P<what>[^\"\n]+)\"", re.MULTILINE), "package.json has no script {what}"),
    (re.compile(r"^npm (?:ERR!|error) could not determine executable to run", re.MULTILINE), "npx finds no such program"),
    (re.compile(r"^error: rustup could not choose a version of (?P<what>\S+)", re.MULTILINE), "rustup has no toolchain for {what}"),
    (re.compile(r"^error: no such command: `(?P<what>[^`\n]+)`", re.MULTILINE), "cargo has no command {what}"),
    (re.compile(r"^make: \*\*\* (?P<what>No rule to make target .*?|No targets specified and no makefile found)\.  Stop\.$", re.MULTILINE), "make: {what}"),
    (re.compile(r"^go: (?P<what>go\.mod file not found|cannot find main module)", re.MULTILINE), "go: {what}"),
    (re.compile(r"^(?P<what>No tests were found!!!)$", re.MULTILINE), "ctest: {what}"),
)  # fmt: skip
"""What shells, interpreters and package managers print when the command that they were to run does not exist here."""

_NOT_LOADED = re.compile(
    r"^(?:E +)?(?P<why>(?:ModuleNotFoundError|ImportError|SyntaxError|IndentationError|NameError): .*"
    r"|(?:Error: )?Cannot find (?:module|package) .*|error(?:\[E\d+\])?: .*|\S+\.go:\d+:\d+: .*)$",
    re.MULTILINE,
)
_NOT_FOUND_CODES = frozenset({126, 127})
"""The exit codes of a shell whose command cannot be run or is not found."""


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
        return run
    stop = found.stop or ("early" if failed and is_fail_fast(check.command) else "")
    return msgspec.structs.replace(
        run,
        failures=found.failures[:MAX_FAILURES],
        runner=found.runner,
        tests=found.tests,
        named=len(found.tests),
        stop=stop,
        note=run.note or (_why_not_loaded(left.output) if stop == "broken" else ""),
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
    if found is not None or not ended.exit_code:
        return ""
    for pattern, words in _CANNOT_START:
        if match := pattern.search(output):
            return words.format(**match.groupdict())
    if ended.exit_code in _NOT_FOUND_CODES:
        lines = output.strip().splitlines()
        return lines[-1][:200] if lines else f"exit code {ended.exit_code}"
    return ""


def _why_not_loaded(output: str) -> str:
    """The first reason why tests could not be loaded: usually something that is not installed."""
    match = _NOT_LOADED.search(output)
    return f"tests cannot be loaded: {match['why'][:200]}" if match else ""


def _note(check: Check, left: Left) -> str:
    if check.report and not left.named:
        return f"no report at {check.report} was written; the tests were read from the output"
    return ""
