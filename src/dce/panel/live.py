"""The text of responses that are still running, gathered from the events that went out.

The store is up to a second behind; a snapshot that a window takes must hold everything up to the cursor it carries, and nothing
of it twice. So what the event log was told is kept here too, until the store has the whole.
"""

from dce.workspace.events import Event, GenerationEnded, GenerationStarted, SlotProgress, SlotText
from dce.workspace.record.responses import ACTIVE


class LiveSlot:
    """One running response: its last progress and its text in pieces."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.progress: SlotProgress | None = None
        self._thinking: list[str] = []
        self._text: list[str] = []

    def add(self, event: SlotText) -> None:
        """Appends what an event brings. Events come in order, so offsets need no look."""
        self._thinking.append(event.thinking)
        self._text.append(event.text)

    @property
    def thinking(self) -> str:
        """The thinking so far."""
        return "".join(self._thinking)

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._text)


class LiveTexts:
    """The running responses of every generation of this process."""

    def __init__(self) -> None:
        self._slots: dict[tuple[int, int], LiveSlot] = {}

    def hear(self, event: Event) -> None:
        """Takes note of an event that goes into the log."""
        match event:
            case GenerationStarted() | GenerationEnded():
                for slot in event.slots:
                    self._slots.pop((event.generation, slot), None)
            case SlotProgress():
                if event.status in ACTIVE:
                    self._slot(event.generation, event.slot, event.version).progress = event
                else:  # a terminal status is durable before it is told: from here on the store has it all
                    self._slots.pop((event.generation, event.slot), None)
            case SlotText():
                self._slot(event.generation, event.slot, event.version).add(event)
            case _:
                pass

    def get(self, generation: int, slot: int) -> LiveSlot | None:
        """The running response in a slot, if it runs in this process and has been heard of."""
        return self._slots.get((generation, slot))

    def _slot(self, generation: int, slot: int, version: int) -> LiveSlot:
        live = self._slots.get((generation, slot))
        if live is None or live.version != version:
            live = self._slots[generation, slot] = LiveSlot(version)
        return live


def overlaid(stored: SlotProgress, live: LiveSlot | None) -> SlotProgress:
    """What the log said last, if it is of the same version; a stored end always wins."""
    if live is None or live.progress is None or stored.status not in ACTIVE or live.version != stored.version:
        return stored
    return live.progress
