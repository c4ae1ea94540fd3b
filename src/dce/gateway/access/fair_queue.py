"""Who begins next: a weighted fair queue over keys (start-time fair queueing). Pure: no clock, no tasks.

Each key has a virtual time that grows by n ÷ weight with every request of n responses that begins; the key that is furthest behind
begins next, so that two busy keys share in the ratio of their weights, whatever each sends, and a quiet one is hardly delayed by
busy ones. Within a key the order is that of arrival. What must always hold: at most `capacity` responses run (a request larger
than that runs alone), a request is never overtaken for want of room (a large one would starve), every place is left once.
"""

from collections import deque
from enum import StrEnum

import msgspec


class PlaceState(StrEnum):
    """Where a request is: it waits, then its responses run, then it has left."""

    WAITING = "waiting"
    RUNNING = "running"
    LEFT = "left"


class Place(msgspec.Struct, eq=False):
    """One request in the queue. `order` counts arrivals."""

    key: str
    n: int
    order: int
    state: PlaceState = PlaceState.WAITING

    @property
    def is_running(self) -> bool:
        """Whether its responses may run."""
        return self.state is PlaceState.RUNNING


class _Flow:
    """One key: its requests that wait, its responses that run, its virtual time."""

    def __init__(self) -> None:
        self.waiting: deque[Place] = deque()
        self.running = 0
        self.tag = 0.0
        self.weight = 1.0
        self.limit: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether its first request may begin as far as the key's own limit goes."""
        return self.limit is None or self.running + self.waiting[0].n <= self.limit


class FairQueue:
    """Requests that wait and run. `capacity`: responses that may run at once."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.depth = 0
        """Requests that wait."""
        self.running = 0
        """Responses that run, as far as they count against the capacity."""
        self._flows: dict[str, _Flow] = {}
        self._waiting: dict[str, _Flow] = {}
        """Those of the keys that have requests waiting: usually none or few."""
        self._virtual = 0.0
        self._arrivals = 0
        self._costs: dict[Place, int] = {}
        self._positions: dict[Place, int] | None = None

    def push(self, key: str, n: int, *, weight: float = 1.0, limit: int | None = None) -> Place:
        """A request of `n` responses arrives. `weight` and `limit` (the key's responses at once, at least n) are the key's from now on."""
        flow = self._flows.setdefault(key, _Flow())
        flow.weight, flow.limit = weight, limit
        self._arrivals += 1
        place = Place(key, n, self._arrivals)
        flow.waiting.append(place)
        self._waiting[key] = flow
        self.depth += 1
        self._positions = None
        return place

    def begin_next(self) -> Place | None:
        """The request whose turn it is begins; None when nobody can."""
        flow = min((flow for flow in self._waiting.values() if flow.is_ready), key=self._turn, default=None)
        if flow is None:
            return None
        place = flow.waiting[0]
        cost = min(place.n, self.capacity)
        if self.running + cost > self.capacity:
            return None
        flow.waiting.popleft()
        self._forget_waiting(place.key, flow)
        self._virtual = self._start(flow)
        flow.tag = self._virtual + place.n / flow.weight
        flow.running += place.n
        self.running += cost
        self.depth -= 1
        self._costs[place] = cost  # the capacity may be another when it leaves
        place.state = PlaceState.RUNNING
        self._positions = None
        return place

    def leave(self, place: Place) -> bool:
        """The request has ended or been given up; whether it was still there."""
        flow = self._flows.get(place.key)
        if flow is None or place.state is PlaceState.LEFT:
            return False
        if place.is_running:
            flow.running -= place.n
            self.running -= self._costs.pop(place)
        else:
            flow.waiting.remove(place)
            self._forget_waiting(place.key, flow)
            self.depth -= 1
        place.state = PlaceState.LEFT
        self._positions = None
        if not flow.waiting and not flow.running and flow.tag <= self._virtual:
            del self._flows[place.key]
        if not self.depth and not self.running:
            self._flows.clear()
            self._virtual = 0.0
        return True

    def depth_of(self, key: str) -> int:
        """Requests of one key that wait."""
        flow = self._flows.get(key)
        return len(flow.waiting) if flow is not None else 0

    def position(self, place: Place) -> int:
        """Where a waiting request stands if nobody else comes: 1 is next. Limits of keys are not foreseen."""
        if self._positions is None:
            self._positions = self._order()
        return self._positions[place]

    def _forget_waiting(self, key: str, flow: _Flow) -> None:
        if not flow.waiting:
            del self._waiting[key]

    def _order(self) -> dict[Place, int]:
        rows: list[tuple[float, int, Place]] = []
        for flow in self._waiting.values():
            tag = self._start(flow)
            for place in flow.waiting:
                rows.append((tag, place.order, place))
                tag += place.n / flow.weight
        return {place: at for at, (_, _, place) in enumerate(sorted(rows), start=1)}

    def _start(self, flow: _Flow) -> float:
        """A key that was away or held back by its own limit has saved nothing up."""
        return max(flow.tag, self._virtual)

    def _turn(self, flow: _Flow) -> tuple[float, int]:
        return self._start(flow), flow.waiting[0].order
