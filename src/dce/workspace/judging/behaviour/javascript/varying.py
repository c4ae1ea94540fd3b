"""Variations of a JavaScript snippet: one value at the edge, two at once, calls repeated or in another order, long inputs.

The same ideas as for Python (`variations.py`, `scaling.py`), on JavaScript's literals. Deterministic for a seed.
"""

import random
import re
from collections.abc import Iterator, Sequence

from dce.workspace.judging.behaviour.javascript.callbacks import (
    Callback,
    callback_sites,
    callback_sources,
    drawn_callback,
)
from dce.workspace.judging.behaviour.javascript.calls import literal_arguments, with_arguments
from dce.workspace.judging.behaviour.javascript.reshaping import NOTHING_KNOWN, Known, confused, reshaped
from dce.workspace.judging.behaviour.javascript.values import (
    FIRST_EDGES,
    Site,
    edge_sources,
    related_sources,
    replaced,
    sites,
    written,
)
from dce.workspace.judging.behaviour.scaling import ITEMS, LARGE
from dce.workspace.judging.behaviour.variations import MAX_REPEATED, MAX_SITES, Steps

MAX_ALIKE = 6
"""Maximum values of the pool that replace one value."""

RESHAPED_SHARE = 0.6
"""How often a value of several that are changed at once keeps most of what it is."""

ALIKE_SHARE = 0.3
"""How often one of two values that are changed at once comes from the pool."""


def varied_sites(steps: Sequence[str]) -> list[Site]:
    """The literals that are varied, and the functions that calls are given."""
    functions = callback_sites(steps)
    return [*functions, *sites(steps)[:MAX_SITES]]


def singles(steps: Sequence[str], rng: random.Random, known: Known = NOTHING_KNOWN) -> Iterator[Steps]:
    """Variations with one value changed, in an order drawn by `rng`, each made only when it is asked for. Edges of all values and
    values of the same form take turns."""
    found = varied_sites(steps)
    ways = [(site, _edges(site.value)) for site in found]
    first = [(site, new) for site, texts in ways for new in texts[:FIRST_EDGES]]
    first += [(site, new) for site in found for new in _sampled(site.value, known.pool, rng)]
    first += [(site, new) for site, other in _neighbours(found) for new in related_sources(site.value, other.value)]
    rest = [(site, new) for site, texts in ways for new in texts[FIRST_EDGES:]]
    rng.shuffle(first)
    rng.shuffle(rest)
    literal = [site for site in found if not isinstance(site.value, Callback)]
    for site, new in (*first, *rest):
        yield replaced(steps, [(site, new)])
        if literal:
            drawn = rng.choice(literal)
            yield replaced(steps, [(drawn, reshaped(drawn.value, rng, known))])


def pairs(steps: Sequence[str], rng: random.Random, count: int, known: Known = NOTHING_KNOWN) -> Iterator[Steps]:
    """Up to `count` variations with two or three values changed at once, drawn by `rng`."""
    found = varied_sites(steps)
    made = 0
    if len(found) == 1:
        yield from (replaced(steps, [(found[0], _twice(found[0].value, rng, known))]) for _ in range(count))
    for _ in range(4 * count if len(found) > 1 else 0):
        chosen = rng.sample(found, min(len(found), rng.choice((2, 2, 3))))
        if any(one.is_within(two) for one in chosen for two in chosen if one is not two):
            continue
        texts = [_drawn(site.value, rng, known) for site in chosen]
        one, two = chosen[0].value, chosen[1].value
        if rng.random() < 0.5 and _is_literal_pair(one, two):
            texts[:2] = _alike_pair(one, two, texts[0], rng, known)
        yield replaced(steps, list(zip(chosen, texts, strict=True)))
        made += 1
        if made == count:
            return


def _alike_pair(one: object, two: object, drawn: str, rng: random.Random, known: Known) -> list[str]:
    """Two values that are the same or nearly so: what compares, merges or looks for one in the other changes its way there."""
    first = rng.choice((drawn, written(one)))
    near = [first, *related_sources(one, two)]
    if first != drawn:
        near += [confused(one, rng), reshaped(one, rng, known), reshaped(one, rng, known)]
    return [first, rng.choice(near)]


