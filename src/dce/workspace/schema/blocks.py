"""The default interaction schema: a few tags for people, then whole files between delimiters that carry the prompt's nonce.

Plain text, because models write worse code inside JSON; a nonce, because a file may contain any tag. Everything between an
opening and a closing tag with the same nonce is the file, byte for byte: no other text ends a block.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from dce.workspace.schema.acts import INSTRUCTIONS as ACT_INSTRUCTIONS
from dce.workspace.schema.acts import SELF_CLOSED_ACT, has_odd_quotes, standalone
from dce.workspace.schema.assembly import assemble, canonical, outside_of
from dce.workspace.schema.edit_blocks import BIG_FILE_LINES, edited_file, parse_edits
from dce.workspace.schema.edit_blocks import instructions as edit_instructions
from dce.workspace.schema.edits import Edit, EditError
from dce.workspace.schema.prose import is_answer, parts_end
from dce.workspace.schema.reading import (
    BlockStatus,
    FileBlock,
    PromptFile,
    Reading,
    Shown,
    Unapplied,
    file_block,
    nothing_shown,
)
from dce.workspace.schema.reasoning import thoughts
from dce.workspace.schema.spans import Span, find_spans
from dce.workspace.schema.tag_events import MAX_TAG_CHARS, find_events

_INSTRUCTIONS = """\
Answer in plain text in exactly this form, the parts in this order:

<summary>
What you did and why, in a few sentences. Name every file you wrote.
</summary>
<plan>
The steps you took, as a numbered list, and what the curator should check or decide next.
</plan>
<activity>
Only if the curator must do something by hand (install something, run a command). Leave this part out otherwise.
</activity>

Then one block for each file that you create or change:

{example}

Rules:
1. A block holds the whole new text of its file, from the first line to the last. It replaces the file as it stands, so whatever you
   leave out is deleted: never shorten with "rest unchanged", "existing code" or an ellipsis.
2. Write blocks only for files that you create or change. A file without a block stays as it is.
3. The path is relative to the workspace's root, with forward slashes, spelled as in M7.
4. Copy nonce="{nonce}" into every opening and closing line. It marks where files begin and end, so that file text may hold any tag.
5. Put nothing else between the opening and the closing line: no code fence, no remarks. File text starts on the line after the
   opening line.
6. One block for a path. Every file named as written in the summary has its block."""


_ANY_OPENER = re.compile(r"^[ \t]*<(?:file|edit)\b[^<>\n]*\bpath\s*=", re.MULTILINE)
_ANY_NONCE = re.compile(
    rf"""^[ \t]*<(?:file|edit)\b(?=[^<>\n]{{0,{MAX_TAG_CHARS}}}\bpath\s*=)[^<>\n]{{0,{MAX_TAG_CHARS}}}?\bnonce\s*=\s*["']?([\w-]{{1,40}})""",
    re.MULTILINE,
)
_EDIT = re.compile(r"<[ \t]?edit\b")
_LOOSE_CLOSER = re.compile(
    r"(?:^[ \t]*)?<[ \t]?/[ \t]?file(?:[_ -]?(?:artifact|path))?(?:\s[^<>\n]*)?>", re.MULTILINE | re.IGNORECASE
)


