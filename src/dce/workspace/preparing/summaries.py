"""What the chosen responses of earlier cycles said they did: read out of an answer once, then kept.

What must always hold: what is kept is what reading the answer now would give, or it is read anew. An ended response never
changes, so its key names the version and the revision of the readers.
"""

from collections.abc import Callable, Sequence

from dce.workspace.record.cycles import Cycle
from dce.workspace.record.responses import TERMINAL
from dce.workspace.record.store import Store
from dce.workspace.schema.reading import Reading

READERS_REVISION = 1
"""Raise it when a reader reads a summary or plan out of an answer in another way: then all are read anew."""


class Summaries:
    """The summaries of a workspace's chosen responses. `read` takes a version of a response apart (generation, slot, version)."""

    def __init__(self, store: Store, read: Callable[[int, int, int], Reading]) -> None:
        self._store = store
        self._read = read

    def of(self, cycles: Sequence[Cycle]) -> dict[int, str]:
        """Summary and plan of the response that each cycle chose, by cycle; "" where none was chosen."""
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
        """The summary, and whether it is final: a response that runs has more to say."""
        is_final = self._store.responses.get(generation, slot, version).status in TERMINAL
        reading = self._read(generation, slot, version)
        return "\n\n".join(part for part in (reading.summary, reading.plan) if part), is_final


_PREFIX = f"summary:{READERS_REVISION}:"
