"""Answers that show nothing: every probe raises, ends its process, takes too long or gives None and leaves no trace.

Broken answers are often broken alike, so they agree with each other and would be the largest class. Measured on recorded answers
(`bench/results/judging.md`): without this, behaviour alone closes 34 % of the gap, with it 44 %.
"""

import json
from collections.abc import Mapping, Sequence

from dce.workspace.judging.behaviour.probe import Outcome, Probe

_NOTHING = frozenset({"None", "undefined"})


def silent_slots(probes: Sequence[Probe], results: Mapping[int, Mapping[str, Outcome]]) -> frozenset[int]:
    """The answers that show nothing on any probe; none if that is so of all of them."""
    found = {
        slot
        for slot, outcomes in results.items()
        if outcomes and all(_shows_nothing(probe, outcomes[probe.id]) for probe in probes)
    }
    return frozenset(found) if len(found) < len(results) else frozenset()


def _shows_nothing(probe: Probe, outcome: Outcome) -> bool:
    if outcome.kind != "value":
        return True
    try:
        seen, after, printed, files, *_ = json.loads(outcome.text)
        is_nothing = all(kind == "raised" or shown in _NOTHING for kind, shown in seen)
    except (ValueError, TypeError):
        return False  # another language's form
    return is_nothing and not printed and not files and set(after) <= set(probe.steps)
