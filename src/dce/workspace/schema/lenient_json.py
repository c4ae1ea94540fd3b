"""A parser for the JSON that models break: raw newlines and bare quotes in strings, invalid escapes, missing or doubled commas, no end.

What must always hold: it never raises and is linear except for bare quotes; it reports repairs; it knows which strings were cut
off by the end of the text and in which a closing quote was guessed.
"""

import re
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 60
"""Deepest nesting that is parsed; an answer has three levels."""

_SPACE = re.compile(r"[\s,;]*")
_STRING_PART = re.compile(r'[^"\\]+')
_AFTER_STRING = re.compile(r'\s*(?:[}\]:]|,\s*(?:["{\[\]}]|$)|$)')
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[A-Za-z_]\w*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS = {"true": True, "false": False, "null": None}


@dataclass
class Broken:
    """The result: `value`, where it ends, and the repairs."""

    value: Any
    end: int
    repairs: list[str] = field(default_factory=list)
    cut: frozenset[str] = frozenset()
    guessed: frozenset[str] = frozenset()

    def is_cut(self, text: str) -> bool:
        """Whether this string of `value` was cut off by the text's end."""
        return text in self.cut

    def is_guessed(self, text: str) -> bool:
        """Whether this string holds quotes that were not escaped."""
        return text in self.guessed


def parse_broken(text: str, start: int) -> Broken:
    """The value that begins at `start`, as far as it can be parsed."""
    parser = _Parser(text, start)
    value = parser.value(0)
    repairs = ["The JSON was invalid and was repaired."]
    if parser.is_cut:
        repairs = ["The JSON is cut off; the part before the cut was read."]
    cut, guessed = frozenset(parser.cut), frozenset(parser.guessed)
    return Broken(value=value, end=parser.at, repairs=repairs, cut=cut, guessed=guessed)


def whole_characters(text: str) -> str:
    """The text with half a surrogate pair replaced: JSON can write one, but no file and no answer can hold it."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Parser:
    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self.at = at
        self.is_cut = False
        self.cut: list[str] = []
        self.guessed: list[str] = []

    def value(self, depth: int) -> Any:
        """The next value; None where there is none."""
        self._skip()
        char = self._peek()
        if depth > MAX_DEPTH or not char:
            self.is_cut = self.is_cut or not char
            self.at = len(self._text)
            return None
        if char == "{":
            return self._object(depth)
        if char == "[":
            return self._array(depth)
        if char == '"':
            return self._string()
        literal = _LITERAL.match(self._text, self.at)
        if literal is None:
            self.at += 1
            return None
        self.at = literal.end()
        word = literal[0]
        return _WORDS.get(word, word)

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.at += 1
        while self._peek_after_space() not in {"", "}"}:
            if self._peek() == "]":  # the object was not closed
                return found
            key = self.value(depth + 1)
            if self._peek_after_space() == ":":
                self.at += 1
                value = self.value(depth + 1)
                if isinstance(key, str) and value is not None:
                    found[str(key)] = value
        self._close()
        return found

    def _array(self, depth: int) -> list[Any]:
        found: list[Any] = []
        self.at += 1
        while self._peek_after_space() not in {"", "]"}:
            if self._peek() == "}":  # the array was not closed
                return found
            found.append(self.value(depth + 1))
        self._close()
        return found

    def _close(self) -> None:
        if self.at < len(self._text):
            self.at += 1
        else:
            self.is_cut = True

    def _string(self) -> str:
        self.at += 1
        parts: list[str] = []
        is_guessed = False
        while True:
            plain = _STRING_PART.match(self._text, self.at)
            if plain is not None:
                parts.append(plain[0])
                self.at = plain.end()
            char = self._peek()
            if not char:
                self.is_cut = True
                return self._made(parts, is_cut=True, is_guessed=is_guessed)
            if char == "\\":
                parts.append(self._escape())
                continue
            self.at += 1
            if _AFTER_STRING.match(self._text, self.at):
                return self._made(parts, is_cut=False, is_guessed=is_guessed)
            parts.append('"')
            is_guessed = True

    def _escape(self) -> str:
        """One escape; a backslash before anything else is itself."""
        following = self._text[self.at + 1 : self.at + 2]
        if following == "u":
            digits = self._text[self.at + 2 : self.at + 6]
            if re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                self.at += 6
                return chr(int(digits, 16))
        if following in _ESCAPES and following:
            self.at += 2
            return _ESCAPES[following]
        self.at += 1
        return "\\" if following else ""

    def _made(self, parts: list[str], *, is_cut: bool, is_guessed: bool) -> str:
        text = whole_characters("".join(parts))
        if is_cut:
            self.cut.append(text)
        if is_guessed:
            self.guessed.append(text)
        return text

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self.at)
        self.at = space.end() if space else self.at

    def _peek(self) -> str:
        return self._text[self.at : self.at + 1]

    def _peek_after_space(self) -> str:
        self._skip()
        return self._peek()