class BlocksSchema:
    """Schema `blocks`."""

    name = "blocks"

    def instructions(self, nonce: str, files: tuple[PromptFile, ...]) -> str:
        """The text of section M3. Edit blocks are offered only where a file is big enough to be worth it."""
        example = file_block("path/to/file.ext", "the whole file\n", nonce)
        text = f"{_INSTRUCTIONS.format(nonce=nonce, example=example)}\n\n{ACT_INSTRUCTIONS.format(nonce=nonce)}"
        has_big = any(file.detail == "full" and file.text.count("\n") > BIG_FILE_LINES for file in files)
        return f"{text}\n{edit_instructions(nonce)}" if has_big else text

    def grammar(self, nonce: str, files: tuple[PromptFile, ...]) -> str | None:  # noqa: ARG002
        """None: any instructed model can write this format."""
        return None

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:
        """The reading. If all files carry the same wrong nonce, that nonce is accepted and noted.

        None if no file carries a nonce, unless the text is an answer without files.
        """
        repairs: list[str] = []
        used = nonce if nonce and _opener(nonce).search(text) else _other_nonce(text)
        thought = thoughts(text, _strong_spans(text, used, 0) if used else find_spans(text))
        start = thought.end
        if not used:
            has_files = _ANY_OPENER.search(text, start) is not None
            return (
                None if has_files or not is_answer(text[start:]) else assemble(text, (), thoughts=thought, nonce=nonce)
            )
        if used != nonce:
            repairs.append(f"The files carry the nonce {used[:20]} instead of {nonce}.")
        files_start = parts_end(text, start)
        strong = thought.without_drafts(_strong_spans(text, used, files_start))
        strong = _doubted_if_swallowing(text, strong)
        edits = [span for span in strong if _EDIT.match(text, text.index("<", span.start))]
        moved = _moved(outside_of(text, strong, start), used) if edits else {}
        files, failed = _edited(text, edits, used, shown, repairs, moved)
        spans = _with_weak(text, strong, files_start)
        return assemble(
            text, spans, thoughts=thought, nonce=used, repairs=repairs, edited=files, unapplied=failed, not_files=edits
        )


def _edited(
    text: str, spans: list[Span], nonce: str, shown: Shown, repairs: list[str], moved: Mapping[str, str]
) -> tuple[list[FileBlock], list[Unapplied]]:
    """The files that result from applying edit blocks to the shown files, and the blocks that could not be applied.

    `moved`: the new paths of renamed files, with the old ones, under which the prompt showed them.
    """
    edits: dict[str, list[Edit]] = {}
    failed: dict[str, Unapplied] = {}
    for span in spans:
        path = canonical(span.path)
        try:
            if span.status in {"truncated", "ambiguous"}:
                raise EditError("the block has no end.")
            if has_odd_quotes(text[span.start : span.body_start]):
                raise EditError("its opening tag has an odd number of quotes, so that the path may be cut.")
            edits.setdefault(path, []).extend(parse_edits(text[span.body_start : span.body_end], nonce))
        except EditError as error:
            failed[path] = Unapplied(path=path, reason=str(error))
    made = []
    for path, found in edits.items():
        source = moved.get(path, path) if shown(path) is None else path
        result = failed.get(path) or edited_file(source, found, shown)
        if isinstance(result, Unapplied):
            failed[path] = msgspec.structs.replace(result, path=path)
        else:
            made.append(msgspec.structs.replace(result[0], path=path))
            repairs += [f"{path}: {repair}" for repair in result[1]]
    return made, list(failed.values())


def _moved(outside: str, nonce: str) -> dict[str, str]:
    """The old path of each file that the answer renames, by its new one."""
    acts = standalone(outside, nonce).acts
    return {canonical(act.path): canonical(act.from_path) for act in acts if act.action == "rename"}


def _opener(nonce: str) -> re.Pattern[str]:
    """An opening tag with a path and the nonce in any order and quotes; after a quote it is only a mention."""
    mark = re.escape(nonce)
    return re.compile(
        rf"""(?:^[ \t]*|(?<![\\"'`])|(?<=```))<[ \t]?(?P<tag>file|edit)\b{SELF_CLOSED_ACT}(?=[^<>\n]{{0,{MAX_TAG_CHARS}}}[\s"'=]{mark}["'\s>/])[^<>\n]{{0,{MAX_TAG_CHARS}}}?\bpath\s*=\s*"""
        rf"""(?:"(?P<double>(?:[^"\n]|"(?!\s|/?>|[\w-]+\s*=)){{0,{MAX_TAG_CHARS}}})"|'(?P<single>[^'\n]*)')[^<>\n]{{0,{MAX_TAG_CHARS}}}>[ \t]*\r?\n?""",
        re.MULTILINE,
    )


