"""How far the checks of a generation are, told as events while they run.

Invariants: `done` never exceeds `total`; a slot is running or done, never both; what is told is the state after the change.
"""

from collections.abc import Callable, Iterable

import msgspec

from dce.workspace.events import ChecksProgress, Event


class Progress:
    """The progress of one run over some responses. `on_event` None: nobody listens."""

    def __init__(self, generation: int, total: int, on_event: Callable[[Event], None] | None) -> None:
        self._state = ChecksProgress(generation=generation, total=total, done=0)
        self._on_event = on_event

    def check_base(self) -> None:
        """The unchanged workspace is being checked."""
        self._tell(is_base=True)

    def begin(self, slots: Iterable[int]) -> None:
        """The checks of these responses, which share a verdict, begin."""
        self._tell(running=tuple(sorted({*self._state.running, *slots})), is_base=False)

    def finish(self, slots: Iterable[int]) -> None:
        """These responses have their verdict."""
        ended = frozenset(slots)
        left = tuple(slot for slot in self._state.running if slot not in ended)
        self._tell(running=left, done=self._state.done + len(ended), is_base=False)

    def _tell(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        if self._on_event is not None:
            self._on_event(self._state)
