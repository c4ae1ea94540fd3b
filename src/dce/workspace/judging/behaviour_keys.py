"""What a comparison of answers by behaviour is about, and whether it still is.

Invariants: a comparison is current only if the files, the checks, the probes and every compared answer are the same, and the same answers pass;
an answer that has changed has no class, whatever the others have.
"""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from dce.workspace.judging.behaviour.language import Language
from dce.workspace.judging.behaviour.languages import LANGUAGES
from dce.workspace.judging.behaviour_report import BehaviourReport
from dce.workspace.judging.opened import Workspace
from dce.workspace.judging.ranking import Candidate, passes, tests
from dce.workspace.judging.report_keys import Current, answer_key
from dce.workspace.record.behaviours import ComparisonKey

SEED = 0
"""The seed of all probes: the same answers are asked the same."""

Answers = dict[int, tuple[str, str]]
"""Slot → digest of what the answer does to the files, and how its tests came out: support is counted among equals."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A stored comparison. `why_stale`: what has changed since, in words; "" if nothing has. `answers`: what was compared."""

    report: BehaviourReport
    why_stale: str
    answers: Answers


def probes_version(languages: Iterable[Language] = LANGUAGES) -> str:
    """A digest of what the probes are and how they run."""
    said = [(row.name, row.version) for row in languages]
    return hashlib.sha256(msgspec.json.encode([SEED, said])).hexdigest()


def entrants(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The responses to compare: all that pass the gate."""
    return [candidate for candidate in candidates if passes(candidate)]


def answers_of(candidates: Iterable[Candidate]) -> Answers:
    """The compared answers, as the key names them."""
    return {candidate.slot: (answer_key(candidate.reading), str(tests(candidate))) for candidate in candidates}


def key_of(current: Current, answers: Answers) -> ComparisonKey:
    """What a comparison of these answers made now would be about."""
    return ComparisonKey(
        base=current.base(),
        answers=_text(answers),
        probes=probes_version(),
        checks=current.checks(),
        stamp=current.stamp(),
    )


def find(workspace: Workspace, generation_id: int, answers: Answers, current: Current) -> Found | None:
    """The comparison of these answers that is current, or else the last one, with what has changed since."""
    stored = workspace.store.behaviours.of_generation(generation_id, BehaviourReport)
    found = [
        Found(report=report, why_stale=_why_stale(key, answers, current), answers=_read(key)) for report, key in stored
    ]
    return next((one for one in found if not one.why_stale), found[0] if found else None)


def with_behaviour(
    workspace: Workspace, generation_id: int, candidates: Sequence[Candidate], current: Current
) -> list[Candidate]:
    """The candidates with what is known of their behaviour. A class stays with an answer as long as the answer is the same."""
    found = find(workspace, generation_id, answers_of(entrants(candidates)), current)
    if found is None:
        return list(candidates)
    return [
        msgspec.structs.replace(candidate, behaviour=found.report, why_behaviour_stale=found.why_stale)
        if found.answers.get(candidate.slot, ("", ""))[0] == answer_key(candidate.reading)
        else candidate
        for candidate in candidates
    ]


def _why_stale(key: ComparisonKey, answers: Answers, current: Current) -> str:
    if key.probes != probes_version():
        return "the probes changed"
    if key.checks != current.checks():
        return "the checks changed"
    if key.answers != _text(answers):
        return "the answers that pass changed"
    return "" if key.stamp == current.stamp() or key.base == current.base() else "the files changed"


def _text(answers: Answers) -> str:
    return msgspec.json.encode([(slot, *answers[slot]) for slot in sorted(answers)]).decode()


def _read(key: ComparisonKey) -> Answers:
    return {
        slot: (answer, came) for slot, answer, came in msgspec.json.decode(key.answers, type=list[tuple[int, str, str]])
    }
