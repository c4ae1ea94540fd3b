"""The encoding of a file's bytes, how certain it is, and their text.

The evidence, strongest first: a byte-order mark; bytes that are valid UTF-8; what the workspace or the file declares (`declared.py`);
a guess (`guessing.py`). What must always hold: bytes that no known encoding can decode are refused rather than shown as garbage;
decoding never changes line endings; a guess is never called anything else.
"""

import codecs
import contextlib
import re
from typing import Literal, NamedTuple, NoReturn

from dce.workspace.tree.declared import CONFIGURED, NOTHING, Declared, declared_in
from dce.workspace.tree.guessing import guess

UTF8 = "utf-8"
MARKED_UTF8 = "utf-8-sig"
"""UTF-8 that begins with a byte-order mark."""

Certainty = Literal["known", "declared", "guessed", "doubtful"]
"""known: UTF-8, or a byte-order mark. declared: named by the settings, the file or .editorconfig. doubtful: a guess that may well be wrong."""

UNCERTAIN = frozenset({"guessed", "doubtful"})

MIN_UTF8_CHARS = 4
"""With at least this many characters outside ASCII, valid UTF-8 is UTF-8: in another encoding that happens once in thousands of files."""

_SEARCHED_FOR_CONTROLS = 65_536
"""How much of a large file is searched for control characters."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The little-endian UTF-32 mark starts with the UTF-16 one, so it comes first."""

_CONTROLS = re.compile("[\0\x80-\x9f]")
_NOT_IN_TEXT = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b"))


ESCAPED = b"\x1b$"
"""With it, the ISO-2022 encodings change to characters of two bytes. It does not occur in other text: a terminal's sequences begin with `ESC [`."""

_SHIFTS = (ESCAPED, b"\x1b(", b"\x1b)", b"~{")
"""How 7-bit encodings change to characters outside ASCII."""

_JAPANESE = ("iso2022_jp", "iso2022_jp_ext")


class Decoded(NamedTuple):
    """The text without its mark, the name of its encoding, and how certain that is."""

    text: str
    encoding: str
    certainty: Certainty = "known"


def marked(head: bytes) -> str:
    """The encoding named by a byte-order mark; "" if there is none, or it is UTF-8's, which changes nothing."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "")


def is_binary(content: bytes) -> bool:
    """Whether bytes without a mark contain control characters that do not occur in text."""
    if len(content) < _SEARCHED_FOR_CONTROLS:
        return content.translate(None, _NOT_IN_TEXT) != content
    head = content[:_SEARCHED_FOR_CONTROLS]
    return b"\0" in content or head.translate(None, _NOT_IN_TEXT) != head


def decode(content: bytes, named: Declared = NOTHING) -> Decoded:
    """The text of a file's bytes. `named`: the encoding that the workspace declares for the file.

    Raises ValueError; its message says why this is not text.
    """
    name = marked(content)
    if name:
        try:
            return Decoded(content.decode(name), name)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"marked as {name.upper()} by its byte-order mark, but not valid {name.upper()}"
            ) from error
    try:
        text = content.decode(UTF8)
    except UnicodeDecodeError:
        return _older(content, named)
    if "\0" in text:
        return _declared(content, named) or _refuse("binary")
    if text.startswith("\ufeff"):
        return Decoded(text[1:], MARKED_UTF8)
    if text.isascii():
        return _shifted(content, named) or Decoded(text, UTF8)
    if named.source == CONFIGURED and 0 < _chars_outside_ascii(text) < MIN_UTF8_CHARS:
        return _declared(content, named) or Decoded(text, UTF8)
    return Decoded(text, UTF8)


def is_plain(content: bytes) -> bool:
    """Whether bytes are ASCII that means the same in every encoding: without null characters and without shifts."""
    return content.isascii() and b"\0" not in content and not any(shift in content for shift in _SHIFTS)


def _shifted(content: bytes, named: Declared) -> Decoded | None:
    """The text of ASCII bytes that are characters of a declared 7-bit encoding, such as ISO-2022-JP; None for plain ASCII.

    Without a declaration, ISO-2022-JP is recognised by its escape sequences, which is a guess.
    """
    if is_plain(content):
        return None
    for declaration in _by_rank(content, named):
        seven_bit = tuple(name for name in declaration.encodings if name.startswith("iso2022_") or name == "hz")
        if found := _declared(content, Declared(seven_bit, declaration.source)):
            return found if found.text != content.decode("ascii") else None
        if seven_bit and declaration.source == CONFIGURED and ESCAPED in content:
            _refuse(f"not valid {seven_bit[0]}, which `encoding` in config.toml says it is")
    if ESCAPED not in content:
        return None
    for name in _JAPANESE:
        with contextlib.suppress(UnicodeError):
            text = content.decode(name)
            if text.encode(name) == content:
                return Decoded(text, name, "guessed")
    return None


def _by_rank(content: bytes, named: Declared) -> tuple[Declared, Declared]:
    """What the workspace and the file declare, stronger first: the settings win over the file, and the file over .editorconfig."""
    in_file = declared_in(content)
    return (named, in_file) if named.source == CONFIGURED else (in_file, named)


def _older(content: bytes, named: Declared) -> Decoded:
    """The text of bytes that are not UTF-8: in the first declared encoding that can decode them, else in the one guessed."""
    declarations = _by_rank(content, named)
    for declaration in declarations:
        if found := _declared(content, declaration):
            return found
        if declaration.source == CONFIGURED:
            _refuse(f"not valid {declaration.encodings[0]}, which `encoding` in config.toml says it is")
    if is_binary(content):
        _refuse("binary")
    if problem := _broken_utf8(content):
        _refuse(problem)
    found_by_guess = guess(content)
    if found_by_guess is None:
        _refuse("neither UTF-8 nor an encoding that can be guessed; `encoding` in config.toml can name it")
    is_contradicted = any(declaration.encodings for declaration in declarations)
    certainty: Certainty = "doubtful" if found_by_guess.is_doubtful or is_contradicted else "guessed"
    return Decoded(content.decode(found_by_guess.encoding), found_by_guess.encoding, certainty)


def _declared(content: bytes, declaration: Declared) -> Decoded | None:
    """The text in a declared encoding; None if nothing is declared, or it cannot be right.

    Control characters show that a superset is meant, or that the declaration is wrong. The user's own word is taken even then.
    """
    with_controls = None
    for name in declaration.encodings:
        try:
            text = content.decode(name)
        except UnicodeError:
            continue
        found = Decoded(text, name, "known" if name == UTF8 else "declared")
        if not _CONTROLS.search(text):
            return found
        with_controls = with_controls or found
    return with_controls if declaration.source == CONFIGURED and "\0" not in (with_controls or (" ",))[0] else None


def _broken_utf8(content: bytes) -> str:
    """What is wrong with bytes that are UTF-8 but for a few; "" for anything else. In another encoding, all of it would be garbage."""
    text = content.decode(UTF8, "replace")
    wrong = text.count("\ufffd")
    if _chars_outside_ascii(text) - wrong < MIN_UTF8_CHARS * max(1, wrong):
        return ""
    try:
        content.decode(UTF8)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"UTF-8 but for {wrong} byte{'s' * (wrong != 1)}, the first one in line {line}: 0x{content[error.start]:02x}"
    return ""


def _chars_outside_ascii(text: str) -> int:
    return sum(not char.isascii() for char in text)


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