def _closer(nonce: str) -> re.Pattern[str]:
    return re.compile(
        rf"""<[ \t]?/[ \t]?(?:file|edit)[^<>\n]{{0,{MAX_TAG_CHARS}}}[\s"'=_-]{re.escape(nonce)}["'\s]{{0,3}}>"""
    )


def _other_nonce(text: str) -> str:
    """The nonce that all opening tags share, if there is exactly one."""
    found = {match[1] for match in _ANY_NONCE.finditer(text)}
    return found.pop() if len(found) == 1 else ""


def _strong_spans(text: str, nonce: str, start: int) -> list[Span]:
    """The files whose opening tag carries the nonce. If a closing tag with the nonce follows, only that ends the file."""
    opener, closer = _opener(nonce), _closer(nonce)
    spans = []
    opened = opener.search(text, start)
    while opened is not None:
        following = opener.search(text, opened.end())
        limit = following.start() if following else len(text)
        closed = closer.search(text, opened.end(), limit)
        span = _span(text, opened, limit, closed, nonce)
        spans.append(span)
        opened = following
    return spans


def _span(text: str, opened: re.Match[str], limit: int, closed: re.Match[str] | None, nonce: str) -> Span:
    path = opened["double"] if opened["double"] is not None else opened["single"]

    def ending(body_end: int, end: int, status: BlockStatus, note: str) -> Span:
        return Span(opened["double"] or path, opened.start(), opened.end(), body_end, end, status, note)

    if closed is not None:
        return ending(closed.start(), closed.end(), "complete", "")
    for loose in reversed(list(_LOOSE_CLOSER.finditer(text, opened.end(), limit))):
        if not text[loose.end() : limit].strip(" \t\r\n`~"):
            return ending(loose.start(), loose.end(), "repaired", "Its closing tag lacks the nonce.")
        break
    if limit < len(text):
        return ending(limit, limit, "ambiguous", "It has no closing tag; it was ended where the next file begins.")
    line = text.rfind("\n", opened.end(), limit) + 1 or opened.end()
    if limit - line >= 2 and f'</{opened["tag"]} nonce="{nonce}">'.startswith(text[line:limit]):
        return ending(line, limit, "repaired", "Its closing tag is cut off.")
    return ending(limit, limit, "truncated", "The text ends before the file does.")


def _doubted_if_swallowing(text: str, spans: list[Span]) -> list[Span]:
    """The spans, marking those in which a closing tag precedes an opening tag of a file that is opened nowhere else.

    Other tags are a file's own text: that is what the nonce is for. But these two look like a model that forgot it twice.
    """
    opened = {span.path for span in spans}
    checked = []
    for span in spans:
        body = text[span.body_start : span.body_end]
        tags = (
            [e for e in find_events(body) if "fence" not in e.kind]
            if "</" in body and span.status == "complete"
            else []
        )
        lost = [tag.name for tag in tags if tag.is_named and tag.name not in opened]
        if lost and tags[0].kind != "open":
            note = (
                f"It contains a closing tag and then an opening one for {lost[0]}, which the answer opens nowhere else."
            )
            span = replace(span, status="ambiguous", note=note)  # noqa: PLW2901 - the same span, doubted
        checked.append(span)
    return checked


def _with_weak(text: str, strong: list[Span], start: int) -> list[Span]:
    """Adds the files whose opening tag lacks the nonce, if they lie between the others and have an end."""
    masked, at = [], start
    for span in strong:
        masked += [text[at : span.start], "\n" * (span.end - span.start)]
        at = span.end
    weak = [_shifted(span, start) for span in find_spans("".join([*masked, text[at:]]))]
    apart = [span for span in weak if span.status != "truncated" and not any(_overlap(span, other) for other in strong)]
    return sorted([*strong, *apart], key=lambda span: span.start)


def _shifted(span: Span, by: int) -> Span:
    status = "repaired" if span.status == "complete" else span.status
    return Span(
        span.path,
        span.start + by,
        span.body_start + by,
        span.body_end + by,
        span.end + by,
        status,
        span.note or "Its opening tag lacks the nonce.",
    )


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end
