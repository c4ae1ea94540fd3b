"""pytest: the closing line, the short summary and the lines of `-v` in its output, for runs without a usable JUnit report."""

import re

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, Stop, last, results, segments, together

_END = re.compile(
    r"^(?:=+ )?(?P<counts>no tests ran|\d+ [a-z]+(?: [a-z]+)*(?:, \d+ [a-z]+(?: [a-z]+)*)*) in [\d.]+s(?: \([^)]*\))?(?: =+)?$",
    re.MULTILINE,
)
_COUNT = re.compile(r"(\d+) ([a-z]+(?: [a-z]+)*)")
_HEAD = re.compile(r"^=+ short test summary info =+$", re.MULTILINE)
_SUMMARY = re.compile(
    r"^(?P<word>FAILED|ERROR|SUBFAIL(?:ED)?|PASSED|XFAIL|XPASS)(?:\[[^\]\n]*\])?(?: ?\([^)\n]*\)| \[[^\]\n]*\])? (?P<rest>\S.*)$",
    re.MULTILINE,
)
_VERBOSE = re.compile(
    r"^(?P<name>\S+\.\w+::\S.*?) (?P<word>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \(.*\))?(?: +\[ *\d+%\])?$",
    re.MULTILINE,
)
_WORKER = re.compile(
    r"^\[gw\d+\] \[ *\d+%\] (?P<word>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (?P<name>\S+\.\w+::\S.*?) *$",
    re.MULTILINE,
)
_PROGRESS = re.compile(r"^(?:\S+\.py )?(?P<marks>[.FEsxX]+) +\[ *\d+%\]$", re.MULTILINE)
_EARLY = re.compile(
    r"^!+ (?:stopping after|xdist\.dsession\.Interrupted: stopping|_pytest\.outcomes\.Exit).*$", re.MULTILINE
)
_BROKEN = re.compile(
    r"^!+ Interrupted: \d+ errors? during collection !+$|^ERROR (?!at )[^\s:]+(?: - .*)?$", re.MULTILINE
)

_OUTCOMES: dict[str, Outcome] = {
    "FAILED": "failed",
    "SUBFAILED": "failed",
    "SUBFAIL": "failed",
    "ERROR": "error",
    "PASSED": "passed",
    "XPASS": "passed",
    "SKIPPED": "skipped",
    "XFAIL": "skipped",
}
_MARKS: dict[str, Outcome] = {".": "passed", "X": "passed", "F": "failed", "E": "error", "s": "skipped", "x": "skipped"}


def read_pytest(output: str) -> Results | None:
    """The results of every pytest that ran; None if none said how it ended."""
    ended = segments(_END, output)
    if ended:
        return together([_run(part, match["counts"]) for part, match in ended])
    return _quietest(output)


def _run(part: str, counts: str) -> Results:
    words = {name.removesuffix("s"): int(number) for number, name in _COUNT.findall(counts)}
    passed, skipped = (
        words.get("passed", 0) + words.get("xpassed", 0),
        words.get("skipped", 0) + words.get("xfailed", 0),
    )
    summary, verbose = _summary(part), _verbose(part)
    if verbose and len(verbose) >= passed + skipped:
        return results("pytest", [*verbose, *summary], stop=_stop(part))
    bad = [name for name, outcome in summary if outcome in {"failed", "error"}]
    failed = words.get("failed", 0) + words.get("error", 0)
    # pytest also counts subtests and teardowns. If every failure is named, a test counts once.
    counted = Counted(passed=passed, failed=len(set(bad)) if len(bad) == failed else failed, skipped=skipped)
    return results("pytest", summary, counted, stop=_stop(part))


def _summary(part: str) -> list[tuple[str, Outcome]]:
    head = last(_HEAD, part)
    found: list[tuple[str, Outcome]] = []
    for match in _SUMMARY.finditer(part, head.end() if head else 0):
        name = _without_reason(match["rest"])
        if "::" in name or (head and match["word"] == "ERROR"):  # an error without a test is a file's
            found.append((name, _OUTCOMES[match["word"]]))
    return found


def _without_reason(rest: str) -> str:
    """The name in "name - reason". A parameter in brackets may hold the same dash."""
    bracket, dash = rest.find("["), rest.find(" - ")
    if bracket == -1 or 0 <= dash < bracket:
        return rest[:dash] if dash >= 0 else rest
    end = rest.find("] - ", bracket)
    return rest[: end + 1] if end >= 0 else rest


def _verbose(part: str) -> list[tuple[str, Outcome]]:
    lines = [*_VERBOSE.finditer(part), *_WORKER.finditer(part)]
    return [(match["name"], _OUTCOMES[match["word"]]) for match in lines]


def _stop(part: str) -> Stop:
    if _EARLY.search(part):
        return "early"
    return "broken" if _BROKEN.search(part) else ""


def _quietest(output: str) -> Results | None:
    """A run with `-qq`, which has no closing line: the letters of its progress, and the summary if anything failed."""
    marks = [_MARKS[mark] for match in _PROGRESS.finditer(output) for mark in match["marks"]]
    if not marks:
        return None
    counted = Counted(
        passed=marks.count("passed"),
        failed=marks.count("failed") + marks.count("error"),
        skipped=marks.count("skipped"),
    )
    return results("pytest", _summary(output) if _HEAD.search(output) else [], counted, stop=_stop(output))
