"""The live view of a generation."""

import io
import json

import msgspec
import pytest
from rich.console import Console

from dce.cli.progress import JsonView, LiveView, PlainView, bar, open_view, seconds, token_text
from dce.wire.errors import DceError
from dce.workspace.events import ChecksFinished, Event, GenerationEnded, GenerationStarted, SlotProgress, SlotText, Wait
from dce.workspace.record.responses import Status, Tokens

STARTED = GenerationStarted(
    generation=7, cycle=1, n=2, slots=(1, 2), model="smollm2\x1b[31m", max_tokens=100, prompt_tokens=1931
)


def progress(slot: int, status: Status, answer: int = 0, *, error: str = "", version: int = 1) -> SlotProgress:
    return SlotProgress(
        generation=7,
        slot=slot,
        version=version,
        status=status,
        tokens=Tokens(answer=answer, exact=slot == 1),
        ttft_s=0.5,
        elapsed_s=2.0,
        tokens_per_s=10.0,
        error=DceError(error, "as it happened").body() if error else None,
    )


EVENTS: tuple[Event, ...] = (
    STARTED,
    progress(1, Status.GENERATING, 10),
    SlotText(generation=7, slot=1, version=1, thinking_offset=0, thinking="", text_offset=0, text="hi"),
    progress(1, Status.GENERATING, 20),
    progress(1, Status.COMPLETE, 50),
    progress(2, Status.ERROR, 5, error="backend_error"),
    ChecksFinished(generation=7, slot=1, version=1, passed=3, failed=0, new_failures=0),
    GenerationEnded(generation=7, slots=(1, 2), statuses={Status.COMPLETE: 1, Status.ERROR: 1}, elapsed_s=5.5),
)


def test_plain_lines_only_on_change(capsys: pytest.CaptureFixture[str]) -> None:
    """A log gets one line for each change of status, with figures at the end and the error's hop."""
    with PlainView() as view:
        for event in EVENTS:
            view.on_event(event)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[1:5]] == ["generating", "complete", "error", "checks"]
    assert "50/100 tokens in 2.0s, 10.0 tokens/s, first after 0.5s" in lines[2]
    assert lines[3].endswith("backend · backend_error")
    assert lines[-2].startswith("2: [backend · backend_error] as it happened Next: ")
    assert lines[-1] == "1 complete · 1 error · ≈55 tokens · 5.5s · 10.0 tokens/s total"
    assert "\x1b" not in lines[0]


def test_same_error_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """If all responses fail in the same way, the cause and the next step are one line, preceded by the slots."""
    with PlainView() as view:
        for slot in (2, 1):
            view.on_event(progress(slot, Status.ERROR, error="invalid_key"))
        view.on_event(GenerationEnded(generation=7, slots=(1, 2), statuses={Status.ERROR: 2}, elapsed_s=0.1))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "Next: " in line] == [lines[-2]]
    assert lines[-2].startswith("1, 2: [gateway · invalid_key]")


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Every event is one line of JSON that names its kind."""
    with JsonView() as view:
        for event in EVENTS:
            view.on_event(event)
    kinds = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert kinds[0] == "generation_started"
    assert kinds[-1] == "generation_ended"
    assert len(kinds) == len(EVENTS)


def test_live_table_shows_every_response() -> None:
    """On a terminal every slot has a row, from the start, in 80 columns; errors show below with their next step."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    now = 100.0
    view = LiveView(console, lambda: now)
    with view:
        view.on_event(STARTED)
        waiting = _text(view)
        for event in EVENTS[1:-2]:
            view.on_event(event)
        now += 3
        text = _text(view)
    assert waiting.count("queued") == 2
    assert "50/100" in text
    assert "2: [backend · backend_error] as it happened Next: Check the" in text
    assert all(len(line) <= 80 for line in text.splitlines() if "█" in line)


