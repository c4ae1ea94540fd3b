"""PHPUnit: "OK (3 tests, 3 assertions)", or "Tests: 3, Assertions: 3, Failures: 1." with the failures numbered above."""

import re

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, results

_ALL_PASS = re.compile(r"^OK \((?P<ran>\d+) tests?, \d+ assertions?\)$", re.MULTILINE)
_END = re.compile(r"^Tests: (?P<ran>\d+), Assertions: \d+(?P<rest>(?:, [A-Z][\w ]*: \d+)*)\.$", re.MULTILINE)
_COUNT = re.compile(r"([A-Z][\w ]*): (\d+)")
_SECTION = re.compile(
    r"^There (?:was|were) \d+ (?P<word>error|failure|risky test|skipped test|incomplete test|warning)s?:$"
)
_BAD = re.compile(r"^\d+\) (?P<name>\S+::.*)$")
_OUTCOMES: dict[str, Outcome] = {"error": "error", "failure": "failed"}


def read_phpunit(output: str) -> Results | None:
    """The results of PHPUnit; None if it did not print its end."""
    if end := _ALL_PASS.search(output):
        return results("phpunit", [], Counted(passed=int(end["ran"])))
    end = _END.search(output)
    if end is None:
        return None
    words = {word: int(number) for word, number in _COUNT.findall(end["rest"])}
    failed = words.get("Errors", 0) + words.get("Failures", 0)
    skipped = words.get("Skipped", 0) + words.get("Incomplete", 0)
    counted = Counted(passed=max(0, int(end["ran"]) - failed - skipped), failed=failed, skipped=skipped)
    return results("phpunit", _named(output), counted)


def _named(output: str) -> list[tuple[str, Outcome]]:
    found: list[tuple[str, Outcome]] = []
    outcome: Outcome | None = None
    for line in output.split("\n"):
        if section := _SECTION.match(line):
            outcome = _OUTCOMES.get(section["word"])
        elif outcome and (test := _BAD.match(line)):
            found.append((test["name"], outcome))
    return found
