"""Why a response has its rank, in one sentence, and the evidence of its behaviour. Pure.

Invariants: a sentence names only what the order goes by (`ranking.py`); what no longer holds is said to be stale.
"""

from collections.abc import Sequence

import msgspec

from dce.workspace.judging.behaviour_report import BehaviourReport
from dce.workspace.judging.ranking import Candidate, faults, merit, tests
from dce.workspace.judging.report_keys import Stale

STALE: dict[Stale, str] = {
    "checks": "the checks changed after they ran",
    "workspace": "the files or the installed packages changed after the checks ran",
    "answer": "the answer changed after the checks ran",
    "unknown": "the checks ran elsewhere or with an earlier version, or the workspace itself passes other tests now",
}
"""Why a verdict may no longer hold."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What this answer shows on a probe on which answers differ. `base`: what the workspace without any answer shows; `most_show`: what
    most answers show; `alike`: how many of the `of` compared answers show the same as this one."""

    probe: str
    shows: str
    base: str
    most_show: str
    alike: int
    of: int


def evidence(candidate: Candidate) -> tuple[Evidence, ...]:
    """The probes that tell the answers apart, as this one shows them; empty if its behaviour is not compared."""
    found = []
    for row in candidate.behaviour.matrix if candidate.behaviour else ():
        own = row.cell(candidate.slot)
        if own is not None:
            found.append(
                Evidence(
                    probe=row.probe,
                    shows=own.shows,
                    base=row.base,
                    most_show=next((cell.shows for cell in row.cells if cell.group == "A"), ""),
                    alike=sum(cell.group == own.group for cell in row.cells),
                    of=len(row.cells),
                )
            )
    return tuple(found)


def why(candidate: Candidate, everybody: Sequence[Candidate]) -> str:
    """Why a response has its rank among all: "Breaks nothing, 2 tests gained, behaves like 3, 4 and 7 (4 of 7 that pass agree)." """
    wrong = faults(candidate)
    parts = list(wrong) or [*_merits(candidate), *_behaviour(candidate, everybody)]
    parts += [] if wrong and not candidate.is_readable else _tie(candidate, everybody)
    text = ", ".join(parts)
    if stale := _stale(candidate):
        text += f" (stale: {stale})"
    return f"{text[0].upper()}{text[1:]}."


def _merits(candidate: Candidate) -> list[str]:
    report = candidate.report
    if report is None:
        return ["not checked"]
    silent = report.telling_nothing
    parts = ["breaks nothing"] if len(silent) < len(report.runs) else []
    if silent:
        named = " and ".join(f"`{name}`" for name in silent)
        parts.append(
            f"{named} {'says' if len(silent) == 1 else 'say'} nothing about it, failing without any response too"
        )
    if report.gained:
        parts.append(f"{report.gained} test{'s' * (report.gained != 1)} gained")
    failing = report.failed - len(report.flaky) - len(silent)
    if failing:
        parts.append(f"{failing} fail{'s' * (failing == 1)} with or without it")
    return parts


def _behaviour(candidate: Candidate, everybody: Sequence[Candidate]) -> list[str]:
    """How the response behaves. Support and differences are named only if they decide: among responses whose tests came out the same."""
    report = candidate.behaviour
    if report is None:
        return []
    which = report.among
    if (found := report.class_of(candidate.slot)) is None:
        left = next((one.why for one in report.left_out if one.slot == candidate.slot), "")
        return [f"behaviour not compared: {left}"] if left else []
    total = sum(len(members.slots) for members in report.classes)
    others = [slot for slot in found.slots if slot != candidate.slot]
    if total == 1:
        return [f"the only one of those {which}"] if len(report.compared) == 1 else []
    share = f"{report.share_of(candidate.slot):.0%} agreement probe by probe" if _equals(candidate, everybody) else ""
    if others:
        by_share = f"; {share}" if share and (found.letter != "A" or not _is_largest_best(report)) else ""
        said = [f"behaves like {listed(others)} ({len(found.slots)} of {total} {which} agree{by_share})"]
    else:
        said = [f"behaves like no other of {total} {which}{f' ({share})' if share else ''}"]
    if share and found.letter != "A" and (probe := _difference(candidate)):
        said.append(f"differs from most on `{probe}`")
    return said


def _equals(candidate: Candidate, everybody: Sequence[Candidate]) -> bool:
    """Whether the tests of another compared response came out the same."""
    return any(
        other.slot != candidate.slot and other.letter and tests(other) == tests(candidate) for other in everybody
    )


def _is_largest_best(report: BehaviourReport) -> bool:
    """Whether the largest class has the most support: then its size says why it comes first."""
    best = max((found.share for found in report.support), default=0.0)
    return bool(report.classes) and report.share_of(report.classes[0].slots[0]) == best


def _difference(candidate: Candidate) -> str:
    """The first probe of the evidence on which the answer differs from most."""
    return next((one.probe for one in evidence(candidate) if one.shows != one.most_show), "")


def listed(slots: Sequence[int]) -> str:
    """Slots in words: "3, 4 and 7"."""
    words = [str(slot) for slot in slots]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _tie(candidate: Candidate, everybody: Sequence[Candidate]) -> list[str]:
    """The responses that only the slot tells apart from this one."""
    own = merit(candidate)
    others = sorted(other.slot for other in everybody if other is not candidate and merit(other) == own)
    if not others:
        return []
    return [f"otherwise equal to {listed(others)}: the lower number goes first"]


def _stale(candidate: Candidate) -> str:
    if candidate.report is not None and candidate.stale:
        return STALE[candidate.stale]
    if candidate.behaviour is not None and candidate.why_behaviour_stale:
        return f"{candidate.why_behaviour_stale} after behaviour was compared"
    return ""
