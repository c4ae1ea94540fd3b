"""Rust's `cargo test` (libtest) and `cargo nextest`.

Without `--no-fail-fast`, cargo ends after the first test binary with a failure. It says so only by what it does not print: the
line "error: N target(s) failed" that ends a full run.
"""

import re

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, Stop, numbered, segments

_BINARY = re.compile(r"^ +Running (?:unittests )?(?P<path>\S+) \(.*\)$|^ +Doc-tests (?P<crate>\S+)$", re.MULTILINE)
_END = re.compile(
    r"^test result: (?:ok|FAILED)\. (?P<passed>\d+) passed; (?P<failed>\d+) failed; (?P<ignored>\d+) ignored;.*$",
    re.MULTILINE,
)
_TEST = re.compile(
    r"^test (?P<name>.+?)(?: - should panic(?: with expected .*)?)? \.\.\. (?P<word>ok|FAILED|ignored)\b.*$",
    re.MULTILINE,
)
_LINE = re.compile(r" \(line \d+\)")
"""Where a test in documentation stands: another line is not another test."""
_QUIET = re.compile(r"^(?P<name>\S+) --- FAILED$", re.MULTILINE)
_STOPPED = re.compile(r"^error: test failed, to rerun pass", re.MULTILINE)
_ALL_RAN = re.compile(r"^error: \d+ targets? failed:$", re.MULTILINE)
_OUTCOMES: dict[str, Outcome] = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}

_NEXTEST = re.compile(
    r"^ +(?P<word>PASS|FAIL|SIGABRT|SIGSEGV|TIMEOUT|LEAK|FLAKY \d+/\d+|TRY \d+ \w+) \[.*?\] (?:\( *\d+/\d+\) )?(?P<name>\S.*)$",
    re.MULTILINE,
)
_NEXTEST_END = re.compile(
    r"^ +Summary \[.*?\] +(?P<ran>\d+)(?:/(?P<all>\d+))? tests? run: (?P<passed>\d+) passed(?: \(.*?\))?(?:, (?P<failed>\d+) failed)?"
    r".*?(?:, (?P<skipped>\d+) skipped)?$",
    re.MULTILINE,
)


def read_cargo(output: str) -> Results | None:
    """The results of all test binaries; None if none printed its end."""
    ended = segments(_END, output)
    if not ended:
        return _read_nextest(output)
    tests: list[tuple[str, Outcome]] = []
    for part, _ in ended:
        binary = _name_of_binary(part)
        named = [(_LINE.sub("", match["name"]), _OUTCOMES[match["word"]]) for match in _TEST.finditer(part)]
        if not named:
            named = [(match["name"], "failed") for match in _QUIET.finditer(part)]
        tests += [(f"{binary}{name}", outcome) for name, outcome in named]
    counted = Counted(
        passed=sum(int(end["passed"]) for _, end in ended),
        failed=sum(int(end["failed"]) for _, end in ended),
        skipped=sum(int(end["ignored"]) for _, end in ended),
    )
    stop: Stop = "early" if _STOPPED.search(output) and not _ALL_RAN.search(output) else ""
    return numbered("cargo", tests, counted, stop=stop)


def _name_of_binary(part: str) -> str:
    """What stands before the tests of one binary: the same names occur in several."""
    binary = None
    for binary in _BINARY.finditer(part):  # noqa: B007 - the last one is wanted
        pass
    if binary is None or binary["crate"]:
        return ""  # the tests in documentation have their file in their names
    return f"{binary['path']}::"


def _read_nextest(output: str) -> Results | None:
    end = _NEXTEST_END.search(output)
    if end is None:
        return None
    tests: dict[str, Outcome] = {}
    for match in _NEXTEST.finditer(output):
        if not match["word"].startswith("TRY"):
            tests[match["name"]] = "passed" if match["word"][:4] in {"PASS", "LEAK", "FLAK"} else "failed"
    counted = Counted(passed=int(end["passed"]), failed=int(end["failed"] or 0), skipped=int(end["skipped"] or 0))
    return numbered("nextest", tests.items(), counted, stop="early" if end["all"] else "")
