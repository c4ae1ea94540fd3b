"""Tasks of our own, in bench/judging/tasks: one file each, with the workspace, visible tests, hidden tests and answers.

The hidden tests alone say which answers are right; no file says so. The first answer is the reference, which must pass them.
"""

import re
import shutil
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bench.judging.contained import contained
from bench.judging.local_lane import local_lane
from bench.judging.python_tests import DEADLINE, run_pytest
from dce.workspace.judging.behaviour.language import Language, Place, Sources
from dce.workspace.judging.behaviour.languages import LANGUAGES
from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.opening import Lanes

FOLDER = Path(__file__).parent / "tasks"
HELD_OUT = Path(__file__).parent / "held_out"
"""Tasks that the probes' generator was never changed for: their results were looked at once, after everything else."""

KINDS = ("bug", "feature", "refactor", "performance", "plausible", "flaky", "failing", "untested")
TASK_LANGUAGES = ("python", "javascript", "rust", "go", "shell")

TESTS_S = 60.0
"""Longest time for the visible or the hidden tests of one answer; on a quiet machine they take a second or two. What does not end fails."""

_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "javascript": ("node", "--test", "--test-reporter=tap"),
    "rust": ("sh", "-c", 'rustc --edition 2021 --test -A warnings -o checked "$0" && ./checked'),
    "go": ("sh", "-c", "go test -v ."),
    "shell": ("sh",),
}
_NEEDED: Mapping[str, str] = {"javascript": "node", "rust": "rustc", "go": "go", "shell": "sh"}
"""The program without which a language's tasks cannot be run: those are left out, and it is said."""

_RESULTS: Mapping[str, re.Pattern[str]] = {
    "javascript": re.compile(r"^ *(?P<result>(?:not )?ok) \d+ - (?P<name>.+)$", re.MULTILINE),
    "rust": re.compile(r"^test (?P<name>\S+) \.\.\. (?P<result>\w+)$", re.MULTILINE),
    "go": re.compile(r"^ *--- (?P<result>PASS|FAIL): (?P<name>\S+)", re.MULTILINE),
    "shell": re.compile(r"^(?P<result>(?:not )?ok) (?P<name>.+)$", re.MULTILINE),
}
"""How each runner says that a test passed ("ok") or failed (anything else)."""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text that replaces the task's file."""

    text: str


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`path`: the file that the answers replace. `hidden` and `visible`: test files."""

    kind: str
    language: str
    cycle: str
    path: str
    files: Mapping[str, str]
    visible: Mapping[str, str] = {}
    hidden: Mapping[str, str]
    answer: tuple[Answer, ...]


class Ran(msgspec.Struct, frozen=True):
    """Names of the tests that passed, and of all that ran."""

    passed: frozenset[str]
    tests: frozenset[str]

    @property
    def is_passed(self) -> bool:
        """Whether there were tests and all passed."""
        return bool(self.tests) and self.passed == self.tests


def load_tasks(folder: Path = FOLDER) -> dict[str, Task]:
    """Every task by the name of its file. Raises ValueError for one that is not well formed."""
    tasks = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            task = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Task)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"{path.name}: {error}") from error
        if task.kind not in KINDS or task.language not in TASK_LANGUAGES:
            raise ValueError(f"{path.name}: no kind {task.kind} or language {task.language}")
        if not 6 <= len(task.answer) <= 10 or task.path not in task.files:
            raise ValueError(f"{path.name}: 6 to 10 answers to one of its files are wanted")
        tasks[path.stem] = task
    return tasks


def runnable(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """The tasks whose language this machine has."""
    found = {name: task for name, task in tasks.items() if shutil.which(_NEEDED.get(task.language, "sh"))}
    if left_out := sorted(set(tasks) - set(found)):
        print(f"left out, their language is not here: {', '.join(left_out)}", file=sys.stderr)
    return found


def run_tests(task: Task, tests: Mapping[str, str], text: str | None) -> Ran:
    """The tests, run on an answer (None: on the workspace as it is)."""
    if not tests:
        return Ran(frozenset(), frozenset())
    files = {path: content.lstrip("\n") for path, content in {**task.files, **tests}.items()}
    if text is not None:
        files[task.path] = text.lstrip("\n")
    names = [path for path in tests if not path.endswith("conftest.py")]
    with local_lane(files) as lane:
        if task.language == "python":
            results = run_pytest(lane.root, names, TESTS_S)
        else:
            command = (*_COMMANDS[task.language], *names)
            ends_at = time.monotonic() + TESTS_S
            output = lane.output(command, variables={}, timeout_s=TESTS_S).decode("utf-8", "replace")
            found = _RESULTS[task.language].finditer(output)
            results = {match["name"]: match["result"] in {"ok", "PASS"} for match in found}
            results |= {DEADLINE: False} if time.monotonic() >= ends_at else {}
    return Ran(frozenset(name for name, is_passed in results.items() if is_passed), frozenset(results))


def sources_of(task: Task) -> Sources | None:
    """What DCE would make probes from; None if no row of its table speaks for the task's file."""
    if not any(row.speaks_for(task.path) for row in LANGUAGES):
        return None
    texts = dict.fromkeys(answer.text.lstrip("\n") for answer in task.answer)
    tests = {path: text.lstrip("\n") for path, text in task.visible.items()}
    changed = {task.path: (task.files[task.path].lstrip("\n"), *texts)}
    return Sources(changed=changed, tests=tests, paths=frozenset((*task.files, *task.visible)), asked=task.cycle)


def probes_for(task: Task, seed: int = 0) -> tuple[Probe, ...]:
    """The probes that DCE makes for the task; none for a language without probes."""
    sources = sources_of(task)
    return tuple(_row(task).make(sources, seed)) if sources else ()


def _row(task: Task) -> Language:
    return next(row for row in LANGUAGES if row.speaks_for(task.path))


async def outcomes(lanes: Lanes, task: Task, probes: Sequence[Probe], text: str) -> Mapping[str, Outcome]:
    """What the probes show of an answer, in a lane like DCE's own."""
    sources = sources_of(task)
    if not probes or sources is None:
        return {}
    given = {**task.files, **task.visible, task.path: text}
    async with contained(lanes, {path: content.lstrip("\n") for path, content in given.items()}) as lane:
        return await _row(task).run(Place(lane=lane, sources=sources, checks=_checks(task)), probes)


def _checks(task: Task) -> tuple[Check, ...]:
    """The project's own check, for languages whose probes are the project's tests with other values in them."""
    if task.language not in _COMMANDS or not task.visible:
        return ()
    return (Check(name="tests", command=(*_COMMANDS[task.language], *task.visible)),)


def problems(name: str, task: Task) -> list[str]:
    """What is wrong with a task: the reference must pass every test, and the hidden tests must refuse at least one answer."""
    found = []
    right = [run_tests(task, task.hidden, answer.text).is_passed for answer in task.answer]
    if not right[0]:
        missing = run_tests(task, task.hidden, task.answer[0].text)
        found.append(f"{name}: the reference fails {sorted(missing.tests - missing.passed)} of its hidden tests")
    if all(right):
        found.append(f"{name}: every answer passes the hidden tests")
    if task.kind not in {"flaky", "failing"} and task.visible:
        seen = run_tests(task, task.visible, task.answer[0].text)
        if not seen.is_passed:
            found.append(f"{name}: the reference fails {sorted(seen.tests - seen.passed)} of the visible tests")
    if bool(task.visible) == (task.kind == "untested"):
        found.append(f"{name}: a task without tests, and only that, is `untested`")
    return found
