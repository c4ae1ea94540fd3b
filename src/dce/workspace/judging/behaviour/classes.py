"""Classes of answers that behave alike, how much support each answer has, and the evidence in words.

Pure: it is given what each probe showed of each answer. Probes on which answers are unstable, and those that say the same of every
answer, decide nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.behaviour.silent import silent_slots

SLOW_FACTOR = 20.0
SLOW_S = 0.1
"""An answer is slow on a probe if it takes at least SLOW_S of CPU time and SLOW_FACTOR times what the fastest answer takes."""

MAX_ROWS = 12
"""Maximum rows of the evidence table: the probes that separate the answers best."""

NOT_RUN = "not run"
"""The text of a probe for which an answer's time was used up."""

Results = Mapping[int, Mapping[str, Outcome]]
"""By the answer's slot, then by the probe's id."""


class BehaviourClass(msgspec.Struct, frozen=True, kw_only=True):
    """Answers with the same outcome for every probe that decides."""

    slots: tuple[int, ...]


class EvidenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One probe (`id`, `label`) and what it showed, for each slot."""

    id: str
    label: str
    cells: Mapping[int, str]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`classes`: largest first. `support`: for each slot, the share of answers that agree with it, averaged over the probes that
    decide (1.0: everybody, everywhere). `probes`: how many were run; `deciding`: how many separate any two answers."""

    classes: tuple[BehaviourClass, ...]
    support: Mapping[int, float]
    probes: int
    deciding: int
    rows: tuple[EvidenceRow, ...]
    sentence: str


def compare(probes: Sequence[Probe], results: Results, *, among: str = "") -> Comparison:
    """Puts the answers in classes. With fewer than two answers there is one class and nothing to decide. `among`: which answers these
    are, in the sentence: "that pass"."""
    slots = tuple(sorted(results))
    texts = {probe.id: compared_texts(probe.id, results) for probe in probes}
    deciding = [probe for probe in probes if _decides(texts[probe.id])]
    groups: dict[tuple[str, ...], list[int]] = {}
    for slot in slots:
        groups.setdefault(tuple(texts[probe.id][slot] for probe in deciding), []).append(slot)
    classes = sorted(groups.values(), key=lambda members: (-len(members), members))
    support = {slot: _support(slot, [texts[probe.id] for probe in deciding]) for slot in slots}
    support |= dict.fromkeys(silent_slots(probes, results), 0.0)
    rows = _rows(deciding, texts, results, classes)
    return Comparison(
        classes=tuple(BehaviourClass(slots=tuple(members)) for members in classes),
        support=support,
        probes=len(probes),
        deciding=len(deciding),
        rows=rows,
        sentence=_sentence(classes, len(probes), texts, deciding, among),
    )


def ranked(comparison: Comparison) -> tuple[int, ...]:
    """The slots, best supported first; of equals, the lower slot."""
    return tuple(sorted(comparison.support, key=lambda slot: (-round(comparison.support[slot], 9), slot)))


def compared_texts(identifier: str, results: Results) -> dict[int, str]:
    """What is compared for one probe, with the time class: an answer that takes far longer than another behaves differently."""
    outcomes = {slot: found[identifier] for slot, found in results.items()}
    timed = [outcome.cpu_s for outcome in outcomes.values() if outcome.kind in {"value", "raised"}]
    fastest = min(timed, default=0.0)
    return {
        slot: f"slow {outcome.text}" if outcome.cpu_s >= max(SLOW_S, SLOW_FACTOR * fastest) else outcome.text
        for slot, outcome in outcomes.items()
    }


def _decides(texts: Mapping[int, str]) -> bool:
    counted = Counter(text for text in texts.values() if text != NOT_RUN)
    return len(counted) > 1 and 2 * counted["unstable"] <= len(texts)


def _support(slot: int, deciding: Sequence[Mapping[int, str]]) -> float:
    """What was not run says nothing, neither of this answer nor of another."""
    shares = [
        sum(text == texts[slot] for text in texts.values()) / sum(text != NOT_RUN for text in texts.values())
        for texts in deciding
        if texts[slot] != NOT_RUN
    ]
    return sum(shares) / len(shares) if shares else 1.0 if not deciding else 0.0


def _rows(
    deciding: Sequence[Probe],
    texts: Mapping[str, Mapping[int, str]],
    results: Results,
    classes: Sequence[Sequence[int]],
) -> tuple[EvidenceRow, ...]:
    """For each other class the shortest probe on which it differs from the first, then the rest, shortest first."""
    ordered = sorted(deciding, key=lambda probe: (len(probe.label), probe.label))
    chosen = {
        probe.id: probe for members in classes[1:] for probe in [_first_difference(classes, members, ordered, texts)]
    }
    chosen |= {probe.id: probe for probe in ordered if probe.id not in chosen}
    return tuple(
        EvidenceRow(
            id=probe.id, label=probe.label, cells={slot: found[probe.id].shown for slot, found in results.items()}
        )
        for probe in list(chosen.values())[:MAX_ROWS]
    )


def _first_difference(
    classes: Sequence[Sequence[int]],
    members: Sequence[int],
    ordered: Sequence[Probe],
    texts: Mapping[str, Mapping[int, str]],
) -> Probe:
    """The first probe on which a class differs from the largest one. There is one, or they would be the same class."""
    one, other = classes[0][0], members[0]
    differing = [probe for probe in ordered if texts[probe.id][one] != texts[probe.id][other]]
    ran = (probe for probe in differing if NOT_RUN not in {texts[probe.id][one], texts[probe.id][other]})
    return next(ran, differing[0])


def _sentence(
    classes: Sequence[Sequence[int]],
    count: int,
    texts: Mapping[str, Mapping[int, str]],
    deciding: Sequence[Probe],
    among: str,
) -> str:
    """ "3 of 7 that pass agree; 4 and 9 differ on `merge([(5, 5)])`." """
    total = sum(len(members) for members in classes)
    if total < 2:
        return "One answer: nothing to compare it with."
    which = f"{total} {among}".strip()
    if len(classes) == 1:
        return f"All {which} behave alike on {count} probes."
    first = classes[0]
    if len(first) == 1:
        return f"No two of {which} behave alike; they differ on {len(deciding)} of {count} probes."
    ordered = sorted(deciding, key=lambda probe: (len(probe.label), probe.label))
    differing: dict[str, list[int]] = {}
    for members in classes[1:]:
        probe = _first_difference(classes, members, ordered, texts)
        differing.setdefault(probe.label, []).extend(members)
    parts = [
        f"{_listed(sorted(slots))} differ{'s' if len(slots) == 1 else ''} on `{label}`"
        for label, slots in list(differing.items())[:3]
    ]
    return f"{len(first)} of {which} agree; {'; '.join(parts)}."


def _listed(slots: Sequence[int]) -> str:
    words = [str(slot) for slot in slots]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
