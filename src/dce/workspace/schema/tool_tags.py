"""Files in the tags of coding tools: `<write_to_file>` with a `<path>`, `<boltAction filePath="…">`, `<src/a.ts>` and the like.

Tables say which tags open a file and where they keep its path. A file ends at the last closing tag before the next
file; if several could be meant, it is ambiguous.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from dce.workspace.schema.found import Found, is_path
from dce.workspace.schema.reading import BlockStatus, Shown

MAX_ATTRIBUTE_CHARS = 500
"""Longest list of attributes in a tag."""


_TEXT_TAGS = (
    (
        "boltAction|lov-write|dyad-write|antArtifact|write|create|create_file|write_file|write_to_file|new_file|code|document|source|artifact",
        "path|file_path|filePath|filepath|filename|file_name|name|file|title|identifier",
    ),
    ("file", "name|filename|file_path|filePath|filepath|file_name"),
)
"""Tags around a file's text, and the attributes that may hold its path."""

_CHILD_TAGS = (
    "write_to_file|create_file|write_file|new_file|save_file|file|document",
    "path|file_path|filePath|filename|file_name|target_file|source",
    "content|contents|code|file_text|document_content",
)
"""Tags with the path in a child and the text in another: the tags, then the names of the two children."""

_WITH_ATTRIBUTE = tuple(
    (
        re.compile(rf"<(?P<tag>{tags})(?=\s)(?P<attributes>[^<>\n]{{0,{MAX_ATTRIBUTE_CHARS}}})(?<!/)>"),
        re.compile(rf"""(?<![\w-])(?:{attributes})\s*=\s*["']([^"'<>\n]+)["']"""),
    )
    for tags, attributes in _TEXT_TAGS
)
_WITH_CHILDREN = re.compile(
    rf"<(?P<tag>{_CHILD_TAGS[0]})>\s*<(?P<name>{_CHILD_TAGS[1]})>\s*(?P<path>[^<>\n]{{1,300}}?)\s*</(?P=name)>\s*<(?P<inner>{_CHILD_TAGS[2]})>"
)
_ANY_TAG = re.compile(
    rf"^[ \t]*<(?P<tag>[A-Za-z][\w:.-]{{0,40}})(?=\s)(?P<attributes>[^<>\n]{{0,{MAX_ATTRIBUTE_CHARS}}})(?<!/)>",
    re.MULTILINE,
)
_ANY_ATTRIBUTE = re.compile(
    r"""(?<![\w-])(?:path|file|\w*file\w*path|file_?name)\s*=\s*["']([^"'<>\n]+)["']""", re.IGNORECASE
)
_INVOKE = re.compile(
    r"<invoke name=\"[^\"<>\n]{1,60}\">\s*<parameter name=\"(?:path|file_path|filename)\">\s*(?P<path>[^<>\n]{1,300}?)\s*</parameter>\s*"
    r"<parameter name=\"(?:content|contents|file_text)\">(?P<open>)",
)
_PATH_TAG = re.compile(r"^[ \t]*<(?P<path>[\w@.\[\]()/-]{1,300})>[ \t]*\r?$", re.MULTILINE)
_CLOSING = re.compile(r"</([^<>\n]{1,300})>")


class _Opener(NamedTuple):
    """An opening tag: where it starts, where its file's text begins, the path, and the tag that closes the text."""

    start: int
    body: int
    path: str
    closer: str
    outer: str = ""


def find_tool_tags(text: str, shown: Shown) -> list[Found]:  # noqa: ARG001 - a finder
    """The files, in text order."""
    if "<" not in text:
        return []
    openers = sorted({opener.start: opener for opener in _openers(text)}.values())
    found: list[Found] = []
    end = 0
    for number, opener in enumerate(openers):
        if opener.start < end:
            continue
        limit = next((later.start for later in openers[number + 1 :][:1]), len(text))
        file = _file(text, opener, limit)
        found.append(file)
        end = file.end
    return found


def find_unknown_tags(text: str) -> list[str]:
    """The paths of unknown tags that look like a file's: something may be lost there."""
    found = []
    for tag in _ANY_TAG.finditer(text):
        path = _attribute(tag["attributes"], _ANY_ATTRIBUTE)
        if path and tag["tag"].lower() != "excerpt":  # the prompt's own
            found.append(path)
    return found


def _openers(text: str) -> Iterator[_Opener]:
    for pattern, attribute in _WITH_ATTRIBUTE:
        for match in pattern.finditer(text):
            if path := _attribute(match["attributes"], attribute):
                yield _Opener(match.start(), match.end(), path, match["tag"])
    for match in _WITH_CHILDREN.finditer(text):
        yield _Opener(match.start(), match.end(), match["path"], match["inner"], match["tag"])
    for match in _INVOKE.finditer(text):
        yield _Opener(match.start(), match.end(), match["path"], "parameter", "invoke")
    closed = set(_CLOSING.findall(text))
    for match in _PATH_TAG.finditer(text):
        if is_path(match["path"]) and match["path"] in closed:
            yield _Opener(match.start(), match.end(), match["path"], match["path"])


def _attribute(attributes: str, names: re.Pattern[str]) -> str:
    """The first of the attributes that holds a path; "" if none does."""
    return next((value[1].strip() for value in names.finditer(attributes) if is_path(value[1].strip())), "")


def _file(text: str, opener: _Opener, limit: int) -> Found:
    closer = f"</{opener.closer}>"
    body = opener.body + (
        1 if text[opener.body : opener.body + 1] == "\n" else 2 if text[opener.body : opener.body + 2] == "\r\n" else 0
    )
    stop = text.rfind(closer, opener.body, limit)
    if stop < 0:
        status: BlockStatus = "truncated" if limit == len(text) else "ambiguous"
        return Found(opener.path, opener.start, limit, text[body:limit], status=status, note="It has no closing tag.")
    end = stop + len(closer)
    outer = f"</{opener.outer}>"
    if opener.outer and opener.outer != opener.closer and (after := text.find(outer, end, limit)) >= 0:
        end = after + len(outer)
    is_single = text.find(closer, opener.body, limit) == stop
    note = "" if is_single else "It contains its closing tag more than once; the last one was taken."
    return Found(
        opener.path,
        opener.start,
        end,
        text[min(body, stop) : stop],
        status="complete" if is_single else "ambiguous",
        note=note,
    )
