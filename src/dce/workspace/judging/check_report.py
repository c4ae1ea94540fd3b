"""What the checks found on one response, and what of that is new compared with the unchanged workspace. Pure."""

from collections.abc import Sequence

import msgspec

from dce.workspace.judging.lanes.lane import Kind, Limit

MAX_FAILURES = 2_000
"""Maximum names of failing tests kept for one check."""


class CheckRun(msgspec.Struct, frozen=True, kw_only=True):
    """One check on one response. Counts are in tests, or 1 for a command that reports none. `exit_code` None: it was killed at
    a limit or could not start. `output`: the end of its output (≤ 8 KB). `failures`: names of failing tests. `limits`: the limits that
    it hit: time, memory, processes, disk, output."""

    name: str
    ok: bool
    exit_code: int | None
    passed: int
    failed: int
    duration_s: float
    output: str
    failures: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """All checks on one response. `new_failures`: tests that fail here but not in the unchanged workspace, plus tests that ran
    there but not here. `lane`: the kind of lane they ran in; `lane_why`: why it was only a copy. `problem`: why there is no verdict."""

    passed: int
    failed: int
    new_failures: int
    runs: tuple[CheckRun, ...]
    lane: Kind | None = None
    lane_why: str = ""
    problem: str = ""

    @property
    def is_passed(self) -> bool:
        """Whether every check passed and no test that ran before is missing."""
        return bool(self.runs) and all(run.ok for run in self.runs) and not self.new_failures


def count_new_failures(runs: Sequence[CheckRun], baseline: CheckReport | None) -> int:
    """How many tests fail or are missing that did not before."""
    before = {run.name: run for run in baseline.runs} if baseline else {}
    return sum(_new_in(run, before.get(run.name)) for run in runs)


def _new_in(run: CheckRun, before: CheckRun | None) -> int:
    """New failures plus tests that no longer run: a broken import fails once and keeps all the other tests from running."""
    if before is None:
        return run.failed
    if _is_named(run) and (_is_named(before) or not before.failed):
        new = len(set(run.failures) - set(before.failures))
    else:
        new = max(0, run.failed - before.failed)
    return new + max(0, before.passed + before.failed - run.passed - run.failed)


def _is_named(run: CheckRun) -> bool:
    """Whether the names of all failing tests are known."""
    return 0 < len(run.failures) < MAX_FAILURES