def test_live_clock_runs_between_events() -> None:
    """A running response's time advances between events; an ended one's does not."""
    now = 100.0
    view = LiveView(Console(file=io.StringIO(), force_terminal=True), lambda: now)
    view.on_event(STARTED)
    view.on_event(progress(1, Status.GENERATING, 10))
    view.on_event(progress(2, Status.COMPLETE, 10))
    now += 7
    rows = [line for line in _text(view).splitlines() if "generating" in line or "complete " in line]
    assert "9.0s" in rows[0]
    assert "2.0s" in rows[1]


@pytest.mark.parametrize(
    ("position", "words"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (101, "101st")]
)
def test_a_place_in_the_queue_is_shown(position: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """While waiting at the gateway, the queue position is shown in the table and as a line at each change."""
    waiting = msgspec.structs.replace(progress(1, Status.QUEUED), position=position)
    live = LiveView(Console(file=io.StringIO(), force_terminal=True), lambda: 100.0)
    live.on_event(waiting)
    assert f"queued ({words})" in _text(live)
    with PlainView() as view:
        for event in (waiting, waiting, msgspec.structs.replace(waiting, position=position + 1)):
            view.on_event(event)
    assert capsys.readouterr().out.count("queued (") == 2


def test_what_responses_wait_for_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Responses whose server is busy say so: the reason and the time once in the table, and in a line at the change."""
    live = LiveView(Console(file=io.StringIO(), force_terminal=True), lambda: 100.0)
    with PlainView() as view:
        for slot in (1, 2):
            wait = Wait("the server is busy", 3.2)
            waiting = msgspec.structs.replace(progress(slot, Status.WAITING), wait=wait)
            for event in (waiting, waiting):
                live.on_event(event)
                view.on_event(event)
    assert "1, 2: the server is busy, asked again in 4 s" in _text(live)
    assert capsys.readouterr().out.count("waiting · the server is busy, asked again in 4 s") == 2
    live.on_event(progress(1, Status.GENERATING))
    live.on_event(progress(2, Status.COMPLETE))
    assert "busy" not in _text(live)


def _text(view: LiveView) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(view.render())
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize(
    ("tokens", "limit", "is_active", "cells"),
    [
        (Tokens(), 100, True, "··········"),
        (Tokens(thinking=20, answer=30), 100, True, "▒▒███·····"),
        (Tokens(thinking=1, answer=1), 1000, True, "▒█········"),
        (Tokens(answer=500), 100, False, "██████████"),
        (Tokens(thinking=60, answer=60), 100, True, "▒▒▒▒▒▒████"),
        (Tokens(answer=5), 0, False, "██████████"),
    ],
)
def test_bar(tokens: Tokens, limit: int, is_active: bool, cells: str) -> None:
    """Thinking, answer and rest fill exactly the bar's width; any nonzero part has at least one cell."""
    assert bar(tokens, limit, is_active, width=10).plain == cells


def test_estimates_are_marked() -> None:
    """Estimated token counts are marked with ≈."""
    assert token_text(Tokens(answer=1200)) == "≈1,200"
    assert token_text(Tokens(answer=1200, exact=True), 4096) == "1,200/4,096"


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0.04, "0.0s"), (59.94, "59.9s"), (125.0, "2m05s")])
def test_seconds(value: float | None, text: str) -> None:
    """Durations are formatted for people."""
    assert seconds(value) == text


def test_view_fits_where_the_output_goes() -> None:
    """A terminal gets a table, a pipe gets lines, --json gets JSON."""
    assert isinstance(open_view(console=Console(file=io.StringIO(), force_terminal=True)), LiveView)
    assert isinstance(open_view(console=Console(file=io.StringIO(), force_terminal=False)), PlainView)
    assert isinstance(open_view(is_json=True), JsonView)


def test_an_estimated_prompt_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    """The headline has ≈ before estimated token counts, and only there."""
    for started in (STARTED, msgspec.structs.replace(STARTED, prompt_is_exact=True)):
        PlainView().on_event(started)
    estimated, exact = capsys.readouterr().out.splitlines()
    assert "prompt of ≈1,931 tokens" in estimated
    assert "prompt of 1,931 tokens" in exact
