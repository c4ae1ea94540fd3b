"""The form of a file on disk: encoding, byte-order mark, line endings. Replacing a file preserves its form.

What must always hold: a line that an answer does not change keeps its bytes, even in a file with mixed line endings or a legacy
encoding; text that the encoding cannot represent is reported, never silently replaced with question marks; no text outside ASCII is
written in an encoding that is only guessed, except words that the file already contains.
"""

import codecs
import difflib
import re

import msgspec

from dce.workspace.tree.declared import NOTHING, Declared
from dce.workspace.tree.encodings import UNCERTAIN, UTF8, Certainty, decode
from dce.workspace.tree.lines import split_lines

_MARKS = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""The little-endian UTF-32 mark starts with the UTF-16 one, so it comes first."""


_WORD = re.compile(r"[^\s\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]+")
"""Letters and digits, and everything outside ASCII that is not white space."""


class FileForm(msgspec.Struct, frozen=True, kw_only=True):
    """A file's bytes, parsed once: its text without the mark, and the form in which new text is written. `data` is None if there is no file.

    Bytes that cannot be decoded become replacement characters in `text`. `is_text`: the encoding is known, and encoding the text
    gives the same bytes.
    """

    data: bytes | None
    text: str = ""
    mark: bytes = b""
    encoding: str = UTF8
    is_text: bool = True
    certainty: Certainty = "known"

    @property
    def is_guessed(self) -> bool:
        """Whether the encoding is only a guess, so that new text outside ASCII could become wrong bytes."""
        return self.certainty in UNCERTAIN

    def bytes_to_write(self, content: str) -> bytes:
        """The bytes of `content` in this form: encoding, mark and line endings; a new file is written unchanged.

        An answer cannot express a missing final newline, mixed line endings, or lines ending in CR alone. So an answer that differs
        from the file only in these yields the file's own bytes, and any other answer is written in the file's form. Characters that
        the encoding lacks become `?`: see `unwritable`.
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
        """Decodes the result of `bytes_to_write` with this encoding, whatever a guess from the new bytes would be."""
        if self.data is None:
            return text_of(written)
        return written[len(self.mark) :].decode(self.encoding, "replace")

    def lacks_words_of(self, shown: str) -> bool:
        """Whether this file was shown in another encoding: the text shown has words outside ASCII that the file does not have.

        An answer would repeat them, and they would be written as wrong bytes.
        """
        return self.encoding != UTF8 and not _words_outside_ascii(shown) <= _words_outside_ascii(self.text)

    def unwritable(self, content: str) -> str:
        """Why `content` cannot be written in this encoding; "" if it can.

        Words that the file contains already get the bytes that they have there, whatever the encoding really is.
        """
        if self.encoding == UTF8:
            return ""
        if self.is_guessed and (new := _words_outside_ascii(content) - _words_outside_ascii(self.text)):
            return f"its encoding is only guessed ({self.encoding}), and {min(new)!r} would be written in it"
        try:
            content.encode(self.encoding)
        except UnicodeEncodeError as error:
            return f"its encoding, {self.encoding}, cannot hold {content[error.start]!r}"
        return ""


def form_of(data: bytes | None, named: Declared = NOTHING) -> FileForm:
    """The form of a file's bytes. `named`: the encoding that the workspace declares for the file.

    For an older encoding this may have to guess, which takes milliseconds: keep the result.
    """
    if not data:
        return FileForm(data=data)
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", ""))
    try:
        text, found, certainty = decode(data, named)
    except ValueError:
        encoding = encoding or UTF8
        text = data[len(mark) :].decode(encoding, "replace")
        return FileForm(data=data, text=text, mark=mark, encoding=encoding, is_text=False)
    encoding = encoding or found
    is_text = encoding == UTF8 or mark + text.encode(encoding, "replace") == data
    return FileForm(data=data, text=text, mark=mark, encoding=encoding, is_text=is_text, certainty=certainty)


def _words_outside_ascii(text: str) -> set[str]:
    return {word for word in _WORD.findall(text) if not word.isascii()}


def text_of(data: bytes | None) -> str:
    """The text of a file, without its mark; "" if there is no file."""
    return form_of(data).text


def _plain(text: str, *, is_cr_only: bool) -> str:
    """The text with LF line endings. A bare CR counts as one only in a file without any other line ending."""
    text = text.replace("\r\n", "\n")
    return text.replace("\r", "\n") if is_cr_only else text


def _with_own_ends(now: str, plain: str, usual: str) -> str:
    """The new text: lines kept from the old text keep their own line endings, all others get the usual one."""
    old, new = split_lines(now), split_lines(plain)
    ends = [usual if line.endswith("\n") else "" for line in new]
    bare_old, bare_new = [line.rstrip("\r\n") for line in old], [line.rstrip("\n") for line in new]
    for a, b, size in difflib.SequenceMatcher(None, bare_old, bare_new, autojunk=False).get_matching_blocks():
        for step in range(size):
            if ends[b + step] and old[a + step].endswith("\n"):  # the old last line may have had no line ending
                ends[b + step] = "\r\n" if old[a + step].endswith("\r\n") else "\n"
    return "".join(line + end for line, end in zip(bare_new, ends, strict=True))
