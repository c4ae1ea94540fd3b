"""The text of responses that are still running, collected from the events that were published.

The store is up to a second behind. A snapshot must hold everything up to the cursor that it carries, and nothing of it twice, so what
went to the event log is kept here too, until the store has all of it.
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
        """Appends what an event brings. Events come in order, so their offsets need no check."""
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

    def apply(self, event: Event) -> None:
        """Takes over what an event says that goes into the log."""
        match event:
            case GenerationStarted() | GenerationEnded():
                for slot in event.slots:
                    self._slots.pop((event.generation, slot), None)
            case SlotProgress():
                if event.status in ACTIVE:
                    self._slot(event.generation, event.slot, event.version).progress = event
                else:  # a terminal status is durable before it is published: from here on the store has everything
                    self._slots.pop((event.generation, event.slot), None)
            case SlotText():
                self._slot(event.generation, event.slot, event.version).add(event)
            case _:
                pass

    def get(self, generation: int, slot: int) -> LiveSlot | None:
        """The running response in a slot, if this process runs it and an event of it was published."""
        return self._slots.get((generation, slot))

    def _slot(self, generation: int, slot: int, version: int) -> LiveSlot:
        live = self._slots.get((generation, slot))
        if live is None or live.version != version:
            live = self._slots[generation, slot] = LiveSlot(version)
        return live


def overlaid(stored: SlotProgress, live: LiveSlot | None) -> SlotProgress:
    """The progress published last, if it is of the same version; a stored end always wins."""
    if live is None or live.progress is None or stored.status not in ACTIVE or live.version != stored.version:
        return stored
    return live.progress
