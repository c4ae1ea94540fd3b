"""node's own test runner in its `spec` form; in its other form it prints TAP (`tap.py`)."""

import re

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, numbered, segments, together

_END = re.compile(
    r"^ℹ tests (?P<tests>\d+)\n(?:ℹ suites (?P<suites>\d+)\n)?ℹ pass (?P<passed>\d+)\nℹ fail (?P<failed>\d+)\n"
    r"ℹ cancelled (?P<cancelled>\d+)\nℹ skipped (?P<skipped>\d+)\nℹ todo (?P<todo>\d+)$",
    re.MULTILINE,
)
_TEST = re.compile(r"^(?P<indent>(?:  )*)(?P<mark>[✔✖﹣]) (?P<name>.*?) \([\d.]+ms\)(?P<rest>.*)$")
_GROUP = re.compile(r"^(?P<indent>(?:  )*)▶ (?P<name>.*?)(?: \([\d.]+ms\))?$")
_OPEN = re.compile(r"# (?:skip|todo)\b", re.IGNORECASE)
_OUTCOMES: dict[str, Outcome] = {"✔": "passed", "✖": "failed", "﹣": "skipped"}


def read_node(output: str) -> Results | None:
    """The results of every `node --test` that ran; None if none printed its counts."""
    return together([_run(part, match) for part, match in segments(_END, output)])


def _run(part: str, end: re.Match[str]) -> Results:
    tests, closed = _tests(part)
    # A test with tests inside is counted too, but a `describe` is not.
    parents = max(0, closed - int(end["suites"] or 0))
    if len(tests) >= int(end["tests"]) - parents:
        return numbered("node", tests)
    counted = Counted(
        passed=int(end["passed"]),
        failed=int(end["failed"]) + int(end["cancelled"]),
        skipped=int(end["skipped"]) + int(end["todo"]),
    )
    return numbered("node", tests, counted)


def _tests(part: str) -> tuple[list[tuple[str, Outcome]], int]:
    """The lines of tests, and how many groups were closed. The line that closes a group repeats the group's name."""
    found: list[tuple[str, Outcome]] = []
    around: list[str] = []
    closed = 0
    for line in part.split("\n"):
        group, test = _GROUP.match(line), _TEST.match(line)
        if not (mark := group or test):
            continue
        depth = len(mark["indent"]) // 2
        if around[depth:] == [mark["name"]]:  # older versions close a group with the mark that opened it
            around, closed = around[:depth], closed + 1
        elif group:
            around = [*around[:depth], group["name"]]
        elif test:
            is_open = _OPEN.search(test["rest"]) is not None
            outcome = "skipped" if is_open else _OUTCOMES[test["mark"]]
            found.append((" > ".join((*around[:depth], test["name"])), outcome))
    return found, closed
