"""A run of a check compared with the same check on the unchanged workspace, test by test. Pure.

Invariants: a test that fails without any response is no response's fault, nor is one that fails now and then; what the runner did not
get to, because it ends at the first failure, is neither failed nor missing; a test of which the unchanged workspace says nothing,
because its runner stopped before it, is not a new failure.
"""

import msgspec

from dce.workspace.judging.check_report import MAX_FAILURES, CheckRun


class _Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs in one respect: how many tests, and which of them are known by name."""

    count: int
    names: frozenset[str] = frozenset()


def compared(run: CheckRun, before: CheckRun | None) -> CheckRun:
    """The run with what is new about it, and without the list of all its tests. `before` None: every failure counts as new."""
    if before is not None and before.name in before.flaky and not run.runner:
        return msgspec.structs.replace(run, flaky=(run.name,) * (not run.ok), fails_anyway=not run.ok, tests=())
    if before is None:
        failing = _Difference(count=run.failed, names=frozenset(run.failures))
        return _with(run, failing=failing, missing=_Difference(count=0), gained=_Difference(count=0))
    failing, missing = _newly_failing(run, before), _missing(run, before)
    unloaded = _unloaded(run, before) & failing.names
    # A file that cannot be loaded fails once and keeps its tests from running: the larger number says it, not both.
    new = failing.count - len(unloaded) + max(len(unloaded), missing.count)
    found = _with(run, failing=failing, missing=missing, gained=_gained(run, before))
    return msgspec.structs.replace(
        found,
        new_failures=new,
        not_run=max(0, before.total - run.total) if run.stop == "early" else 0,
        flaky=_in_order(frozenset(before.flaky) & frozenset(run.failures)),
        fails_anyway=not run.ok and not new and not before.ok,
    )


def _with(run: CheckRun, *, failing: _Difference, missing: _Difference, gained: _Difference) -> CheckRun:
    return msgspec.structs.replace(
        run,
        new_failures=failing.count + missing.count,
        gained=gained.count,
        newly_failing=_in_order(failing.names),
        missing=_in_order(missing.names),
        newly_passing=_in_order(gained.names),
        tests=(),
    )


def _in_order(names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(names)[:MAX_FAILURES])


def _is_incomplete(before: CheckRun) -> bool:
    """Whether the unchanged workspace leaves tests unknown: its runner stopped, or nothing could be built or loaded at all."""
    return bool(before.stop) or (not before.ok and not before.runner)


def _newly_failing(run: CheckRun, before: CheckRun) -> _Difference:
    if not run.are_failures_named or not before.are_failures_named:
        if _is_incomplete(before):
            # Only what the unchanged workspace is known to pass can have been broken.
            return _Difference(count=max(0, before.passed - run.passed) if not run.stop else 0)
        return _Difference(count=max(0, run.failed - before.failed))
    names = frozenset(run.failures) - frozenset(before.failures) - frozenset(before.flaky)
    if _is_incomplete(before):
        names &= _named(before, "passed")
    return _Difference(count=len(names), names=names)


def _missing(run: CheckRun, before: CheckRun) -> _Difference:
    """Tests that ran before and do not run now, or are skipped now."""
    if run.stop == "early":
        return _Difference(count=0)
    if run.is_fully_named and before.is_fully_named:
        names = (
            (_named(before, "passed") | frozenset(before.failures)) - _named(run, "passed") - frozenset(run.failures)
        )
        names -= frozenset(name for name in names if _is_file(before, name))
        return _Difference(count=len(names), names=names)
    if _is_incomplete(before) and not before.passed:
        return _Difference(count=0)
    return _Difference(count=max(0, before.passed + before.failed - run.passed - run.failed))


def _gained(run: CheckRun, before: CheckRun) -> _Difference:
    """Tests that pass and did not before; if the unchanged workspace leaves tests unknown, also those that it did not get to."""
    failed_before = frozenset(before.failures) - frozenset(before.flaky)
    if run.is_fully_named and before.is_fully_named:
        passing = _named(run, "passed")
        names = passing & failed_before
        reached = passing - _named(before, "passed") - names if _is_incomplete(before) else frozenset()
        return _Difference(count=len(names) + len(reached), names=names)
    if _is_incomplete(before):
        return _Difference(count=max(0, run.passed - before.passed))
    if run.are_failures_named and before.are_failures_named and not run.stop and run.total >= before.total:
        names = failed_before - frozenset(run.failures)
        return _Difference(count=len(names), names=names)
    return _Difference(count=max(0, min(before.failed - run.failed, run.passed - before.passed)))


def _named(run: CheckRun, outcome: str) -> frozenset[str]:
    return frozenset(test.name for test in run.tests if test.outcome == outcome)


def _unloaded(run: CheckRun, before: CheckRun) -> frozenset[str]:
    """Files and packages that could not be loaded: errors under names that are no test's."""
    if run.stop != "broken":
        return frozenset()
    known = frozenset(test.name for test in before.tests)
    return frozenset(test.name for test in run.tests if test.outcome == "error" and test.name not in known)


def _is_file(before: CheckRun, name: str) -> bool:
    """Whether a failure of the unchanged workspace stands for a whole file: it is gone as soon as the file can be loaded."""
    return before.stop == "broken" and any(test.name == name and test.outcome == "error" for test in before.tests)
