"""Where in an answer its files begin and end, when the delimiters are plain tags that file text may hold too.

Models write `<file path="…">` … `</file_artifact>` (or `</file>`, `</filepath>`, `</file path="…">`, `</the/path.ts>`), and often the
files are *about* this very form: templates, parsers, documentation with examples. So no single line proves anything. Every line
that could open or close a file is an event, and the cheapest story that explains all of them is taken: a fenced example costs
little, a file that never ends costs much. The costs below are the whole policy. One pass, linear in the text: for each depth
(outside, in a file, in an example inside a file …) only the cheapest story so far is kept.

What must hold: spans never overlap, come in text order, and a span whose end had to be guessed says so.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import NamedTuple

from dce.workspace.schema.acts import SELF_CLOSED_ACT
from dce.workspace.schema.reading import BlockStatus

MAX_EVENTS = 20_000
"""Most tag lines that are weighed. A real answer has under a thousand; beyond this a text is no answer, and time is bounded."""

MAX_TAG_CHARS = 1_000
"""Longest opening or closing tag."""

MAX_DEPTH = 3
"""Outside, file, example in a file, example in an example: deeper nesting has not been seen."""

# What each step of a story costs. Steps that well-formed answers need are free.
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
WEAK = 1.5  # a tag that shares its line with text, is indented, or (opener) names a placeholder
FOREIGN = 1.5  # a closer unlike the one this answer mostly uses

_OPENER = re.compile(
    rf"<(?:file|file_artifact|artifact){SELF_CLOSED_ACT}(?P<attributes>\s[^<>\n]{{0,{MAX_TAG_CHARS}}})?>", re.IGNORECASE
)
_PATH = re.compile(r"""\bpath\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_CLOSER = re.compile(
    rf"</(?:(?P<kind>file(?:[_ -]?(?:artifact|path|content|block))?|artifact)(?:\s[^<>\n]{{0,{MAX_TAG_CHARS}}})?"
    rf"|(?P<path>[^<>\n]{{1,{MAX_TAG_CHARS}}}))>",
    re.IGNORECASE,
)
_AFTER_CLOSER = re.compile(r"\s*(?:$|</?[a-z_]|```)", re.IGNORECASE)
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_PLACEHOLDER = re.compile(r"\.\.\.|[\[\]{}$*<>()]|…|\bpath/to\b|^(?:path|filename|file)$", re.IGNORECASE)
_BARE = re.compile(r"[ \t]*(?:[-*_=]{3,}[ \t]*|(?:`{3,}|~{3,})[^\n]*)?")
_PLAIN_INDENT = 3  # spaces before a tag that still count as none, as in Markdown


@dataclass(frozen=True, slots=True)
class Event:
    """Something that could open or close a file, or a code fence in one. `start` and `end` are the tag's offsets."""

    kind: str  # "open", "close:" and the tag, "fence"
    start: int
    end: int
    name: str = ""  # an opener's path, the path a closer repeats, a fence's line
    is_weak: bool = False
    is_foreign: bool = False
    prose: int = 0  # lines with prose in the text up to here


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
    """Finished spans, newest first: stories share their beginnings."""

    span: Span
    before: "_Done | None"


@dataclass(frozen=True, slots=True)
class _Story:
    """One explanation of the events so far."""

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
    events = _events(text)
    if not events or len(events) > MAX_EVENTS:
        return ()
    stories = {(0, False): _Story()}
    for event in events:
        following: dict[tuple[int, bool], _Story] = {}
        for story in stories.values():
            for successor in _successors(story, event, text):
                key = (successor.depth, bool(successor.fence))
                if key not in following or successor.cost < following[key].cost:
                    following[key] = successor
        stories = following
    prose = _has_prose(text, events[-1].end)
    best = min((_at_end(story, text, has_prose=prose) for story in stories.values()), key=lambda story: story.cost)
    spans, done = [], best.done
    while done is not None:
        spans.append(done.span)
        done = done.before
    return tuple(reversed(spans))


def _successors(story: _Story, event: Event, text: str) -> Iterator[_Story]:
    if event.kind == "fence":
        fence = _fence_after(story.fence, event.name)
        yield replace(story, fence=fence) if story.depth else story
        if story.depth and fence != story.fence:
            yield replace(story, cost=story.cost + STRAY_FENCE)
    elif event.kind == "open":
        yield from _opening(story, event)
    else:
        yield from _closing(story, event, text)


