"""mocha in its `spec` form, and the failures that all its text forms list at the end."""

import re

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, numbered, segments, together

_END = re.compile(
    r"^  (?P<passed>\d+) passing \([\w.]+\)\n(?:  (?P<pending>\d+) pending\n)?(?:  (?P<failed>\d+) failing\n)?",
    re.MULTILINE,
)
_TEST = re.compile(r"^(?P<indent> {2,})(?:(?P<mark>[✔✓√-])|(?P<number>\d+)\)) (?P<name>.*?)(?: \(\d+ms\))?$")
_GROUP = re.compile(r"^(?P<indent> {2,})(?P<name>\S.*)$")
_LISTED = re.compile(r"^  \d+\) (?P<name>(?:[^\n]*[^:\n]\n {7,}(?=\S))*[^\n]*:)$", re.MULTILINE)
_HOOK = re.compile(r'^"(?:before|after)')


def read_mocha(output: str) -> Results | None:
    """The results of every mocha that ran; None if none printed its counts."""
    ended = segments(_END, output)
    parts = re.split(_END, output)
    return together([_run(part, match, after) for (part, match), after in zip(ended, parts[4::4], strict=True)])


def _run(part: str, end: re.Match[str], after: str) -> Results:
    counted = Counted(passed=int(end["passed"]), failed=int(end["failed"] or 0), skipped=int(end["pending"] or 0))
    tests = _tests(part[: -len(end.group())])
    return numbered("mocha", tests or _listed(after), counted)


def _tests(part: str) -> list[tuple[str, Outcome]]:
    found: list[tuple[str, Outcome]] = []
    groups: list[str] = []
    for line in part.split("\n"):
        if test := _TEST.match(line):
            depth = len(test["indent"]) // 2 - 1
            found.append((" > ".join((*groups[:depth], test["name"])), _outcome(test)))
        elif group := _GROUP.match(line):
            groups = [*groups[: len(group["indent"]) // 2 - 1], group["name"]]
    return found


def _listed(after: str) -> list[tuple[str, Outcome]]:
    """The failures as listed below the counts: the groups and the test, each on a line of its own, the last with a colon."""
    return [
        (" > ".join(line.strip() for line in match["name"].removesuffix(":").split("\n")), "failed")
        for match in _LISTED.finditer(after)
    ]


def _outcome(test: re.Match[str]) -> Outcome:
    if test["number"]:
        return "error" if _HOOK.match(test["name"]) else "failed"
    return "skipped" if test["mark"] == "-" else "passed"
