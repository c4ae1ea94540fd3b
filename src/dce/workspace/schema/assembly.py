"""Turns the files found in an answer into a reading, with the same rules for every schema.

Content is kept byte for byte, except a code fence around a whole file and the indentation of a block that is indented with its
tags. Every repair, guess and doubt is stated in the
notes and shows in `parse`, the file's status and the flags.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import msgspec

from dce.workspace.schema.acts import act_of, attributes_of, has_odd_quotes, joined, standalone, with_act
from dce.workspace.schema.announced import missing_files
from dce.workspace.schema.doubts import placeholder
from dce.workspace.schema.forms import find_files
from dce.workspace.schema.named_fences import has_nameless_code
from dce.workspace.schema.prose import Prose, read_prose
from dce.workspace.schema.reading import BlockStatus, FileBlock, Reading, Unapplied
from dce.workspace.schema.reasoning import NO_THOUGHTS, Thoughts
from dce.workspace.schema.spans import Span
from dce.workspace.schema.tag_events import find_events
from dce.workspace.schema.tool_tags import find_unknown_tags

MAX_NOTED = 5
"""How many names a note lists before it says how many more there are."""

_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([^`\r\n]*)\r?")
_FENCE_END = re.compile(r"([^`]*?)(`{3,}|~{3,})[ \t]*\r?")
_MARKDOWN = frozenset({".md", ".markdown", ".mdx", ".mdc", ".rst"})


def assemble(
    text: str,
    spans: Sequence[Span],
    *,
    thoughts: Thoughts = NO_THOUGHTS,
    nonce: str = "",
    repairs: Sequence[str] = (),
    edited: Sequence[FileBlock] = (),
    unapplied: Sequence[Unapplied] = (),
    not_files: Sequence[Span] = (),
) -> Reading:
    """The reading of an answer whose files lie at `spans` in `text` (in order, disjoint), apart from drafts in `thoughts`.

    `repairs` are notes on what the reader repaired to find them. The spans in `not_files` are the edits behind `edited`
    and `unapplied`.
    """
    spans = thoughts.without_drafts(spans)
    acts, outside, doubts = standalone(outside_of(text, spans, thoughts.end), nonce)
    prose = read_prose(outside)
    mended = [*repairs]
    whole = [_block(text, span, mended) for span in spans if span not in not_files]
    found = [*whole, *edited, *(msgspec.structs.replace(act, path=canonical(act.path)) for act in acts)]
    remarks = [*(["Reasoning before the answer is not shown."] if thoughts.end else []), *doubts]
    if thoughts.is_open and found:
        mended.append("The answer begins with a reasoning tag that is never closed: its files may be drafts.")
        found = [msgspec.structs.replace(block, status="ambiguous") for block in found]
    reading = assemble_blocks(found, prose, repairs=mended, remarks=remarks, unapplied=unapplied)
    flags = dict.fromkeys((*reading.flags, *(["ambiguous_block"] if doubts else [])))
    return msgspec.structs.replace(reading, flags=tuple(flags))


def assemble_blocks(
    found: Sequence[FileBlock],
    prose: Prose,
    *,
    repairs: Sequence[str] = (),
    remarks: Sequence[str] = (),
    unapplied: Sequence[Unapplied] = (),
) -> Reading:
    """The reading made from extracted files and the text around them.

    `unapplied` are edits whose place was not found: such a file is not among the files and never counts as unchanged.
    """
    repairs = [*repairs, *prose.repairs]
    remarks = [*remarks, *prose.remarks, *(f"{edit.path}: Not applied: {edit.reason}" for edit in unapplied)]
    found = _doubted_if_moved(joined([_canonical_source(file) for file in found]), remarks)
    files, is_doubled = _latest([file for file in found if file.path not in {e.path for e in unapplied}], remarks)
    said = f"{prose.summary}\n{prose.plan}"
    rest = prose.rest if prose.is_tagged else prose.summary
    flags = _flags(files, (said, rest), remarks, [edit.path for edit in unapplied], is_doubled=is_doubled)
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
    """A path as the workspace spells it, so that `./a.py` and `a.py` are one file. Does not check whether it is allowed."""
    path = path.strip()
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path


def outside_of(text: str, spans: Sequence[Span], start: int) -> str:
    """The text from `start` on without the files."""
    parts, at = [], start
    for span in spans:
        parts.append(text[at : span.start])
        at = span.end
    return "\n".join([*parts, text[at:]])


def _block(text: str, span: Span, repairs: list[str]) -> FileBlock:
    path = canonical(span.path)
    content, status = text[span.body_start : span.body_end], span.status
    if span.note:
        repairs.append(f"{path}: {span.note}")
    indent = text[span.start : span.body_start].partition("<")[0]
    if indent and not indent.strip(" \t") and (outdented := _outdented(content, indent)) is not None:
        repairs.append(f"{path}: The block is indented with its tags; that indentation was removed.")
        content, status = outdented, "repaired" if status == "complete" else status
    before = text[text.rfind("\n", 0, span.start) + 1 : span.start].strip()
    if before and not before.strip("> ") and status != "truncated":
        repairs.append(f"{path}: Its opening tag is quoted with `>`: signs of the quotation may be left in it.")
        status = "ambiguous"
    content, status = without_fence(content, path, status, repairs)
    if has_odd_quotes(text[span.start : span.body_start]):
        repairs.append(f"{path}: Its opening tag has an odd number of quotes: the path may be cut at one.")
        status = status if status == "truncated" else "ambiguous"
    act = act_of(attributes_of(text[span.start : span.body_start]))
    return with_act(FileBlock(path=path, content=content, status=status), act, repairs)


def _doubted_if_moved(found: Sequence[FileBlock], remarks: list[str]) -> list[FileBlock]:
    """The blocks, marking a text for the old path of a renamed file: it may be meant for the new one."""
    old = {block.from_path: block.path for block in found if block.action == "rename"}
    checked = []
    for block in found:
        if block.action == "write" and block.path in old and block.status != "truncated":
            remarks.append(f"{block.path}: It is renamed to {old[block.path]}, for which its new text may be meant.")
            block = msgspec.structs.replace(block, status="ambiguous")  # noqa: PLW2901 - the same block, doubted
        checked.append(block)
    return checked


def _canonical_source(block: FileBlock) -> FileBlock:
    return msgspec.structs.replace(block, from_path=canonical(block.from_path)) if block.from_path else block


def _outdented(content: str, indent: str) -> str | None:
    """The text without the indentation that all its lines share; None if they do not."""
    lines = content.split("\n")
    if not content.strip() or any(line.strip() and not line.startswith(indent) for line in lines):
        return None
    return "\n".join(line.removeprefix(indent) for line in lines)


def without_fence(content: str, path: str, status: BlockStatus, repairs: list[str]) -> tuple[str, BlockStatus]:
    """A file and its status without the code fence around it, which `repairs` then mentions."""
    bare = unwrapped(content, path)
    if bare is None:
        return content, status
    inner, is_sure = bare
    if not is_sure:
        repairs.append(
            f"{path}: It begins and ends with a code fence and has others between: only the outer one was removed."
        )
        return inner, status if status == "truncated" else "ambiguous"
    repairs.append(f"{path}: The code fence around the file was removed.")
    return inner, "repaired" if status == "complete" else status


def unwrapped(content: str, path: str) -> tuple[str, bool] | None:
    """A file without the code fence that wraps all of it, and whether that is surely one fence; None if there is none.

    A Markdown file may begin and end with fences of its own: there, only a fence marked `markdown` counts as a wrapper. The closing
    fence may be glued to the last line.
    """
    lines = content.split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if len(filled) < 2:
        return None
    first, last = filled[0], filled[-1]
    opening, closing = _FENCE.fullmatch(lines[first]), _FENCE_END.fullmatch(lines[last])
    if opening is None or closing is None or closing[2][0] != opening[1][0]:
        return None
    is_markdown = PurePosixPath(path).suffix.lower() in _MARKDOWN
    if is_markdown and opening[2].strip().lower() not in {"markdown", "md"}:
        return None
    inner = lines[first + 1 : last]
    is_sure = _is_balanced(inner, opening[1])
    if closing[1].strip():
        inner.append(closing[1])
    return "".join(line + "\n" for line in inner), is_sure


def _is_balanced(lines: Sequence[str], fence: str) -> bool:
    """Whether each fence between the lines that could end `fence` was opened there, by a fence with an info string."""
    depth = 0
    for line in lines:
        found = _FENCE.fullmatch(line.strip())
        if found is None or found[1][0] != fence[0] or len(found[1]) < len(fence):
            continue
        if found[2].strip():
            depth += 1
        elif depth:
            depth -= 1
        else:
            return False
    return depth == 0


def _latest(found: Sequence[FileBlock], remarks: list[str]) -> tuple[tuple[FileBlock, ...], bool]:
    """One block for each path, in the order of the last ones; and whether two blocks of a path differ.

    The last one wins, except that a whole block wins over one that is cut off.
    """
    kept: dict[str, FileBlock] = {}
    disagree: dict[str, None] = {}
    for block in found:
        before = kept.pop(block.path, None)
        if before is not None and (before.content, before.action) != (block.content, block.action):
            disagree[block.path] = None
            if block.status == "truncated" and before.status != "truncated":
                block = before  # noqa: PLW2901 - the whole one is kept
        kept[block.path] = block
    if disagree:
        remarks.append(f"Different blocks for {_list(disagree)}: the last whole one is shown.")
    files = tuple(
        msgspec.structs.replace(block, status="ambiguous")
        if path in disagree and block.status != "truncated"
        else block
        for path, block in kept.items()
    )
    return files, bool(disagree)


def _flags(
    files: Sequence[FileBlock], texts: tuple[str, str], remarks: list[str], others: Sequence[str], *, is_doubled: bool
) -> tuple[str, ...]:
    """The flags. `texts` are what the answer says and what lies outside its files and parts.

    `others` are paths that the answer mentions in edits and that are not among the files.
    """
    said, rest = texts
    flags = []
    if any(file.status == "truncated" for file in files):
        flags.append("truncated")
    placeholders = [(file.path, placeholder(file.content)) for file in files]
    for path, line in placeholders:
        if line:
            remarks.append(f"{path}: A placeholder stands in for omitted text: {line[:80]}")
    if any(line for _, line in placeholders):
        flags.append("elision")
    known = [*(file.path for file in files), *others]
    missing = missing_files(said, known)
    if missing:
        remarks.append(f"The summary or plan says these were written, but they are absent: {_list(missing)}.")
    unread = list(dict.fromkeys(path for path in _unread(rest) if path not in known))
    if unread:
        remarks.append(f"Outside the files that were read, there seem to be more: {_list(unread)}.")
    is_nameless = not files and not unread and has_nameless_code(rest)
    if is_nameless:
        remarks.append("A code block has no file name, so no file was read from it.")
    if missing or unread or is_nameless:
        flags.append("missing_files")
    if is_doubled or any(file.status == "ambiguous" for file in files):
        flags.append("ambiguous_block")
    return tuple(flags)


def _unread(text: str) -> list[str]:
    """The paths of files that seem to stand in text which was read as none: behind opening tags, or in any free form."""
    opened = [event.name for event in find_events(text) if event.is_named] if "<" in text else []
    return [
        canonical(path) for path in [*opened, *find_unknown_tags(text), *(file.path for _, file in find_files(text))]
    ]


def _list(names: Iterable[str]) -> str:
    named = list(names)
    more = f" and {len(named) - MAX_NOTED} more" if len(named) > MAX_NOTED else ""
    return ", ".join(named[:MAX_NOTED]) + more
