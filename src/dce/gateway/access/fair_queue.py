"""Who begins next: weighted fair queues, one for each model (start-time fair queueing). Pure: no clock, no tasks.

Each key has a virtual time in a model's queue that grows by n ÷ weight with every request of n responses that begins; the key that is
furthest behind begins next, so that two busy keys share in the ratio of their weights, whatever each sends, and a quiet one is hardly
delayed by busy ones. Within a key and a model the order is that of arrival. Models that share a pool of backends, or only the
capacity of everything, share it in the same way, in the ratio of the weights of the keys that wait for them.

What must always hold: at most `capacity` responses run, and in each pool at most its size (a request larger than that runs alone); a
request waits for room only where its own model's room is, so that a saturated model holds up no other; nobody is overtaken for want of
room by those who need the same room (a large request would starve), nor, once its turn has come, by later ones of its own key;
every place is left once.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Backends that serve these models, and only these, and run `size` responses at once."""

    models: frozenset[str]
    size: int


Pools = Callable[[str], Sequence[Pool]]
"""A model's pools as they are now, each within the next; none when it is not known what its backends can run."""


class PlaceState(StrEnum):
    """Where a request is: it waits, then its responses run, then it has left."""

    WAITING = "waiting"
    RUNNING = "running"
    LEFT = "left"


class Place(msgspec.Struct, eq=False):
    """One request in the queue. `order` counts arrivals; `cost` is what it holds of the capacity once it runs, in responses."""

    key: str
    model: str
    n: int
    order: int
    state: PlaceState = PlaceState.WAITING
    cost: int = 0

    @property
    def is_running(self) -> bool:
        """Whether its responses may run."""
        return self.state is PlaceState.RUNNING


class _Key:
    """One key, over all models. `held`: its request whose turn has come and that waits for others of the key to end."""

    def __init__(self) -> None:
        self.weight = 1.0
        self.limit: int | None = None
        self.running = 0
        self.depth = 0
        self.held: Place | None = None

    def lets_begin(self, place: Place) -> bool:
        """Whether the key's own limit leaves room. More than a limit that was lowered meanwhile runs alone."""
        return self.limit is None or not self.running or self.running + place.n <= self.limit


class _Flow:
    """One key's requests for one model that wait, and its virtual time there."""

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.waiting: deque[Place] = deque()
        self.running = 0
        self.tag = 0.0


