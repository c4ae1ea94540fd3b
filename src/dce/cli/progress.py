"""The live view of a generation, shared by `generate`, `regenerate` and `demo`: one row per response.

`open_view(...)` picks the form: a live table on a terminal, plain lines (on status changes only) elsewhere, JSON lines with
`--json`. A view shows the events of `dce.workspace.events` and makes no decisions of its own.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dce.cli.output import note, say, say_json, visible
from dce.workspace.events import ChecksFinished, Event, GenerationEnded, GenerationStarted, SlotProgress, Wait
from dce.workspace.record.responses import ACTIVE, Status, Tokens

BAR_WIDTH = 24
"""Width of a response's bar in characters: the bar and the figures fit into 80 columns."""

REFRESH_PER_S = 4
"""Redraws of the live table a second: enough for a moving clock, few enough for a slow terminal over ssh."""

STYLES: dict[Status, str] = {
    Status.QUEUED: "dim",
    Status.CONNECTING: "dim",
    Status.WAITING: "yellow",
    Status.THINKING: "magenta",
    Status.GENERATING: "cyan",
    Status.COMPLETE: "green",
    Status.TRUNCATED: "yellow",
    Status.STOPPED: "yellow",
    Status.ERROR: "red",
    Status.INTERRUPTED: "red",
}


class View(Protocol):
    """Shows events while it is open."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def on_event(self, event: Event) -> None:
        """Shows `event`. Blocks for no longer than a write."""

    def notice(self, text: str) -> None:
        """Shows a message to the person at the terminal, in a form that fits the view."""


def open_view(
    *, is_json: bool = False, console: Console | None = None, clock: Callable[[], float] = time.monotonic
) -> View:
    """The view that suits the output. Use it as a context manager and pass `view.on_event` to the generator."""
    if is_json:
        return JsonView()
    console = console or Console()
    return LiveView(console, clock) if console.is_terminal else PlainView()


def bar(tokens: Tokens, limit: int, is_active: bool, width: int = BAR_WIDTH) -> Text:
    """Thinking, answer and the rest of `limit` as one bar, readable without colours too.

    With no known limit an unfinished bar shows only the share of thinking, and a finished one is full.
    """
    whole = limit or max(1, tokens.total + (tokens.total // 3 + 1 if is_active else 0))
    thinking = min(width, round(width * tokens.thinking / whole))
    if tokens.thinking and not thinking:
        thinking = 1
    answer = min(width - thinking, round(width * tokens.answer / whole))
    if tokens.answer and not answer and thinking < width:
        answer = 1
    return Text.assemble(
        ("▒" * thinking, "magenta"), ("█" * answer, "cyan"), ("·" * (width - thinking - answer), "dim")
    )


def token_text(tokens: Tokens, limit: int = 0) -> str:
    """Tokens so far, of the limit; `≈` marks an estimate."""
    mark = "" if tokens.exact or not tokens.total else "≈"
    return f"{mark}{tokens.total:,}" + (f"/{limit:,}" if limit else "")


def seconds(value: float | None) -> str:
    """A duration for people: tenths of a second under a minute, then minutes and seconds."""
    if value is None:
        return "-"
    return f"{value:.1f}s" if value < 60 else f"{int(value // 60)}m{int(value % 60):02d}s"


def rate(value: float | None) -> str:
    """Tokens a second."""
    return "-" if value is None else f"{value:.1f}"


class _Board:
    """The state built from the events so far."""

    def __init__(self) -> None:
        self.started: GenerationStarted | None = None
        self.rows: dict[int, SlotProgress] = {}
        self.seen_at: dict[int, float] = {}
        self.checks: dict[int, ChecksFinished] = {}
        self.ended: GenerationEnded | None = None

    @property
    def limit(self) -> int:
        return self.started.max_tokens if self.started else 0

    def take(self, event: Event, now: float) -> None:
        match event:
            case GenerationStarted():
                self.started, self.ended = event, None
            case SlotProgress():
                self.rows[event.slot] = event
                self.seen_at[event.slot] = now
            case ChecksFinished():
                self.checks[event.slot] = event
            case GenerationEnded():
                self.ended = event
            case _:
                pass


class LiveView:
    """A table that redraws in place."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._board, self._clock, self._notice = _Board(), clock, ""
        self._live = Live(console=console, refresh_per_second=REFRESH_PER_S, get_renderable=self.render)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def on_event(self, event: Event) -> None:
        self._board.take(event, self._clock())
        if isinstance(event, GenerationEnded):
            self._live.refresh()

    def notice(self, text: str) -> None:
        self._notice = text  # shown as part of the table: a line printed separately would break the redrawing

    def render(self) -> Group:
        """The table in its current state."""
        board, now = self._board, self._clock()
        table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
        names = ["#", "status", "", "tokens", "tok/s", "TTFT", "time"] + ["checks"] * bool(board.checks)
        for name in names:
            table.add_column(name, justify="left" if name in ("status", "", "checks") else "right", no_wrap=True)
        for slot in self._slots():
            row = board.rows.get(slot)
            if row:
                table.add_row(*self._cells(row, now)[: len(names)])
            else:
                table.add_row(str(slot), Text("queued", "dim"), bar(Tokens(), 1, is_active=True))
        errors = [Text(line, "red") for line in _error_lines(board)]
        errors += [Text(line, "yellow") for line in _wait_lines(board)]
        notices = [Text(self._notice, "yellow")] if self._notice and not board.ended else []
        return Group(Text(_headline(board)), table, *errors, Text(_total(board), "bold"), *notices)

    def _slots(self) -> list[int]:
        started = self._board.started
        return sorted({*(started.slots if started else ()), *self._board.rows})

    def _cells(self, row: SlotProgress, now: float) -> list[str | Text]:
        is_active = row.status in ACTIVE
        elapsed = row.elapsed_s
        if elapsed is not None and is_active:
            elapsed += now - self._board.seen_at[row.slot]
        return [
            str(row.slot),
            Text(_status(row), STYLES[row.status]),
            bar(row.tokens, self._board.limit, is_active),
            token_text(row.tokens, self._board.limit),
            rate(row.tokens_per_s),
            seconds(row.ttft_s),
            seconds(elapsed),
            checks_text(self._board.checks.get(row.slot)),
        ]


