"""Events: tagged JSON that round-trips, with the names of the interface."""

import msgspec
import pytest

from dce.workspace.events import (
    ChecksFinished,
    ChecksProgress,
    Event,
    GenerationEnded,
    GenerationStarted,
    SlotProgress,
    SlotText,
    WorkspaceChanged,
)
from dce.workspace.record.responses import News, Response, Status, Tokens

_RESPONSE = Response(
    generation=3,
    slot=2,
    version=1,
    status=Status.GENERATING,
    tokens=Tokens(thinking=1, answer=4, exact=True),
    started_at=10.0,
    first_token_at=11.0,
)
_EVENTS: list[Event] = [
    GenerationStarted(generation=3, cycle=1, n=2, slots=(1, 2), model="", max_tokens=0, prompt_tokens=9),
    SlotProgress.of(_RESPONSE, 16.0),
    SlotText.of(_RESPONSE, News(thinking_offset=0, thinking="", text_offset=5, text="🦊")),
    GenerationEnded(generation=3, slots=(1, 2), statuses={Status.COMPLETE: 2}, elapsed_s=1.5),
    ChecksFinished(generation=3, slot=2, version=1, passed=4, failed=0, new_failures=0),
    ChecksProgress(generation=3, total=10, done=2, running=(4, 5)),
    WorkspaceChanged(what="files"),
]


@pytest.mark.parametrize("event", _EVENTS, ids=lambda event: type(event).__name__)
def test_events_survive_json(event: Event) -> None:
    """An event as JSON names its kind and decodes to the same event."""
    text = msgspec.json.encode(event)
    assert b'"event":"' in text
    assert msgspec.json.decode(text, type=Event) == event


def test_progress_is_as_of_a_moment() -> None:
    """Progress of a running response has the times up to `now`, and the tokens in the interface's form."""
    told = msgspec.to_builtins(SlotProgress.of(_RESPONSE, 16.0, position=3))
    assert told["event"] == "slot_progress"
    assert told["tokens"] == {"thinking": 1, "answer": 4, "exact": True}
    assert (told["ttft_s"], told["elapsed_s"], told["tokens_per_s"], told["position"]) == (1.0, 6.0, 1.0, 3)
