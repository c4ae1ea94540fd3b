"""The tags and code fences of an answer, in text order: what `spans` weighs.

Models glue tags and fences to anything: `}</file>`, three backticks before `</file>`, an opening tag after a word. So every tag counts
anywhere, except between quotes or backticks. Its place in the line decides how weak it is: not at all if it is alone on the line or
beside another tag or a fence, more with text on one side, most with text on both. A place that the answer uses for all its tags is
not weak: a model that writes `Here it is: <file …>` once does so each time.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

MAX_TAG_CHARS = 1_000
"""Longest opening or closing tag."""

MAX_EDGE = 300
"""How many characters of the line are examined on either side of a tag."""

WEAK = 1.5
"""The weakness of a tag that shares its line with text on one side, is indented, or (opener) names a placeholder."""

ALONE, TEXT_BEFORE, TEXT_AFTER, WITHIN_TEXT = range(4)
"""Where a tag stands in its line; another tag or a fence beside it is no text."""

_PLACE_WEAKNESS = (0.0, WEAK, WEAK, 2 * WEAK)
_PLAIN_INDENT = 3  # spaces before a tag, beyond those before the first one, that still count as none, as in Markdown

_TAG = re.compile(
    rf"<[ \t]?(?:(?P<opener>file|file_artifact|artifact)(?P<attributes>\s[^<>\n]{{0,{MAX_TAG_CHARS}}}(?<!/))?"
    rf"|/[ \t]?(?:(?P<kind>file(?:[_ -]?(?:artifact|path|content|block))?|artifact)(?:\s[^<>\n]{{0,{MAX_TAG_CHARS}}})?"
    rf"|(?P<path>[^<>\n]{{1,{MAX_TAG_CHARS}}})))>",
    re.IGNORECASE,
)
_PATH = re.compile(r"""\bpath\s*=\s*(?:"((?:[^"]|"(?!\s|/?$|[\w-]+\s*=))*)"|'([^']*)'|([^\s"'>]+))""")
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_FENCE_BEFORE = re.compile(r"(?:^[ \t]*(?:`{3,}|~{3,})[^`<]*|`{3,}[ \t]*|~{3,}[ \t]*)$")
_FENCE_AFTER = re.compile(r"[ \t]*(`{3,}|~{3,})[^`]*$")
_FENCE_AT_END = re.compile(r"[^\s`](`{3,})[ \t]*\r?$")
_AFTER_CLOSER = re.compile(r"\s*(?:$|</?[a-z_]|```|~~~)", re.IGNORECASE)
_BETWEEN = re.compile(r"[ \t]*(?:`{3,}|~{3,})?[ \t]*")
_PLACEHOLDER = re.compile(r"""\.\.\.|[\[\]{}$*<>()+'"\\]|…|\bpath/to\b|^(?:path|filename|file)$""", re.IGNORECASE)
_BARE = re.compile(r"[ \t]*(?:[-*_=]{3,}[ \t]*|(?:`{3,}|~{3,})[^\n]*)?\r?")
_RUN = re.compile("`{3,}")
_FILLED = re.compile(r"\S")
_QUOTES = "\"'`"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that could open or close a file, or a code fence in one. `start` and `end` are the tag's offsets."""

    kind: str  # "open", "close:" and the tag, "fence", "fence-end" (backticks after text: they end a fence or are text)
    start: int
    end: int
    name: str = ""  # an opener's path, the path a closer repeats, a fence's line
    weak: float = 0.0
    place: int = ALONE
    is_foreign: bool = False
    is_boundary: bool = False  # a closer with no text before the next opener
    prose: int = 0  # lines with prose in the text up to here

    @property
    def is_weak(self) -> bool:
        """Whether the tag may well be text."""
        return self.weak > 0.0

    @property
    def is_named(self) -> bool:
        """Whether this opens a file that could really be meant: no placeholder, no mention in the middle of a line."""
        return (
            self.kind == "open" and bool(self.name) and self.place != WITHIN_TEXT and not _PLACEHOLDER.search(self.name)
        )


def find_events(text: str) -> list[Event]:
    """Every tag and fence that could open or close a file."""
    scan = _Scan()
    at = 0
    for line in text.split("\n"):
        scan.line(line, at)
        at += len(line) + 1
    return _with_foreign(_placed(scan.found), text)


def fence_after(fence: str, line: str) -> str:
    """The open code fence after a fence line, by CommonMark's rule: only a bare fence at least as long closes."""
    found = _FENCE.match(line.strip(" \t\r"))
    if found is None:
        return fence
    mark, info = found[1], found[2].strip()
    if not fence:
        return mark
    return "" if mark[0] == fence[0] and len(mark) >= len(fence) and not info else fence


def has_prose(text: str, start: int) -> bool:
    """Whether there is text from `start` on that is neither blank nor a rule nor a fence."""
    return any(not _BARE.fullmatch(line) for line in text[start:].splitlines())


class _Scan:
    """The events of the lines so far."""

    def __init__(self) -> None:
        self.found: list[Event] = []
        self._paths: set[str] = set()  # what has been opened, for closers that repeat the path
        self._prose = 0
        self._indent = -1  # of the first opening tag: an answer may be indented as a whole

    def line(self, line: str, at: int) -> None:
        """Adds the events of one line."""
        before = len(self.found)
        groups = list(self._groups(line)) if "<" in line else []
        for tags in groups:
            self._group(line, at, tags)
        if not groups:
            self._fence(line, at)
        self._prose += len(self.found) == before and not _BARE.fullmatch(line)

    def _fence(self, line: str, at: int) -> None:
        indent = max(self._indent, 0)
        if _FENCE.match(line[indent:] if not line[:indent].strip() else line):
            self._add("fence", at, at + len(line), line)
        elif "```" in line and (ended := _FENCE_AT_END.search(line)):
            self._add("fence-end", at + ended.start(1), at + ended.end(1), ended[1])

    def _add(self, kind: str, start: int, end: int, name: str, weak: float = 0.0, place: int = ALONE) -> None:
        self.found.append(Event(kind=kind, start=start, end=end, name=name, weak=weak, place=place, prose=self._prose))

    def _groups(self, line: str) -> Iterator[list[re.Match[str]]]:
        """The line's tags; those that only blanks or a fence separate are together."""
        group: list[re.Match[str]] = []
        for tag in _TAG.finditer(line):
            if tag["opener"]:
                self._paths.add(_path(tag))
            if _is_quoted(line, tag) or (tag["path"] and tag["path"] not in self._paths):
                continue
            if group and not _BETWEEN.fullmatch(line, group[-1].end(), tag.start()):
                yield group
                group = []
            group.append(tag)
        if group:
            yield group

    def _group(self, line: str, at: int, tags: list[re.Match[str]]) -> None:
        # Only nearby text is examined, so that a line with many tags costs no more than many lines.
        first, last = tags[0].start(), tags[-1].end()
        lead, tail = line[max(first - MAX_EDGE, 0) : first], line[last : last + MAX_EDGE]
        is_blank = not lead.strip() and first <= MAX_EDGE
        is_glued = _FENCE_BEFORE.search(lead) is not None
        is_first, is_last = is_glued or is_blank, not tail.strip() or _FENCE_AFTER.match(tail) is not None
        indent = len(lead) if is_blank else 0
        if self._indent < 0 and tags[0]["opener"] and _path(tags[0]):
            self._indent = indent
        is_indented = indent > max(self._indent, 0) + _PLAIN_INDENT
        previous = 0 if is_blank else first
        if is_glued:
            self._before(lead, at + first - len(lead))
        for number, tag in enumerate(tags):
            if number and (between := line[tags[number - 1].end() : tag.start()].strip()):
                self._add("fence", at + tag.start() - len(between), at + tag.start(), between)
            has_start, has_end = is_first or number > 0, is_last or number < len(tags) - 1
            if not tag["opener"]:
                has_end = _AFTER_CLOSER.match(line, tag.end()) is not None
            place = (ALONE if has_end else TEXT_AFTER) if has_start else (TEXT_BEFORE if has_end else WITHIN_TEXT)
            place = place if is_first or is_last else WITHIN_TEXT
            self._tag(line, at, tag, previous, (WEAK if is_indented else 0.0, place))
            previous = tag.end()
        fence = _FENCE_AFTER.match(tail)
        if fence is not None:
            self._add("fence", at + last, at + last + len(tail), tail.strip())

    def _before(self, lead: str, at: int) -> None:
        """The fence that a tag is glued to the end of."""
        begin = min((lead.rfind(mark) for mark in ("```", "~~~") if mark in lead), default=0)
        while begin and lead[begin - 1] == lead[begin]:
            begin -= 1
        kind = "fence" if not lead[:begin].strip() else "fence-end"
        self._add(kind, at + begin, at + len(lead), lead[begin:])

    def _tag(self, line: str, at: int, tag: re.Match[str], start: int, how: tuple[float, int]) -> None:
        weak, place = how
        if not tag["opener"]:
            kind = "close:" + re.sub(r"[_ -]", "", (tag["kind"] or "path").lower())
            self._add(kind, at + start, at + tag.end(), tag["path"] or "", weak, place)
            return
        path = _path(tag)
        is_last = not _FILLED.search(line, tag.end())
        weak = max(weak, WEAK if _PLACEHOLDER.search(path) else 0.0)
        self._add("open", at + start, at + (len(line) + 1 if is_last else tag.end()), path, weak, place)


def _path(tag: re.Match[str]) -> str:
    found = _PATH.search(tag["attributes"] or "")
    return (found[1] or found[2] or found[3] or "").strip() if found else ""


def _is_quoted(line: str, tag: re.Match[str]) -> bool:
    """Whether the tag is escaped, between quotes or in inline code: then it is mentioned, not used."""
    before, after = line[max(tag.start() - MAX_EDGE, 0) : tag.start()], line[tag.end() : tag.end() + MAX_EDGE]
    if before.endswith("\\"):
        return True
    if before[-1:] and before[-1:] in _QUOTES and after[:1] and after[:1] in _QUOTES:
        return not before.endswith("```") and not after.startswith("```")
    return _RUN.sub("", before).count("`") % 2 == 1 and "`" in _RUN.sub("", after)


def _placed(events: list[Event]) -> list[Event]:
    """The events, weakened by their place unless it is the usual one: that of the first opener, and of most closers that end a file.

    A closer seems to end a file if an opener or the end of the text follows.
    """
    openers = [event.place for event in events if event.kind == "open" and event.name]
    tags = [event for event in events if event.kind == "open" or event.kind.startswith("close:")]
    pairs = zip_longest(tags, tags[1:])
    ends = [tag for tag, following in pairs if tag.kind != "open" and (following is None or following.kind == "open")]
    closers = Counter(tag.place for tag in ends if tag.place != WITHIN_TEXT)
    usual = {
        "open": openers[0] if openers and openers[0] != WITHIN_TEXT else ALONE,
        "close": closers.most_common(1)[0][0] if closers else ALONE,
    }
    return [
        event
        if event.place in {ALONE, usual.get(event.kind.partition(":")[0])}
        else replace(event, weak=max(event.weak, _PLACE_WEAKNESS[event.place]))
        for event in events
    ]


def _with_foreign(events: list[Event], text: str) -> list[Event]:
    """The events, marking the closers that differ from the one that this answer mostly uses.

    Closers count if an opener or the end of the text follows: examples mostly have more text after them. A closer directly before
    the usual one is not marked: such a model closes twice.
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
        is_boundary = following is not None and following.is_named and event.prose == following.prose
        is_boundary = is_boundary and event.kind.startswith("close:") and event.place != WITHIN_TEXT
        marked.append(replace(event, is_foreign=is_foreign, is_boundary=is_boundary))
    return marked
