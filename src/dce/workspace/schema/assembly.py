"""From the files found in an answer to a reading: the same care for every schema.

Content is kept byte for byte, except a code fence that wraps a whole file. Whatever was repaired, guessed or doubted is said in the
notes, and shows in the parse, in the file's status and in the flags.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import msgspec

from dce.workspace.schema.acts import act_of, attributes_of, joined, standalone, with_act
from dce.workspace.schema.doubts import missing_files, placeholder
from dce.workspace.schema.prose import Prose, read_prose
from dce.workspace.schema.reading import FileBlock, Reading, Unapplied
from dce.workspace.schema.spans import Span

MAX_NOTED = 5
"""How many names a note lists before it says how many more there are."""

_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([^`\r\n]*)\r?")
_MARKDOWN = frozenset({".md", ".markdown", ".mdx", ".mdc", ".rst"})


def assemble(
    text: str,
    spans: Sequence[Span],
    *,
    start: int = 0,
    nonce: str = "",
    repairs: Sequence[str] = (),
    edited: Sequence[FileBlock] = (),
    unapplied: Sequence[Unapplied] = (),
    not_files: Sequence[Span] = (),
) -> Reading:
    """The reading of an answer: its files lie at `spans` in `text` (in order, apart), what is before `start` is reasoning.

    `repairs` say what the reader had to mend to find them. Those of the spans that are `not_files` are the edits behind `edited`
    and `unapplied`.
    """
    spans = [span for span in spans if span.start >= start]
    acts, outside = standalone(_outside(text, spans, start), nonce)
    prose = read_prose(outside)
    mended = [*repairs]
    whole = [_block(text, span, mended) for span in spans if span not in not_files]
    found = [*whole, *edited, *(msgspec.structs.replace(act, path=canonical(act.path)) for act in acts)]
    remarks = ["Reasoning before the answer was left out of the view."] if start else []
    return assemble_blocks(found, prose, repairs=mended, remarks=remarks, unapplied=unapplied)


def assemble_blocks(
    found: Sequence[FileBlock],
    prose: Prose,
    *,
    repairs: Sequence[str] = (),
    remarks: Sequence[str] = (),
    unapplied: Sequence[Unapplied] = (),
) -> Reading:
    """The reading made of files that were already taken out of the answer, and of what it says beside them.

    `unapplied` are edits whose place was not found: such a file is not among the files, and is never taken for unchanged.
    """
    repairs = [*repairs, *prose.repairs]
    remarks = [*remarks, *prose.remarks, *(f"{edit.path}: Not applied: {edit.reason}" for edit in unapplied)]
    found = joined([_canonical_source(file) for file in found])
    files, is_doubled = _latest([file for file in found if file.path not in {e.path for e in unapplied}], remarks)
    said = f"{prose.summary}\n{prose.plan}"
    flags = _flags(files, said, remarks, [edit.path for edit in unapplied], is_doubled=is_doubled)
    if unapplied:
        flags = (*flags, "unapplied_edit")
    is_whole = not repairs and not unapplied and all(file.status == "complete" for file in files)
    return Reading(
        summary=prose.summary,
        plan=prose.plan,
        activity=prose.activity,
        files=files,
        parse="ok" if is_whole else "repaired",
        flags=flags,
        notes=(*repairs, *remarks),
        unapplied=tuple(unapplied),
    )


def canonical(path: str) -> str:
    """A path as the workspace spells it, so that `./a.py` and `a.py` are one file. Says nothing about whether it is allowed."""
    path = path.strip()
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path


def _outside(text: str, spans: Sequence[Span], start: int) -> str:
    parts, at = [], start
    for span in spans:
        if span.start >= start:
            parts.append(text[at : span.start])
            at = span.end
    return "\n".join([*parts, text[at:]])


def _block(text: str, span: Span, repairs: list[str]) -> FileBlock:
    path = canonical(span.path)
    content, status = text[span.body_start : span.body_end], span.status
    if span.note:
        repairs.append(f"{path}: {span.note}")
    bare = unwrapped(content, path)
    if bare is not None:
        repairs.append(f"{path}: The code fence around the file was taken off.")
        content, status = bare, "repaired" if status == "complete" else status
    act = act_of(attributes_of(text[span.start : span.body_start]))
    return with_act(FileBlock(path=path, content=content, status=status), act, repairs)


def _canonical_source(block: FileBlock) -> FileBlock:
    return msgspec.structs.replace(block, from_path=canonical(block.from_path)) if block.from_path else block


def unwrapped(content: str, path: str) -> str | None:
    """A file without the code fence that wraps all of it; None if there is none.

    A Markdown file may well begin and end with a fence of its own: there, only one marked `markdown` is a wrapping.
    """
    lines = content.split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if len(filled) < 2:
        return None
    first, last = filled[0], filled[-1]
    opening, closing = _FENCE.fullmatch(lines[first]), _FENCE.fullmatch(lines[last])
    if opening is None or closing is None or closing[2].strip() or closing[1][0] != opening[1][0]:
        return None
    is_markdown = PurePosixPath(path).suffix.lower() in _MARKDOWN
    if is_markdown and opening[2].strip().lower() not in {"markdown", "md"}:
        return None
    return "".join(line + "\n" for line in lines[first + 1 : last])


def _latest(found: Sequence[FileBlock], remarks: list[str]) -> tuple[tuple[FileBlock, ...], bool]:
    """One block a path, where it came last; and whether two blocks of a path disagree.

    Of several the last wins, but a whole one before a cut-off one.
    """
    kept: dict[str, FileBlock] = {}
    disagree: dict[str, None] = {}
    for block in found:
        before = kept.pop(block.path, None)
        if before is not None and (before.content, before.action) != (block.content, block.action):
            disagree[block.path] = None
            if block.status == "truncated" and before.status != "truncated":
                block = before  # noqa: PLW2901 - the whole one stays
        kept[block.path] = block
    if disagree:
        remarks.append(f"More than one block, not the same, for {_list(disagree)}: the last whole one is shown.")
    files = tuple(
        msgspec.structs.replace(block, status="ambiguous")
        if path in disagree and block.status != "truncated"
        else block
        for path, block in kept.items()
    )
    return files, bool(disagree)


def _flags(
    files: Sequence[FileBlock], said: str, remarks: list[str], others: Sequence[str], *, is_doubled: bool
) -> tuple[str, ...]:
    """What is doubtful. `others` are paths that the answer holds, though not as files."""
    flags = []
    if any(file.status == "truncated" for file in files):
        flags.append("truncated")
    placeholders = [(file.path, placeholder(file.content)) for file in files]
    for path, line in placeholders:
        if line:
            remarks.append(f"{path}: A placeholder stands for text that was left out: {line[:80]}")
    if any(line for _, line in placeholders):
        flags.append("elision")
    missing = missing_files(said, [*(file.path for file in files), *others])
    if missing:
        flags.append("missing_files")
        remarks.append(f"Named as written, but absent: {_list(missing)}.")
    if is_doubled or any(file.status == "ambiguous" for file in files):
        flags.append("ambiguous_block")
    return tuple(flags)


def _list(names: Iterable[str]) -> str:
    named = list(names)
    more = f" and {len(named) - MAX_NOTED} more" if len(named) > MAX_NOTED else ""
    return ", ".join(named[:MAX_NOTED]) + more
