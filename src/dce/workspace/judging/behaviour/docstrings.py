"""Examples in docstrings: calls with the values that they should give.

Besides doctest's form, people write `f(2) == 4`, `f(2) => 4`, `f(2) ➞ 4`, `f(2) should return 4`. All of these are read where both
sides are literals.
"""

import ast
import doctest
import re
from collections.abc import Iterator

import msgspec

_MEANS = re.compile(
    r"\s*(?:#\s*)?(?:==?=?>?|=>|->|-->|➞|→|⇒|(?:should\s+)?(?:returns?|be|gives?|evaluates? to)\b(?:\s*=)?)\s*",
    re.IGNORECASE,
)
_WORDS = {"true": "True", "false": "False", "none": "None", "null": "None"}
_GOES_ON = re.compile(r"[ \t]*[-+*/%=]")
"""A calculation follows (`-> 19 - 5 - 6 = 8`): what was read is its first number, not the value."""

_MAX_CALL = 2_000
"""Longest call that is read, in characters: an opening bracket that is never closed must not cost a scan of the whole text."""


class Example(msgspec.Struct, frozen=True):
    """A call and the source of its value ("" if the docstring does not say one that can be read)."""

    call: str
    expected: str


def examples(text: str, name: str) -> list[Example]:
    """The calls of the function `name` in a docstring, each once, in its order."""
    found: dict[str, Example] = {}
    for example in (*_doctests(text, name), *_written(text, name)):
        known = found.get(example.call)
        if known is None or (example.expected and not known.expected):
            found[example.call] = example
    return list(found.values())


def documented(source: str) -> Iterator[tuple[str, str]]:
    """Every function at the top of a module (by name) and its docstring."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node)):
            yield node.name, text


def _doctests(text: str, name: str) -> Iterator[Example]:
    try:
        parsed = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return  # a broken doctest: the other form may still be read
    for example in parsed:
        call = _call(example.source, name)
        if call:
            yield Example(call, _value(example.want.strip(), is_whole=True))


def _written(text: str, name: str) -> Iterator[Example]:
    for match in re.finditer(rf"(?<![\w.]){re.escape(name)}\(", text):
        end = _end_of_call(text, match.end())
        call = _call(text[match.start() : end], name) if end else ""
        if not call:
            continue
        rest = text[end:]
        means = _MEANS.match(rest)
        yield Example(call, _value(rest[means.end() :], is_whole=False) if means else "")


def _call(source: str, name: str) -> str:
    """The call in its plain form if it is one of `name` with literals only; else ""."""
    try:
        node = ast.parse(" ".join(source.split("\n")).strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    if not (isinstance(node, ast.Call) and ast.unparse(node.func) == name):
        return ""
    try:
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            ast.literal_eval(value)
    except (ValueError, TypeError):
        return ""
    return ast.unparse(node)


def _end_of_call(text: str, start: int) -> int:
    """The offset behind the bracket that closes a call; 0 if there is none."""
    depth, quote = 1, ""
    for at in range(start, min(len(text), start + _MAX_CALL)):
        char = text[at]
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if not depth:
                return at + 1
    return 0


def _value(text: str, *, is_whole: bool) -> str:
    """The literal at the beginning of a text ("" if there is none). `is_whole`: all of the text must be it."""
    if is_whole:
        return _literal(text)
    line = text.split("\n\n", 1)[0]
    best = ""
    for match in re.finditer(r"[\s#.,;]|$", line):
        if found := _literal(line[: match.start()]):
            best = "" if _GOES_ON.match(line, match.start()) else found
        if "\n" in match.group() and best:
            break
    return best


def _literal(text: str) -> str:
    text = " ".join(text.split("\n")).strip()
    text = _WORDS.get(text.lower(), text)
    if not text or text[0] == "#":
        return ""
    try:
        return repr(ast.literal_eval(text))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ""
