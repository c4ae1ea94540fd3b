"""Three-way merge: applies the answer's changes to a file that was edited since the prompt showed it.

The common ancestor is the prompt's copy. Only clean merges are written; if both sides changed the same lines differently, the
file is refused and the conflicts are named. git does the merge (without a repository), so that the result is familiar.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from dce.wire.errors import DceError

MERGE_TIMEOUT_S = 60.0
"""Longest time for one file's merge."""

_MARK_SIZE = 40
"""Length of the conflict markers: longer than in any file, so that a file about conflicts does not look like one."""


_MARK = re.compile(rf"<{{{_MARK_SIZE}}} ours|\|{{{_MARK_SIZE}}} base|={{{_MARK_SIZE}}}|>{{{_MARK_SIZE}}} theirs")


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """The merged text with LF line ends, and the first line of each conflict (from 1, in the file as it is now)."""

    text: str
    conflicts: tuple[int, ...] = ()


def merge3(base: str, ours: str, theirs: str) -> Merge:
    """`theirs` (the answer) merged into `ours` (the file now). Raises DceError invalid_input without git."""
    base, ours, theirs = (text.replace("\r\n", "\n") for text in (base, ours, theirs))
    # An answer's format cannot omit the final newline, so that alone is not a change.
    if not base.endswith("\n") and theirs.endswith("\n") and base:
        theirs = theirs[:-1]
    if ours == base or theirs in (base, ours):
        return Merge(text=theirs if ours == base else ours)
    if theirs == base:
        return Merge(text=ours)
    text = _merged(base, ours, theirs)
    conflicts, line, side = [], 1, "both"
    for row in text.split("\n"):
        if _MARK.fullmatch(row):
            side = {"<": "ours", "|": "base", "=": "theirs", ">": "both"}[row[0]]
            if side == "ours":
                conflicts.append(line)
        elif side in {"both", "ours"}:
            line += 1
    return Merge(text=text, conflicts=tuple(conflicts))


Side = Literal["first", "second", "both", ""]
"""Which side of a conflict is taken; "" means undecided."""


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A place where both sides changed the same lines: the text of each side and of the base. `line` as in `Merge`."""

    line: int
    first: str
    base: str
    second: str


def conflicts_of(merge: Merge) -> tuple[Conflict, ...]:
    """The conflicts of a merge with the texts of both sides, in order."""
    pieces = (piece for piece in _pieces(merge.text) if not isinstance(piece, str))
    return tuple(
        Conflict(line=line, first=first, base=base, second=second)
        for line, (first, base, second) in zip(merge.conflicts, pieces, strict=True)
    )


def resolved(merge: Merge, choices: Sequence[Side]) -> str:
    """The text with the conflicts resolved by `choices`, in order; an undecided one keeps the first side."""
    sides, parts = iter(choices), []
    for piece in _pieces(merge.text):
        if isinstance(piece, str):
            parts.append(piece)
            continue
        first, _, second = piece
        side = next(sides, "")
        parts.append({"second": second, "both": first + second}.get(side, first))
    return "".join(parts)


def _pieces(text: str) -> Iterator[str | tuple[str, str, str]]:
    """The merged texts and, for each conflict, its three sides, in order."""
    sides: dict[str, list[str]] = {"both": [], "ours": [], "base": [], "theirs": []}
    side = "both"
    for row in re.split(r"(?<=\n)", text):
        found = _MARK.fullmatch(row.rstrip("\n"))
        if found is None:
            sides[side].append(row)
            continue
        side = {"<": "ours", "|": "base", "=": "theirs", ">": "both"}[row[0]]
        if side == "ours":
            yield "".join(sides["both"])
            sides["both"] = []
        if side == "both":
            yield "".join(sides["ours"]), "".join(sides["base"]), "".join(sides["theirs"])
            sides = {"both": [], "ours": [], "base": [], "theirs": []}
    yield "".join(sides["both"])


def _merged(base: str, ours: str, theirs: str) -> str:
    with tempfile.TemporaryDirectory(prefix="dce-merge-") as folder:
        paths = []
        for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            path = Path(folder, name)
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
            paths.append(str(path))
        labels = [word for name in ("ours", "base", "theirs") for word in ("-L", name)]
        command = ["git", "merge-file", "-p", "--diff3", f"--marker-size={_MARK_SIZE}", *labels, *paths]
        try:
            done = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=MERGE_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DceError("invalid_input", f"the merge failed: git cannot be run ({error})") from error
    # The exit code is the number of conflicts, at most 127; anything above is an error.
    if not 0 <= done.returncode <= 127:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise DceError("invalid_input", f"the merge failed: {said or done.returncode}")
    return done.stdout.decode("utf-8", "surrogatepass")
