"""Runs the project's own checks on an answer with a changed test laid over it, and says how each test ended and what was seen.

Time is a budget: the first runs say how long one takes, and what does not fit is not run.
"""

import json
import re
from collections.abc import Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.language import none_run
from dce.workspace.judging.behaviour.mutated.functions import FUNCTION, inner_tests, single_results, with_function
from dce.workspace.judging.behaviour.mutated.making import INNER, names_of
from dce.workspace.judging.behaviour.mutated.many import SAID, OneRun, Text, Times, run_many
from dce.workspace.judging.behaviour.mutated.shell_recording import SHELLS, recording
from dce.workspace.judging.behaviour.mutated.together import File, run_together
from dce.workspace.judging.behaviour.mutated.trees import tree_of
from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.check_run import run_of
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Ended, Lane, RunOptions
from dce.workspace.judging.results.table import Left

BUDGET_S = 20.0
"""How long the runs on one answer may take together, without the first two."""

MIN_RUNS = 4
"""Fewest runs that are worth beginning."""

MIN_TIMEOUT_S, SLOW_FACTOR = 2.0, 6.0
"""A run is ended after so many times what the tests took before, but not before MIN_TIMEOUT_S."""

COPY_S = 20.0
"""How long reading a file may take."""

MAX_LINES = 60
"""Most printed lines that are compared for one run."""

MAX_RECORDS, MAX_RECORD = 120, 2_000
"""How much is compared of what a shell test says of the commands that it runs: records, and characters of one."""

MAX_SHOWN = 120
"""Longest result that is shown in a cell of the table, in characters."""

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

_TEMPORARY = re.compile(r"/(?:var/)?tmp/[\w.@+/-]*")


class _Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What one run showed: each test's outcome, the lines with values, and whether any test ran at all."""

    tests: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]
    is_ok: bool
    has_run: bool
    is_late: bool


async def run_mutated(
    lane: Lane, checks: Sequence[Check], probes: Sequence[Probe], changed: Mapping[str, Sequence[str]]
) -> dict[str, Outcome]:
    """The outcome of each probe, by id. `changed`: the versions of the files that answers change."""
    tests = [check for check in checks if check.stage == "test"]
    if not tests:
        return none_run(probes, "no check of stage `test` in .dce/checks.toml runs the tests")
    whole = await _originals(lane, probes, changed)
    as_functions = [probe for probe in probes if FUNCTION in probe.header]
    found = await run_together(lane, tests, as_functions, whole.file, single_results(changed)) if as_functions else {}
    rest = [probe for probe in probes if probe.id not in found]
    return {**found, **(await _one_by_one(lane, tests, rest, whole) if rest else {})}


async def _one_by_one(
    lane: Lane, tests: Sequence[Check], probes: Sequence[Probe], whole: "_Whole"
) -> dict[str, Outcome]:
    """Each probe is a run of the checks of its own."""
    path = probes[0].header[0]
    is_shell = all(probe.header[0].endswith(SHELLS) for probe in probes)
    base = whole.base(path)
    if base is None:
        return none_run(probes, "the response has no such tests")
    limit_s = BUDGET_S / MIN_RUNS
    unchanged = [Text(name, path, whole.recorded(path, base)) for name in ("first", "again")]
    runs = await run_many(lane, tests, unchanged, Times(total_s=limit_s, run_s=limit_s), is_kept=is_shell)
    first, again = runs.get("first"), runs.get("again")
    if first is None or again is None or first.duration_s > limit_s:
        return none_run(probes, "the tests take too long to run them with other values")
    one, other = (_ran(run, tests, is_shell=is_shell) for run in (first, again))
    steady = frozenset(one.tests) & frozenset(other.tests)
    flaky = {name for name, _ in {*one.tests, *other.tests} if not any(name == kept for kept, _ in steady)}
    texts = [Text(probe.id, probe.header[0], text) for probe in probes if (text := whole(probe)) is not None]
    run_s = max(MIN_TIMEOUT_S, SLOW_FACTOR * again.duration_s)
    runs = await run_many(lane, tests, texts, Times(total_s=BUDGET_S, run_s=run_s), is_kept=is_shell)
    not_run = Outcome(kind="not run", text="not run", shown="not run")
    return {
        probe.id: _outcome(_ran(runs[probe.id], tests, is_shell=is_shell), flaky, has_lines=one.lines == other.lines)
        if probe.id in runs
        else not_run
        for probe in probes
    }


def _outcome(ran: _Ran, flaky: set[str], *, has_lines: bool) -> Outcome:
    tests = [test for test in ran.tests if test[0] not in flaky]
    failed = [name for name, outcome in tests if outcome in {"failed", "error"}]
    lines = ran.lines if has_lines else ()
    if ran.is_late:
        return Outcome(kind="timeout", text="timeout", shown="no result in time")
    if not ran.has_run:
        return Outcome(kind="raised", text="no test ran", shown="no test ran")
    shown = " ".join(lines)[-MAX_SHOWN:] or (f"{len(failed)} fail" if failed else "passes" if ran.is_ok else "fails")
    return Outcome(kind="value", text=json.dumps([ran.is_ok, tests, lines]), shown=shown)


