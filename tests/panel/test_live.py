"""The text of running responses."""

from dce.panel.live import LiveTexts, overlaid
from dce.workspace.events import GenerationEnded, GenerationStarted, SlotProgress, SlotText
from dce.workspace.record.responses import Status, Tokens


def progress(status: Status = Status.GENERATING, version: int = 1, answer: int = 0) -> SlotProgress:
    return SlotProgress(
        generation=1,
        slot=2,
        version=version,
        status=status,
        tokens=Tokens(answer=answer),
        ttft_s=None,
        elapsed_s=None,
        tokens_per_s=None,
    )


def text(piece: str, version: int = 1) -> SlotText:
    return SlotText(generation=1, slot=2, version=version, thinking_offset=0, thinking="", text_offset=0, text=piece)


def test_pieces_are_kept_until_the_response_ends() -> None:
    """What was told of a running response can be read whole; its end leaves it to the store."""
    live = LiveTexts()
    live.apply(progress())
    live.apply(text("a"))
    live.apply(text("b"))
    slot = live.get(1, 2)
    assert slot is not None
    assert slot.text == "ab"
    live.apply(progress(Status.COMPLETE))
    assert live.get(1, 2) is None


def test_a_new_version_starts_empty() -> None:
    """Nothing of the version before stands in the text of a regenerated response."""
    live = LiveTexts()
    live.apply(text("old"))
    live.apply(text("new", version=2))
    slot = live.get(1, 2)
    assert slot is not None
    assert (slot.version, slot.text) == (2, "new")


def test_the_beginning_and_the_end_of_a_run_forget() -> None:
    """A run that begins or ends leaves no text of its slots behind."""
    live = LiveTexts()
    live.apply(text("x"))
    live.apply(GenerationEnded(generation=1, slots=(2,), statuses={}, elapsed_s=1))
    assert live.get(1, 2) is None
    live.apply(text("x"))
    started = GenerationStarted(generation=1, cycle=1, n=3, slots=(2,), model="m", max_tokens=0, prompt_tokens=1)
    live.apply(started)
    assert live.get(1, 2) is None


def test_what_was_told_last_is_shown_but_never_over_a_stored_end() -> None:
    """A snapshot shows progress that the store does not have yet; an end that it has wins."""
    live = LiveTexts()
    live.apply(progress(answer=9))
    slot = live.get(1, 2)
    assert overlaid(progress(answer=3), slot).tokens.answer == 9
    assert overlaid(progress(Status.COMPLETE, answer=12), slot).tokens.answer == 12
    assert overlaid(progress(version=2, answer=0), slot).tokens.answer == 0
    assert overlaid(progress(answer=3), None).tokens.answer == 3