class PlainView:
    """A line for each status change: for logs, pipes and terminals that cannot redraw."""

    def __init__(self) -> None:
        self._board = _Board()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def on_event(self, event: Event) -> None:
        before = self._board.rows.get(event.slot) if isinstance(event, SlotProgress) else None
        self._board.take(event, 0)
        match event:
            case GenerationStarted():
                say(_headline(self._board))
            case SlotProgress():
                if before is None or _shown_state(before) != _shown_state(event):
                    say(_line(event, self._board.limit))
            case ChecksFinished():
                say(f"[{event.slot:>2}] checks       {checks_text(event)}")
            case GenerationEnded():
                for line in _error_lines(self._board):
                    say(line)
                say(_total(self._board))
            case _:
                pass

    def notice(self, text: str) -> None:
        note(text)


class JsonView:
    """Every event as one JSON line, as it arrives."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def on_event(self, event: Event) -> None:
        say_json(event)

    def notice(self, text: str) -> None:
        note(text)


def checks_text(event: ChecksFinished | None) -> str:
    """How the project's checks went, in a few words."""
    if event is None:
        return ""
    new = f", {event.new_failures} new" if event.new_failures else ""
    if not event.failed:
        return f"{'✗' if new else '✓'} {event.passed}{new}"
    return f"✗ {event.failed} of {event.passed + event.failed}{new}"


def _headline(board: _Board) -> str:
    started = board.started
    if started is None:
        return "starting …"
    count = len(started.slots)
    what = f"{count} response{'s' * (count != 1)}"
    limit = f" · at most {started.max_tokens:,} each" if started.max_tokens else ""
    mark = "" if started.prompt_is_exact else "≈"
    prompt = f" · prompt of {mark}{started.prompt_tokens:,} tokens" if started.prompt_tokens else ""
    return visible(f"generation {started.generation} · {what} · {started.model or 'default model'}{prompt}{limit}")


def _status(row: SlotProgress) -> str:
    if row.status is Status.QUEUED and row.position is not None:
        return f"queued ({_ordinal(row.position)})"
    return str(row.status) if row.version == 1 else f"{row.status} v{row.version}"


def _shown_state(row: SlotProgress) -> tuple[Status, int, int | None]:
    """The part of a row that is worth a new line when it changes."""
    return row.status, row.version, row.position if row.status is Status.QUEUED else None


def _ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _line(row: SlotProgress, limit: int) -> str:
    if row.status in ACTIVE:
        why = f" · {_why(row.wait)}" if row.wait else ""
        return visible(f"[{row.slot:>2}] {_status(row)}{why}")
    figures = f"{token_text(row.tokens, limit)} tokens in {seconds(row.elapsed_s)}"
    if row.tokens_per_s is not None:
        figures += f", {rate(row.tokens_per_s)} tokens/s"
    if row.ttft_s is not None:
        figures += f", first after {seconds(row.ttft_s)}"
    error = f" · {row.error.hop} · {row.error.code}" if row.error else ""
    return f"[{row.slot:>2}] {_status(row):<12} {figures}{error}"


def _why(wait: Wait) -> str:
    return f"{wait.why}, asked again in {math.ceil(wait.retry_in_s)} s"


def _wait_lines(board: _Board) -> list[str]:
    """What responses wait for, once, with all their slots."""
    slots: dict[str, list[int]] = {}
    for row in list(board.rows.values()):
        if row.wait:
            slots.setdefault(_why(row.wait), []).append(row.slot)
    return [visible(f"{', '.join(map(str, sorted(numbers)))}: {text}") for text, numbers in slots.items()]


def _error_lines(board: _Board) -> list[str]:
    """Each error and its next step, once, with all the slots that it hit."""
    slots: dict[str, list[int]] = {}
    for row in list(board.rows.values()):
        if row.error:
            hint = f" Next: {row.error.hint}" if row.error.hint else ""
            slots.setdefault(f"[{row.error.hop} · {row.error.code}] {row.error.message}{hint}", []).append(row.slot)
    return [visible(f"{', '.join(map(str, sorted(numbers)))}: {text}") for text, numbers in slots.items()]


def _total(board: _Board) -> str:
    rows = list(board.rows.values())  # copied in one step: the live table is drawn on another thread
    counts = Counter(row.status for row in rows)
    parts = [f"{counts[status]} {status}" for status in Status if counts[status]]
    tokens = Tokens(
        thinking=sum(row.tokens.thinking for row in rows),
        answer=sum(row.tokens.answer for row in rows),
        exact=all(row.tokens.exact for row in rows if row.tokens.total),
    )
    parts.append(f"{token_text(tokens)} tokens")
    if board.ended:
        parts.append(seconds(board.ended.elapsed_s))
        if board.ended.elapsed_s:
            parts.append(f"{tokens.total / board.ended.elapsed_s:.1f} tokens/s total")
    return " · ".join(parts)
