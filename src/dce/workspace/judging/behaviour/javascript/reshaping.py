"""Other values of the same form: a list with one more item that differs in one field, a text with a word of the code in it, an object
with one more option.

Edges (`values.py`) are the same for every value of a type. What is made here keeps most of a value, because what a test gives is
accepted, and code changes its way at small differences. Drawn by a generator of random numbers, so the same seed gives the same values.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.javascript.dictionary import Dictionary
from dce.workspace.judging.behaviour.javascript.values import edge_sources, key_source, written

MAX_DEPTH = 6
"""How deep in lists and objects a change may lie."""

MAX_CHARS = 2_000
"""Longest text that is changed, and longest value that is made, in characters of its source."""

CHANGES = (1, 1, 1, 2, 3)
"""How many changes one value gets: mistakes often show only where two things come together."""

SOURCE_SHARE = 0.12
"""How often a value becomes an edge that only JavaScript has, or one of another type."""

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_CONFUSED: Mapping[type, tuple[str, ...]] = {
    int: ("new Date({})", "[{}]", '"{}"', "{}n", "new Number({})", "undefined", "NaN", "true", "-0"),
    float: ("{} * 2", '"{}"', "Infinity", "NaN", "undefined"),
    str: ("[{}]", "new String({})", "Symbol.for({})", "undefined", "null", "0", "{{ toString: () => {} }}", "/a/g"),
    bool: ("null", "undefined", "0", "1", '""', '"{}"'),
    type(None): ("undefined", "0", '""', "false", "{{}}", "[]"),
    list: (
        "new Set({})",
        "{}.values()",
        "Object.assign({}, {{ extra: 1 }})",
        "Object.freeze({})",
        "undefined",
        "null",
        "{{ ...{} }}",
        "new Uint8Array(3)",
    ),
    dict: (
        "new Map(Object.entries({}))",
        "Object.assign(Object.create(null), {})",
        "Object.create({})",
        "Object.freeze({})",
        "[{}]",
        "new (class Made {{ constructor() {{ Object.assign(this, {}); }} }})()",
        "undefined",
        "null",
        "new Date(5)",
        "new Date(6)",
        "new Set([1, {{ a: 1 }}])",
        "{{ ...{}, [Symbol.for('s')]: 1 }}",
    ),
}
"""Values that are easily taken for others, by the type of the value that they replace; `{}` is its source."""


class Written(msgspec.Struct, frozen=True):
    """Source of a value that is no literal, as a part of one."""

    source: str


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What values are made from besides themselves: the dictionary, and the values of tests."""

    dictionary: Dictionary = Dictionary()
    pool: Sequence[object] = ()


NOTHING_KNOWN = Known()


def reshaped(value: object, rng: random.Random, known: Known) -> str:
    """Source of another value of the same form, or of one that is taken for it."""
    made = value
    for _ in range(rng.choice(CHANGES)):
        if _is_literal(made):
            made = _changed(made, rng, known, 0)
    text = source_of(made)
    return text if len(text) <= MAX_CHARS else written(value)


def confused(value: object, rng: random.Random) -> str:
    """Source of a value that is easily taken for this one."""
    text = written(value)
    found = rng.choice(_CONFUSED.get(type(value), ("undefined",)))
    return found.replace("{{", "{\0").replace("}}", "\0}").replace("{}", text).replace("\0", "")


def source_of(value: Any) -> str:
    """The source of a value with parts that are source already."""
    if isinstance(value, Written):
        return value.source
    if isinstance(value, list):
        return f"[{', '.join(source_of(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key_source(key)}: {source_of(held)}' for key, held in value.items())}}}"
    return written(value)


def _is_literal(value: Any) -> bool:
    """Whether no part of a value is source already."""
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not isinstance(value, Written) and all(_is_literal(one) for one in held)


def _changed(value: Any, rng: random.Random, known: Known, depth: int) -> Any:
    """The value with one change, somewhere in it."""
    if depth > MAX_DEPTH or rng.random() < SOURCE_SHARE / (1 + depth):
        edges = edge_sources(value)
        is_plain = edges and rng.random() < 0.6
        return Written(edges[min(int(rng.expovariate(0.2)), len(edges) - 1)] if is_plain else confused(value, rng))
    change = _CHANGES.get(type(value))
    return change(value, rng, known, depth) if change else Written(confused(value, rng))


def _list(value: list[Any], rng: random.Random, known: Known, depth: int) -> Any:
    if not value:
        other = _like(value, rng, known)
        return other or [Written(rng.choice(("0", '"a"', "undefined", "{}", "[]")))]
    at, turn = rng.randrange(len(value)), rng.randrange(8)
    if turn == 0:
        return [*value[:at], *value[at + 1 :]]
    if turn == 1:
        return [*value, value[at]]
    if turn == 2:
        items = list(value)
        rng.shuffle(items)
        return items
    if turn <= 4:
        other = _crossed(value, rng) if rng.random() < 0.25 else _changed(value[at], rng, known, depth + 1)
        return [*value[:at], other, *value[at + 1 :]]
    extra = _crossed(value, rng) if rng.random() < 0.4 else _changed(value[at], rng, known, depth + 1)
    place = rng.choice((0, at, at + 1, len(value)))
    return [*value[:place], extra, *value[place:]]