class _Line:
    """One model's queue. `tag` is its virtual time among the models."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.flows: dict[str, _Flow] = {}
        self.waiting: dict[str, _Flow] = {}
        """Those of its keys that have requests waiting: usually none or few."""
        self.running = 0
        self.virtual = 0.0
        self.tag = 0.0
        self.positions: dict[Place, int] | None = None

    def start(self, flow: _Flow) -> float:
        """A key that was away or held back by its own limit has saved nothing up."""
        return max(flow.tag, self.virtual)

    def in_turn(self) -> list[_Flow]:
        """The keys that wait, the one that is furthest behind first."""
        return sorted(self.waiting.values(), key=lambda flow: (self.start(flow), flow.waiting[0].order))

    def oldest(self) -> int:
        """When the first of those came that are next in their keys."""
        return min(flow.waiting[0].order for flow in self.waiting.values())

    def weight(self) -> float:
        """Its share of what it has in common with other models."""
        return sum(flow.key.weight for flow in self.waiting.values())

    def order(self) -> dict[Place, int]:
        """Where everybody stands if nobody else comes."""
        rows: list[tuple[float, int, Place]] = []
        for flow in self.waiting.values():
            tag = self.start(flow)
            for place in flow.waiting:
                rows.append((tag, place.order, place))
                tag += place.n / flow.key.weight
        return {place: at for at, (_, _, place) in enumerate(sorted(rows), start=1)}


class FairQueue:
    """Requests that wait and run. `capacity`: responses that may run at once, over all models."""

    def __init__(self, capacity: int, pools: Pools = lambda _model: ()) -> None:
        self.capacity = capacity
        self.depth = 0
        """Requests that wait."""
        self.running = 0
        """Responses that run, as far as they count against the capacity."""
        self._pools = pools
        self._keys: dict[str, _Key] = {}
        self._lines: dict[str, _Line] = {}
        self._waiting: dict[str, _Line] = {}
        """Those of the models for which requests wait."""
        self._virtual = 0.0
        self._arrivals = 0

    def push(self, key: str, n: int, *, model: str = "", weight: float = 1.0, limit: int | None = None) -> Place:
        """A request of `n` responses arrives. `weight` and `limit` (the key's responses at once, at least n) are the key's from now on."""
        owner = self._keys.setdefault(key, _Key())
        owner.weight, owner.limit = weight, limit
        line = self._lines.get(model)
        if line is None:
            line = self._lines[model] = _Line(model)
        flow = line.flows.get(key)
        if flow is None:
            flow = line.flows[key] = _Flow(owner)
        flow.key = owner  # the key may have been away while its virtual time was kept
        self._arrivals += 1
        place = Place(key, model, n, self._arrivals)
        flow.waiting.append(place)
        line.waiting[key] = flow
        self._waiting[model] = line
        self.depth += 1
        owner.depth += 1
        line.positions = None
        return place

    def begin_next(self) -> Place | None:
        """The request whose turn it is begins; None when nobody can."""
        if not self._waiting:
            return None
        full: set[frozenset[str]] = set()
        for line in sorted(self._waiting.values(), key=lambda line: (max(line.tag, self._virtual), line.oldest())):
            pools = self._pools(line.model)
            for flow in line.in_turn():
                place = flow.waiting[0]
                cost = min(place.n, self.capacity, *(pool.size for pool in pools))
                lacking = [pool.models for pool in pools if pool.models in full or not self._has_room(pool, cost)]
                has_room = not lacking and self.running + cost <= self.capacity
                if flow.key.held not in (None, place) or not flow.key.lets_begin(place):
                    if has_room and flow.key.held is None:
                        flow.key.held = place
                    continue
                if has_room:
                    return self._begin(line, flow, cost)
                if not lacking:
                    return None
                full.update(lacking)
                break
        return None

    def leave(self, place: Place) -> bool:
        """The request has ended or been given up; whether it was still there."""
        if place.state is PlaceState.LEFT:
            return False
        line, owner = self._lines[place.model], self._keys[place.key]
        flow = line.flows[place.key]
        if place.is_running:
            flow.running -= 1
            owner.running -= place.n
            line.running -= place.cost
            self.running -= place.cost
        else:
            flow.waiting.remove(place)
            self._left_waiting(line, flow, place)
        place.state = PlaceState.LEFT
        self._forget(line, flow, place.key)
        return True

    def depth_for(self, model: str) -> int:
        """Requests for one model that wait."""
        line = self._waiting.get(model)
        return sum(len(flow.waiting) for flow in line.waiting.values()) if line is not None else 0

    def depth_of(self, key: str) -> int:
        """Requests of one key that wait."""
        owner = self._keys.get(key)
        return owner.depth if owner is not None else 0

    def position(self, place: Place) -> int:
        """Where a waiting request stands among those for its model if nobody else comes: 1 is next. Limits of keys and of what
        models share are not foreseen."""
        line = self._lines[place.model]
        if line.positions is None:
            line.positions = line.order()
        return line.positions[place]

    def _has_room(self, pool: Pool, cost: int) -> bool:
        running = sum(line.running for model in pool.models if (line := self._lines.get(model)) is not None)
        return running + cost <= pool.size

    def _begin(self, line: _Line, flow: _Flow, cost: int) -> Place:
        place = flow.waiting.popleft()
        line.virtual = line.start(flow)
        flow.tag = line.virtual + place.n / flow.key.weight
        self._virtual = max(line.tag, self._virtual)
        line.tag = self._virtual + place.n / line.weight()
        self._left_waiting(line, flow, place)
        flow.running += 1
        flow.key.running += place.n
        place.cost = cost  # the capacity may be another when it leaves
        line.running += cost
        self.running += cost
        place.state = PlaceState.RUNNING
        return place

    def _left_waiting(self, line: _Line, flow: _Flow, place: Place) -> None:
        self.depth -= 1
        flow.key.depth -= 1
        if flow.key.held is place:
            flow.key.held = None
        if not flow.waiting:
            del line.waiting[place.key]
            if not line.waiting:
                del self._waiting[line.model]
        line.positions = None

    def _forget(self, line: _Line, flow: _Flow, key: str) -> None:
        """What nobody is in is kept only as long as its virtual time says something."""
        if not self.depth and not self.running:
            self._keys.clear()
            self._lines.clear()
            self._virtual = 0.0
            return
        if not line.waiting and not line.running:
            line.flows.clear()
            line.virtual = 0.0
            if line.tag <= self._virtual:
                del self._lines[line.model]
        elif not flow.waiting and not flow.running and flow.tag <= line.virtual:
            del line.flows[key]
        if not flow.key.depth and not flow.key.running:
            del self._keys[key]
