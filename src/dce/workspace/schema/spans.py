"""Where an answer's files begin and end, when the delimiters are plain tags that file text may contain too.

Models write `<file path="…">` … `</file_artifact>` (or `</file>`, `</filepath>`, `</file path="…">`, `</the/path.ts>`), and often the
files are *about* this very form: templates, parsers, documentation with examples. So no single line is conclusive. Every tag
that could open or close a file is an event, and the cheapest interpretation of all events wins: a fenced example costs little, a file
without an end costs much. The costs below are the whole policy. One pass, linear in the text: for each depth (outside, in a file,
in an example inside a file …) only the cheapest interpretation so far is kept.

What must hold: spans never overlap, come in text order, and a span whose limits were guessed says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from dce.workspace.schema.reading import BlockStatus
from dce.workspace.schema.tag_events import WEAK, Event, fence_after, find_events, has_prose

MAX_EVENTS = 20_000
"""Most tags that are considered. A real answer has under a thousand; this bounds the time for other texts."""

MAX_DEPTH = 3
"""Outside, file, example in a file, example in an example: deeper nesting has not been seen."""

# What each step of an interpretation costs. Steps that well-formed answers need are free.
PROSE_BETWEEN_FILES = 1.0  # chat between files is common
PROSE_AT_END = 1.5  # more, because a cut-off file with an example in it looks like a finished one with remarks after it
UNCLOSED = 3.0  # a new file begins though the one before has not ended
TRUNCATED = 2.5  # the text ends inside a file …
TRUNCATED_EXAMPLE = 1.5  # … and, for each level, inside an example in it
STRAY_CLOSER = 3.0  # a closer outside any file …
DOUBLED_CLOSER = 0.3  # … unless it just repeats the one before
IGNORED_OPENER = 5.0  # an opener outside any file that opens none
MENTIONED_CLOSER = 2.0  # a closer that is the file's own text
MENTIONED_OPENER = 5.0  # an opener that is the file's own text, and is never closed
EXAMPLE = 2.0  # an opener that is the file's own text, and is closed
IN_FENCE = 0.3  # factor for the three above inside a code fence: that is where examples belong
FENCE_OPEN = 2.0  # a file that begins or ends while its code fence is open
STRAY_FENCE = 1.5  # a fence line that is only text: its partner is missing
FOREIGN = 1.5  # a closer unlike the one this answer mostly uses


@dataclass(frozen=True, slots=True)
class Span:
    """A file in a text: with its tags from `start` to `end`, its content alone from `body_start` to `body_end`."""

    path: str
    start: int
    body_start: int
    body_end: int
    end: int
    status: BlockStatus = "complete"
    note: str = ""


class _Done(NamedTuple):
    """Finished spans, newest first: interpretations share their beginnings."""

    span: Span
    before: "_Done | None"


@dataclass(frozen=True, slots=True)
class _Parse:
    """One interpretation of the events so far."""

    cost: float = 0.0
    depth: int = 0
    fence: str = ""
    opener: Event | None = None
    status: BlockStatus = "complete"
    note: str = ""
    prose: int = 0  # lines of prose up to where the last file ended
    ended_at: int = -1  # where that was; -1 before the first file
    done: _Done | None = None


def find_spans(text: str) -> tuple[Span, ...]:
    """The files of an answer, in text order; () if it has none, or has more tags than any answer would."""
    events = find_events(text)
    if not events or len(events) > MAX_EVENTS:
        return ()
    parses = {(0, False): _Parse()}
    for event in events:
        following: dict[tuple[int, bool], _Parse] = {}
        for parse in parses.values():
            for successor in _successors(parse, event, text):
                key = (successor.depth, bool(successor.fence))
                if key not in following or successor.cost < following[key].cost:
                    following[key] = successor
        parses = following
    prose = has_prose(text, events[-1].end)
    best = min((_at_end(parse, text, has_prose=prose) for parse in parses.values()), key=lambda parse: parse.cost)
    spans, done = [], best.done
    while done is not None:
        spans.append(done.span)
        done = done.before
    return _doubted_if_swallowing(spans[::-1], events)


def _doubted_if_swallowing(spans: list[Span], events: list[Event]) -> tuple[Span, ...]:
    """The spans, marking those that contain an opener of a file opened nowhere else, which may be a file of its own."""
    opened = {span.path for span in spans}
    lost = [event for event in events if event.is_named and event.name not in opened]
    checked, at = [], 0
    for span in spans:
        while at < len(lost) and lost[at].start < span.body_start:
            at += 1
        if at < len(lost) and lost[at].start < span.body_end:
            note = f"It contains an opening tag for {lost[at].name}, which the answer opens nowhere else."
            doubtful: BlockStatus = "truncated" if span.status == "truncated" else "ambiguous"
            span = replace(span, status=doubtful, note=span.note or note)  # noqa: PLW2901 - the same span, doubted
        checked.append(span)
    return tuple(checked)


def _successors(parse: _Parse, event: Event, text: str) -> Iterator[_Parse]:
    if event.kind == "fence":
        fence = fence_after(parse.fence, event.name)
        yield replace(parse, fence=fence) if parse.depth else parse
        if parse.depth and fence != parse.fence:
            yield replace(parse, cost=parse.cost + STRAY_FENCE)
    elif event.kind == "fence-end":
        yield parse
        if parse.fence and parse.fence[0] == event.name[0]:
            yield replace(parse, fence="")
    elif event.kind == "open":
        yield from _opening(parse, event)
    else:
        yield from _closing(parse, event, text)


def _opening(parse: _Parse, event: Event) -> Iterator[_Parse]:
    """What an opener can be: the start of a file, of an example in one, or plain text."""
    weak = event.weak
    factor = IN_FENCE if parse.fence else 1.0
    if parse.depth == 0:
        yield replace(parse, cost=parse.cost + (IGNORED_OPENER - weak if event.name else 0.0))
        if event.name:
            between = PROSE_BETWEEN_FILES if parse.ended_at >= 0 and event.prose > parse.prose else 0.0
            yield _begin(parse, event, weak + between)
        return
    is_plain = not (event.is_weak or parse.fence or not event.name)
    doubt = "An example in it looks like a file of its own." if is_plain else ""
    if parse.depth < MAX_DEPTH:
        example = max(EXAMPLE - weak, 0.5) * factor if event.name else 0.2
        yield _doubted(replace(parse, cost=parse.cost + example, depth=parse.depth + 1), doubt)
    mention = max(MENTIONED_OPENER - 2 * weak, 1.0) * factor if event.name else 0.2 if event.is_weak else 1.0
    yield _doubted(replace(parse, cost=parse.cost + mention), doubt)
    if event.name:
        unclosed = UNCLOSED + weak + (FENCE_OPEN if parse.fence else 0.0) + TRUNCATED_EXAMPLE * (parse.depth - 1)
        closed = _end(
            parse,
            event.start,
            event.start,
            "ambiguous",
            "It has no closing tag; it was ended where the next file begins.",
        )
        yield _begin(closed, event, unclosed)


def _closing(parse: _Parse, event: Event, text: str) -> Iterator[_Parse]:
    """What a closer can be: the end of the file, of an example in it, or plain text."""
    if parse.depth == 0:
        is_doubled = parse.ended_at >= 0 and not text[parse.ended_at : event.start].strip()
        cost = DOUBLED_CLOSER if is_doubled else STRAY_CLOSER - event.weak
        parse = replace(parse, cost=parse.cost + cost)
        yield replace(parse, ended_at=event.end) if is_doubled else parse
        return
    opener = parse.opener
    assert opener is not None
    if event.name and event.name != opener.name:
        yield parse  # `</other/path>` is this file's own text
        return
    weak = event.weak + (FOREIGN if event.is_foreign else 0.0)
    if parse.depth > 1:
        yield replace(parse, cost=parse.cost + (WEAK / 2 if event.is_weak else 0.0), depth=parse.depth - 1)
        yield replace(parse, cost=parse.cost + 1.0)
        return
    doubt = "" if weak or parse.fence else "A line in it looks like its closing tag."
    mention = (MENTIONED_CLOSER if event.is_boundary else max(MENTIONED_CLOSER - weak, 0.5)) * (
        IN_FENCE if parse.fence else 1.0
    )
    yield _doubted(replace(parse, cost=parse.cost + mention), doubt)
    cost = weak + (FENCE_OPEN if parse.fence else 0.0)
    ended = _end(replace(parse, cost=parse.cost + cost), event.start, event.end, "complete", "")
    yield replace(ended, prose=event.prose)


def _at_end(parse: _Parse, text: str, *, has_prose: bool) -> _Parse:
    """The interpretation at the end of the text: a file that is still open was cut off."""
    if parse.depth == 0:
        return replace(parse, cost=parse.cost + (PROSE_AT_END if has_prose else 0.0))
    cost = parse.cost + TRUNCATED + TRUNCATED_EXAMPLE * (parse.depth - 1)
    return _end(replace(parse, cost=cost), len(text), len(text), "truncated", "The text ends before the file does.")


def _begin(parse: _Parse, opener: Event, cost: float) -> _Parse:
    return replace(parse, cost=parse.cost + cost, depth=1, fence="", opener=opener, status="complete", note="")


def _end(parse: _Parse, body_end: int, end: int, status: BlockStatus, note: str) -> _Parse:
    """The interpretation with its open file finished."""
    opener = parse.opener
    assert opener is not None
    span = Span(
        path=opener.name,
        start=opener.start,
        body_start=min(opener.end, body_end),
        body_end=body_end,
        end=end,
        status=status if status != "complete" else parse.status,
        note=note or parse.note,
    )
    return replace(parse, depth=0, fence="", opener=None, ended_at=end, done=_Done(span, parse.done))


def _doubted(parse: _Parse, note: str) -> _Parse:
    return replace(parse, status="ambiguous", note=note) if note else parse