def _crossed(items: Sequence[Any], rng: random.Random) -> Any:
    """An item with one field of another one."""
    one, other = rng.choice(items), rng.choice(items)
    if isinstance(one, dict) and isinstance(other, dict) and other:
        name = rng.choice(list(other))
        return {**one, name: other[name]}
    if isinstance(one, list) and isinstance(other, list) and one and other:
        at = rng.randrange(min(len(one), len(other)))
        return [*one[:at], other[at], *one[at + 1 :]]
    return other


def _dict(value: dict[str, Any], rng: random.Random, known: Known, depth: int) -> Any:
    names, turn = list(value), rng.randrange(8)
    added = known.dictionary.option(rng, names)
    if turn <= 1 and added:
        return {**value, added[0]: Written(added[1])}
    if turn == 2 and known.dictionary.words:
        return {**value, rng.choice(known.dictionary.words): rng.choice([value[name] for name in names] or [1])}
    if not names:
        return {added[0]: Written(added[1])} if added else {"a": 1}
    name = rng.choice(names)
    if turn == 3:
        rest = {other: value[other] for other in names if other != name}
        return rng.choice((rest, {**rest, f"{name}2": value[name]}, {**value, name: Written("undefined")}))
    options = known.dictionary.options.get(name, ())
    if turn == 4 and options:
        return {**value, name: Written(rng.choice(options))}
    return {**value, name: _changed(value[name], rng, known, depth + 1)}


def _text(value: str, rng: random.Random, known: Known, _: int) -> Any:
    words, turn = known.dictionary.words, rng.randrange(12)
    if len(value) > MAX_CHARS:
        return value[: len(value) // 2]
    if turn <= 3 and words:
        return _with_word(value, rng.choice(words), rng)
    if turn >= 9:
        return _with_equal_words(value, rng)
    other = _like(value, rng, known)
    if turn == 4 and other is not None:
        return rng.choice((other, value + other, f"{value}\n{other}", f"{other} {value}"))
    if turn <= 6 and "\n" in value:
        return "\n".join(_reordered(value.split("\n"), rng, (other or "").split("\n"), words))
    return "".join(_reordered(_TOKEN.findall(value), rng, _TOKEN.findall(other or ""), words))


def _with_equal_words(value: str, rng: random.Random) -> str:
    """The text with one of its words, or of its lines, in the place of another one: two things that were different are the same."""
    separator = re.compile(r"(\n)" if "\n" in value and rng.random() < 0.3 else r"(\W+)")
    parts = separator.split(value)
    places = [at for at, part in enumerate(parts) if part and at % 2 == 0]
    if len(places) < 2:
        return value + value
    one, other = rng.sample(places, 2)
    parts[one] = parts[other]
    return "".join(parts)


def _with_word(value: str, word: str, rng: random.Random) -> str:
    """A word of the code somewhere in the text: on a line of its own, at the start or end of a line, within it, around it, instead."""
    lines = value.split("\n")
    at = rng.randrange(len(lines))
    line, turn = lines[at], rng.randrange(8)
    if turn == 0:
        lines.insert(rng.randrange(len(lines) + 1), word)
    elif turn == 1:
        lines[at] = word + line
    elif turn == 2:
        lines[at] = line + word
    elif turn == 3:
        place = rng.randrange(len(line) + 1)
        lines[at] = line[:place] + word + line[place:]
    elif turn == 4:
        lines[at] = word + line + word
    elif turn == 5:
        first, last = sorted((rng.randrange(len(lines) + 1), rng.randrange(len(lines) + 1)))
        lines = [*lines[:first], word, *lines[first:last], word, *lines[last:]]
    else:
        tokens = _TOKEN.findall(line) or [""]
        tokens[rng.randrange(len(tokens))] = word
        lines[at] = "".join(tokens)
    return "\n".join(lines)


def _reordered(parts: Sequence[str], rng: random.Random, others: Sequence[str], words: Sequence[str]) -> list[str]:
    """Lines or tokens of a text with one taken out, repeated, moved, or one of another text in place of it or before it."""
    out = list(parts) or [""]
    at, turn = rng.randrange(len(out)), rng.randrange(6)
    part = out[at]
    if turn == 0:
        del out[at]
    elif turn == 1:
        out.insert(rng.randrange(len(out) + 1), part)
    elif turn == 2:
        other = rng.randrange(len(out))
        out[at], out[other] = out[other], out[at]
    elif turn == 3:
        out.insert(at, rng.choice(list(others) or [part]))
    elif turn == 4:
        out[at] = rng.choice(list(others) or list(words) or [part * 2])
    else:
        out[at] = rng.choice(
            (part.swapcase(), part.strip() or " ", f"{part} ", f" {part}", part + part[-1:], part[:-1])
        )
    return out


def _number(value: float, rng: random.Random, known: Known, _: int) -> Any:
    numbers = [number for number in known.dictionary.numbers if number != value]
    if numbers and rng.random() < 0.5:
        return rng.choice(numbers)
    other = _like(value, rng, known)
    return rng.choice((value + 1, value - 1, 0, -value, value * 2, value if other is None else other))


def _like(value: object, rng: random.Random, known: Known) -> Any:
    """A value of a test with the same type; None if there is none."""
    found = [other for other in known.pool if type(other) is type(value) and other != value]
    return rng.choice(found) if found else None


_CHANGES: Mapping[type, Callable[..., Any]] = {
    list: _list,
    dict: _dict,
    str: _text,
    int: _number,
    float: _number,
    bool: lambda value, *_: not value,
}