def _opening(story: _Story, event: Event) -> Iterator[_Story]:
    """What an opener can be: the begin of a file, of an example in one, or plain text."""
    weak = WEAK if event.is_weak else 0.0
    factor = IN_FENCE if story.fence else 1.0
    if story.depth == 0:
        yield replace(story, cost=story.cost + (IGNORED_OPENER - weak if event.name else 0.0))
        if event.name:
            between = PROSE_BETWEEN_FILES if story.ended_at >= 0 and event.prose > story.prose else 0.0
            yield _begin(story, event, weak + between)
        return
    is_plain = not (event.is_weak or story.fence or not event.name)
    doubt = "An example in the file looks like a file of its own." if is_plain else ""
    if story.depth < MAX_DEPTH:
        example = max(EXAMPLE - weak, 0.5) * factor if event.name else 0.2
        yield _doubted(replace(story, cost=story.cost + example, depth=story.depth + 1), doubt)
    mention = max(MENTIONED_OPENER - 2 * weak, 1.0) * factor if event.name else 0.2 if event.is_weak else 1.0
    yield _doubted(replace(story, cost=story.cost + mention), doubt)
    if event.name:
        unclosed = UNCLOSED + weak + (FENCE_OPEN if story.fence else 0.0) + TRUNCATED_EXAMPLE * (story.depth - 1)
        closed = _end(
            story, event.start, event.start, "ambiguous", "It has no closing line; the next file's begin was taken."
        )
        yield _begin(closed, event, unclosed)


def _closing(story: _Story, event: Event, text: str) -> Iterator[_Story]:
    """What a closer can be: the end of the file, of an example in it, or plain text."""
    if story.depth == 0:
        is_doubled = story.ended_at >= 0 and not text[story.ended_at : event.start].strip()
        cost = DOUBLED_CLOSER if is_doubled else STRAY_CLOSER - (WEAK if event.is_weak else 0.0)
        story = replace(story, cost=story.cost + cost)
        yield replace(story, ended_at=event.end) if is_doubled else story
        return
    opener = story.opener
    assert opener is not None
    if event.name and event.name != opener.name:
        yield story  # `</other/path>` is this file's own text
        return
    weak = (WEAK if event.is_weak else 0.0) + (FOREIGN if event.is_foreign else 0.0)
    if story.depth > 1:
        yield replace(story, cost=story.cost + (WEAK / 2 if event.is_weak else 0.0), depth=story.depth - 1)
        yield replace(story, cost=story.cost + 1.0)
        return
    doubt = "" if weak or story.fence else "A line in it looks like its end."
    mention = max(MENTIONED_CLOSER - weak, 0.5) * (IN_FENCE if story.fence else 1.0)
    yield _doubted(replace(story, cost=story.cost + mention), doubt)
    cost = weak + (FENCE_OPEN if story.fence else 0.0)
    ended = _end(replace(story, cost=story.cost + cost), event.start, event.end, "complete", "")
    yield replace(ended, prose=event.prose)


def _at_end(story: _Story, text: str, *, has_prose: bool) -> _Story:
    """The story when the text is over: a file that is still open was cut off."""
    if story.depth == 0:
        return replace(story, cost=story.cost + (PROSE_AT_END if has_prose else 0.0))
    cost = story.cost + TRUNCATED + TRUNCATED_EXAMPLE * (story.depth - 1)
    return _end(replace(story, cost=cost), len(text), len(text), "truncated", "The text ends before the file does.")


def _begin(story: _Story, opener: Event, cost: float) -> _Story:
    return replace(story, cost=story.cost + cost, depth=1, fence="", opener=opener, status="complete", note="")


def _end(story: _Story, body_end: int, end: int, status: BlockStatus, note: str) -> _Story:
    """The story with its open file finished."""
    opener = story.opener
    assert opener is not None
    span = Span(
        path=opener.name,
        start=opener.start,
        body_start=min(opener.end, body_end),
        body_end=body_end,
        end=end,
        status=status if status != "complete" else story.status,
        note=note or story.note,
    )
    return replace(story, depth=0, fence="", opener=None, ended_at=end, done=_Done(span, story.done))


def _doubted(story: _Story, note: str) -> _Story:
    return replace(story, status="ambiguous", note=note) if note else story


