"""vitest: its files, the tests below them, the failures by full name, and the line `Tests  1 failed | 2 passed (3)`."""

import re

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, Stop, results, segments, together

_END = re.compile(r"^ *Tests  (?P<counts>.*?)(?: \(\d+\))?$", re.MULTILINE)
_FILES = re.compile(r"^ *Test Files  (?P<counts>.*?) \((?P<files>\d+)\)$", re.MULTILINE)
_COUNT = re.compile(r"(\d+) (failed|passed|skipped|todo)")
_FAIL = re.compile(r"^ *FAIL  (?P<name>\S.*)$", re.MULTILINE)
_VERBOSE = re.compile(
    r"^ *(?P<mark>[✓×↓□]) (?P<name>(?:\|[^|]+\| )?\S+\.\w+ > .*?)(?: \[skipped\])?(?: \d+ms)?$", re.MULTILINE
)
_OUTCOMES: dict[str, Outcome] = {"✓": "passed", "×": "failed", "↓": "skipped", "□": "skipped"}


def read_vitest(output: str) -> Results | None:
    """The results of every vitest that ran; None if none printed its counts."""
    return together([_run(part, match["counts"]) for part, match in segments(_END, output) if _FILES.search(part)])


def _run(part: str, counts: str) -> Results:
    words = {word: int(number) for number, word in _COUNT.findall(counts)}
    names = [match["name"] for match in _FAIL.finditer(part)]
    # A file that cannot be loaded is "FAIL  b.test.js [ b.test.js ]", and its tests are not counted.
    broken: list[tuple[str, Outcome]] = [
        (name.partition(" [ ")[0], "error") for name in names if name.endswith(" ]") and " > " not in name
    ]
    failed: list[tuple[str, Outcome]] = [(name, "failed") for name in names if " > " in name]
    passing = [(match["name"], _OUTCOMES[match["mark"]]) for match in _VERBOSE.finditer(part)]
    counted = Counted(
        passed=words.get("passed", 0),
        failed=words.get("failed", 0) + len(broken),
        skipped=words.get("skipped", 0) + words.get("todo", 0),
    )
    return results("vitest", [*broken, *failed, *passing], counted, stop=_stop(part, is_broken=bool(broken)))


def _stop(part: str, *, is_broken: bool) -> Stop:
    """`--bail` shows only in the number of files: fewer are counted than there are."""
    files = _FILES.search(part)
    if files and sum(int(number) for number, _ in _COUNT.findall(files["counts"])) < int(files["files"]):
        return "early"
    return "broken" if is_broken else ""
