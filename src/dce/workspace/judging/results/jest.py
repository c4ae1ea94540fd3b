"""jest: the report that `--json` writes, and the text it prints."""

import re

import msgspec

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, Stop, numbered, segments, together

_END = re.compile(r"^Tests: +(?P<counts>.*?)(?:, )?\d+ total$", re.MULTILINE)
_SUITES = re.compile(r"^Test Suites: +(?P<counts>.*?)(?:, )?(?:(?P<ran>\d+) of )?(?P<total>\d+) total$", re.MULTILINE)
_COUNT = re.compile(r"(\d+) (failed|passed|skipped|todo)")
_FILE = re.compile(r"^(?:PASS|FAIL) (?P<rest>\S.*)$")
_TIME = re.compile(r" \([\d.]+ m?s\)$")
_BAD = re.compile(r"^  ● (?P<name>.*)$")
_BETWEEN = " \u203a "  # jest's own sign between a group and a test
_NOT_RUN = "Test suite failed to run"
_TEST = re.compile(r"^(?P<indent>(?:  )+)(?P<mark>[✓✕○✎√×]) (?:skipped |todo )?(?P<name>.*?)(?: \([\d.]+ m?s\))?$")
_GROUP = re.compile(r"^(?P<indent>(?:  )+)(?P<name>\S.*)$")
_OUTCOMES: dict[str, Outcome] = {
    "✓": "passed",
    "√": "passed",
    "✕": "failed",
    "×": "failed",
    "○": "skipped",
    "✎": "skipped",
}
_STATUSES: dict[str, Outcome] = {"passed": "passed", "failed": "failed"}


class _Assertion(msgspec.Struct):
    title: str
    status: str
    ancestorTitles: list[str] = []  # noqa: N815 - jest's name


class _Suite(msgspec.Struct):
    name: str
    status: str = ""
    assertionResults: list[_Assertion] = []  # noqa: N815 - jest's name


class _Report(msgspec.Struct):
    testResults: list[_Suite]  # noqa: N815 - jest's name
    numTotalTestSuites: int = 0  # noqa: N815 - jest's name


def read_jest_report(data: bytes, folder: str) -> Results | None:
    """The results in what `jest --json` (or vitest's JSON reporter) wrote; None if it is something else.

    `folder`: where the command ran; it is taken off the names of files, which jest writes whole.
    """
    try:
        report = msgspec.json.decode(data, type=_Report)
    except msgspec.DecodeError:
        return None
    tests: list[tuple[str, Outcome]] = []
    is_broken = False
    for suite in report.testResults:
        file = suite.name.removeprefix(folder).lstrip("/\\")
        if suite.status == "failed" and not suite.assertionResults:
            tests.append((file, "error"))
            is_broken = True
        for test in suite.assertionResults:
            name = " > ".join((file, *test.ancestorTitles, test.title))
            tests.append((name, _STATUSES.get(test.status, "skipped")))
    is_early = len(report.testResults) < report.numTotalTestSuites
    return numbered("jest", tests, stop="early" if is_early else "broken" if is_broken else "")


def read_jest(output: str) -> Results | None:
    """The results of every jest that ran; None if none printed its counts."""
    return together([_run(part, match["counts"]) for part, match in segments(_END, output) if _SUITES.search(part)])


def _run(part: str, counts: str) -> Results:
    words = {word: int(number) for number, word in _COUNT.findall(counts)}
    tests = _tests(part)
    broken = sum(outcome == "error" for _, outcome in tests)
    counted = Counted(
        passed=words.get("passed", 0),
        failed=words.get("failed", 0) + broken,
        skipped=words.get("skipped", 0) + words.get("todo", 0),
    )
    suites = _SUITES.search(part)
    stop: Stop = "early" if suites and suites["ran"] else "broken" if broken else ""
    return numbered("jest", tests, counted, stop=stop)


def _tests(part: str) -> list[tuple[str, Outcome]]:
    """Failures by full name; with `--verbose`, or one file, all tests."""
    found: dict[str, Outcome] = {}
    file = ""
    groups: list[str] = []
    for line in part.partition("\nSummary of all failing tests")[0].split("\n"):
        if match := _FILE.match(line):
            file, groups = _TIME.sub("", match["rest"]).rpartition(" ")[2].removeprefix("./"), []
        elif match := _BAD.match(line):
            is_broken = match["name"] == _NOT_RUN
            name = file if is_broken else " > ".join((file, *match["name"].split(_BETWEEN)))
            found[name] = "error" if is_broken else "failed"
            groups = []
        elif match := _TEST.match(line):
            depth = len(match["indent"]) // 2 - 1
            found[" > ".join((file, *groups[:depth], match["name"]))] = _OUTCOMES[match["mark"]]
        elif match := _GROUP.match(line):
            depth = len(match["indent"]) // 2 - 1
            groups = [*groups[:depth], match["name"]]
    return list(found.items())
