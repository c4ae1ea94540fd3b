"""Applies edits to a shown file.

Models copy the lines to be replaced from memory, so white space may differ. Three comparisons are tried, strictest first: exact
(except trailing white space), ignoring indentation, ignoring indentation and blank lines. What must always hold: an edit is
applied only if it matches in exactly one place of the shown text; anything else fails and names the nearest lines; edits never
overlap, and no line outside them changes.
"""

import difflib
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from dce.workspace.tree.lines import split_lines

MAX_NEAREST_LINES = 20_000
"""Longest file that is searched for the nearest lines: a hint must not take seconds."""

CLEARLY_NEARER = 2
"""How many times as far as the nearest place the next one must be, for a miscounted line number to choose between them."""

MAX_PLACES = 5
"""How many matching places an error lists."""


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """`search` is replaced by `replace`, both whole lines. `line` (from 1; 0 if unknown) chooses among several matches, if it is clear."""

    search: str
    replace: str
    line: int = 0


class EditError(Exception):
    """An edit that matches nowhere or in several places. The message is a sentence for users."""


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """The whole new text; `repairs` say where white space was ignored."""

    text: str
    repairs: tuple[str, ...] = ()


class _Place(NamedTuple):
    """Lines `start` to `stop` (exclusive, from 0) of the text, their replacement, and what was ignored to match them."""

    start: int
    stop: int
    lines: list[str]
    leniency: str


class _Look(NamedTuple):
    """A way of comparing: what is ignored ("" for nothing), and whether blank lines count."""

    overlooked: str
    is_indented: bool
    has_blanks: bool


_LOOKS = (
    _Look("", is_indented=True, has_blanks=True),
    _Look("indentation", is_indented=False, has_blanks=True),
    _Look("indentation and blank lines", is_indented=False, has_blanks=False),
)


def apply_edits(text: str, edits: Sequence[Edit]) -> Edited:
    """`text` with every edit applied. Raises EditError. Line ends become LF; accepting converts them to the file's own."""
    lines = split_lines(text.replace("\r\n", "\n"))
    places = sorted((_place(lines, edit, number) for number, edit in enumerate(edits, start=1)), key=lambda p: p[:2])
    for one, other in itertools.pairwise(places):
        if other.start < one.stop:
            raise EditError(f"two edits change the same lines ({other.start + 1} to {one.stop}).")
    result, at, repairs = [], 0, []
    for place in places:
        result += lines[at : place.start] + place.lines
        at = place.stop
        if place.leniency:
            repairs.append(f"The edit at line {place.start + 1} matched only when ignoring {place.leniency}.")
    return Edited(text="".join(result + lines[at:]), repairs=tuple(repairs))


def _place(lines: list[str], edit: Edit, number: int) -> _Place:
    search, new = split_lines(edit.search.replace("\r\n", "\n")), split_lines(edit.replace.replace("\r\n", "\n"))
    if not any(line.strip() for line in search):
        if search or any(line.strip() for line in lines):
            raise EditError(f"edit {number} has no lines to search for.")
        return _Place(0, len(lines), new, "")
    for look in _LOOKS:
        found = _matches(lines, search, look)
        if len(found) > 1 and 0 < edit.line <= len(lines):
            found = _decided(found, edit.line)
        if len(found) > 1:
            named = ", ".join(str(start + 1) for start, _ in found[:MAX_PLACES])
            more = f" and {len(found) - MAX_PLACES} more" if len(found) > MAX_PLACES else ""
            raise EditError(f"edit {number} matches {len(found)} places, at lines {named}{more}.")
        if found:
            start, stop = found[0]
            return _Place(start, stop, _fitted(lines[start:stop], search, new, look), look.overlooked)
    raise EditError(f"edit {number} matches nowhere.{_nearest(lines, search)}")


def _decided(found: list[tuple[int, int]], line: int) -> list[tuple[int, int]]:
    """The one place that a line number chooses: it is exact, or the next best is several times as far away; else all of them."""
    first, second = sorted(found, key=lambda place: abs(place[0] + 1 - line))[:2]
    here, there = abs(first[0] + 1 - line), abs(second[0] + 1 - line)
    return [first] if here * CLEARLY_NEARER < there else found


def _matches(lines: list[str], search: list[str], look: _Look) -> list[tuple[int, int]]:
    """Every place that matches the searched lines, as line ranges."""
    kept = [at for at, line in enumerate(lines) if look.has_blanks or line.strip()]
    have = [_key(lines[at], look) for at in kept]
    want = [_key(line, look) for line in search if look.has_blanks or line.strip()]
    count, first = len(want), want[0]
    return [
        (kept[at], kept[at + count - 1] + 1)
        for at in range(len(have) - count + 1)
        if have[at] == first
        and have[at : at + count] == want
        and (look.is_indented or _shift(lines, search, kept[at]) is not None)
    ]


def _key(line: str, look: _Look) -> str:
    return line.rstrip() if look.is_indented else line.strip()


def _shift(lines: list[str], search: list[str], start: int) -> tuple[str, str] | None:
    """How to turn a search's indentation into the file's: (prefix to remove, prefix to add); None if its lines differ in that.

    The first line decides and the others must agree, so that equal lines with a different nesting do not match.
    """
    wanted = [line for line in search if line.strip()]
    there = [line for line in lines[start:] if line.strip()][: len(wanted)]
    off, on = _indent(wanted[0]), _indent(there[0])
    shared = len(_common_end(off, on))
    off, on = off[: len(off) - shared], on[: len(on) - shared]
    for want, have in zip(wanted, there, strict=False):
        if not _indent(want).startswith(off) or on + _indent(want)[len(off) :] != _indent(have):
            return None
    return off, on


def _common_end(one: str, other: str) -> str:
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return one[len(one) - count :]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _fitted(there: list[str], search: list[str], new: list[str], look: _Look) -> list[str]:
    """The new lines with the file's indentation, and without a final newline if the file has none."""
    if not look.is_indented:
        off, on = _shift(there, search, 0) or ("", "")
        new = [on + line.removeprefix(off) if line.strip() else line for line in new]
    if there and not there[-1].endswith("\n") and new:
        return [*new[:-1], new[-1].removesuffix("\n")]
    return [*new[:-1], new[-1] if new[-1].endswith("\n") else new[-1] + "\n"] if new else []


def _nearest(lines: list[str], search: list[str]) -> str:
    """A sentence that names the lines most like the searched ones."""
    if not lines or len(lines) > MAX_NEAREST_LINES:
        return ""
    have, want = [line.strip() for line in lines], [line.strip() for line in search]
    match = difflib.SequenceMatcher(None, have, want, autojunk=False).find_longest_match()
    start = match.a - match.b
    if not match.size:
        close = difflib.get_close_matches(next(line for line in want if line), have, n=1, cutoff=0.6)
        if not close:
            return " Nothing in the file is similar."
        start = have.index(close[0])
    start = max(start, 0)
    stop = min(start + len(want), len(lines))
    shown = "".join(f"\n    {at + 1}: {lines[at].rstrip()[:100]}" for at in range(start, min(stop, start + 8)))
    return f" The nearest lines are {start + 1} to {stop}:{shown}"
