"""How much a model's backends can run at once: the pools whose capacity its requests wait for. Pure.

A model's inner pool is the backends that serve it; its outer pool adds every backend that shares a model with one of them, directly
or through others. Models on separate backends have no pool in common. A pool with a backend of unknown capacity imposes no limit.
"""

from collections.abc import Iterable, Sequence

from dce.gateway.access.fair_queue import Pool
from dce.gateway.backends.backend import Backend


def pools_of(model: str, backends: Sequence[Backend]) -> list[Pool]:
    """A model's pools of known size, each contained in the next. Backends come and go: compute them each time."""
    up = [backend for backend in backends if backend.is_up]
    serving = [backend for backend in up if backend.serves(model)]
    groups = [serving]
    if 0 < len(serving) < len(up) and len(around := _connected(serving, up)) > len(serving):
        groups.append(around)
    sized = [(group, capacity_of(group)) for group in groups]
    return [
        Pool(models=_models(group) - _models(one for one in up if one not in group), size=size)
        for group, size in sized
        if size is not None
    ]


def capacity_of(backends: Iterable[Backend]) -> int | None:
    """How many responses these backends run at once; None if there are none, or one's capacity is unknown."""
    each = [backend.capacity for backend in backends]
    known = [capacity for capacity in each if capacity is not None]
    return sum(known) if known and len(known) == len(each) else None


def _models(backends: Iterable[Backend]) -> frozenset[str]:
    return frozenset(model.id for backend in backends for model in backend.models)


def _connected(group: Sequence[Backend], backends: Sequence[Backend]) -> list[Backend]:
    """The backends of a group plus all that share a model with one of them, transitively."""
    found = list(group)
    names = set(_models(found))
    while more := [one for one in backends if one not in found and not names.isdisjoint(_models((one,)))]:
        found += more
        names |= _models(more)
    return found
