"""The form a file has on disk: encoding, byte-order mark, line ends. What replaces a file keeps it.

What must always hold: a line that an answer does not change keeps its bytes, also in a file of mixed line ends or of an older
encoding; an encoding that cannot hold the new text is said, never patched with question marks.
"""

import codecs
import difflib

import msgspec

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


class FileForm(msgspec.Struct, frozen=True, kw_only=True):
    """A file's bytes taken apart once: its text without the mark, and the form that its next text is written in. `data` None: no file.

    Bytes that are no text have replacement characters in `text`. `is_text`: the encoding is known, and gives the same bytes when the text is written back.
    """

    data: bytes | None
    text: str = ""
    mark: bytes = b""
    encoding: str = UTF8
    is_text: bool = True

    def bytes_to_write(self, content: str) -> bytes:
        """The bytes of `content` in this form: encoding, mark and line ends; a new file is written as it stands.

        An answer's form cannot say "no newline at the end", nor mix line ends, nor end lines with CR alone; so an answer that differs
        from the file in nothing else gives the file's own bytes, and any other is written the way the file is. Characters that the encoding lacks become `?`: see `unwritable`.
        """
        if self.data is None:
            return content.encode("utf-8", "surrogatepass")
        now, new = self.text, content.removeprefix("\ufeff")
        newlines, returns = now.count("\n"), now.count("\r\n")
        is_cr_only = not newlines and "\r" in now
        plain, was = _plain(new, is_cr_only=is_cr_only), _plain(now, is_cr_only=is_cr_only)
        if plain in (was, was + "\n"):
            return self.data
        if was and not was.endswith("\n") and plain != "\n":
            plain, new = plain.removesuffix("\n"), new.removesuffix("\n").removesuffix("\r")
        if is_cr_only:
            text = plain.replace("\n", "\r")
        elif not newlines:
            text = new
        elif returns in (0, newlines):
            text = plain.replace("\n", "\r\n") if returns else plain
        else:
            text = _with_own_ends(now, plain, "\r\n" if returns * 2 > newlines else "\n")
        return self.mark + text.encode(self.encoding, "surrogatepass" if self.encoding == UTF8 else "replace")

    def text_written(self, written: bytes) -> str:
        """The text of what `bytes_to_write` gave: in this encoding, whatever a guess would make of the new bytes."""
        if self.data is None:
            return text_of(written)
        return written[len(self.mark) :].decode(self.encoding, "replace")

    def unwritable(self, content: str) -> str:
        """Why `content` cannot be written in this encoding; "" if it can."""
        if self.encoding == UTF8:
            return ""
        try:
            content.encode(self.encoding)
        except UnicodeEncodeError as error:
            return f"its encoding, {self.encoding}, cannot hold {content[error.start]!r}"
        return ""


def form_of(data: bytes | None) -> FileForm:
    """The form of a file's bytes. In an older encoding this guesses, which takes milliseconds: keep what it gives."""
    if not data:
        return FileForm(data=data)
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", ""))
    try:
        text, guessed = decode(data)
    except ValueError:
        encoding = encoding or UTF8
        text = data[len(mark) :].decode(encoding, "replace")
        return FileForm(data=data, text=text, mark=mark, encoding=encoding, is_text=False)
    encoding = encoding or guessed
    is_text = encoding == UTF8 or mark + text.encode(encoding, "replace") == data
    return FileForm(data=data, text=text, mark=mark, encoding=encoding, is_text=is_text)


def text_of(data: bytes | None) -> str:
    """The text of a file, without its mark; "" for none."""
    return form_of(data).text


def _plain(text: str, *, is_cr_only: bool) -> str:
    """The text with LF at the end of every line. A bare CR ends one only in a file that has no other line ends."""
    text = text.replace("\r\n", "\n")
    return text.replace("\r", "\n") if is_cr_only else text


def _with_own_ends(now: str, plain: str, usual: str) -> str:
    """The new text, in which lines of the old one keep their own ends, and others get the usual one."""
    old, new = split_lines(now), split_lines(plain)
    ends = [usual if line.endswith("\n") else "" for line in new]
    bare_old, bare_new = [line.rstrip("\r\n") for line in old], [line.rstrip("\n") for line in new]
    for a, b, size in difflib.SequenceMatcher(None, bare_old, bare_new, autojunk=False).get_matching_blocks():
        for step in range(size):
            if ends[b + step] and old[a + step].endswith("\n"):  # the old last line may have had no end to keep
                ends[b + step] = "\r\n" if old[a + step].endswith("\r\n") else "\n"
    return "".join(line + end for line, end in zip(bare_new, ends, strict=True))
