"""Values at the edge: what a value of a test can be replaced with so that answers that differ show it.

Pure and deterministic: the same value gives the same edges in the same order, the most telling first.
"""

import re
import string
from collections.abc import Callable, Iterator

MAX_EDGES = 24
"""Maximum edges of one value: the many values of a test share the probes."""

MAX_NUMBERS, MAX_DIGITS, MAX_CROSSED = 5, 18, 5
"""How many numbers of one text are changed, how long they may be, and how many texts are made of two."""

MAX_LENGTH = 2_000
"""Largest container or text that an edge may have, in items: probes go through argument lists and tables."""

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_SEPARATORS = ",;:|/-_.= \t"


def edges(value: object) -> list[object]:
    """Other values of the same type, without `value` itself and without repetitions."""
    found: dict[str, object] = {}
    for edge in _of(value):
        if type(edge) is type(value) and _size(edge) <= MAX_LENGTH and repr(edge) != repr(value):
            found.setdefault(repr(edge), edge)
    return list(found.values())[:MAX_EDGES]


def related(value: object, other: object) -> list[object]:
    """Edges of `value` that lie at the boundary that `other` draws: equal to it, right below it, right above it, part of it."""
    if isinstance(value, bool) or isinstance(other, bool):
        return []
    if isinstance(value, int) and isinstance(other, int):
        return [edge for edge in (other, other + 1, other - 1) if edge != value]
    if isinstance(value, float) and isinstance(other, int | float):
        return [edge for edge in (float(other), other + 0.5) if edge != value]
    if isinstance(value, str) and isinstance(other, str):
        return [edge for edge in (other, other.swapcase(), value + other) if edge != value]
    return [other] if is_same_kind(value, other) and value != other else []


def is_same_kind(value: object, other: object) -> bool:
    """Whether one value may stand in the place of the other: the same type, and made by the same call if a call made them."""
    return type(value) is type(other) and getattr(value, "callee", "") == getattr(other, "callee", "")


def _of(value: object) -> Iterator[object]:
    for kind, maker in _MAKERS:
        if type(value) is kind:
            yield from maker(value)


def _bool(value: bool) -> Iterator[object]:
    yield not value


def _int(value: int) -> Iterator[object]:
    yield from (
        0,
        1,
        -1,
        value + 1,
        value - 1,
        -value,
        2,
        value * 2,
        value // 2,
        value * 10,
        3,
        100,
        2**31,
        -2,
        2**63,
        -(2**63) - 1,
    )


def _float(value: float) -> Iterator[object]:
    yield from (0.0, -value, value + 0.5, value / 2, 1.0, -1.0, float(round(value)), value * 10, 1e-9, 0.1, 1e12)


def _text(value: str) -> Iterator[object]:
    yield ""
    if _NUMBER.fullmatch(value):
        yield from (
            f"{value}5",
            f"-{value}",
            "0",
            value.split(".", maxsplit=1)[0] + ".5",
            f"{value}000000",
            f"+{value}",
            "1e3",
        )
    yield from (value * 2, value[:-1], value[1:], value.swapcase(), f" {value} ", " ", f"{value}\n", value[::-1])
    yield from (f"{value} {value}", value.upper(), value.lower())
    yield from _other_numbers(value)
    for separator in dict.fromkeys(char for char in value if char in _SEPARATORS):
        yield value.replace(separator, separator * 2)
        yield separator + value + separator
        yield value.replace(separator, "", 1)
    if "\n" in value:
        yield value.replace("\n", "\r\n")
        yield value.rstrip("\n")
        yield value.replace("\n", "\n\n")
    if any(char in string.digits for char in value):
        yield "".join("9" if char in string.digits else char for char in value)
        yield "".join("0" if char in string.digits else char for char in value)
        yield f"-{value}"
        yield f"0{value}"
    yield from (value[:1], "é" + value, value[:1] * 3, "\t" + value, value.replace("a", "b"))


def _other_numbers(value: str) -> Iterator[str]:
    """A text that holds numbers with other ones: a rule, a date, a version, an expression stays what it is. One change of each number
    before the next one."""
    found = [] if _NUMBER.fullmatch(value) else list(re.finditer(r"\d+", value))[:MAX_NUMBERS]
    for change in (lambda at: at + 1, lambda _: 0, lambda at: at - 1, lambda at: at * 10):
        for match in found:
            number = change(int(match.group()[:MAX_DIGITS]))
            if number >= 0:
                yield f"{value[: match.start()]}{number}{value[match.end() :]}"


def crossed(value: str, other: str) -> list[str]:
    """Texts of as many words with one word of the other: `0 9 * * 1` of `30 9 * * *` and `0 12 * * 1`."""
    words, others = value.split(" "), other.split(" ")
    if len(words) != len(others) or len(words) < 2:
        return []
    changed = [[*words[:at], others[at], *words[at + 1 :]] for at in range(len(words)) if words[at] != others[at]]
    return [" ".join(found) for found in changed][:MAX_CROSSED]


def _bytes(value: bytes) -> Iterator[object]:
    yield from (b"", value * 2, value[:-1], value + b"\x00", b"\xff" + value, value[::-1], value + b"\r\n")


def _list(value: list[object]) -> Iterator[object]:
    yield []
    yield from () if value else ([0], ["a"], [1, 1], [[]])
    yield from (value[:1], value + value, value[::-1], value[:-1], value[1:], value[:1] * 3, value + value[:1])
    yield from _sorted(value)
    yield from (value[1:2] + value[:1] + value[2:], value[:2], value * 5)


def _tuple(value: tuple[object, ...]) -> Iterator[object]:
    yield value[::-1]
    if len(value) > 1:
        yield (value[0],) * len(value)
    yield from (value[:-1], value + value, ())


def _set(value: set[object]) -> Iterator[object]:
    ordered = sorted(value, key=repr)
    yield set()
    yield from (set(ordered[:1]), set(ordered[1:]))


def _dict(value: dict[object, object]) -> Iterator[object]:
    items = list(value.items())
    yield {}
    yield from () if value else ({"a": 1}, {"": 0})
    yield from (dict(items[:1]), dict(items[:-1]), dict(items[1:]), dict(items[::-1]))
    if len(items) > 1:
        yield {key: items[0][1] for key, _ in items}
    for key, held in items[:1]:
        if isinstance(key, str):
            yield {**value, f"{key}2": held}
            yield {"": held, **value}


def _sorted(value: list[object]) -> Iterator[object]:
    try:
        yield from (sorted(value), sorted(value, reverse=True))  # type: ignore[type-var]
    except TypeError:
        return  # values of several types have no order


_MAKERS: tuple[tuple[type, Callable[..., Iterator[object]]], ...] = (
    (bool, _bool),
    (int, _int),
    (float, _float),
    (str, _text),
    (bytes, _bytes),
    (list, _list),
    (tuple, _tuple),
    (set, _set),
    (dict, _dict),
)


def _size(value: object) -> int:
    if isinstance(value, list | tuple | set):
        return len(value) + sum(_size(item) for item in value)
    if isinstance(value, dict):
        return len(value) + sum(_size(item) for pair in value.items() for item in pair)
    return len(value) if isinstance(value, str | bytes) else 1
