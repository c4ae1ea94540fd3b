"""Runs the project's own checks on an answer with a changed test laid over it, and says how each test ended and what it printed.

Each probe is a whole run of the tests, so time is a budget: the first run says how long one takes, and what does not fit is not run.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from dce.workspace.judging.behaviour.language import none_run
from dce.workspace.judging.behaviour.mutated.making import INNER, inner_tests
from dce.workspace.judging.behaviour.mutated.trees import tree_of, walk
from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.check_run import run_of, text_of
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.folders import clear
from dce.workspace.judging.lanes.lane import Ended, Lane, RunOptions
from dce.workspace.judging.report_files import read
from dce.workspace.judging.results.asking import ask
from dce.workspace.judging.results.table import Left

BUDGET_S = 20.0
"""How long the runs on one answer may take together, without the first two."""

MIN_RUNS = 4
"""Fewest runs that are worth beginning."""

MIN_TIMEOUT_S, SLOW_FACTOR = 5.0, 4.0
"""A run is ended after so many times what the tests took before, but not before MIN_TIMEOUT_S."""

COPY_S = 20.0
"""How long laying a file may take."""

MAX_LINES = 60
"""Most printed lines that are compared for one run."""

MAX_SHOWN = 120
"""Longest result that is shown in a cell of the table, in characters."""

_SHELLS = (".sh", ".bash")
_LAID = 'mkdir -p -- "$(dirname -- "$2")" && cat -- "$1" >"$2"'
"""Copies a file. The file that is there stays, so that its mode does, and tools see a new time."""

_TELLING = re.compile(
    r"\b(?:got|want(?:ed)?|left|right|actual|expected|received|but was|returned|to equal|matches|does not|did not|panicked)\b|[!=]=",
    re.IGNORECASE,
)
"""Lines in which runners and tests print values."""

_NOISE = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "<address>"),
    (re.compile(r"\b\d+(?:\.\d+)?\s?(?:ms|s|sec|seconds|µs)\b"), "<time>"),
    (re.compile(r"(?:/[\w.@+-]+)+/?"), "<path>"),
    (re.compile(r"\b[\w.-]+\.\w{1,5}:\d+(?::\d+)?"), "<place>"),
    (re.compile(r"\(\d+\)"), ""),
)
"""What changes from run to run, or with where an answer has its code."""


class _Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What one run showed: each test's outcome, the lines with values, and whether any test ran at all."""

    tests: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    is_ok: bool
    has_run: bool
    duration_s: float


async def run_mutated(lane: Lane, checks: Sequence[Check], probes: Sequence[Probe]) -> dict[str, Outcome]:
    """The outcome of each probe, by id."""
    tests = [check for check in checks if check.stage == "test"]
    if not tests:
        return none_run(probes, "no check of stage `test` in .dce/checks.toml runs the tests")
    whole = await _originals(lane, probes)
    quiet = _quiet(probes, whole)
    first = await _ran(lane, tests, quiet)
    if first.duration_s > BUDGET_S / MIN_RUNS:
        return none_run(probes, f"the tests take {first.duration_s:.0f} s, too long to run them with other values")
    tests = [_bounded(check, first.duration_s) for check in tests]
    again = await _ran(lane, tests, quiet)
    steady = frozenset(first.tests) & frozenset(again.tests)
    flaky = {name for name, _ in {*first.tests, *again.tests} if not any(name == one for one, _ in steady)}
    left_s = BUDGET_S
    found: dict[str, Outcome] = {}
    for probe in probes:
        text = whole(probe)
        if text is None or left_s < again.duration_s:
            found[probe.id] = Outcome(kind="not run", text="not run", shown="not run")
            continue
        await _lay(lane, probe.header[0], text)
        ran = await _ran(lane, tests, quiet_commands(probe.header[0], text))
        left_s -= ran.duration_s
        found[probe.id] = _outcome(ran, flaky, has_lines=first.lines == again.lines)
        await _restore(lane, probe.header[0])
    return found


def _quiet(probes: Sequence[Probe], whole: Callable[[Probe], str | None]) -> frozenset[str] | None:
    """What says nothing in the traces of all the tests: without it, a race between two commands would make an answer's lines unsteady."""
    texts = [(probe.header[0], text) for probe in probes if (text := whole(probe)) is not None]
    found = [names for path, text in texts if (names := quiet_commands(path, text)) is not None]
    return frozenset[str]().union(*found) if found else None


def _bounded(check: Check, duration_s: float) -> Check:
    """The check with less time: with other values, tests that take far longer than before are in a loop."""
    return msgspec.structs.replace(check, timeout_s=min(check.timeout_s, max(MIN_TIMEOUT_S, SLOW_FACTOR * duration_s)))


def _outcome(ran: _Ran, flaky: set[str], *, has_lines: bool) -> Outcome:
    tests = [test for test in ran.tests if test[0] not in flaky]
    failed = [name for name, outcome in tests if outcome in {"failed", "error"}]
    lines = ran.lines if has_lines else ()
    if not ran.has_run:
        return Outcome(kind="raised", text="no test ran", shown="no test ran")
    shown = " ".join(lines)[:MAX_SHOWN] or (f"{len(failed)} fail" if failed else "passes" if ran.is_ok else "fails")
    return Outcome(kind="value", text=json.dumps([ran.is_ok, tests, lines]), shown=shown)


