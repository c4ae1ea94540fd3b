"""Unified diffs, which some models write whatever they are asked for. Line numbers are only hints: models count badly.

A hunk's context and removed lines are searched for in the shown file, like those of an edit. git's headers (deleted, renamed,
executable) are separate acts; binary patches, links and submodules are not applied, and a note says so.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from dce.workspace.schema.assembly import assemble_blocks, canonical
from dce.workspace.schema.edit_blocks import edited_file
from dce.workspace.schema.edits import Edit
from dce.workspace.schema.git_headers import Header, headers, without_hunks
from dce.workspace.schema.plain import PlainSchema
from dce.workspace.schema.prose import read_prose
from dce.workspace.schema.reading import FileBlock, Reading, Shown, Unapplied, nothing_shown
from dce.workspace.schema.reasoning import thoughts
from dce.workspace.schema.spans import Span

_HUNK = re.compile(r"@@(?: -(\d+)(?:,\d+)? \+\d+(?:,\d+)?)?(?: @@.*)?")
_NO_FILE = "/dev/null"

_INSTRUCTIONS = """\
Answer in plain text: first the parts

<summary>
What you did and why, in a few sentences. Name every file you changed.
</summary>
<plan>
The steps you took, as a numbered list.
</plan>

then one unified diff over all files that you create or change, as `git diff` writes it:

--- a/path/to/file.ext
+++ b/path/to/file.ext
@@ -10,3 +10,3 @@
 an unchanged line
-a line as it is
+the line as it will be
 an unchanged line

Rules:
1. Context and removed lines are copied from M7 exactly, three unchanged lines around each change.
2. For a new file the old name is /dev/null and every line begins with a plus sign; for a deleted file the new name is /dev/null.
   Renames and modes are said as git does: `rename from`, `rename to`, `new file mode 100755` below a line `diff --git a/… b/…`.
3. Paths are relative to the workspace's root, with forward slashes, spelled as in M7. Nothing stands between the hunks."""


class _FileDiff(NamedTuple):
    """The part of an answer that changes one file, from line `start` to `stop`."""

    start: int
    stop: int
    old: str
    new: str
    edits: tuple[Edit, ...]
    is_bare: bool  # whether the last edit omits its final newline on purpose
    is_dropped: bool  # whether that newline was there before


class DiffSchema(PlainSchema):
    """Schema `diff`. Without a grammar: any instructed model can write it, if not well."""

    name = "diff"

    def __init__(self) -> None:
        super().__init__(_INSTRUCTIONS)

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:  # noqa: ARG002
        """The reading; None if the text has no unified diff with a hunk."""
        lines = text.split("\n")
        plain = [line.removesuffix("\r") for line in lines]
        diffs, heads = list(_diffs(plain)), list(headers(plain))
        if not diffs and not heads:
            return None
        thought = thoughts(text, _spans(lines, diffs))
        if thought.end:
            lines = text[thought.end :].split("\n")
            plain = [line.removesuffix("\r") for line in lines]
            diffs, heads = list(_diffs(plain)), list(headers(plain))
        remarks = list[str]()
        blocks, unapplied, repairs = _carried_out(diffs, heads, shown)
        if not diffs and not blocks and not unapplied:
            return None
        places = [(diff.start, diff.stop) for diff in diffs] + [(head.start, head.stop) for head in heads]
        for begin, end in sorted(places, reverse=True):
            lines[begin:end] = []
        outside = "\n".join(
            line for line in lines if not re.fullmatch(r"\s*(?:`{3,}\w*|diff --git .*|index .*)\s*", line)
        )
        if thought.end:
            remarks.append("Reasoning before the answer is not shown.")
        return assemble_blocks(blocks, read_prose(outside), repairs=repairs, remarks=remarks, unapplied=unapplied)


def _spans(lines: Sequence[str], diffs: Sequence[_FileDiff]) -> list[Span]:
    """The diffs as offsets, so that a tag inside one does not count as the answer's own."""
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    return [Span(d.new, offsets[d.start], offsets[d.start], offsets[d.stop] - 1, offsets[d.stop]) for d in diffs]


def _by_path(diffs: Sequence[_FileDiff]) -> dict[str, list[_FileDiff]]:
    found: dict[str, list[_FileDiff]] = {}
    for diff in diffs:
        found.setdefault(diff.old if diff.new == _NO_FILE else diff.new, []).append(diff)
    return found


def _carried_out(
    diffs: Sequence[_FileDiff], heads: Sequence[Header], shown: Shown
) -> tuple[list[FileBlock], list[Unapplied], list[str]]:
    """The files that result from the diffs and git's headers, those that could not be made, and the repairs."""
    blocks, unapplied, repairs = list[FileBlock](), list[Unapplied](), list[str]()
    by_path = _by_path(diffs)
    said = {head.old if head.is_deleted else head.new: head for head in heads}
    for path, parts in by_path.items():
        made = _made(path, parts, said.get(path), shown)
        if isinstance(made, Unapplied):
            unapplied.append(made)
        else:
            blocks.append(made[0])
            repairs += [f"{path}: {repair}" for repair in made[1]]
    for path, head in said.items():
        act = None if path in by_path else without_hunks(head, shown)
        if isinstance(act, Unapplied):
            unapplied.append(act)
        elif act is not None:
            blocks.append(act)
    return blocks, unapplied, repairs


