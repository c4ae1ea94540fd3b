"""How a generation's answers behave, compared: the form in which the store keeps it and programs read it. Pure.

Every field added after the first release has a default, so that reports stored earlier can still be read.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.classes import Results, compare, compared_texts
from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.compare import letter

MAX_NAMED = 3
"""How many kinds of exceptions a note names."""


class BehaviourClass(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that showed the same on every probe that decides. "A" is the largest class."""

    letter: str
    slots: tuple[int, ...]


class Support(msgspec.Struct, frozen=True, kw_only=True):
    """The share, 0 to 1, of the compared answers whose tests came out the same that show the same as this one, averaged over the probes on
    which those differ."""

    slot: int
    share: float


class MatrixCell(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer shows on a probe. Cells of a row with the same `group` are alike; "A" is what most show."""

    slot: int
    shows: str
    group: str


class MatrixRow(msgspec.Struct, frozen=True, kw_only=True):
    """A probe on which answers differ. `base`: what the workspace without any answer shows."""

    probe: str
    origin: str
    base: str
    cells: tuple[MatrixCell, ...]

    def cell(self, slot: int) -> MatrixCell | None:
        """What one answer shows."""
        return next((cell for cell in self.cells if cell.slot == slot), None)


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that passes but is not compared, and why."""

    slot: int
    why: str


class BehaviourReport(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of one generation. `compared`: the answers that passed, each in one of `classes` unless `left_out`.

    `probes`: how many ran; `deciding`: on how many of them answers differ; `matrix`: the most telling of those. `note`: why there is
    nothing to compare; "" otherwise. `among`: which answers these are, in words: "that pass", "that break nothing", "that can be read".
    """

    sentence: str
    compared: tuple[int, ...]
    among: str
    classes: tuple[BehaviourClass, ...] = ()
    support: tuple[Support, ...] = ()
    probes: int = 0
    deciding: int = 0
    matrix: tuple[MatrixRow, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    languages: tuple[str, ...] = ()
    note: str = ""

    def class_of(self, slot: int) -> BehaviourClass | None:
        """The class of an answer."""
        return next((found for found in self.classes if slot in found.slots), None)

    def share_of(self, slot: int) -> float:
        """The support of an answer; 0 if it has none."""
        return next((found.share for found in self.support if found.slot == slot), 0.0)


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What came of running probes. `results`: by slot; `base`: of the workspace without any answer; `failed`: slots where nothing could
    be run, and why."""

    probes: tuple[Probe, ...]
    base: Mapping[str, Outcome]
    results: Results
    failed: Mapping[int, str]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to compare. `tests`: how each one's tests came out, as text; support is counted among equals."""

    slots: tuple[int, ...]
    among: str
    tests: Mapping[int, str]


def report_of(ran: Ran, group: Group, languages: Sequence[str]) -> BehaviourReport:
    """The report on answers that passed."""
    silent = {slot: why for slot, found in ran.results.items() if (why := _why_silent(found.values()))}
    left_out = {**ran.failed, **silent}
    results = {slot: found for slot, found in ran.results.items() if slot not in silent}
    if not results:
        why = next(iter(left_out.values()), "")
        return nothing(group, f"no probe gives a value: {why}", left_out)
    found = compare(ran.probes, results, among=group.among)
    by_id = {probe.id: probe for probe in ran.probes}
    return BehaviourReport(
        sentence=found.sentence,
        compared=group.slots,
        among=group.among,
        classes=_lettered([members.slots for members in found.classes]),
        support=_support(ran.probes, results, group),
        probes=found.probes,
        deciding=found.deciding,
        matrix=tuple(_row(by_id[row.id], results, ran.base) for row in found.rows),
        left_out=_listed(left_out),
        languages=tuple(languages),
    )


def identical(group: Group) -> BehaviourReport:
    """The report on answers that do the same to the files: nothing need be run to know that they behave alike."""
    slots = group.slots
    sentence = f"All {len(slots)} {group.among} are identical."
    if len(slots) == 1:
        sentence = f"{slots[0]} is the only one of those {group.among}: there is nothing to compare it with."
    return BehaviourReport(
        sentence=sentence,
        compared=slots,
        among=group.among,
        classes=_lettered([slots]),
        support=tuple(Support(slot=slot, share=1.0) for slot in slots),
    )


def nothing(group: Group, note: str, left_out: Mapping[int, str] | None = None) -> BehaviourReport:
    """The report where behaviour says nothing, and why."""
    return BehaviourReport(
        sentence=f"Behaviour is not compared: {note}.",
        compared=group.slots,
        among=group.among,
        left_out=_listed(left_out or {}),
        note=note,
    )


def _support(probes: Sequence[Probe], results: Results, group: Group) -> tuple[Support, ...]:
    equals: dict[str, list[int]] = {}
    for slot in results:
        equals.setdefault(group.tests[slot], []).append(slot)
    shares: dict[int, float] = {}
    for slots in equals.values():
        shares |= compare(probes, {slot: results[slot] for slot in slots}).support
    return tuple(Support(slot=slot, share=round(share, 6)) for slot, share in sorted(shares.items()))


def _lettered(classes: Sequence[Sequence[int]]) -> tuple[BehaviourClass, ...]:
    return tuple(BehaviourClass(letter=letter(at), slots=tuple(slots)) for at, slots in enumerate(classes))


def _listed(left_out: Mapping[int, str]) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(slot=slot, why=why) for slot, why in sorted(left_out.items()))


def _why_silent(outcomes: Collection[Outcome]) -> str:
    """What an answer shows that gives no value on any probe: it cannot be imported, loops or ends everywhere. "" for any other."""
    if not outcomes or any(outcome.kind in {"value", "unstable"} for outcome in outcomes):
        return ""
    shown = [outcome.shown for outcome in outcomes]
    common = sorted(set(shown), key=lambda text: (-shown.count(text), text))[:MAX_NAMED]
    return f"every probe {' or '.join(_as_verb(text) for text in common)}"


def _as_verb(shown: str) -> str:
    return shown if shown.startswith("raises ") else f"ends with “{shown}”"


def _row(probe: Probe, results: Results, base: Mapping[str, Outcome]) -> MatrixRow:
    texts = compared_texts(probe.id, results)
    counts = {text: sum(other == text for other in texts.values()) for text in texts.values()}
    firsts = {text: min(slot for slot, other in texts.items() if other == text) for text in counts}
    order = sorted(counts, key=lambda text: (-counts[text], firsts[text]))
    return MatrixRow(
        probe=probe.label,
        origin=probe.origin,
        base=base[probe.id].shown if probe.id in base else "",
        cells=tuple(
            MatrixCell(slot=slot, shows=results[slot][probe.id].shown, group=letter(order.index(text)))
            for slot, text in sorted(texts.items())
        ),
    )
