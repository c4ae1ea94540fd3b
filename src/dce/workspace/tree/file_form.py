"""The form a file has on disk: encoding, byte-order mark, line ends. What replaces a file keeps it.

What must always hold: a line that an answer does not change keeps its bytes, also in a file of mixed line ends or of an older
encoding; an encoding that cannot hold the new text is said, never patched with question marks.
"""

import codecs
import difflib
from typing import NamedTuple

from dce.workspace.tree.encodings import UTF8, decode
from dce.workspace.tree.lines import split_lines

_MARKS = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32's little-endian mark begins with UTF-16's, so it comes first."""


class _Form(NamedTuple):
    mark: bytes
    encoding: str


def is_text(data: bytes) -> bool:
    """Whether bytes are text in a known encoding, which gives the same bytes when it is written back."""
    try:
        decode(data)
    except ValueError:
        return False
    form = _form(data)
    body = data[len(form.mark) :]
    return form.encoding == UTF8 or body.decode(form.encoding, "replace").encode(form.encoding, "replace") == body


def text_of(data: bytes | None) -> str:
    """The text of a file, without its mark; "" for none. Bytes that are no text become replacement characters."""
    if not data:
        return ""
    form = _form(data)
    return data[len(form.mark) :].decode(form.encoding, "replace")


def bytes_to_write(content: str, current: bytes | None) -> bytes:
    """The bytes of `content` in the form of the file it replaces: encoding, mark and line ends; a new file is written as it stands.

    An answer's form cannot say "no newline at the end", nor mix line ends; so an answer that differs from the file in nothing
    else gives the file's own bytes. Characters that the encoding lacks become `?`: see `unwritable`.
    """
    if current is None:
        return content.encode("utf-8", "surrogatepass")
    form, now, new = _form(current), text_of(current), content.removeprefix("\ufeff")
    plain, was = _plain(new), _plain(now)
    if plain in (was, was + "\n"):
        return current
    newlines, returns = now.count("\n"), now.count("\r\n")
    if not newlines:
        text = new
    elif returns in (0, newlines):
        text = plain.replace("\n", "\r\n") if returns else plain
    else:
        text = _with_own_ends(now, plain, "\r\n" if returns * 2 > newlines else "\n")
    return form.mark + text.encode(form.encoding, "surrogatepass" if form.encoding == UTF8 else "replace")


def unwritable(content: str, current: bytes | None) -> str:
    """Why `content` cannot be written in the encoding of the file it replaces; "" if it can."""
    encoding = UTF8 if current is None else _form(current).encoding
    if encoding == UTF8:
        return ""
    try:
        content.encode(encoding)
    except UnicodeEncodeError as error:
        return f"its encoding, {encoding}, cannot hold {content[error.start]!r}"
    return ""


def _form(data: bytes) -> _Form:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _Form(mark, encoding)
    try:
        return _Form(b"", decode(data)[1])
    except ValueError:
        return _Form(b"", UTF8)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")


def _with_own_ends(now: str, plain: str, usual: str) -> str:
    """The new text, in which lines of the old one keep their own ends, and others get the usual one."""
    old, new = split_lines(now), split_lines(plain)
    ends = [usual if line.endswith("\n") else "" for line in new]
    bare_old, bare_new = [line.rstrip("\r\n") for line in old], [line.rstrip("\n") for line in new]
    for a, b, size in difflib.SequenceMatcher(None, bare_old, bare_new, autojunk=False).get_matching_blocks():
        for step in range(size):
            if ends[b + step]:
                ends[b + step] = "\r\n" if old[a + step].endswith("\r\n") else "\n"
    return "".join(line + end for line, end in zip(bare_new, ends, strict=True))
