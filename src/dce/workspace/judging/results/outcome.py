"""How tests ended: the one form that every reader of a runner's output gives.

Invariants: a name occurs once in `Results.tests`; the counts include tests that the runner counted but did not name.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

Outcome = Literal["passed", "failed", "skipped", "error"]
"""`error`: the test did not get to say (a fixture, a hook, its file or its package failed). Both `failed` and `error` are failures."""

Stop = Literal["", "early", "broken"]
"""Why not every test ran. `early`: the runner ends at the first failures, as it was told to. `broken`: tests could not be loaded."""

MAX_NAME_CHARS = 500
"""Longest name kept of a test: parametrised tests can have a whole document in theirs."""

MAX_TESTS = 50_000
"""Most tests kept by name for one check. This bounds what a report, or output made up by an answer, can take."""

MAX_LINE_CHARS = 1_000
"""Longest line that is read whole. Output may be made to keep patterns busy, so no pattern ever sees a longer line."""

_LINE_END = 200
"""How much of a long line's end is kept: some runners put the outcome there."""

_WORST_FIRST: tuple[Outcome, ...] = ("error", "failed", "passed", "skipped")

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class TestResult(msgspec.Struct, frozen=True, array_like=True):
    """One test, by the name that its runner gives it."""

    __test__ = False  # not a test case, whatever pytest thinks of its name

    name: str
    outcome: Outcome

    @property
    def is_failure(self) -> bool:
        """Whether it ended badly."""
        return self.outcome in {"failed", "error"}


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What one command's runners reported. `failed` counts errors too."""

    runner: str
    passed: int
    failed: int
    skipped: int = 0
    tests: tuple[TestResult, ...] = ()
    stop: Stop = ""

    @property
    def failures(self) -> tuple[str, ...]:
        """The names of the tests that failed, as far as they are known."""
        return tuple(test.name for test in self.tests if test.is_failure)

    @property
    def total(self) -> int:
        """How many tests ran or were skipped."""
        return self.passed + self.failed + self.skipped

    @property
    def is_fully_named(self) -> bool:
        """Whether every test is known by name."""
        return len(self.tests) == self.total


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of a runner's closing line."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


def results(
    runner: str, tests: Iterable[tuple[str, Outcome]], counted: Counted | None = None, *, stop: Stop = ""
) -> Results:
    """The results of one run of a runner. A name that occurs twice is one test, with the worse outcome.

    `counted`: what the closing line says, if not every test is named. It is believed where it exceeds what is named.
    """
    worst: dict[str, Outcome] = {}
    for name, outcome in tests:
        short = _short(name)
        known = worst.get(short, outcome)
        worst[short] = min(known, outcome, key=_WORST_FIRST.index)
    return _of(runner, [TestResult(name, outcome) for name, outcome in worst.items()], counted, stop)


def numbered(
    runner: str, tests: Iterable[tuple[str, Outcome]], counted: Counted | None = None, *, stop: Stop = ""
) -> Results:
    """As `results`, for a runner whose names do not tell tests apart: the second of a name is "name (2)", the worst one first."""
    kept = sorted(((_short(name), outcome) for name, outcome in tests), key=lambda test: _WORST_FIRST.index(test[1]))
    seen: Counter[str] = Counter()
    found = []
    for name, outcome in kept:
        seen[name] += 1
        found.append(TestResult(name if seen[name] == 1 else f"{name} ({seen[name]})", outcome))
    return _of(runner, sorted(found, key=lambda test: test.name), counted, stop)


def together(parts: Sequence[Results]) -> Results | None:
    """What several runs of one command add up to; None if there were none."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    tests = [(test.name, test.outcome) for part in parts for test in part.tests]
    counted = Counted(
        passed=sum(part.passed for part in parts),
        failed=sum(part.failed for part in parts),
        skipped=sum(part.skipped for part in parts),
    )
    names = " and ".join(dict.fromkeys(part.runner for part in parts))
    stop: Stop = next((part.stop for part in parts if part.stop), "")
    return numbered(names, tests, counted, stop=stop)


def clean(output: str) -> str:
    """Output without colours and carriage returns, and with the middle of long lines left out."""
    plain = _ANSI.sub("", output).replace("\r\n", "\n")
    if len(plain) <= MAX_LINE_CHARS:
        return plain
    return "\n".join(line if len(line) <= MAX_LINE_CHARS else _cut(line) for line in plain.split("\n"))


def _cut(line: str) -> str:
    return f"{line[: -_LINE_END + MAX_LINE_CHARS]}{line[-_LINE_END:]}"


def last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The last match of a pattern."""
    match = None
    for match in pattern.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    return match


def segments(pattern: re.Pattern[str], text: str) -> list[tuple[str, re.Match[str]]]:
    """The text cut after each match of a closing line: each part with the match that ends it. What follows the last is left out."""
    found, start = [], 0
    for match in pattern.finditer(text):
        found.append((text[start : match.end()], match))
        start = match.end()
    return found


def _short(name: str) -> str:
    return name.strip()[:MAX_NAME_CHARS]


def _of(runner: str, tests: list[TestResult], counted: Counted | None, stop: Stop) -> Results:
    seen = Counter(test.outcome for test in tests)
    named = Counted(passed=seen["passed"], failed=seen["failed"] + seen["error"], skipped=seen["skipped"])
    counted = counted or named
    return Results(
        runner=runner,
        passed=max(counted.passed, named.passed),
        failed=max(counted.failed, named.failed),
        skipped=max(counted.skipped, named.skipped),
        tests=tuple(tests[:MAX_TESTS]),
        stop=stop,
    )
