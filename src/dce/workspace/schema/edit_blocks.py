"""Edit blocks: for big files, search/replace pairs instead of the whole file.

    <edit path="src/big.py" nonce="3f9a1c">
    <<<<<<< SEARCH 3f9a1c
    the current lines
    ======= 3f9a1c
    the new lines
    >>>>>>> REPLACE 3f9a1c
    </edit nonce="3f9a1c">

The markers carry the nonce too, so that a file with merge conflicts in it can be edited. If a block's markers all lack the nonce,
it is still read as long as they alternate correctly.
"""

import re
from collections.abc import Iterable, Sequence

from dce.workspace.schema.edits import Edit, EditError, apply_edits
from dce.workspace.schema.reading import FileBlock, Shown, Unapplied

BIG_FILE_LINES = 200
"""Shown files with more lines than this may be edited; for smaller ones the whole file is safer and hardly longer."""

_MARK = re.compile(
    r"(?:(?P<search><{5,9}[ \t]*SEARCH)|(?P<middle>={5,9})|(?P<replace>>{5,9}[ \t]*REPLACE))(?P<rest>[^\n]*)"
)
_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})[^`]*")

INSTRUCTIONS = """\
7. M7 holds files of more than {lines} lines. To change a small part of such a file you may write an edit block instead of the
   whole file, with as many search/replace pairs as needed:

{example}

   The searched lines are copied from M7 exactly, whole lines, with enough of them that they occur in the file only once; pairs do not
   overlap. Never write both an edit block and a whole file for one path, and no edit block for a file that M7 does not show whole."""


def edit_block(path: str, edits: Iterable[Edit], nonce: str) -> str:
    """An edit block as answers are asked to write it."""
    pairs = "".join(
        f"<<<<<<< SEARCH {nonce}\n{edit.search}======= {nonce}\n{edit.replace}>>>>>>> REPLACE {nonce}\n"
        for edit in edits
    )
    return f'<edit path="{path}" nonce="{nonce}">\n{pairs}</edit nonce="{nonce}">'


def instructions(nonce: str) -> str:
    """The instructions on edit blocks, for a prompt that shows a big file."""
    example = Edit(search="the current lines\n", replace="the new lines\n")
    block = edit_block("path/to/big/file.ext", [example], nonce)
    return INSTRUCTIONS.format(lines=BIG_FILE_LINES, example=block)


def parse_edits(body: str, nonce: str) -> list[Edit]:
    """The edits of a block's body. Raises EditError if there are no markers or they are out of order."""
    lines = body.replace("\r\n", "\n").split("\n")
    marks = [(at, mark) for at, line in enumerate(lines) if (mark := _MARK.fullmatch(line.rstrip())) is not None]
    if any(mark["rest"].strip() == nonce for _, mark in marks):
        marks = [(at, mark) for at, mark in marks if mark["rest"].strip() == nonce]
    else:
        marks = [(at, mark) for at, mark in marks if not mark["rest"].strip()]
    kinds = [str(mark.lastgroup if mark.lastgroup != "rest" else _kind(mark)) for _, mark in marks]
    if not kinds or len(kinds) % 3 or kinds != ["search", "middle", "replace"] * (len(kinds) // 3):
        raise EditError("its markers are not SEARCH, =======, REPLACE in this order.")
    rows = [at for at, _ in marks]
    edits, end = [], 0
    for first, middle, last in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        _check_between(lines[end:first])
        edits.append(Edit(search=_joined(lines[first + 1 : middle]), replace=_joined(lines[middle + 1 : last])))
        end = last + 1
    _check_between(lines[end:])
    return edits


def edited_file(path: str, edits: Sequence[Edit], shown: Shown) -> tuple[FileBlock, tuple[str, ...]] | Unapplied:
    """The whole new file and the repairs, or why there is none."""
    text = shown(path)
    if text is None:
        if len(edits) == 1 and not edits[0].search.strip():
            return FileBlock(path=path, content=edits[0].replace), ()
        return Unapplied(path=path, reason="the prompt did not show the whole file, so it cannot be edited.")
    try:
        edited = apply_edits(text, edits)
    except EditError as error:
        return Unapplied(path=path, reason=str(error))
    status = FileBlock(path=path, content=edited.text, status="repaired" if edited.repairs else "complete")
    return status, edited.repairs


def _kind(mark: re.Match[str]) -> str:
    return next(name for name in ("search", "middle", "replace") if mark[name])


def _joined(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _check_between(lines: Iterable[str]) -> None:
    for line in lines:
        if line.strip() and not _FENCE.fullmatch(line):
            raise EditError(f"there is other text between its edits: {line.strip()[:80]}")
