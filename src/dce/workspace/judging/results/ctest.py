"""CMake's ctest: a line for each test, and the list of those that failed."""

import re

from dce.workspace.judging.results.outcome import Outcome, Results, results

_TEST = re.compile(
    r"^ *\d+/(?P<all>\d+) Test +#\d+: (?P<name>.+?) \.*(?P<word> +Passed|\*\*\*[A-Z][\w ():]*?) +[\d.]+ sec",
    re.MULTILINE,
)
_END = re.compile(r"^\d+% tests passed, \d+ tests? failed out of \d+$", re.MULTILINE)


def read_ctest(output: str) -> Results | None:
    """The results of all tests; None if ctest did not print its end."""
    if not _END.search(output):
        return None
    lines = list(_TEST.finditer(output))
    is_early = any(int(line["all"]) > len(lines) for line in lines[:1])
    return results(
        "ctest", [(line["name"].strip(), _outcome(line["word"])) for line in lines], stop="early" if is_early else ""
    )


def _outcome(word: str) -> Outcome:
    if "Passed" in word:
        return "passed"
    if "Disabled" in word or "Skipped" in word:
        return "skipped"
    return "failed" if "Failed" in word else "error"