def _fence_after(fence: str, line: str) -> str:
    """The open code fence after a fence line, by CommonMark's rule: only a bare fence at least as long closes."""
    found = _FENCE.match(line)
    if found is None:
        return fence
    mark, info = found[1], found[2].strip()
    if not fence:
        return mark
    return "" if mark[0] == fence[0] and len(mark) >= len(fence) and not info else fence


def _has_prose(text: str, start: int) -> bool:
    return any(not _BARE.fullmatch(line) for line in text[start:].splitlines())


def _events(text: str) -> list[Event]:
    """Every line that could open or close a file or a fence, in text order."""
    found: list[Event] = []
    paths: set[str] = set()
    at, prose = 0, 0
    for line in text.split("\n"):
        before = len(found)
        if "<" in line:
            found.extend(_tags(line, at, prose, paths))
        elif _FENCE.match(line):
            found.append(Event(kind="fence", start=at, end=at + len(line), name=line, prose=prose))
        prose += len(found) == before and not _BARE.fullmatch(line)
        at += len(line) + 1
    return _with_foreign(found, text)


def _tags(line: str, at: int, prose: int, paths: set[str]) -> Iterator[Event]:
    """The tags a line begins with (several may be glued together), then a closer that it ends with.

    Tags in the middle of a line are prose or code that mentions them. `paths` gathers what has been opened, for closers that
    repeat the path.
    """
    position = len(line) - len(line.lstrip(" \t"))
    is_indented = position > _PLAIN_INDENT
    start = 0
    while True:
        tag = _OPENER.match(line, position)
        if tag is not None:
            path = _path(tag["attributes"] or "")
            paths.add(path)
            is_last = not line[tag.end() :].strip()
            end = at + (len(line) + 1 if is_last else tag.end())
            is_weak = is_indented or not is_last or bool(_PLACEHOLDER.search(path))
            yield Event(kind="open", start=at + start, end=end, name=path, is_weak=is_weak, prose=prose)
        else:
            tag = _CLOSER.match(line, position)
            if tag is None or (tag["path"] and tag["path"] not in paths):
                break
            is_weak = is_indented or not _AFTER_CLOSER.match(line, tag.end())
            yield _closer(tag, at + start, at, prose, is_weak=is_weak)
        position = start = tag.end()
        position += len(line[position:]) - len(line[position:].lstrip(" \t"))
    last = line.rfind("</", position)
    tag = _CLOSER.match(line, last) if last >= 0 and not _OPENER.search(line, position, last) else None
    if tag and not line[tag.end() :].strip() and (not tag["path"] or tag["path"] in paths):
        yield _closer(tag, at + last, at, prose, is_weak=True)


def _closer(tag: re.Match[str], start: int, at: int, prose: int, *, is_weak: bool) -> Event:
    name = tag["path"] or ""
    kind = "close:" + re.sub(r"[_ -]", "", (tag["kind"] or "path").lower())
    return Event(kind=kind, start=start, end=at + tag.end(), name=name, is_weak=is_weak, prose=prose)


def _path(attributes: str) -> str:
    found = _PATH.search(attributes)
    return (found[1] or found[2] or found[3] or "").strip() if found else ""


def _with_foreign(events: list[Event], text: str) -> list[Event]:
    """The events with those closers marked that are unlike the closer that this answer mostly uses.

    Closers vote that an opener or the text's end follows: examples mostly have more text after them. A closer that the usual one follows
    at once is no stranger: such a model closes twice.
    """
    votes: Counter[str] = Counter()
    pairs = list(zip_longest(events, events[1:]))
    for event, following in pairs:
        if event.kind.startswith("close:") and not event.is_weak:
            is_followed = following is None or following.kind == "open"
            gap = text[event.end : following.start if following else None]
            votes[event.kind] += 1 if is_followed and not gap.strip(" \t\r\n`") else 0
            votes[event.kind] += 1 if following is None else 0
    usual = votes.most_common(1)[0][0] if votes else ""
    marked = []
    for event, following in pairs:
        is_foreign = event.kind.startswith("close:") and event.kind != usual
        if is_foreign and following is not None and following.kind == usual:
            is_foreign = following.start - event.end > 1
        marked.append(replace(event, is_foreign=is_foreign) if is_foreign else event)
    return marked
