"""Python's unittest: "Ran 5 tests in 0.1s", then "OK" or "FAILED (failures=1, errors=2)"; with `-v` a line for every test."""

import re

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, results, segments, together

_END = re.compile(
    r"^Ran (?P<ran>\d+) tests? in [\d.]+s\s*^(?:OK|FAILED|NO TESTS RAN)(?: \((?P<counts>[^)\n]*)\))?$", re.MULTILINE
)
_COUNT = re.compile(r"([a-z ]+)=(\d+)")
_BAD = re.compile(r"^(?P<word>FAIL|ERROR|UNEXPECTED SUCCESS): (?P<test>\S+)(?: \((?P<where>[^)\s]+)\))?", re.MULTILINE)
_TEST = re.compile(r"^(?:  )?(?P<test>\w+) \((?P<where>[\w.<>]+)\)")
_OUTCOME = re.compile(r"(?:^|\.\.\. )(?P<word>ok|FAIL|ERROR|skipped|expected failure|unexpected success)(?: ['\"].*)?$")
_OUTCOMES: dict[str, Outcome] = {
    "ok": "passed",
    "FAIL": "failed",
    "ERROR": "error",
    "UNEXPECTED SUCCESS": "failed",
    "skipped": "skipped",
    "expected failure": "skipped",
    "unexpected success": "failed",
}
_NOT_LOADED = "unittest.loader._FailedTest."


def read_unittest(output: str) -> Results | None:
    """The results of every unittest that ran; None if none printed its end."""
    ended = segments(_END, output)
    return together([_run(part, int(match["ran"]), match["counts"] or "") for part, match in ended])


def _run(part: str, ran: int, counts: str) -> Results:
    words = {name.strip(): int(number) for name, number in _COUNT.findall(counts)}
    bad = [(_name(match), _OUTCOMES[match["word"]]) for match in _BAD.finditer(part)]
    counted = words.get("failures", 0) + words.get("errors", 0) + words.get("unexpected successes", 0)
    # unittest counts every failing subtest. If every failure is named, a test counts once.
    failed = len({name for name, _ in bad}) if len(bad) == counted else counted
    skipped = words.get("skipped", 0) + words.get("expected failures", 0)
    is_broken = any(name.startswith(_NOT_LOADED) for name, _ in bad)
    total = Counted(passed=max(0, ran - failed - skipped), failed=failed, skipped=skipped)
    # `-f` leaves no trace in the output: a run that stopped early looks like one of fewer tests.
    return results("unittest", [*_verbose(part), *bad], total, stop="broken" if is_broken else "")


def _verbose(part: str) -> list[tuple[str, Outcome]]:
    """The lines of `-v`. A test's outcome may come on a later line, after its docstring or what it printed."""
    found: list[tuple[str, Outcome]] = []
    name = ""
    for line in part.partition("\n======")[0].split("\n"):
        if test := _TEST.match(line):
            name = _name(test)
        if name and (outcome := _OUTCOME.search(line)):
            found.append((name, _OUTCOMES[outcome["word"]]))
    return found


def _name(match: re.Match[str]) -> str:
    """The test's full name. Since Python 3.11 the parentheses hold all of it; before that, they lacked the method."""
    test, where = match["test"], match["where"] or ""
    if not where:
        return test
    return where if where.endswith(f".{test}") else f"{where}.{test}"
