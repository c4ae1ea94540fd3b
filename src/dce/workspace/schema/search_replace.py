"""SEARCH/REPLACE blocks as other tools ask for them: a path, then pairs of lines to find and their replacements.

The path stands on a line above (or above the fence), in the fence's info string, in `<path>` tags or behind SEARCH; a pair without one
belongs to the file before it. Both styles of markers are read: `<<<<<<< SEARCH` … and `------- SEARCH` ….
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from dce.workspace.schema.edits import Edit, EditError, apply_edits
from dce.workspace.schema.found import Found, is_path, line_offsets, name_in_line
from dce.workspace.schema.reading import Shown

_START = re.compile(r"\s*(?:<{5,9}|-{5,9})[ \t]*(?:SEARCH|ORIGINAL)\b[ \t:>]*(?P<rest>[^\r\n]*)\r?")
_MIDDLE = re.compile(r"\s*={5,9}[ \t]*\r?")
_STOP = re.compile(r"\s*(?:>{5,9}|\+{5,9})[ \t]*(?:REPLACE|UPDATED)\b[^\n]*")
_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})([^`\r\n]*)\r?")
_PATH_TAG = re.compile(r"\s*<(?:path|file_path|target_file)>\s*([^<>\n]+?)\s*</")

LOOK_BACK = 6
"""How many lines above a SEARCH marker may name its file: the name, tags and a fence."""


MAX_SEPARATORS = 20
"""How many lines of a pair are tried as its separator."""


class _Pair(NamedTuple):
    """One pair, and the line of its REPLACE marker (the last line that was read, if there is an `error`).

    `others`: the pairs that it could also be, if its text holds separators.
    """

    last: int
    edit: Edit
    error: str = ""
    others: tuple[Edit, ...] = ()


def find_search_replace(text: str, shown: Shown) -> list[Found]:
    """The edits, one entry for each pair. A pair that names no file has the path "?"."""
    if "SEARCH" not in text and "ORIGINAL" not in text:
        return []
    lines = text.split("\n")
    offsets = line_offsets(lines)
    found: list[Found] = []
    path, at, floor = "", 0, 0
    while at < len(lines):
        start = _START.fullmatch(lines[at])
        if start is None:
            at += 1
            continue
        pair = _pair(lines, at)
        first, named = _named(lines, at, start["rest"].strip(), floor)
        path = named or path
        at = floor = _after(lines, pair.last)
        edit, doubt = _chosen(pair, shown(path) if path else None)
        error = pair.error or ("" if path else "it names no file.") or doubt
        edits = () if error else (edit,)
        found.append(Found(path or "?", offsets[first], min(offsets[at], len(text)), edits=edits, error=error))
    return found


def _pair(lines: Sequence[str], first: int) -> _Pair:
    """The pair that begins at a SEARCH marker."""
    middles: list[int] = []
    for number in range(first + 1, len(lines)):
        line = lines[number]
        if _START.fullmatch(line):
            return _Pair(number - 1, Edit(search="", replace=""), "a SEARCH block has no REPLACE marker.")
        if _MIDDLE.fullmatch(line):
            middles.append(number)
        elif middles and _STOP.fullmatch(line):
            edit, *others = [
                Edit(search=_joined(lines[first + 1 : middle]), replace=_joined(lines[middle + 1 : number]))
                for middle in _separators(lines, first, middles)
            ]
            return _Pair(number, edit, others=tuple(others))
        elif _STOP.fullmatch(line):
            return _Pair(number, Edit(search="", replace=""), "a SEARCH block has no ======= marker.")
    return _Pair(len(lines) - 1, Edit(search="", replace=""), "a SEARCH block has no REPLACE marker.")


def _separators(lines: Sequence[str], first: int, middles: Sequence[int]) -> list[int]:
    """The lines that may divide a pair: those as long as its SEARCH marker, since an underline may have any length."""
    signs = len(lines[first].strip()) - len(lines[first].strip().lstrip("<-"))
    alike = [middle for middle in middles if len(lines[middle].strip()) == signs]
    return (alike or list(middles))[:MAX_SEPARATORS]


def _chosen(pair: _Pair, text: str | None) -> tuple[Edit, str]:
    """The one edit that a pair can be, by the text it applies to; or why that is not known."""
    if not pair.others:
        return pair.edit, ""
    if not pair.edit.search.strip():
        return pair.edit, ""  # a new file's text may hold any line
    fitting = [edit for edit in (pair.edit, *pair.others) if text is not None and _fits(text, edit)]
    if len(fitting) == 1:
        return fitting[0], ""
    return pair.edit, "a SEARCH block has several ======= lines, and which one divides it is not clear."


def _fits(text: str, edit: Edit) -> bool:
    try:
        apply_edits(text, [edit])
    except EditError:
        return False
    return True


def _joined(lines: Sequence[str]) -> str:
    return "".join(line.removesuffix("\r") + "\n" for line in lines)


def _named(lines: Sequence[str], at: int, rest: str, floor: int) -> tuple[int, str]:
    """The first line that names a pair's file, and the path; the marker's own line and "" if nothing names it."""
    name = rest.strip("`*\"' ")
    if is_path(name):
        return at, name
    first = at
    for number in range(at - 1, max(floor, at - LOOK_BACK) - 1, -1):
        line = lines[number]
        fence = _FENCE.fullmatch(line)
        tag = _PATH_TAG.match(line)
        if tag is not None:
            return number, tag[1]
        if fence is not None:
            words = [word for word in re.split(r"[\s:=\"']+", fence[1]) if is_path(word)]
            if words:
                return number, words[-1]
            first = number
        elif line.strip() and not re.fullmatch(r"\s*</?[\w-]+>\s*", line):
            path, _ = name_in_line(line)
            return (number, path) if path else (first, "")
    return first, ""


def _after(lines: Sequence[str], last: int) -> int:
    """The line after a pair and the fence that closes it."""
    stop = last + 1
    fence = _FENCE.fullmatch(lines[stop]) if stop < len(lines) else None
    return stop + 1 if fence is not None and not fence[1].strip() else stop
