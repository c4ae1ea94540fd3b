"""Go's `go test`: plain, with `-v`, and as `-json` events.

Tests are named by package and name. Plain output names only failures, and a package without one counts as a single test.
"""

import re

import msgspec

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, results

_PACKAGE = re.compile(r"^(?P<word>ok  |FAIL|\?   )\t(?P<package>\S+)(?P<rest>[\t ].*)$")
_TEST = re.compile(r"^ *--- (?P<word>PASS|FAIL|SKIP): (?P<name>\S+) \([\d.]+s\)$")
_WORDS: dict[str, Outcome] = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}
_ACTIONS: dict[str, Outcome] = {"pass": "passed", "fail": "failed", "skip": "skipped"}


class _Event(msgspec.Struct):
    Action: str
    Package: str = ""
    Test: str = ""
    FailedBuild: str = ""


def read_go(output: str) -> Results | None:
    """The results of all packages; None if none is named."""
    if '"Action":' in output and (found := _read_events(output)):
        return found
    tests: list[tuple[str, Outcome]] = []
    unnamed, is_broken, is_any = 0, False, False
    pending: list[tuple[str, Outcome]] = []
    for line in output.split("\n"):
        if test := _TEST.match(line):
            pending.append((test["name"], _WORDS[test["word"]]))
        elif package := _PACKAGE.match(line):
            name, is_bad, is_any = package["package"], package["word"] == "FAIL", True
            ran = [(f"{name}.{test}", outcome) for test, outcome in _leaves(pending)]
            if is_bad and not any(
                outcome == "failed" for _, outcome in ran
            ):  # it did not build, or its TestMain failed
                ran.append((name, "error"))
                is_broken = True
            unnamed += package["word"] == "ok  " and not ran and "[no tests to run]" not in line
            tests += ran
            pending = []
    if not is_any:
        return None
    passed = sum(outcome == "passed" for _, outcome in tests) + unnamed
    return results("go", tests, Counted(passed=passed), stop="broken" if is_broken else "")


def _read_events(output: str) -> Results | None:
    decoder = msgspec.json.Decoder(_Event)
    tests: list[tuple[str, Outcome]] = []
    by_package: dict[str, list[tuple[str, Outcome]]] = {}
    is_broken = False
    for line in output.split("\n"):
        if not line.startswith("{"):
            continue
        try:
            event = decoder.decode(line)
        except msgspec.DecodeError:
            continue
        if event.Action not in _ACTIONS or not event.Package:
            continue
        if event.Test:
            by_package.setdefault(event.Package, []).append((event.Test, _ACTIONS[event.Action]))
            continue
        ran = [(f"{event.Package}.{test}", outcome) for test, outcome in _leaves(by_package.get(event.Package, []))]
        is_unexplained = event.Action == "fail" and not any(outcome == "failed" for _, outcome in ran)
        if event.FailedBuild or is_unexplained:
            ran.append((event.Package, "error"))
            is_broken = True
        tests += ran
    return results("go", tests, stop="broken" if is_broken else "") if tests else None


def _leaves(tests: list[tuple[str, Outcome]]) -> list[tuple[str, Outcome]]:
    """The tests without those that only sum up subtests; one that failed although all of its subtests passed is kept."""
    groups: dict[str, bool] = {}
    for name, outcome in tests:
        at = name.find("/")
        while at >= 0:
            groups[name[:at]] = groups.get(name[:at], False) or outcome == "failed"
            at = name.find("/", at + 1)
    return [
        (name, outcome) for name, outcome in tests if name not in groups or (outcome == "failed" and not groups[name])
    ]
