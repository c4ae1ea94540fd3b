"""RSpec: the report of its JSON formatter, and the text it prints."""

import re

import msgspec

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, results, segments, together

_END = re.compile(
    r"^(?P<ran>\d+) examples?, (?P<failed>\d+) failures?(?:, (?P<pending>\d+) pending)?"
    r"(?:, (?P<errors>\d+) errors? occurred outside of examples)?$",
    re.MULTILINE,
)
_BAD = re.compile(r"^rspec (?P<where>\S+) # (?P<name>.*)$", re.MULTILINE)
_STATUSES: dict[str, Outcome] = {"passed": "passed", "failed": "failed", "pending": "skipped"}


class _Example(msgspec.Struct):
    full_description: str
    status: str
    file_path: str = ""


class _Summary(msgspec.Struct):
    errors_outside_of_examples_count: int = 0


class _Report(msgspec.Struct):
    examples: list[_Example]
    summary: _Summary


def read_rspec_report(data: bytes, folder: str = "") -> Results | None:  # noqa: ARG001 - a row of WRITTEN
    """The results in what `--format json` wrote; None if it is something else."""
    try:
        report = msgspec.json.decode(data, type=_Report)
    except msgspec.DecodeError:
        return None
    tests: list[tuple[str, Outcome]] = [
        (example.full_description, _STATUSES.get(example.status, "failed")) for example in report.examples
    ]
    outside = report.summary.errors_outside_of_examples_count
    tests += [(f"error outside of examples {at}", "error") for at in range(1, outside + 1)]
    return results("rspec", tests, stop="broken" if outside else "")


def read_rspec(output: str) -> Results | None:
    """The results of every rspec that ran; None if none printed its counts."""
    return together([_run(output, part, match) for part, match in segments(_END, output)])


def _run(output: str, part: str, end: re.Match[str]) -> Results:
    after = output[output.index(part) + len(part) :]
    failed, pending, errors = int(end["failed"]), int(end["pending"] or 0), int(end["errors"] or 0)
    # The names of failures come after the counts.
    tests: list[tuple[str, Outcome]] = [(match["name"], "failed") for match in _BAD.finditer(after)][:failed]
    counted = Counted(passed=max(0, int(end["ran"]) - failed - pending), failed=failed + errors, skipped=pending)
    return results("rspec", tests, counted, stop="broken" if errors else "")