def _ran(run: OneRun, checks: Sequence[Check], *, is_shell: bool) -> _Ran:
    """What the checks of one run showed together."""
    tests: list[tuple[str, str]] = []
    lines: list[str] = []
    is_ok, has_run = True, False
    for check, one in zip(checks, run.ended, strict=False):
        ended = Ended(exit_code=one.exit, output=one.output.encode(), duration_s=one.s)
        asked = {name: text.encode() for name, text in one.reports.items()}
        came = run_of(check, ended, Left(output=one.output, folder=check.cwd, asked=asked))
        tests += [(test.name, test.outcome) for test in came.tests]
        # Without test names the exit code is all there is; a run that named tests before and names none now has not come that far.
        has_run = has_run or (came.state == "ran" and came.stop != "broken")
        is_ok = is_ok and came.ok
        lines += () if is_shell else telling_lines(one.output)
    lines = [*records(run.said), *_files(run.files)] if is_shell else lines[:MAX_LINES]
    is_late = any(one.exit is None for one in run.ended)
    return _Ran(tests=tuple(tests), lines=tuple(lines), is_ok=is_ok, has_run=has_run, is_late=is_late)


def records(said: str) -> list[str]:
    """What a shell test said, a record each."""
    found = [record.replace("\x1f", " ").strip("\n") for record in said.split("\x1e")][:MAX_RECORDS]
    return [_TEMPORARY.sub("<temporary>", record)[:MAX_RECORD] for record in found if record]


def _files(files: Mapping[str, str]) -> list[str]:
    return [_TEMPORARY.sub("<temporary>", f"{path} {text}") for path, text in sorted(files.items())]


def telling_lines(output: str) -> tuple[str, ...]:
    """The lines of a runner's output that hold values, without what changes from run to run."""
    found = []
    for line in output.splitlines():
        text = line[:1000]
        if not _TELLING.search(text):
            continue
        for pattern, new in _NOISE:
            text = pattern.sub(new, text)
        found.append(" ".join(text.split()))
    return tuple(found[-MAX_LINES:])


async def _originals(lane: Lane, probes: Sequence[Probe], changed: Mapping[str, Sequence[str]]) -> "_Whole":
    """Reads the files that probes change, as they are in the lane."""
    texts: dict[str, str] = {}
    for path in dict.fromkeys(probe.header[0] for probe in probes):
        shown = await lane.run(("cat", "--", path), RunOptions(timeout_s=COPY_S))
        if shown.exit_code == 0:
            texts[path] = shown.output.decode("utf-8", "replace")
    return _Whole(texts, changed, str(lane.tmp / SAID))


class _Whole:
    """The text of the file that a probe lays. `base`: that file with the workspace's own tests."""

    def __init__(self, texts: Mapping[str, str], changed: Mapping[str, Sequence[str]], said: str) -> None:
        self._texts = texts
        self._changed = changed
        self._names = names_of(changed)
        self._said = said

    def __call__(self, probe: Probe) -> str | None:
        """The text; None if the answer has no such tests."""
        path, *marks = probe.header
        if FUNCTION in marks and not marks[1]:
            return None  # a test that is not there cannot be run alone
        if FUNCTION in marks:
            text = self.base(path)
            tree = tree_of(text, path) if text is not None else None
            within = (inner_tests(tree) or tree.root) if tree is not None else None
            return with_function(tree, path, within, marks[1], probe.steps[0]) if tree is not None else None
        if INNER in marks:
            return self._with_inner(path, probe.steps[0])
        return self.recorded(path, probe.steps[0])

    def base(self, path: str) -> str | None:
        """The file as it is in the lane, with the workspace's tests if they stand in it; None if there is no place for them."""
        before = self._changed.get(path, ("",))[0]
        tree = tree_of(before, path) if before else None
        inner = inner_tests(tree) if tree is not None else None
        if tree is None or inner is None:
            return self._texts.get(path)
        return self._with_inner(path, tree.text(inner))

    def file(self, path: str) -> File | None:
        """The file with the place for more tests in it."""
        text = self.base(path)
        tree = tree_of(text, path) if text is not None else None
        if text is None or tree is None:
            return None
        inner = inner_tests(tree)
        return File(path=path, text=text, place=inner.end_byte - 1 if inner is not None else len(tree.content))

    def recorded(self, path: str, text: str) -> str:
        """A shell script that says what it sees; any other text as it is."""
        return recording(text, path, self._names, self._said) if path.endswith(SHELLS) else text

    def _with_inner(self, path: str, tests: str) -> str | None:
        tree = tree_of(self._texts.get(path, ""), path)
        inner = inner_tests(tree) if tree is not None else None
        if tree is None or inner is None:
            return None
        before, after = tree.content[: inner.start_byte], tree.content[inner.end_byte :]
        return (before + tests.encode() + after).decode("utf-8", "replace")
