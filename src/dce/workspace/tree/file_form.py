"""The form of a file on disk: encoding, byte-order mark, line endings. Replacing a file preserves its form.

What must always hold: a line that an answer does not change keeps its bytes, even in a file with mixed line endings or a legacy
encoding; text that the encoding cannot represent is reported, never silently replaced with question marks; no text outside ASCII is
written in an encoding that is only guessed, except words that the file already contains.
"""

import codecs
import difflib
import re
from collections import Counter

import msgspec

from dce.workspace.tree.declared import NOTHING, Declared
from dce.workspace.tree.encodings import UNCERTAIN, UTF8, Certainty, decode

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

_END = re.compile(r"\r*\n|\r")
"""A line's ending. CR CR LF, which broken conversions leave behind, is one."""

_PIECES = re.compile(r"(\r*\n|\r)")
_END_OF_ALL = re.compile(r"(\r*\n|\r)\Z")
_USUAL_ENDS = frozenset({"\n", "\r\n"})


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
        ends = set(_END.findall(now))
        has_returns = bool(ends - _USUAL_ENDS)
        plain, was = _plain(new, has_returns=has_returns), _plain(now, has_returns=has_returns)
        if plain in (was, was + "\n"):
            return self.data
        if was and not was.endswith("\n") and plain != "\n":
            plain, new = plain.removesuffix("\n"), _END_OF_ALL.sub("", new)
        if not ends:
            text = new
        elif len(ends) == 1:
            text = plain.replace("\n", *ends)
        else:
            text = _with_own_ends(now, new)
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


def _plain(text: str, *, has_returns: bool) -> str:
    """The text with LF line endings. A bare CR counts as one only if the file has such endings."""
    return _END.sub("\n", text) if has_returns else text.replace("\r\n", "\n")


def _lines(text: str) -> list[tuple[str, str]]:
    """The lines, each with its ending; the last one may have none."""
    pieces = _PIECES.split(text)
    lines = list(zip(pieces[::2], [*pieces[1::2], ""], strict=True))
    return lines if lines[-1][0] else lines[:-1]


def _with_own_ends(now: str, content: str) -> str:
    """The new text: a kept line keeps its ending, a changed one that of the line it replaces, an added one that of the line before.

    An answer that spells out an unusual ending of an added or changed line gets it.
    """
    old, new = _lines(now), _lines(content)
    usual = Counter(end for _, end in old if end).most_common(1)[0][0]
    ends, before = list[str](), ""
    matcher = difflib.SequenceMatcher(None, [line for line, _ in old], [line for line, _ in new], autojunk=False)
    for tag, a1, a2, b1, b2 in matcher.get_opcodes():
        for at, (_, said) in enumerate(new[b1:b2], start=a1):
            if tag != "equal" and said and said not in _USUAL_ENDS:
                ends.append(said)
                continue
            own = old[at][1] if at < a2 else ""  # the old last line may have none either
            after = old[a2][1] if a2 < len(old) else ""
            before = own or before or after or usual
            ends.append(before)
    if new and not new[-1][1]:
        ends[-1] = ""
    return "".join(line + end for (line, _), end in zip(new, ends, strict=True))