def sequences(steps: Sequence[str], rng: random.Random, count: int) -> list[Steps]:
    """Up to `count` variations of the order in which things are done. Steps that give a name stay before its use."""
    acts = [number for number, step in enumerate(steps) if not re.match(r"var |[\w$.]+\s*=[^=>]", step)]
    found: dict[Steps, None] = {}
    for _ in range(3 * count):
        if not acts or len(found) >= count:
            break
        out, choice, at = list(steps), rng.randrange(4), rng.choice(acts)
        if choice == 0:
            out.insert(at, out[at])
        elif choice == 1 and len(acts) > 1:
            del out[at]
        elif choice == 2 and len(acts) > 1:
            other = rng.choice(acts)
            out[at], out[other] = out[other], out[at]
        else:
            out += [steps[number] for number in rng.sample(acts, min(len(acts), MAX_REPEATED))]
        if tuple(out) != tuple(steps):
            found.setdefault(tuple(out))
    return list(found)


def scaled(call: str) -> list[Steps]:
    """Steps that make the call with long arguments: as it stands, and with its numbers large too."""
    values = literal_arguments(call)
    found: dict[Steps, None] = {}
    for is_large in (False, True) if values else ():
        before: list[str] = []
        words: list[str] = []
        for text, value in values or ():
            long = _long(value)
            if long:
                words.append(f"long_{len(before) + 1}")
                before.append(f"var {words[-1]} = {long}")
            else:
                words.append(str(LARGE) if is_large and type(value) is int else text)
        if before:
            found.setdefault((*before, f"__record__({with_arguments(call, words)})"))
    return list(found)


def changed(source: str, rng: random.Random, share: float, known: Known = NOTHING_KNOWN) -> str:
    """A piece of source, sometimes with one of its values changed."""
    found = varied_sites([source])
    if not found or rng.random() > share:
        return source
    site = rng.choice(found)
    return replaced([source], [(site, _drawn(site.value, rng, known))])[0]


def _edges(value: object) -> list[str]:
    return callback_sources(value.source) if isinstance(value, Callback) else [*edge_sources(value), "null"]


def _alike(value: object, pool: Sequence[object]) -> list[str]:
    """The values of the pool that have the same type."""
    return [written(other) for other in pool if type(other) is type(value) and other != value]


def _sampled(value: object, pool: Sequence[object], rng: random.Random) -> list[str]:
    found = _alike(value, pool)
    return rng.sample(found, min(len(found), MAX_ALIKE))


def _is_literal_pair(one: object, two: object) -> bool:
    return type(one) is type(two) and not isinstance(one, Callback)


def _neighbours(found: Sequence[Site]) -> Iterator[tuple[Site, Site]]:
    """Literals and the next ones of the same type, both ways."""
    for number, site in enumerate(found):
        for other in found[number + 1 : number + 4]:
            if _is_literal_pair(site.value, other.value) and not other.is_within(site):
                yield site, other
                yield other, site


def _drawn(value: object, rng: random.Random, known: Known) -> str:
    """Another value in the place of this one: one of the same form, one of the first edges, or one of the pool."""
    if isinstance(value, Callback):
        return drawn_callback(value.source, rng)
    if rng.random() < RESHAPED_SHARE:
        return reshaped(value, rng, known)
    alike = _alike(value, known.pool)
    if alike and rng.random() < ALIKE_SHARE:
        return rng.choice(alike)
    candidates = edge_sources(value)
    return candidates[min(int(rng.expovariate(0.25)), len(candidates) - 1)] if candidates else written(value)


def _twice(value: object, rng: random.Random, known: Known) -> str:
    """A value that is changed once more where it was changed already."""
    first = _drawn(value, rng, known)
    inner = sites([first])
    return replaced([first], [(inner[0], _drawn(inner[0].value, rng, known))])[0] if inner else first


def _long(value: object) -> str:
    """Source of a long value of the same form; "" if there is none."""
    if isinstance(value, str) and value:
        return f"{written(value)}.repeat({ITEMS // len(value) + 1})"
    if not isinstance(value, list) or not value:
        return ""
    form = _form(value)
    count = ITEMS // len(value) + 1
    return (
        f"Array.from({{ length: {count} }}, (_, number) => {written(value)}.map((item) => {form})).flat()"
        if form
        else ""
    )


def _form(values: Sequence[object]) -> str:
    """How an item is made different in each turn."""
    if all(type(value) in {int, float} for value in values):
        return "item + ((number * 7) % 1009)"
    return "item + number" if all(isinstance(value, str) for value in values) else ""
