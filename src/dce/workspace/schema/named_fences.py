"""Whole files in code fences with a name: in the info string, on the line above, or in a comment on the first line.

A fence may also contain a part of a file, or a command to run. So a shown file that comes back much shorter is ambiguous, and so is
one named only by a sentence. Fences without a name are not files.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from dce.workspace.schema.found import Found, is_path, line_offsets, name_in_comment, name_in_line
from dce.workspace.schema.reading import BlockStatus, Shown

PART_OF_SHOWN = 0.6
"""A fence with less than this share of the shown lines may be only a part of the file."""

_FENCE = re.compile(r"[ \t]*(?P<mark>`{3,}|~{3,})[ \t]*(?P<info>[^`\r\n]*?)[ \t]*\r?")
_ATTRIBUTE = re.compile(
    r"""\b(?:title|file|filename|file_path|filepath|path|name)\s*[=:]\s*["']?([^"'}\]]+?)["']?(?=[\s}\]]|$)"""
)
_SHELL_NAMES = "bash sh shell zsh console terminal powershell cmd text txt plaintext output log diff patch"
_MARKDOWN = frozenset({"markdown", "md", "mdx"})
_SHELL = frozenset(_SHELL_NAMES.split())
_OTHER_FORM = re.compile(
    r"^(?:\s*[<-]{5,9} ?(?:SEARCH|ORIGINAL)|\*\*\* Begin Patch|--- (?:a/|/dev/null)|@@ -\d)", re.MULTILINE
)


class _Fence(NamedTuple):
    """Lines `first` (the opening fence) to `last` (the closing one; the end of the text if `is_open`)."""

    first: int
    last: int
    info: str
    is_open: bool
    is_nested: bool


def find_named_fences(text: str, shown: Shown) -> list[Found]:
    """The files in named fences, in text order."""
    if "```" not in text and "~~~" not in text:
        return []
    lines = text.split("\n")
    offsets = line_offsets(lines)
    fences = _fences(lines)
    found, before = [], 0
    for number, fence in enumerate(fences):
        file = _file(lines, fence, before, shown)
        before = fence.last + 1
        if file is None:
            continue
        first, named = file
        is_last = number == len(fences) - 1
        if fence.is_nested and not is_last and fences[-1].is_open:
            note = "It contains code fences, and the fences after it do not pair up: it may end elsewhere."
            named = named._replace(status="ambiguous", note=note)
        elif named.status == "complete" and not is_last and _may_go_on(lines, fences, number, named.path, shown):
            note = "A bare code fence follows: the Markdown text may hold fences of its own and end later."
            named = named._replace(status="ambiguous", note=note)
        found.append(named._replace(start=offsets[first], end=min(offsets[fence.last + 1], len(text))))
    return found


def _may_go_on(lines: Sequence[str], fences: Sequence[_Fence], number: int, path: str, shown: Shown) -> bool:
    """Whether a Markdown text may end later than its fence: a bare fence in it ends it as well as its own closing one would."""
    fence, following = fences[number], fences[number + 1]
    is_markdown = _in_info(fence.info)[0] in _MARKDOWN or path.rpartition(".")[2].lower() in _MARKDOWN
    return is_markdown and not following.info and _file(lines, following, fence.last + 1, shown) is None


def has_nameless_code(text: str) -> bool:
    """Whether text in which no file was found has a fence that is neither a command nor output."""
    lines = text.split("\n") if "```" in text or "~~~" in text else []
    return any(
        _in_info(fence.info)[0] not in {"", *_SHELL}
        and any(line.strip() for line in lines[fence.first + 1 : fence.last])
        for fence in _fences(lines)
    )


def _fences(lines: Sequence[str]) -> list[_Fence]:
    """The fences. Inside one, a fence with an info string opens another (models nest them), and a bare one closes the innermost."""
    found: list[_Fence] = []
    first, mark, info, depth, is_nested = -1, "", "", 0, False
    for number, line in enumerate(lines):
        fence = _FENCE.fullmatch(line)
        if fence is None:
            continue
        if first < 0:
            first, mark, info, depth, is_nested = number, fence["mark"], fence["info"], 0, False
        elif fence["mark"][0] != mark[0] or len(fence["mark"]) < len(mark):
            continue
        elif fence["info"]:
            depth, is_nested = depth + 1, True
        elif depth:
            depth -= 1
        else:
            found.append(_Fence(first, number, info, is_open=False, is_nested=is_nested))
            first = -1
    if first >= 0:
        found.append(_Fence(first, len(lines) - 1, info, is_open=True, is_nested=is_nested))
    return found


def _file(lines: Sequence[str], fence: _Fence, before: int, shown: Shown) -> tuple[int, Found] | None:
    """The file in a fence and the line with its name; None if it has no name."""
    body = [line.removesuffix("\r") for line in lines[fence.first + 1 : fence.last + (1 if fence.is_open else 0)]]
    indent = len(lines[fence.first]) - len(lines[fence.first].lstrip(" \t"))
    body = [
        line[min(indent, len(line) - len(line.lstrip(" \t"))) :] for line in body
    ]  # as Markdown does: a fence in a list
    if not any(line.strip() for line in body) or _OTHER_FORM.search("\n".join(body[:6])):
        return None
    language, path = _in_info(fence.info)
    first, is_sure, note = fence.first, True, ""
    if not path:
        first, path, is_sure = _above(lines, fence.first, before)
    if not path:
        path = name_in_comment(body[0])
        first, is_sure = fence.first, True
        if path and _is_label(body[0], path, shown(path)):
            body, note = body[1:], "Its first line names it and was left out."
    if not path or (language in _SHELL and path.rpartition(".")[2].lower() not in {*_SHELL, "env"}):
        return None
    content = "\n".join(body) if fence.is_open else "".join(line + "\n" for line in body)
    status, doubt = _doubt(content, shown(path), fence, is_sure=is_sure)
    return first, Found(path=path, start=0, end=0, content=content, status=status, note=doubt or note)


def _in_info(info: str) -> tuple[str, str]:
    """Language and path of an info string; either may be ""."""
    attribute = _ATTRIBUTE.search(info)
    language = re.split(r"[\s:{]", info, maxsplit=1)[0].lower()
    if attribute is not None and is_path(attribute[1].strip()):
        return language, attribute[1].strip()
    for word in (info, *info.split(), *info.partition(":")[2:]):
        name = word.strip().strip("`\"'()")
        if is_path(name) and ("/" in name or "." in name):
            return ("" if word == info else language), name
    return language, ""


def _above(lines: Sequence[str], fence: int, before: int) -> tuple[int, str, bool]:
    """The line above a fence that names a file (at most one blank line between), the path, and whether the line is only that."""
    for number in range(fence - 1, max(before, fence - 3) - 1, -1):
        if lines[number].strip():
            path, is_only = name_in_line(lines[number])
            is_leading = is_only or lines[number].rstrip().endswith((":", "**", "`"))
            return (number, path, is_only) if path and is_leading else (fence, "", False)
    return fence, "", False


def _is_label(line: str, path: str, shown: str | None) -> bool:
    """Whether the comment is only the model's label: the file as shown lacks it, or the file has no comments of this kind."""
    if shown is not None:
        return shown.partition("\n")[0].strip() != line.strip()
    return path.rpartition(".")[2].lower() in {"json", "md", "txt", "csv"}


def _doubt(content: str, shown: str | None, fence: _Fence, *, is_sure: bool) -> tuple[BlockStatus, str]:
    if fence.is_open:
        return "truncated", "The text ends before the code fence does."
    if shown is not None and content.count("\n") < PART_OF_SHOWN * shown.count("\n"):
        return "ambiguous", "It is much shorter than the file that was shown: it may be only a part."
    if not is_sure:
        return "ambiguous", "Only a sentence before the code fence names it."
    return "complete", ""
