"""A difference as numbered hunks, and the text that results from applying only some of them.

Hunks are those of a unified diff: changes with three lines of context. Changed lines in a hunk are numbered from 1 too, so that
`2:1-3` means the first three changed lines of the second hunk. Invariant: taking all hunks gives the new text, taking none gives
the old one, byte for byte.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.compare import grouped_opcodes
from dce.workspace.tree.lines import split_lines

_PICK = re.compile(r"(\d+)(?::(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*))?")


class HunkLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a hunk. `number` counts the changed lines from 1; 0 for a line of context."""

    sign: Literal[" ", "-", "+"]
    text: str
    number: int = 0


class Hunk(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a difference, numbered from 1. Starts count lines from 1."""

    number: int
    old_start: int
    new_start: int
    added: int
    removed: int
    lines: tuple[HunkLine, ...]


def hunks(before: str, after: str) -> list[Hunk]:
    """The difference of two texts, in order."""
    old, new = split_lines(before), split_lines(after)
    found = []
    for number, group in enumerate(grouped_opcodes(old, new), start=1):
        lines: list[HunkLine] = []
        count = added = removed = 0
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [HunkLine(sign=" ", text=line) for line in old[i1:i2]]
                continue
            for line in old[i1:i2]:
                lines.append(HunkLine(sign="-", text=line, number=(count := count + 1)))
            for line in new[j1:j2]:
                lines.append(HunkLine(sign="+", text=line, number=(count := count + 1)))
            removed, added = removed + i2 - i1, added + j2 - j1
        hunk = Hunk(
            number=number,
            old_start=group[0][1] + 1,
            new_start=group[0][3] + 1,
            added=added,
            removed=removed,
            lines=tuple(lines),
        )
        found.append(hunk)
    return found


def take(before: str, after: str, picks: Sequence[str]) -> str:
    """`before` with only the picked hunks (`2`) or lines (`2:1-3,5`) applied. Raises DceError invalid_input, not_found."""
    found = hunks(before, after)
    wanted = _wanted(found, picks)
    old, result, at = split_lines(before), [], 0
    for hunk in found:
        result += old[at : hunk.old_start - 1]
        at = hunk.old_start - 1
        for line in hunk.lines:
            is_made = line.number in wanted.get(hunk.number, ())
            if line.sign == " " or (line.sign == "+") == is_made:
                result.append(line.text)
            at += line.sign != "+"
    # A line without a newline may no longer be the last one.
    whole = [*result, *old[at:]]
    return "".join(line if line.endswith("\n") else line + "\n" for line in whole[:-1]) + "".join(whole[-1:])


def _wanted(found: Sequence[Hunk], picks: Iterable[str]) -> dict[int, set[int]]:
    """Hunk number → the numbers of its changed lines that are picked."""
    wanted: dict[int, set[int]] = {}
    for pick in picks:
        match = _PICK.fullmatch(pick)
        if match is None:
            raise DceError(
                "invalid_input", f"{pick!r} is not a hunk", hint="Write 2 for a hunk, 2:1-3,5 for some of its lines."
            )
        number = int(match[1])
        if not 1 <= number <= len(found):
            raise DceError(
                "not_found", f"there is no hunk {number}; there are {len(found)}", hint="See `dce diff --hunks`."
            )
        there = {line.number for line in found[number - 1].lines} - {0}
        lines = _numbers(match[2], len(there)) if match[2] else there
        if not lines <= there:
            raise DceError(
                "not_found", f"hunk {number} has changed lines 1 to {len(there)}, not {pick.partition(':')[2]}"
            )
        wanted.setdefault(number, set()).update(lines)
    return wanted


def _numbers(text: str, most: int) -> set[int]:
    """`1-3,5` as numbers; anything beyond `most` becomes `most` + 1, so that no range can fill the memory."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(min(int(first), most + 1), min(int(last or first), most + 1) + 1))
    return numbers
