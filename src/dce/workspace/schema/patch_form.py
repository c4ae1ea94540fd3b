"""Patches between `*** Begin Patch` and `*** End Patch`, as Codex and others ask for them: sections by file, hunks without line numbers."""

import re
from collections.abc import Sequence

from dce.workspace.schema.edits import Edit
from dce.workspace.schema.found import Found, line_offsets
from dce.workspace.schema.reading import Shown

_SECTION = re.compile(r"\*\*\* (?P<verb>Add|Update|Delete) File: (?P<path>.+?)\s*")
_MOVE = re.compile(r"\*\*\* Move to: (?P<path>.+?)\s*")
_BEGIN = re.compile(r"\s*(?:`{3,}\w*\s*)?\*\*\* Begin Patch\s*")
_END = re.compile(r"\s*\*\*\* End Patch\s*(?:`{3,}\s*)?")


def find_patches(text: str, shown: Shown) -> list[Found]:
    """The sections of all patches, in text order."""
    if "*** " not in text:
        return []
    lines = text.split("\n")
    offsets = line_offsets(lines)
    found: list[Found] = []
    at = 0
    while at < len(lines):
        section = _SECTION.fullmatch(lines[at].strip())
        if section is None:
            at += 1
            continue
        first = at - 1 if at and _BEGIN.fullmatch(lines[at - 1]) else at
        stop = _stop(lines, at + 1)
        is_whole = stop < len(lines)
        body = [line.removesuffix("\r") for line in lines[at + 1 : stop]]
        file = _section(section["verb"], section["path"], body, shown)
        if not is_whole and not file.error:
            file = file._replace(error="the patch has no `*** End Patch`; it may be cut off.", edits=())
        at = stop + 1 if is_whole and _END.fullmatch(lines[stop]) else stop
        found.append(file._replace(start=offsets[first], end=min(offsets[at], len(text))))
    return found


def _stop(lines: Sequence[str], at: int) -> int:
    """The line after a section: the start of the next one, the patch's end, or past the last line."""
    while at < len(lines):
        line = lines[at]
        if _END.fullmatch(line) or _SECTION.fullmatch(line.strip()) or _BEGIN.fullmatch(line):
            return at
        at += 1
    return at


def _section(verb: str, path: str, body: Sequence[str], shown: Shown) -> Found:
    file = Found(path=path, start=0, end=0)
    if verb == "Delete":
        return file._replace(action="delete")
    if body and (move := _MOVE.fullmatch(body[0])):
        edits = tuple(_edits(body[1:], shown(path) or ""))
        return file._replace(path=move["path"], from_path=path, edits=edits, action="write" if edits else "rename")
    if verb == "Add":
        if any(line and not line.startswith("+") for line in body[:-1]):
            return file._replace(error="it adds the file, but not all of its lines begin with a plus sign.")
        return file._replace(content="".join(line[1:] + "\n" for line in body if line.startswith("+")))
    edits = tuple(_edits(body, shown(path) or ""))
    return file._replace(edits=edits) if edits else file._replace(error="it has no hunk.")


def _edits(body: Sequence[str], shown: str) -> list[Edit]:
    """The hunks. The text after `@@` is an earlier line of the file, which selects among several matches."""
    edits: list[Edit] = []
    old: list[str] = []
    new: list[str] = []
    anchor = ""
    places = {line.strip(): number for number, line in enumerate(shown.split("\n"), start=1)} if shown else {}
    for line in [*body, "@@"]:
        if line.startswith("@@"):
            if old or new:
                edits.append(Edit(search="".join(old), replace="".join(new), line=places.get(anchor, 0)))
            old, new, anchor = [], [], line[2:].strip().removesuffix("@@").strip()
        elif line.startswith("*** End of File"):
            continue
        elif line[:1] == "-":
            old.append(line[1:] + "\n")
        elif line[:1] == "+":
            new.append(line[1:] + "\n")
        else:
            text = (line[1:] if line[:1] == " " else line) + "\n"
            old.append(text)
            new.append(text)
    return edits