async def _ran(lane: Lane, checks: Sequence[Check], quiet: frozenset[str] | None = None) -> _Ran:
    """All the checks, one after the other."""
    parts = [await _one(lane, check, quiet) for check in checks]
    return _Ran(
        tests=tuple(test for part in parts for test in part.tests),
        lines=tuple(line for part in parts for line in part.lines)[:MAX_LINES],
        is_ok=all(part.is_ok for part in parts),
        has_run=any(part.has_run for part in parts),
        duration_s=sum(part.duration_s for part in parts),
    )


async def _one(lane: Lane, check: Check, quiet: frozenset[str] | None) -> _Ran:
    asked = ask(check.command, str(lane.tmp), check.env)
    for name in asked.reports:
        await asyncio.to_thread(clear, lane.written_tmp / name)
    options = RunOptions(timeout_s=check.timeout_s, cwd=check.cwd, env=check.env, variables=asked.variables)
    ended = await lane.run(asked.command, options)

    def interpret() -> _Ran:
        reports = read(lane.written_tmp / name for name in asked.reports)
        left = Left(output=text_of(ended), folder=check.cwd, asked={path.name: data for path, data in reports.items()})
        run = run_of(check, ended, left)
        tests = tuple((test.name, test.outcome) for test in run.tests)
        # Without test names the exit code is all there is; a run that named tests before and names none now has not come that far.
        has_run = run.state == "ran" and run.stop != "broken"
        return _Ran(
            tests=tests,
            lines=telling_lines(left.output, quiet),
            is_ok=run.ok,
            has_run=has_run,
            duration_s=ended.duration_s,
        )

    return await asyncio.to_thread(interpret)


def telling_lines(output: str, quiet: frozenset[str] | None = None) -> tuple[str, ...]:
    """The lines of a runner's output that hold values, without what changes from run to run.

    `quiet`: the output is a shell's trace, in which these commands say nothing: they run beside each other, in any order. Lines that
    follow a command's belong to it.
    """
    found = []
    is_shown = False
    for line in output.splitlines():
        text = line[:1000]
        if quiet is not None and text.startswith("+"):
            called = re.match(r"[+ ]*([^\s+]+)", text)
            is_shown = called is not None and not _is_made_of(called[1], quiet)
        if not (is_shown or (quiet is None and _TELLING.search(text))):
            continue
        for pattern, new in _NOISE:
            text = pattern.sub(new, text)
        found.append(" ".join(text.split()))
    return tuple(found[-MAX_LINES:])


def _is_made_of(word: str, names: frozenset[str]) -> bool:
    """Whether a word is one of these names, or several of them without a gap.

    Commands that run beside each other write into each other's lines, a name at a time: "+ printf+ sh", "+ + shprintf up.sh b".
    """
    ends = {0}
    for start in range(len(word)):
        if start in ends:
            ends |= {start + len(name) for name in names if word.startswith(name, start)}
    return len(word) in ends


def quiet_commands(path: str, text: str) -> frozenset[str] | None:
    """The commands of a shell script that run in pipelines and substitutions; None for a file that is none."""
    tree = tree_of(text, path) if path.endswith(_SHELLS) else None
    if tree is None:
        return None
    beside = {"pipeline", "command_substitution", "subshell", "process_substitution"}
    return frozenset(
        tree.text(node)
        for outer in walk(tree.root)
        if outer.type in beside
        for node in walk(outer)
        if node.type == "command_name"
    )


async def _originals(lane: Lane, probes: Sequence[Probe]) -> "_Whole":
    """Saves the files that probes change, as they are in the lane, and reads those whose tests stand in the code."""
    texts: dict[str, str] = {}
    for number, path in enumerate(dict.fromkeys(probe.header[0] for probe in probes)):
        saved = _saved(lane.tmp, path)
        ended = await _copy(lane, path, str(saved))
        if ended.exit_code == 0 and number < len(probes):
            shown = await lane.run(("cat", "--", path), RunOptions(timeout_s=COPY_S))
            texts[path] = shown.output.decode("utf-8", "replace")
    return _Whole(texts)


class _Whole:
    """The text of the file that a probe lays."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __call__(self, probe: Probe) -> str | None:
        """The text; None if the answer has no such tests."""
        path, *marks = probe.header
        if INNER not in marks:
            return _traced(path, probe.steps[0])
        tree = tree_of(self._texts.get(path, ""), path)
        inner = inner_tests(tree) if tree is not None else None
        if tree is None or inner is None:
            return None
        before, after = tree.content[: inner.start_byte], tree.content[inner.end_byte :]
        return (before + probe.steps[0].encode() + after).decode("utf-8", "replace")


def _traced(path: str, text: str) -> str:
    """A shell script that says what it runs: its trace shows the values that commands were given."""
    if not path.endswith(_SHELLS):
        return text
    head, _, rest = text.partition("\n") if text.startswith("#!") else ("", "", text)
    return f"{head}\nset -x\n{rest}" if head else f"set -x\n{text}"


async def _lay(lane: Lane, path: str, text: str) -> None:
    target = lane.written_tmp / "dce-mutated"
    await asyncio.to_thread(clear, target)
    await asyncio.to_thread(target.write_text, text, "utf-8")
    await _copy(lane, str(lane.tmp / "dce-mutated"), path)


async def _restore(lane: Lane, path: str) -> None:
    await _copy(lane, str(_saved(lane.tmp, path)), path)


async def _copy(lane: Lane, source: str, target: str) -> Ended:
    return await lane.run(("/bin/sh", "-c", _LAID, "sh", source, target), RunOptions(timeout_s=COPY_S))


def _saved(tmp: Path, path: str) -> Path:
    return tmp / "dce-saved" / path
