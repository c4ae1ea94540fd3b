"""A second look at a reading: gives its files the paths that the answer means, and flags and notes what is doubtful about each."""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import msgspec

from dce.workspace.schema.announced import missing_files
from dce.workspace.schema.edit_blocks import edited_file, parse_edits
from dce.workspace.schema.edits import EditError
from dce.workspace.schema.look_alikes import printable
from dce.workspace.schema.marks import MARKS, found
from dce.workspace.schema.near_paths import NamedPath
from dce.workspace.schema.omissions import omission
from dce.workspace.schema.reading import FileBlock, Reading, Shown, Unapplied

PATH_DOUBT = "path_doubt"
DOUBTS = (PATH_DOUBT, *(mark.flag for mark in MARKS))
"""The flags that are raised here, about one file each."""

_ABSENT = "The summary or plan says these were written, but they are absent:"


def renamed(reading: Reading, named: Callable[[str], NamedPath]) -> Reading:
    """The reading with every path as `named` gives it."""
    notes: list[str] = []
    gone = {named(path).path for file in reading.files if (path := file.from_path or _deleted(file))}
    files = [_renamed(file, named, notes, gone) for file in reading.files]
    unapplied = []
    for edit in reading.unapplied:
        name = named(edit.path)
        notes += _said(edit.path, name)
        unapplied.append(msgspec.structs.replace(edit, path=name.path))
    if not notes and [file.path for file in files] == [file.path for file in reading.files]:
        return reading
    files, has_twins = _one_a_path(files, {edit.path for edit in unapplied}, notes)
    flags = [flag for flag in reading.flags if flag != "missing_files"]
    old_notes = list(reading.notes)
    if "missing_files" in reading.flags:
        said = f"{reading.summary}\n{reading.plan}"
        if missing_files(said, [*(file.path for file in files), *(edit.path for edit in unapplied)]):
            flags.append("missing_files")
        else:
            old_notes = [note for note in old_notes if not note.startswith(_ABSENT)]
    flags += [PATH_DOUBT] if any(PATH_DOUBT in file.flags for file in files) else []
    flags += ["ambiguous_block"] if has_twins and "ambiguous_block" not in flags else []
    return msgspec.structs.replace(
        reading,
        files=tuple(files),
        unapplied=tuple(unapplied),
        flags=tuple(flags),
        notes=(*notes, *old_notes),
        parse="repaired" if notes and reading.parse == "ok" else reading.parse,
    )


def with_edits_made(reading: Reading, nonce: str, shown: Shown) -> Reading:
    """The reading, with edits applied in files that have SEARCH/REPLACE marks with the prompt's nonce in place of their text.

    No file contains the nonce by itself, so such marks are edits, whatever block they are in.
    """
    mark = re.compile(rf"^<{{5,9}}[ \t]*SEARCH[ \t]+{re.escape(nonce)}[ \t]*$", re.MULTILINE)
    files, unapplied, notes = [], list(reading.unapplied), []
    for file in reading.files:
        if file.action != "write" or not nonce or not mark.search(file.content):
            files.append(file)
            continue
        try:
            made = edited_file(file.path, parse_edits(file.content, nonce), shown)
        except EditError as error:
            made = Unapplied(path=file.path, reason=str(error))
        if isinstance(made, Unapplied):
            unapplied.append(made)
            notes.append(f"{printable(file.path)}: Not applied: {made.reason}")
        else:
            is_whole = file.status == "complete"
            files.append(
                msgspec.structs.replace(file, content=made[0].content, status="repaired" if is_whole else file.status)
            )
            notes += [f"{printable(file.path)}: {repair}" for repair in made[1]]
            notes.append(f"{printable(file.path)}: Its block holds edits in place of the whole file; they were made.")
    if not notes:
        return reading
    flags = dict.fromkeys((*reading.flags, *(["unapplied_edit"] if len(unapplied) > len(reading.unapplied) else [])))
    return msgspec.structs.replace(
        reading,
        files=tuple(files),
        unapplied=tuple(unapplied),
        flags=tuple(flags),
        notes=(*notes, *reading.notes),
        parse="repaired" if reading.parse == "ok" else reading.parse,
    )


def _deleted(file: FileBlock) -> str:
    return file.path if file.action == "delete" else ""


def _renamed(file: FileBlock, named: Callable[[str], NamedPath], notes: list[str], gone: set[str]) -> FileBlock:
    """The file with the path that is meant. A path near files that are all `gone` with this answer is where they move to."""
    name = named(file.path)
    if name.near and gone.issuperset(name.near):
        name = NamedPath(name.path)
    notes += _said(file.path, name)
    if file.from_path:
        file = msgspec.structs.replace(file, from_path=named(file.from_path).path)
    written = file.path if _is_other(file.path, name) else file.written_path
    flags = (*file.flags, PATH_DOUBT) if name.doubt else file.flags
    return msgspec.structs.replace(file, path=name.path, written_path=written, flags=flags)


def _said(written: str, name: NamedPath) -> list[str]:
    said = [f"`{printable(written)}` read as `{printable(name.path)}`."] if _is_other(written, name) else []
    return [
        *said,
        *([f"{printable(name.path)}: Perhaps not the path that is meant. {name.doubt}"] if name.doubt else []),
    ]


def _is_other(written: str, name: NamedPath) -> bool:
    """Whether more than a doubled slash was removed."""
    return str(PurePosixPath(written)) != name.path


def _one_a_path(files: Sequence[FileBlock], failed: set[str], notes: list[str]) -> tuple[list[FileBlock], bool]:
    """One block for each path, the last if two spellings meant one path, ambiguous if they differ; and whether any did.

    A file that also has unapplied edits is left out, so that it never counts as complete.
    """
    kept: dict[str, FileBlock] = {}
    has_twins = False
    for file in files:
        before = kept.pop(file.path, None)
        if before is not None and (before.content, before.action) != (file.content, file.action):
            has_twins = True
            notes.append(f"More than one block, not the same, for {printable(file.path)}: the last is shown.")
            file = msgspec.structs.replace(file, status="ambiguous")  # noqa: PLW2901 - it is unknown which one is meant
        kept[file.path] = file
    return [file for file in kept.values() if file.path not in failed], has_twins


def marked(reading: Reading, shown: Shown) -> Reading:
    """The reading with flags for the marks in its files that the shown files did not have, and for lines left out of them."""
    files, flags, notes = [], dict.fromkeys(reading.flags), list(reading.notes)
    for file in reading.files:
        marks = tuple(found(file.path, file.content, shown(file.path)))
        flags |= dict.fromkeys(mark.flag for mark in marks)
        notes += [f"{printable(file.path)}: It holds {mark.says} (line {mark.line})." for mark in marks]
        found_here = [mark.flag for mark in marks]
        before = shown(file.from_path or file.path) if file.action == "write" else None
        stand_in = omission(before, file.content, file.path) if before else ""
        if stand_in:
            found_here.append("elision")
            if "elision" not in flags:
                notes.append(f"{printable(file.path)}: Lines are gone, and in their place stands: {stand_in[:80]}")
            flags["elision"] = None
        files.append(msgspec.structs.replace(file, flags=(*file.flags, *found_here)))
    return msgspec.structs.replace(reading, files=tuple(files), flags=tuple(flags), notes=tuple(notes))
