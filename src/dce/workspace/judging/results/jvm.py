"""Maven (surefire) and Gradle, for runs whose JUnit XML cannot be used: their text counts all tests and names the failures."""

import re

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, results

_MAVEN_CLASS = re.compile(
    r"^\[(?:INFO|ERROR|WARNING)\] Tests run: (?P<ran>\d+), Failures: (?P<failures>\d+), Errors: (?P<errors>\d+), Skipped: (?P<skipped>\d+),"
    r" Time elapsed: .*$",
    re.MULTILINE,
)
_MAVEN_TEST = re.compile(
    r"^\[ERROR\] +(?P<name>[\w.$]+\.[\w$]+(?:[(\[{].*?)?) +(?:--)? *Time elapsed: .* <<< (?P<word>FAILURE|ERROR)!",
    re.MULTILINE,
)
_MAVEN_BROKEN = re.compile(r"^\[ERROR\] COMPILATION ERROR", re.MULTILINE)

_GRADLE_TEST = re.compile(r"^(?P<name>\S.*) (?P<word>PASSED|FAILED|SKIPPED)$", re.MULTILINE)
_GRADLE_END = re.compile(
    r"^(?P<ran>\d+) tests? completed(?:, (?P<failed>\d+) failed)?(?:, (?P<skipped>\d+) skipped)?$", re.MULTILINE
)
_GRADLE_BROKEN = re.compile(r"^Execution failed for task '(?P<task>:\S*compile\S*)'", re.MULTILINE)
_WORDS: dict[str, Outcome] = {"PASSED": "passed", "FAILED": "failed", "SKIPPED": "skipped"}


def read_maven(output: str) -> Results | None:
    """The results of all test classes; None if none is counted."""
    classes = list(_MAVEN_CLASS.finditer(output))
    if not classes:
        return results("maven", [("compilation", "error")], stop="broken") if _MAVEN_BROKEN.search(output) else None
    bad = sum(int(each["failures"]) + int(each["errors"]) for each in classes)
    skipped = sum(int(each["skipped"]) for each in classes)
    ran = sum(int(each["ran"]) for each in classes)
    tests: list[tuple[str, Outcome]] = [
        (match["name"], "error" if match["word"] == "ERROR" else "failed") for match in _MAVEN_TEST.finditer(output)
    ]
    return results("maven", tests, Counted(passed=max(0, ran - bad - skipped), failed=bad, skipped=skipped))


def read_gradle(output: str) -> Results | None:
    """The failures that Gradle names; None if it names no test. A run in which all pass prints nothing about them."""
    tests = [
        (match["name"], _WORDS[match["word"]]) for match in _GRADLE_TEST.finditer(output) if " > " in match["name"]
    ]
    ends = list(_GRADLE_END.finditer(output))
    if not ends:
        if broken := _GRADLE_BROKEN.search(output):
            return results("gradle", [(broken["task"], "error")], stop="broken")
        return results("gradle", tests) if tests and "BUILD SUCCESSFUL" in output else None
    failed, skipped = (sum(int(end[word] or 0) for end in ends) for word in ("failed", "skipped"))
    passed = max(0, sum(int(end["ran"]) for end in ends) - failed - skipped)
    # Without `--continue`, Gradle ends after the first module with a failure.
    return results("gradle", tests, Counted(passed=passed, failed=failed, skipped=skipped))
