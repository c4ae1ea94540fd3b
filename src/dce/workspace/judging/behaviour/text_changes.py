"""Changes of a text that know its parts: words of the code under test in it, parts of other texts of the tests, pieces lost or doubled."""

import random
import re
from collections.abc import Callable

from dce.workspace.judging.behaviour.day_changes import changed_days
from dce.workspace.judging.behaviour.edge_values import edges
from dce.workspace.judging.behaviour.line_changes import changed_lines
from dce.workspace.judging.behaviour.material_values import MaterialValues

FIRST_EDGES = 14
"""How many of a text's edges are drawn from: the first are the most telling."""

MAX_DIGITS = 18

LINES = 0.8
"""How often a text of several lines is changed as one."""

_PART = re.compile(r"\w+|\s+|[^\w\s]")
_SIGNS = "\"'\\,;:.-_/()[]{}<>#%&*+= \n\t"

Change = Callable[[str, list[str], random.Random, MaterialValues], str | None]
"""Makes another text of a text and its parts; None where it has nothing to change."""


def changed_text(value: str, rng: random.Random, known: MaterialValues) -> str:
    """Another text: mostly one that has the same form."""
    if value.startswith("-") and (flags := [word for word in known.words if word.startswith("-")]):
        return str(rng.choice(flags))
    if rng.random() < LINES and (other := _of_lines(value, rng, known)) is not None:
        return other
    if rng.random() < 0.5 and (other := changed_days(value, rng)):
        return other
    parts = _PART.findall(value)
    for change in (rng.choice(_CHANGES), _edge):
        if (changed := change(value, list(parts), rng, known)) is not None:
            return changed
    return value


def _of_lines(value: str, rng: random.Random, known: MaterialValues) -> str | None:
    return changed_lines(value, rng, lambda field: changed_text(field, rng, known), [*known.words, *known.parts])


def _word(value: str, _: list[str], rng: random.Random, known: MaterialValues) -> str | None:
    """A word instead: of what is a word of the tests' texts, another of them, as a rule."""
    words = known.parts if value in known.parts and rng.random() < 0.6 else [*known.words, *known.parts]
    return rng.choice(words) if words else None


def _with_word(_: str, parts: list[str], rng: random.Random, known: MaterialValues) -> str | None:
    """A word of the code or the tests before a part or in the place of one."""
    words = [*known.words, *known.parts]
    if not words:
        return None
    at = rng.randrange(len(parts) + 1)
    return "".join([*parts[:at], rng.choice(words), *parts[at + rng.randrange(2) :]])


def _spliced(_: str, parts: list[str], rng: random.Random, known: MaterialValues) -> str | None:
    """The beginning of this text and the end of another."""
    if not known.texts:
        return None
    others = _PART.findall(rng.choice(known.texts))
    return "".join(parts[: rng.randrange(len(parts) + 1)] + others[rng.randrange(len(others) + 1) :])


def _doubled(_: str, parts: list[str], rng: random.Random, __: MaterialValues) -> str:
    one, other = sorted(rng.randrange(len(parts) + 1) for _ in range(2))
    return "".join(parts[:other] + parts[one:])


def _shortened(_: str, parts: list[str], rng: random.Random, __: MaterialValues) -> str | None:
    if len(parts) < 2:
        return None
    del parts[rng.randrange(len(parts))]
    return "".join(parts)


def _exchanged(_: str, parts: list[str], rng: random.Random, __: MaterialValues) -> str | None:
    if len(parts) < 3:
        return None
    one, other = rng.sample(range(len(parts)), 2)
    parts[one], parts[other] = parts[other], parts[one]
    return "".join(parts)


def _with_sign(value: str, _: list[str], rng: random.Random, known: MaterialValues) -> str:
    """A sign of the code, of the text itself or of any at a random place."""
    own: dict[str, None] = dict.fromkeys(sign for text in (value, *known.words) for sign in text if not sign.isalnum())
    at = rng.randrange(len(value) + 1)
    sign: str = rng.choice([*own, *_SIGNS])
    return value[:at] + sign + value[at:]


def _other_number(_: str, parts: list[str], rng: random.Random, known: MaterialValues) -> str | None:
    places = [at for at, part in enumerate(parts) if part.isascii() and part.isdecimal() and len(part) <= MAX_DIGITS]
    if not places:
        return None
    at = rng.choice(places)
    named = [int(number) for number in known.numbers if number == int(number)]
    near = [number for step in (1, -1, 10, -10) if (number := int(parts[at]) + step) >= 0]
    parts[at] = str(rng.choice([0, *near, *(number for number in named if number >= 0)]))
    return "".join(parts)


def _edge(value: str, _: list[str], rng: random.Random, __: MaterialValues) -> str | None:
    options = [edge for edge in edges(value)[:FIRST_EDGES] if isinstance(edge, str)]
    return str(rng.choice(options)) if options else None


_CHANGES: tuple[Change, ...] = (
    *(
        _word,
        _word,
        _with_word,
        _with_word,
        _spliced,
        _doubled,
        _shortened,
        _exchanged,
        _with_sign,
        _other_number,
        _edge,
        _edge,
    ),
)
