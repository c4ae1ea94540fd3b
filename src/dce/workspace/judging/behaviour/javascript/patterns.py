"""Texts that a regular expression of JavaScript matches, or nearly does: what code looks for in a text is where it changes its way.

Only what patterns commonly hold is read: literals, classes, groups, choices, repetitions. Assertions match nothing; what is not known
is left out. Nothing is executed, and the same pattern gives the same texts.
"""

import re
from collections.abc import Iterator

MAX_PATTERN = 200
"""Longest pattern that is read, in characters."""

MAX_REPEATED = 8
"""Most times that a part of a text is repeated."""

MAX_SAMPLE = 60
"""Longest text that is made, in characters."""

_CLASSES = {
    "s": " ",
    "d": "7",
    "w": "a",
    "S": "x",
    "D": "x",
    "W": "-",
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "",
    "B": "",
}
_COUNT = re.compile(r"\{(\d+)(,?)(\d*)\}")
_AHEAD = re.compile(r"\?(?:=|!|<=|<!)")
_NAMED = re.compile(r"\?(?::|<[A-Za-z_$][\w$]*>)")


def samples(pattern: str) -> list[str]:
    """Up to four texts: each part as rarely as it may come, once or twice, as often as it may, and with other choices."""
    if len(pattern) > MAX_PATTERN:
        return []
    found = dict.fromkeys(_Reader(pattern, turn).text() for turn in range(4))
    return [text for text in found if text and len(text) <= MAX_SAMPLE]


class _Reader:
    """Reads a pattern once and writes one text. `turn` decides how often parts come and which choices are taken."""

    def __init__(self, pattern: str, turn: int) -> None:
        self._pattern, self._turn, self._at = pattern, turn, 0

    def text(self) -> str:
        """The text; a pattern with an unknown part gives what stands before it."""
        return self._choice(0)

    def _choice(self, depth: int) -> str:
        options = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            options.append(self._sequence(depth))
        return options[self._turn % len(options)]

    def _sequence(self, depth: int) -> str:
        return "".join(self._parts(depth))

    def _parts(self, depth: int) -> Iterator[str]:
        while self._at < len(self._pattern) and self._peek() not in {"|", ")"} and depth < 20:
            part = self._one(depth)
            yield part * self._times()

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _one(self, depth: int) -> str:
        char = self._peek()
        self._at += 1
        if char == "\\":
            return self._escaped()
        if char == "[":
            return self._class()
        if char == "(":
            return self._group(depth)
        return {"^": "", "$": "", ".": "x"}.get(char, char)

    def _escaped(self) -> str:
        char = self._peek()
        self._at += 1
        if char in {"p", "P", "k", "u", "x", "c"} or char.isdigit():
            after = re.compile(r"\{[^}]*\}|<[^>]*>|[\da-fA-F]{0,4}").match(self._pattern, self._at)
            self._at = after.end() if after else self._at
            return "a" if char == "p" else ""
        return _CLASSES.get(char, char)

    def _class(self) -> str:
        is_inverted = self._peek() == "^"
        self._at += is_inverted
        found = []
        while self._at < len(self._pattern) and (self._peek() != "]"):
            char = self._peek()
            self._at += 1
            found.append(self._escaped() if char == "\\" else char)
        self._at += 1
        if is_inverted:
            return next(char for char in "xy-0 _~" if char not in found)
        return found[self._turn % len(found)] if found else ""

    def _group(self, depth: int) -> str:
        ahead = _AHEAD.match(self._pattern, self._at)
        start = ahead or _NAMED.match(self._pattern, self._at)
        self._at = start.end() if start else self._at
        text = self._choice(depth + 1)
        self._at += self._peek() == ")"
        return "" if ahead else text

    def _times(self) -> int:
        """How often the part before comes, by what stands after it."""
        char = self._peek()
        least, most = {"*": (0, 3), "+": (1, 3), "?": (0, 1)}.get(char, (1, 1))
        counted = _COUNT.match(self._pattern, self._at)
        if counted:
            least = int(counted[1])
            most = int(counted[3] or least + 2) if counted[2] else least
        elif char not in {"*", "+", "?"}:
            return 1
        self._at = counted.end() if counted else self._at + 1
        self._at += self._peek() == "?"
        return min((least, most, max(least, 1), most + 1)[self._turn], MAX_REPEATED)
