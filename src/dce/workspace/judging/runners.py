"""Reads the end of a test runner's output: how many tests passed and failed, and which failed.

Invariants: the exit code overrides the output (`checks.py` sees to that); everything known about a runner is in its row of
`RUNNERS`.
"""

import re
from collections.abc import Callable

import msgspec

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

_UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in [\d.]+s$", re.MULTILINE)
_UNITTEST_END = re.compile(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((?P<counts>[^)]*)\))?$", re.MULTILINE)
_UNITTEST_COUNT = re.compile(r"([a-z ]+)=(\d+)")
_UNITTEST_NAME = re.compile(r"^(?:FAIL|ERROR): (?P<test>\S+)(?: \((?P<where>[^)\s]+)\))?", re.MULTILINE)

_PYTEST_END = re.compile(
    r"^(?:=+ )?(?P<counts>no tests ran|\d+ [a-z]+(?:, \d+ [a-z]+)*) in [\d.]+s(?: \([\d:]+\))?(?: =+)?$", re.MULTILINE
)
_PYTEST_COUNT = re.compile(r"(\d+) ([a-z]+)")
_PYTEST_NAME = re.compile(r"^(?:FAILED|ERROR) (?P<name>\S+?::\S*?\[.*?\](?= - |$)|\S+)(?: - .*)?$", re.MULTILINE)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a runner counted, in tests. `at` is the offset of the counts in the output; `failures` are names, each once."""

    passed: int
    failed: int
    failures: tuple[str, ...]
    at: int


def read_counts(output: str) -> Counts | None:
    """The counts that come last in the output; None if no known runner printed any."""
    plain = _ANSI.sub("", output).replace("\r\n", "\n")
    found = [counts for reader in RUNNERS if (counts := reader(plain))]
    return max(found, key=lambda counts: counts.at, default=None)


def _unittest(output: str) -> Counts | None:
    """Python's unittest: "Ran 5 tests in 0.1s", then "OK" or "FAILED (failures=1, errors=2)"."""
    ran = _last(_UNITTEST_RAN, output)
    end = _UNITTEST_END.search(output, ran.end()) if ran else None
    if ran is None or end is None:
        return None
    words = {name.strip(): int(number) for name, number in _UNITTEST_COUNT.findall(end["counts"] or "")}
    names = [_unittest_name(match) for match in _UNITTEST_NAME.finditer(output)]
    failed = _failed(names, words.get("failures", 0) + words.get("errors", 0)) + words.get("unexpected successes", 0)
    others = words.get("skipped", 0) + words.get("expected failures", 0)
    return Counts(passed=max(0, int(ran[1]) - failed - others), failed=failed, failures=_once(names), at=end.start())


def _unittest_name(match: re.Match[str]) -> str:
    """The test's full name. Since Python 3.11 the parentheses hold all of it; before that, they lacked the method."""
    test, where = match["test"], match["where"] or ""
    if not where:
        return test
    return where if where.endswith(f".{test}") else f"{where}.{test}"


def _pytest(output: str) -> Counts | None:
    """pytest's last line: "== 1 failed, 4 passed in 0.12s ==", with or without the rules."""
    end = _last(_PYTEST_END, output)
    if end is None:
        return None
    words = {name.removesuffix("s"): int(number) for number, name in _PYTEST_COUNT.findall(end["counts"])}
    names = [match["name"] for match in _PYTEST_NAME.finditer(output)]
    return Counts(
        passed=words.get("passed", 0) + words.get("xpassed", 0),
        failed=_failed(names, words.get("failed", 0) + words.get("error", 0)),
        failures=_once(names),
        at=end.start(),
    )


RUNNERS: tuple[Callable[[str], Counts | None], ...] = (_unittest, _pytest)
"""The known runners. Any other command counts as one test."""


def _failed(names: list[str], counted: int) -> int:
    """How many tests failed. Runners also count subtests and teardowns; if every one of them is named, a test counts once."""
    return len(set(names)) if len(names) == counted else counted


def _once(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    match = None
    for match in pattern.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    return match
