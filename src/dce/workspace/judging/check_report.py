"""What the checks found on one response. Pure; the form in which the store keeps it.

Every field added after the first release has a default, so that reports stored earlier can still be read.
"""

from typing import Literal

import msgspec

from dce.workspace.judging.checks_file import Stage
from dce.workspace.judging.exam.test_change import TestChange, worst
from dce.workspace.judging.lanes.lane import Kind, Limit
from dce.workspace.judging.results.outcome import Stop, TestResult

State = Literal["ran", "cannot_start", "killed", "not_run"]
"""`killed`: it hit a limit. `not_run`: an earlier stage had new failures."""

MAX_FAILURES = 2_000
"""Maximum names of tests kept for one check, in each list."""


class CheckRun(msgspec.Struct, frozen=True, kw_only=True):
    """One check on one response. Counts are in tests, or 1 for a command that reports none. `exit_code` None: it was killed at
    a limit or could not start. `output`: the end of its output (≤ 8 KB). `failures`: names of failing tests. `limits`: the limits that
    it hit: time, memory, processes, disk, output.

    The lists and counts from `new_failures` on compare it with the unchanged workspace: `missing` tests ran there and do not run
    here; `gained` counts tests that pass and did not before; `not_run` counts those that the runner did not get to, because it ends at
    the first failure. `fails_anyway`: it fails, but only as the unchanged workspace does. `tests`: every test by name, kept only for the
    unchanged workspace; `named`: how many are known by name.
    """

    name: str
    ok: bool
    exit_code: int | None
    passed: int
    failed: int
    duration_s: float
    output: str
    failures: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    stage: Stage = "test"
    state: State = "ran"
    skipped: int = 0
    runner: str = ""
    stop: Stop = ""
    note: str = ""
    new_failures: int = 0
    gained: int = 0
    not_run: int = 0
    newly_failing: tuple[str, ...] = ()
    newly_passing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    fails_anyway: bool = False
    tests: tuple[TestResult, ...] = ()
    named: int = 0

    @property
    def total(self) -> int:
        """How many tests there are, skipped ones included."""
        return self.passed + self.failed + self.skipped

    @property
    def is_fully_named(self) -> bool:
        """Whether every test is known by name."""
        return bool(self.runner) and len(self.tests) == self.total

    @property
    def are_failures_named(self) -> bool:
        """Whether every failing test is known by name."""
        return len(self.failures) == self.failed < MAX_FAILURES

    @property
    def tells_nothing(self) -> bool:
        """Whether it only fails as the unchanged workspace does, and no test ran: what else the response breaks cannot be seen."""
        return self.fails_anyway and (not self.runner or (self.stop == "broken" and not self.passed))


class OwnTests(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer's own version of the tests says, where it changes them or their configuration; no rank comes from it.

    `not_run`: how many tests of the workspace it leaves out. `contradicted`: tests that fail as the workspace has them and pass as the
    answer does: the answer is wrong, or the cycle asks for other behaviour. `gained`: tests that fail
    without the answer and pass in its own version only: it bent them, or mended how they run. `failures`: tests that fail in the answer's
    version only.
    """

    passed: int
    failed: int
    new_failures: int
    not_run: int = 0
    contradicted: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    problem: str = ""


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """All checks on one response. `new_failures`: tests that fail here but not in the unchanged workspace, plus tests that ran
    there but not here. `gained`: tests that pass here and did not there. `cannot_start`: checks that cannot run in this workspace at
    all, with the reason; they are not in `runs` and count against no response. `lane`: the kind of lane they ran in; `lane_why`: why it was only a copy.
    `on`: the cluster on which they ran, `node`: the machine there; "" for this one. `problem`: why there is no verdict. All counts are of the workspace's own tests, whatever the answer makes of them: `test_changes` says what
    that is, `own` what comes of it.
    """

    passed: int
    failed: int
    new_failures: int
    runs: tuple[CheckRun, ...]
    gained: int = 0
    cannot_start: tuple[str, ...] = ()
    lane: Kind | None = None
    lane_why: str = ""
    problem: str = ""
    test_changes: tuple[TestChange, ...] = ()
    own: OwnTests | None = None
    on: str = ""
    node: str = ""

    @property
    def weakens_tests(self) -> bool:
        """Whether the answer's own tests check less than the workspace's."""
        return worst(self.test_changes) == "weakened" or (self.own is not None and self.own.not_run > 0)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that checks hit, each once."""
        return tuple(dict.fromkeys(limit for run in self.runs for limit in run.limits))

    @property
    def is_passed(self) -> bool:
        """Whether every check passed and no test that ran before is missing."""
        return bool(self.runs) and all(run.ok for run in self.runs) and not self.new_failures

    @property
    def breaks_nothing(self) -> bool:
        """Whether no check fails that would not fail without any response too, and no test that ran before is missing."""
        return bool(self.runs) and all(run.ok or run.fails_anyway for run in self.runs) and not self.new_failures

    @property
    def telling_nothing(self) -> tuple[str, ...]:
        """The checks that say nothing about this response."""
        return tuple(run.name for run in self.runs if run.tells_nothing)

    @property
    def flaky(self) -> tuple[str, ...]:
        """Tests that failed here and are known to fail now and then."""
        return tuple(name for run in self.runs for name in run.flaky)


def report_of(runs: tuple[CheckRun, ...], cannot_start: tuple[str, ...] = ()) -> CheckReport:
    """The report that these runs add up to."""
    return CheckReport(
        passed=sum(run.passed for run in runs),
        failed=sum(run.failed for run in runs),
        new_failures=sum(run.new_failures for run in runs),
        gained=sum(run.gained for run in runs),
        runs=runs,
        cannot_start=cannot_start,
    )
