"""What a judge's comparisons add up to. Pure.

What must always hold: a response is preferred only if it beats every other one that was compared; otherwise the judge is unsure.
"""

from collections.abc import Iterable, Mapping

import msgspec

from dce.workspace.record.comparisons import Comparison


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge said of one response: how many others it is better than, worse than, and those it is not sure about."""

    wins: int
    losses: int
    unsure: int
    card: str
    model: str


def judged(comparisons: Iterable[Comparison]) -> dict[int, Judged]:
    """What was said of each slot."""
    found: dict[int, Judged] = {}
    for each in comparisons:
        for slot in (each.slot, each.other):
            known = found.get(slot) or Judged(wins=0, losses=0, unsure=0, card=each.card, model=each.model)
            found[slot] = msgspec.structs.replace(
                known,
                wins=known.wins + (each.winner == slot),
                losses=known.losses + (each.winner not in (0, slot)),
                unsure=known.unsure + (each.winner == 0),
            )
    return found


def preferred(found: Mapping[int, Judged]) -> int | None:
    """The slot that beats every other one; None if there is none, because the judge is unsure or goes in circles."""
    return next((slot for slot, said in found.items() if said.wins and not said.losses and not said.unsure), None)
