"""TAP, the Test Anything Protocol: node, Perl, bats, node-tap, Automake and others; and prove, which reads TAP and sums it up."""

import re

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, numbered

_POINT = re.compile(r"^(?P<indent> *)(?P<not>not )?ok\b(?: (?P<number>\d+))?(?P<name>.*)$", re.MULTILINE)
_PLAN = re.compile(r"^ *1\.\.\d+\b", re.MULTILINE)
_SUBTEST = re.compile(r"^(?P<indent> *)# Subtest: (?P<name>.*)$")
_DIRECTIVE = re.compile(r"(?:^|\s)#\s*(?P<word>skip|todo)\b(?P<why>.*)$", re.IGNORECASE)
_FILE = re.compile(r"^(?P<file>\S+) \.\.+ ?(?P<word>ok|skipped.*)?$")
_PROVED = re.compile(r"^Files=\d+, Tests=(?P<tests>\d+),", re.MULTILINE)
_FAILED_FILE = re.compile(r"^(?P<file>\S+) +\(Wstat: .*?Tests: (?P<tests>\d+) Failed: (?P<failed>\d+)\)$", re.MULTILINE)
_BAIL = re.compile(r"^Bail out!", re.MULTILINE)


def read_tap(output: str) -> Results | None:
    """The results of TAP, or of prove's summary; None if the output holds no plan and no summary."""
    proved = _PROVED.search(output)
    if not proved and not _PLAN.search(output):
        return None
    tests = _points(output)
    stop = "early" if _BAIL.search(output) else ""
    if not proved:
        return numbered("tap", tests, stop="early" if stop else "") if tests else None
    bad_files = [(match["file"], int(match["tests"]), int(match["failed"])) for match in _FAILED_FILE.finditer(output)]
    named = {name.partition(" > ")[0] for name, outcome in tests if outcome == "failed"}
    tests += [(file, "error") for file, _, _ in bad_files if file not in named]
    counted = Counted(
        passed=max(0, int(proved["tests"]) - sum(failed for _, _, failed in bad_files)),
        failed=sum(max(1, failed) for _, _, failed in bad_files),
    )
    return numbered("prove", tests, None if _PLAN.search(output) else counted, stop="early" if stop else "")


def _points(output: str) -> list[tuple[str, Outcome]]:
    """The test points. A point that has points of its own below it is left out: it only sums them up."""
    found: list[tuple[str, Outcome]] = []
    headings: list[tuple[int, str]] = []
    inner: dict[int, int] = {}
    file = ""
    for line in output.split("\n"):
        if heading := _SUBTEST.match(line):
            indent = len(heading["indent"])
            headings = [(depth, name) for depth, name in headings if depth < indent] + [(indent, heading["name"])]
        elif of := _FILE.match(line):
            file = of["file"]
        elif (point := _POINT.match(line)) and not (file and line == "ok"):  # prove ends a file with a bare "ok"
            indent = len(point["indent"])
            has_inner = any(depth > indent and count for depth, count in inner.items())
            inner = {depth: count for depth, count in inner.items() if depth <= indent}
            inner[indent] = inner.get(indent, 0) + 1
            if has_inner:
                continue
            around = [name for depth, name in headings if depth < indent]
            name, outcome = _read_point(point)
            found.append((" > ".join(part for part in (file, *around, name) if part), outcome))
    return found


def _read_point(point: re.Match[str]) -> tuple[str, Outcome]:
    text = point["name"]
    directive = _DIRECTIVE.search(text)
    name = (text[: directive.start()] if directive else text).strip().removeprefix("- ").strip()
    name = name or f"test {point['number'] or ''}".strip()
    if directive:
        return name, "skipped"  # what is still to do may fail
    return name, "failed" if point["not"] else "passed"