def _made(
    path: str, parts: Sequence[_FileDiff], head: Header | None, shown: Shown
) -> tuple[FileBlock, tuple[str, ...]] | Unapplied:
    """The whole new file, with the name and mode from git's headers; or why there is none."""
    if parts[-1].new == _NO_FILE:
        return FileBlock(path=path, content="", action="delete"), ()
    if head is not None and head.problem:
        return Unapplied(path=path, reason=head.problem)
    old = parts[0].old
    # `--- a.py.orig` names no shown file: it means the same file before the change.
    is_moved = old not in {path, _NO_FILE} and (shown(old) is not None or shown(path) is None)
    if head is not None and head.is_renamed:
        old, is_moved = head.old, True
    made = _written(path, parts, old if is_moved else path, shown)
    if isinstance(made, Unapplied):
        return made
    block, repairs = made
    if is_moved and not (head is not None and (head.is_renamed or head.is_copied)):
        repairs = (*repairs, f"It was read as a rename of {old}, by the two names of its diff.")
        block = replace(block, status="ambiguous")
    is_copy = head is not None and head.is_copied
    return replace(
        block, from_path=old if is_moved and not is_copy else "", mode=head.mode if head is not None else ""
    ), repairs


def _written(
    path: str, parts: Sequence[_FileDiff], source: str, shown: Shown
) -> tuple[FileBlock, tuple[str, ...]] | Unapplied:
    edits = [edit for part in parts for edit in part.edits]
    if all(part.old == _NO_FILE for part in parts):
        if any(edit.search for edit in edits):
            return Unapplied(path=path, reason="it is a new file, but the diff removes lines from it.")
        content = "".join(edit.replace for edit in edits)
        return FileBlock(path=path, content=content.removesuffix("\n") if parts[-1].is_bare else content), ()
    made = edited_file(source, edits, shown)
    if isinstance(made, Unapplied):
        return replace(made, path=path)
    block, repairs = replace(made[0], path=path), made[1]
    if parts[-1].is_dropped and (shown(source) or "").endswith("\n"):
        # Accepting keeps a file's form, of which its final newline is part.
        block = replace(block, flags=(*block.flags, "unapplied_edit"))
        repairs = (
            *repairs,
            "The diff removes the newline at the end of the file, which keeps it: change that by hand.",
        )
    return block, repairs


def _diffs(lines: Sequence[str]) -> Iterator[_FileDiff]:
    at = 0
    while at + 2 < len(lines):
        if not _is_head(lines, at):
            at += 1
            continue
        old, new = _path(lines[at]), _path(lines[at + 1])
        start, at, edits, is_bare, is_dropped = at, at + 2, list[Edit](), False, False
        while at < len(lines) and (hunk := _HUNK.fullmatch(lines[at].rstrip())) is not None:
            edit, at, is_bare, is_dropped = _hunk(lines, at + 1, int(hunk[1] or 0))
            edits.append(edit)
        if edits:
            yield _FileDiff(start, at, old, new, tuple(edits), is_bare, is_dropped)
        # Some models explain each hunk before it: a hunk without a header belongs to the file of the one before.
        while edits and (start := _next_hunk(lines, at)) < len(lines):
            hunk = _HUNK.fullmatch(lines[start].rstrip())
            edit, at, is_bare, is_dropped = _hunk(lines, start + 1, int((hunk and hunk[1]) or 0))
            yield _FileDiff(start, at, old, new, (edit,), is_bare, is_dropped)


def _next_hunk(lines: Sequence[str], at: int) -> int:
    """The next line that begins a hunk, before the next file's header; the number of lines if there is none."""
    while at < len(lines) and not _is_head(lines, at):
        hunk = _HUNK.fullmatch(lines[at].rstrip())
        if hunk is not None and any(line[:1] in {"+", "-"} for line in lines[at + 1 : at + 8]):
            return at
        at += 1
    return len(lines)


def _is_head(lines: Sequence[str], at: int) -> bool:
    return (
        at + 2 < len(lines)
        and lines[at].startswith("--- ")
        and lines[at + 1].startswith("+++ ")
        and _HUNK.fullmatch(lines[at + 2].rstrip()) is not None
    )


def _path(line: str) -> str:
    path = line[4:].partition("\t")[0].strip().strip('"')
    if path == _NO_FILE:
        return path
    return canonical(path[2:] if path.startswith(("a/", "b/")) else path)


def _hunk(lines: Sequence[str], at: int, line: int) -> tuple[Edit, int, bool, bool]:
    """One hunk's edit, the line after it, whether its new text ends without a newline, and whether its old text did not."""
    old, new, is_bare, was_bare = [], [], False, False
    while at < len(lines) and not _is_head(lines, at):
        text = lines[at]
        is_blank_context = (
            not text and at + 1 < len(lines) and lines[at + 1][:1] in {" ", "+", "-"} and lines[at + 1] != ""
        )
        if text[:1] not in {" ", "+", "-", "\\"} and not is_blank_context:
            break
        if text.startswith("\\"):
            is_bare = lines[at - 1][:1] in {"+", " "}
            was_bare = was_bare or lines[at - 1][:1] in {"-", " "}
        if text[:1] in {"", " ", "-"}:
            old.append(text[1:] + "\n")
        if text[:1] in {"", " ", "+"}:
            new.append(text[1:] + "\n")
        at += 1
    return Edit(search="".join(old), replace="".join(new), line=line), at, is_bare, is_bare and not was_bare
