"""Summaries of the chosen responses of earlier cycles: parsed once per answer, then cached.

What must always hold: a cached summary equals what parsing the answer now would give. An ended response never changes, so the
cache key names its version and the revision of the readers.
"""

from collections.abc import Callable, Sequence

from dce.workspace.record.cycles import Cycle
from dce.workspace.record.responses import TERMINAL
from dce.workspace.record.store import Store
from dce.workspace.schema.reading import Reading

READERS_REVISION = 1
"""Increase it when a reader parses summaries or plans differently; all answers are then parsed again."""


class Summaries:
    """The summaries of a workspace's chosen responses. `read` parses a version of a response (generation, slot, version)."""

    def __init__(self, store: Store, read: Callable[[int, int, int], Reading]) -> None:
        self._store = store
        self._read = read

    def of(self, cycles: Sequence[Cycle]) -> dict[int, str]:
        """Summary and plan of each cycle's chosen response, by cycle; "" where none was chosen."""
        kept, fresh = self._store.meta.under(_PREFIX), dict[str, str]()
        versions = self._store.history.chosen_versions()
        found = {}
        for cycle in cycles:
            found[cycle.id] = ""
            if cycle.chosen_generation is None or cycle.chosen_slot is None:
                continue
            chosen = (cycle.chosen_generation, cycle.chosen_slot)
            key = f"{_PREFIX}{chosen[0]}:{chosen[1]}:{versions[chosen]}"
            if key not in kept:
                summary, is_final = self._read_out(*chosen, versions[chosen])
                kept[key] = summary
                fresh |= {key: summary} if is_final else {}
            found[cycle.id] = kept[key]
        if fresh:
            self._store.meta.set_all(fresh)
        return found

    def _read_out(self, generation: int, slot: int, version: int) -> tuple[str, bool]:
        """The summary, and whether it is final: a running response may still add to it."""
        is_final = self._store.responses.get(generation, slot, version).status in TERMINAL
        reading = self._read(generation, slot, version)
        return "\n\n".join(part for part in (reading.summary, reading.plan) if part), is_final


_PREFIX = f"summary:{READERS_REVISION}:"
