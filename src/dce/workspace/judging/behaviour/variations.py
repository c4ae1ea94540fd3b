"""Variations of a snippet: one value at the edge, two values at the edge at once, and calls repeated, dropped or reordered.

Deterministic for a seed. Two values are changed together because many mistakes show only where two edges meet: an empty interval
that touches another, a limit of zero on an empty list.
"""

import ast
import random
from collections.abc import Iterator, Sequence

from dce.workspace.judging.behaviour.edge_values import MAX_CROSSED, crossed, edges, is_same_kind, related
from dce.workspace.judging.behaviour.literals import Path, Site, replaced, sites

MAX_SITES = 40
"""Maximum literals of one snippet that are varied: a table of a hundred rows needs no hundred variations of each."""

JITTER = 5.0
"""How far a value may come before one that is more telling, in places."""

MAX_REPEATED = 4
"""Maximum times that calls of one snippet are put in another order for one request."""

Steps = tuple[str, ...]


def singles(steps: Sequence[str], rng: random.Random, pool: Sequence[object] = ()) -> Iterator[Steps]:
    """Variations with one value changed: to an edge of the value itself, a value of another test, a value of a neighbour, None. The
    most telling come first, in an order drawn by `rng`, so that a few of them vary every value. Each is made only when it is asked
    for."""
    all_sites = sites(steps)[:MAX_SITES]
    changes: list[tuple[float, Path, object]] = []
    for site in all_sites:
        edged = [*edges(site.value), *_other_type(site.value), None]
        changes += [(rank + rng.random() * JITTER, site.path, value) for rank, value in enumerate(edged)]
        changes += [(1 + rng.random() * JITTER * 2, site.path, value) for value in _alike(site.value, pool)]
        changes += [(1 + rng.random() * JITTER * 2, site.path, value) for value in _crossed(site.value, pool)]
    for site, other in _neighbours(all_sites):
        changes += [(rng.random() * JITTER * 2, site.path, value) for value in related(site.value, other.value)]
    for _, path, value in sorted(changes, key=lambda change: change[0]):
        yield replaced(steps, {path: value})


def pairs(steps: Sequence[str], rng: random.Random, count: int, pool: Sequence[object] = ()) -> Iterator[Steps]:
    """Up to `count` variations with two values changed at once, drawn by `rng`."""
    all_sites = sites(steps)[:MAX_SITES]
    if len(all_sites) < 2:
        return
    made = 0
    for _ in range(4 * count):
        one, two = rng.sample(all_sites, 2)
        if one.is_within(two) or two.is_within(one):
            continue
        first = _drawn(one.value, rng, pool)
        second = _drawn(two.value, rng, pool)
        if rng.random() < 0.5 and is_same_kind(one.value, two.value):
            second = rng.choice([first, *related(first, two.value)])
        yield replaced(steps, {one.path: first, two.path: second})
        made += 1
        if made == count:
            return


def sequences(steps: Sequence[str], rng: random.Random, count: int) -> list[Steps]:
    """Up to `count` variations of the order in which things are done. Statements that bind a name stay before its use."""
    acts = [number for number, step in enumerate(steps) if not _binds(step)]
    found: dict[Steps, None] = {}
    for _ in range(3 * count):
        if not acts or len(found) >= count:
            break
        out = list(steps)
        choice = rng.randrange(4)
        at = rng.choice(acts)
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


def _other_type(value: object) -> list[object]:
    """Values that are equal to this one and of another type: what looks alike may be kept apart, or not."""
    if type(value) is int:
        return [float(value), *([bool(value)] if value in (0, 1) else [])] if abs(value) < 2**53 else []
    return [list(value)] if type(value) is tuple else []


def _crossed(value: object, pool: Sequence[object]) -> list[str]:
    """Texts made of this one and a word of another test's, at most a few for each."""
    others = [other for other in pool if isinstance(other, str) and other != value] if isinstance(value, str) else []
    return [text for other in others for text in crossed(str(value), other)][: 2 * MAX_CROSSED]


def _alike(value: object, pool: Sequence[object]) -> list[object]:
    """Values of other tests that have the same type, at most a few."""
    return [other for other in pool if is_same_kind(value, other) and other != value][:4]


def _neighbours(all_sites: Sequence[Site]) -> Iterator[tuple[Site, Site]]:
    """Literals and the next ones of the same type, both ways."""
    for number, site in enumerate(all_sites):
        for other in all_sites[number + 1 : number + 4]:
            if is_same_kind(site.value, other.value) and not other.is_within(site):
                yield site, other
                yield other, site


def _drawn(value: object, rng: random.Random, pool: Sequence[object]) -> object:
    """Another value in the place of this one, mostly one of the first edges."""
    candidates: list[object] = [*edges(value), *_alike(value, pool), *_crossed(value, pool)]
    if not candidates:
        return value
    return candidates[min(int(rng.expovariate(0.25)), len(candidates) - 1)]


def _binds(step: str) -> bool:
    """Whether a statement gives something a name, so that others may depend on it."""
    try:
        tree = ast.parse(step)
    except (SyntaxError, ValueError):
        return True
    return not (len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr))
