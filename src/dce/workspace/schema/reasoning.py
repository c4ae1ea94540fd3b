"""Finds the reasoning in an answer: drafts of files in it are not files of the answer.

A chat template often opens `<think>` itself, so that only `</think>` reaches the text. Everything before such an unpaired closing tag
is reasoning, whatever follows it. A tag in a file, in a part or between quotes is a mention; so is an opening tag inside a line.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dce.workspace.schema.spans import Span

_NAMES = "think|thinking|thought|thoughts|reasoning"
_TAG = re.compile(rf"<[ \t]?(?P<slash>/?)[ \t]?(?:{_NAMES})[ \t]?>", re.IGNORECASE)
_AT_START = re.compile(rf"\s*(?:<\|[a-z_]{{1,20}}\|>\s*)*<(?:{_NAMES})>", re.IGNORECASE)
_MARKER = re.compile(r"assistantfinal|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_ANSWER_BEGINS = re.compile(
    r"\s*(?:<\|[a-z_]{1,20}\|>|>|\*\*)*\s*<(?:summary|plan|course_of_action|file|edit|artifact)\b", re.IGNORECASE
)
_ANALYSIS = re.compile(r"\s*(?:<\|channel\|>)?analysis", re.IGNORECASE)
_PART = re.compile(
    r"^[ \t]{0,3}<(summary|plan|course_of_action|activity|curator_activity)>", re.MULTILINE | re.IGNORECASE
)
_SPECIAL = re.compile(r"(?:<\|[a-z_]{1,20}\|>\s*)+|>", re.IGNORECASE)
_FILLED = re.compile(r"\S")
_QUOTES = "\"'`"

MAX_EDGE = 200
"""How much of a line is looked at on either side of a tag."""


class Thoughts(NamedTuple):
    """`end`: where the reasoning before the answer ends (0: there is none). `regions`: reasoning further on, by offsets.

    `is_open`: the text begins with an opening tag that is never closed, so the start of the answer is unknown.
    """

    end: int = 0
    regions: tuple[tuple[int, int], ...] = ()
    is_open: bool = False

    def without_drafts(self, spans: Iterable[Span]) -> list[Span]:
        """The spans that are not drafts: they begin after the leading reasoning and outside the regions."""
        return [
            span
            for span in spans
            if span.start >= self.end and not any(start <= span.start < end for start, end in self.regions)
        ]


NO_THOUGHTS = Thoughts()


def thoughts(text: str, spans: Sequence[Span] = (), *, is_strict: bool = False) -> Thoughts:
    """The reasoning in an answer whose files may lie at `spans` (found in all of the text, drafts included).

    `is_strict`: only a closing tag at an edge of its line counts, for texts whose strings may contain tags.
    """
    if not _TAG.search(text) and not _MARKER.search(text):
        return Thoughts()
    hidden = _Hidden(text, spans)
    end, opened = 0, -1
    regions: list[tuple[int, int]] = []
    for tag in _TAG.finditer(text):
        is_close = bool(tag["slash"])
        if not _is_used(text, tag, needs_edge=is_strict or not is_close) or hidden.covers(tag):
            continue
        if not is_close:
            opened = tag.start() if opened < 0 else opened
        elif opened < 0 or not _FILLED.search(text, end, opened):
            end, opened, regions = tag.end(), -1, []
        else:
            regions.append((opened, tag.end()))
            opened = -1
    end = max(end, _marker_end(text, end, hidden))
    is_open = opened >= 0 and end == 0 and _AT_START.match(text) is not None
    return Thoughts(end, tuple(region for region in regions if region[0] >= end), is_open)


def _is_used(text: str, tag: re.Match[str], *, needs_edge: bool) -> bool:
    """Whether the tag is not a mention: not between quotes and, if required, at an edge of its line (an opener: at the start)."""
    lead = text[max(tag.start() - MAX_EDGE, 0) : tag.start()].rpartition("\n")[2]
    tail = text[tag.end() : tag.end() + MAX_EDGE].partition("\n")[0]
    if lead[-1:] and lead[-1:] in _QUOTES and tail[:1] and tail[:1] in _QUOTES:
        return False
    if lead.count("`") % 2 and "`" in tail:
        return False
    is_first = not lead.strip() or _SPECIAL.fullmatch(lead.strip()) is not None
    return is_first or not needs_edge or (bool(tag["slash"]) and not tail.strip())


class _Hidden:
    """The places in which tags are plain text: whole files, and closed parts."""

    def __init__(self, text: str, spans: Sequence[Span]) -> None:
        self._text = text
        self._places: list[tuple[int, int, bool]] = []
        for place in sorted([(s.start, s.end, s.end > s.body_end) for s in spans] + _parts(text)):
            if not self._places or place[0] >= self._places[-1][1] or not self._places[-1][2]:
                self._places.append(place)  # else it lies in the one before
        self._starts = [start for start, _, _ in self._places]

    def covers(self, tag: re.Match[str]) -> bool:
        """Whether the tag is in such a place; a file without a closing tag does not hide a tag at the start of a line."""
        at = bisect_right(self._starts, tag.start())
        around = [place for place in self._places[max(at - 2, 0) : at] if place[1] > tag.start()]
        return any(is_closed or not self._is_first(tag) for _, _, is_closed in around)

    def _is_first(self, tag: re.Match[str]) -> bool:
        return not self._text[max(tag.start() - MAX_EDGE, 0) : tag.start()].rpartition("\n")[2].strip()


def _parts(text: str) -> list[tuple[int, int, bool]]:
    """The parts with closing tags; a part interrupted by another of the same name was never closed."""
    found = []
    starts = list(_PART.finditer(text))
    for number, opened in enumerate(starts):
        limit = next((s.start() for s in starts[number + 1 : number + 2]), len(text))
        closed = text.find(f"</{opened[1]}>", opened.end(), limit)
        if closed >= 0:
            found.append((opened.start(), closed, True))
    return found


def _marker_end(text: str, start: int, hidden: _Hidden) -> int:
    """Where the reasoning of gpt-oss ends, if its channels came as text; 0 if there is none."""
    part = _PART.search(text, start)
    for marker in _MARKER.finditer(text, start):
        is_clear = marker[0].startswith("<") or _ANALYSIS.match(text) is not None
        if (is_clear or _ANSWER_BEGINS.match(text, marker.end())) and not hidden.covers(marker):
            return marker.end()
        if part is not None and part.start() < marker.start():
            return 0
    return 0
