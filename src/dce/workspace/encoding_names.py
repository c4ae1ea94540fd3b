"""The names of encodings that a text file can have.

What must always hold: a name is accepted here exactly if files in that encoding can be read and written, so that no setting is taken
that then fails.
"""

import codecs
from collections.abc import Mapping
from typing import NamedTuple

_SUPERSETS: Mapping[str, tuple[str, ...]] = {
    "ascii": ("cp1252",),
    "iso8859-1": ("cp1252",),
    "iso8859-9": ("cp1254",),
    "iso8859-11": ("cp874",),
    "tis-620": ("cp874",),
    "gb2312": ("gbk", "gb18030"),
    "gbk": ("gb18030",),
    "big5": ("cp950", "big5hkscs"),
    "cp950": ("big5hkscs",),
    "iso2022_jp": ("iso2022_jp_ext",),
    "shift_jis": ("cp932",),
    "euc_kr": ("cp949",),
}
"""Encoding → what programs that name it often mean. It is tried where the named one fails or gives control characters."""

_WITHOUT_MARK: Mapping[str, tuple[str, ...]] = {
    "utf-16": ("utf-16-le", "utf-16-be"),
    "utf-32": ("utf-32-le", "utf-32-be"),
}
"""Encodings whose name leaves the byte order to the mark. A file with a mark needs no declaration."""

_NOT_OF_FILES = frozenset(
    {"idna", "punycode", "raw_unicode_escape", "unicode_escape", "undefined", "utf_7", "mbcs", "oem"}
)
"""Codecs that make text of bytes but are no encoding of a file."""


def encodings_of(name: str) -> tuple[str, ...]:
    """Python's name of an encoding, and its usual supersets; () for a name that no encoding of text has."""
    if name.lower().removesuffix("-unix").removesuffix("-dos") in {"utf-8", "utf8"}:
        return ("utf-8",)
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: a name with a null character
        return ()
    if not getattr(found, "_is_text_encoding", True) or found.name.replace("-", "_") in _NOT_OF_FILES:
        return ()
    return _WITHOUT_MARK.get(found.name) or (found.name, *_SUPERSETS.get(found.name, ()))


class Problem(NamedTuple):
    """What is wrong with a name, and the next step."""

    fact: str
    hint: str


def problem_of(name: str) -> Problem | None:
    """Why no file can be declared to be in this encoding; None if one can."""
    if encodings_of(name):
        return None
    try:
        codecs.lookup(name)
    except (LookupError, ValueError):
        return Problem(
            f"there is no encoding {name!r}",
            "Use a name that Python knows, such as cp1251, iso8859-2, gbk or shift_jis.",
        )
    return Problem(
        f"{name!r} is not an encoding that DCE reads files in",
        "Convert these files to UTF-8, or name the encoding that they are in, such as cp1251, iso8859-2, gbk or shift_jis.",
    )
