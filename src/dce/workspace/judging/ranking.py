"""The order of a generation's responses. Pure: it is given what is known of each.

First the gate: what passes all of `GATES` comes before what does not, of that what weakens tests last, and what has no files after all. Then
fewest new failures, most tests gained, fewest failing tests, most support in behaviour, the lower slot. Nothing else counts: that answers have the same text, and how
large a change is, were measured and say nothing (`bench/results/judging.md`).
"""

from collections.abc import Callable

import msgspec

from dce.workspace.judging.always.problem import Problem
from dce.workspace.judging.behaviour_report import BehaviourReport
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.compare import FileChange
from dce.workspace.judging.exam.test_change import TestChange, worst
from dce.workspace.judging.prompt_read import PromptRead
from dce.workspace.judging.report_keys import Stale
from dce.workspace.record.follow_ups import MadeFrom
from dce.workspace.record.responses import Response, Status
from dce.workspace.schema.reading import Reading
from dce.workspace.schema.second_look import DOUBTS

_UNCLEAN = frozenset({*DOUBTS, "secret_moved"})
"""Flags of a file that keep its response from passing: checks prove little if a path may be wrong or a file contains stray marks."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of one response. `is_checked`: whether any response of the generation was checked. `behaviour`: the
    comparison of the generation, if this answer is still what was compared; `why_behaviour_stale` says if something else has changed."""

    response: Response
    reading: Reading
    changes: tuple[FileChange, ...]
    report: CheckReport | None
    has_no_verdict: bool
    stale: Stale
    cluster: str
    prompt_read: PromptRead | None
    is_checked: bool
    test_changes: tuple[TestChange, ...] = ()
    problems: tuple[Problem, ...] = ()
    behaviour: BehaviourReport | None = None
    why_behaviour_stale: str = ""
    is_accepted: bool = False
    made_from: MadeFrom | None = None

    @property
    def slot(self) -> int:
        """The response's slot."""
        return self.response.slot

    @property
    def is_readable(self) -> bool:
        """Whether the answer has files."""
        return self.reading.parse != "failed" and bool(self.reading.files)

    @property
    def weakens_tests(self) -> bool:
        """Whether its tests check less than the workspace's."""
        return worst(self.test_changes) == "weakened" or (self.report is not None and self.report.weakens_tests)

    @property
    def letter(self) -> str:
        """The letter of its class; "" unless its behaviour was compared."""
        found = self.behaviour.class_of(self.slot) if self.behaviour else None
        return found.letter if found else ""

    @property
    def support(self) -> float:
        """The share of the compared answers that agree with it, probe by probe."""
        return self.behaviour.share_of(self.slot) if self.behaviour else 0.0


def _not_complete(candidate: Candidate) -> str:
    return "" if candidate.response.status is Status.COMPLETE else f"is {candidate.response.status}, not complete"


def _not_read_whole(candidate: Candidate) -> str:
    """A repair alone is no fault: whole models write in a form that needs one, and the checks judge what was read."""
    words = {"truncated": "is cut off", "ambiguous": "can be read in two ways"}
    found = [f"{block.path} {words[block.status]}" for block in candidate.reading.files if block.status in words]
    return f"is not read with certainty ({found[0]}{', …' if len(found) > 1 else ''})" if found else ""


def _doubtful(candidate: Candidate) -> str:
    found = sorted({flag for change in candidate.changes for flag in change.flags if flag in _UNCLEAN})
    return f"has doubtful files ({', '.join(found)})" if found else ""


def _writes_outside(candidate: Candidate) -> str:
    found = [change.path for change in candidate.changes if "outside_workspace" in change.flags]
    return f"would write outside the workspace ({found[0]}{', …' if len(found) > 1 else ''})" if found else ""


def _prompt_cut(candidate: Candidate) -> str:
    return "answers a prompt that the server read only in part" if candidate.prompt_read is not None else ""


def _does_not_compile(candidate: Candidate) -> str:
    found = sorted({problem.path for problem in candidate.problems if problem.flag == "does_not_compile"})
    return f"does not compile ({found[0]}{', …' if len(found) > 1 else ''})" if found else ""


def _weakens_tests(candidate: Candidate) -> str:
    return "weakens the tests" if candidate.weakens_tests else ""


def _not_checked(candidate: Candidate) -> str:
    if candidate.report is not None or not candidate.is_checked:
        return ""
    return "got no verdict from the checks" if candidate.has_no_verdict else "is not checked, although others are"


def _breaks_something(candidate: Candidate) -> str:
    report = candidate.report
    if report is None or report.breaks_nothing:
        return ""
    if not report.new_failures:
        return "fails the checks"
    names = [name for run in report.runs for name in (*run.newly_failing, *run.missing)]
    which = f" ({names[0]}{', …' if len(names) > 1 else ''})" if names else ""
    text = (
        f"breaks {_counted(report.new_failures, 'test')} that pass{'es' * (report.new_failures == 1)} without it{which}"
    )
    changed = len(report.own.contradicted) if report.own is not None else 0
    if not changed:
        return text
    passing = "it passes" if report.new_failures == 1 else f"{changed} of them pass{'es' * (changed == 1)}"
    return f"{text}; {passing} in the response's own version: either the response is wrong, or the cycle asks for that"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


GATES: tuple[Callable[[Candidate], str], ...] = (
    _not_complete,
    _not_read_whole,
    _doubtful,
    _writes_outside,
    _prompt_cut,
    _does_not_compile,
    _weakens_tests,
    _not_checked,
    _breaks_something,
)
"""What a response with files must pass to come first: each gives what is wrong in words that follow the response's name ("is stopped, not
complete"), or ""."""


def faults(candidate: Candidate) -> tuple[str, ...]:
    """What keeps a response from the top, in words; empty if nothing does."""
    if not candidate.is_readable:
        return ("has no files that could be read",)
    return tuple(fault for gate in GATES if (fault := gate(candidate)))


def passes(candidate: Candidate) -> bool:
    """Whether the response passes the gate. Only those are compared by behaviour."""
    return not faults(candidate)


def tests(candidate: Candidate) -> tuple[int, int, int]:
    """What the order goes by in the response's tests: new failures, tests gained, failing tests; lower is better."""
    report = candidate.report
    if report is None:
        return 0, 0, 0
    # A test that fails now and then says nothing about the answer.
    return report.new_failures, -report.gained, report.failed - len(report.flaky)


def merit(candidate: Candidate) -> tuple[float, ...]:
    """All that the order goes by but for the slot; lower is better."""
    tier = 0 if passes(candidate) else 1 if candidate.is_readable else 2
    return (
        tier,
        # Whoever makes the exam easier may have needed it.
        int(candidate.weakens_tests),
        # Checked responses come before unchecked ones, about which nothing is known.
        int(candidate.report is None),
        *tests(candidate),
        -round(candidate.support, 6),
    )


def ranked(candidates: list[Candidate]) -> list[Candidate]:
    """Best first."""
    return sorted(candidates, key=lambda candidate: (*merit(candidate), candidate.slot))
