"""Words and numbers in what a cycle asks for: what stands in quotes or backticks, options, numbers and what is written with them. They are the
inputs that the curator thought of, and often no test has them.
"""

import ast
import re

import msgspec

MAX_CHARS = 20_000
"""Longest text that is read."""

MAX_WORD = 60
MAX_WORDS, MAX_NUMBERS, MAX_VALUES = 40, 20, 10

_QUOTED = re.compile(r"`([^`\n]+)`|\"([^\"\n]+)\"|“([^”\n]+)”|(?<!\w)'([^'\n]+)'(?!\w)")
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_FIGURE = re.compile(r"(?<![\w.,:/-])[-+]?\d[\d.,:/%-]*(?<![.,:/])")
_VALUE = re.compile(r"\[[^\[\]]*\]|\([^()]*,[^()]*\)|\{[^{}]*\}")
_NUMBER = re.compile(r"[-+]?\d{1,12}(\.\d{1,6})?")


class AskedWords(msgspec.Struct, frozen=True):
    """`words`: texts, in their order. `numbers`: those that stand alone. `values`: source of lists, tuples and dicts."""

    words: tuple[str, ...] = ()
    numbers: tuple[int | float, ...] = ()
    values: tuple[str, ...] = ()


NOTHING_ASKED = AskedWords()


def asked_words(text: str) -> AskedWords:
    """What stands in the text."""
    text = text[:MAX_CHARS]
    words: dict[str, None] = {}
    numbers: dict[int | float, None] = {}
    for match in _QUOTED.finditer(text):
        found = next(group for group in match.groups() if group)
        if len(found) <= MAX_WORD:
            words.setdefault(found)
    for match in _OPTION.finditer(text):
        words.setdefault(match.group())
    for match in _FIGURE.finditer(text):
        figure = match.group()
        if _NUMBER.fullmatch(figure):
            numbers.setdefault(float(figure) if "." in figure else int(figure))
        if len(figure) <= MAX_WORD and not figure.isdecimal():
            words.setdefault(figure)
    values = dict.fromkeys(match.group() for match in _VALUE.finditer(text) if _is_value(match.group()))
    return AskedWords(tuple(words)[:MAX_WORDS], tuple(numbers)[:MAX_NUMBERS], tuple(values)[:MAX_VALUES])


def _is_value(source: str) -> bool:
    try:
        return isinstance(ast.literal_eval(source), list | tuple | dict)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
