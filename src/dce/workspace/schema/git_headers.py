"""The headers of a git diff, before or instead of a file's hunks: deleted, renamed, copied, mode."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dce.workspace.schema.acts import mode_of
from dce.workspace.schema.assembly import canonical
from dce.workspace.schema.reading import FileBlock, Shown, Unapplied

_BEGIN = re.compile(r'diff --git (?:"?a/(?P<old>.+?)"?) (?:"?b/(?P<new>.+?)"?)\s*')
_LINE = re.compile(
    r"(?P<key>old mode|new mode|deleted file mode|new file mode|rename from|rename to|copy from|copy to|similarity index"
    r"|dissimilarity index|index|Binary files|GIT binary patch)(?: (?P<value>.*))?"
)


class Header(NamedTuple):
    """A file's header in a git diff, lines `start` to `stop` (its hunks, if any, follow). `mode`: "" if it does not change."""

    start: int
    stop: int
    old: str
    new: str
    is_deleted: bool = False
    is_new: bool = False
    is_renamed: bool = False
    is_copied: bool = False
    mode: str = ""
    problem: str = ""


def headers(lines: Sequence[str]) -> Iterator[Header]:
    """Every git header in the lines of an answer."""
    at = 0
    while at < len(lines):
        begin = _BEGIN.fullmatch(lines[at])
        if begin is None:
            at += 1
            continue
        start, found, at = at, dict[str, str](), at + 1
        while at < len(lines) and (line := _LINE.fullmatch(lines[at].rstrip())) is not None:
            found[line["key"]] = (line["value"] or "").strip().strip('"')
            at += 1
        yield _header(start, at, begin, found)


def without_hunks(header: Header, shown: Shown) -> FileBlock | Unapplied | None:
    """What a header without hunks does; None if it does nothing."""
    path = header.old if header.is_deleted else header.new
    if header.problem:
        return Unapplied(path=path, reason=header.problem)
    if header.is_deleted:
        return FileBlock(path=path, content="", action="delete")
    if header.is_renamed:
        return FileBlock(path=path, content="", action="rename", from_path=header.old, mode=header.mode)
    if header.is_copied:
        text = shown(header.old)
        if text is None:
            return Unapplied(path=path, reason=f"it copies {header.old}, which the prompt did not show whole.")
        return FileBlock(path=path, content=text, mode=header.mode)
    if header.is_new:
        return FileBlock(path=path, content="", mode=header.mode)
    return FileBlock(path=path, content="", action="mode", mode=header.mode) if header.mode else None


def _header(start: int, stop: int, begin: re.Match[str], found: dict[str, str]) -> Header:
    old = found.get("rename from") or found.get("copy from") or begin["old"]
    new = found.get("rename to") or found.get("copy to") or begin["new"]
    said = found.get("new file mode") or found.get("new mode", "")
    mode = mode_of(said)
    problem = ""
    if said and not mode:
        problem = f"it makes a file of mode {said} (a link or a submodule), which is not done."
    elif "GIT binary patch" in found or "Binary files" in found:
        problem = "it is a binary patch, which is not carried out."
    return Header(
        start=start,
        stop=stop,
        old=canonical(old),
        new=canonical(new),
        is_deleted="deleted file mode" in found,
        is_new="new file mode" in found,
        is_renamed="rename from" in found or "rename to" in found,
        is_copied="copy from" in found or "copy to" in found,
        # A new file that is not executable has the usual mode: nothing is set.
        mode="" if mode == "644" and "new file mode" in found else mode,
        problem=problem,
    )
