"""Who begins next: weighted fair queues, one for each model (start-time fair queueing). Pure: no clock, no tasks.

Each key has a virtual time in a model's queue that grows by n ÷ weight with every request of n responses that begins; the key that is
furthest behind begins next, so that two busy keys share in the ratio of their weights, whatever each sends, and a quiet one is hardly
delayed by busy ones. Within a key and a model the order is that of arrival. Models that share a pool of backends, or only the
capacity of everything, share it in the same way, in the ratio of the weights of the keys that wait for them.

What must always hold: at most `capacity` responses run, and in each pool at most its size (a request larger than that runs alone); a
request waits for room only where its own model's room is, so that a saturated model holds up no other; nobody is overtaken for want of
room by those who need the same room (a large request would starve), nor, once its turn has come, by later ones of its own key;
every request is left once.
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


class QueueState(StrEnum):
    """Where a request is: it waits, then its responses run, then it has left."""

    WAITING = "waiting"
    RUNNING = "running"
    LEFT = "left"


class QueuedRequest(msgspec.Struct, eq=False):
    """One request in the queue. `order` counts arrivals; `cost` is what it holds of the capacity once it runs, in responses."""

    key: str
    model: str
    n: int
    order: int
    state: QueueState = QueueState.WAITING
    cost: int = 0

    @property
    def is_running(self) -> bool:
        """Whether its responses may run."""
        return self.state is QueueState.RUNNING


class _KeyState:
    """One key, over all models. `held`: its request whose turn has come and that waits for others of the key to end."""

    def __init__(self) -> None:
        self.weight = 1.0
        self.limit: int | None = None
        self.running = 0
        self.depth = 0
        self.held: QueuedRequest | None = None

    def lets_begin(self, request: QueuedRequest) -> bool:
        """Whether the key's own limit leaves room. More than a limit that was lowered meanwhile runs alone."""
        return self.limit is None or not self.running or self.running + request.n <= self.limit


class _Flow:
    """One key's requests for one model that wait, and its virtual time there."""

    def __init__(self, key: _KeyState) -> None:
        self.key = key
        self.waiting: deque[QueuedRequest] = deque()
        self.running = 0
        self.tag = 0.0


class _ModelQueue:
    """One model's queue. `tag` is its virtual time among the models."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.flows: dict[str, _Flow] = {}
        self.waiting: dict[str, _Flow] = {}
        """Those of its keys that have requests waiting: usually none or few."""
        self.running = 0
        self.virtual = 0.0
        self.tag = 0.0
        self.positions: dict[QueuedRequest, int] | None = None

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

    def order(self) -> dict[QueuedRequest, int]:
        """Where everybody stands if nobody else comes."""
        rows: list[tuple[float, int, QueuedRequest]] = []
        for flow in self.waiting.values():
            tag = self.start(flow)
            for request in flow.waiting:
                rows.append((tag, request.order, request))
                tag += request.n / flow.key.weight
        return {request: at for at, (_, _, request) in enumerate(sorted(rows), start=1)}


class FairQueue:
    """Requests that wait and run. `capacity`: responses that may run at once, over all models."""

    def __init__(self, capacity: int, pools: Pools = lambda _model: ()) -> None:
        self.capacity = capacity
        self.depth = 0
        """Requests that wait."""
        self.running = 0
        """Responses that run, as far as they count against the capacity."""
        self._pools = pools
        self._keys: dict[str, _KeyState] = {}
        self._queues: dict[str, _ModelQueue] = {}
        self._waiting: dict[str, _ModelQueue] = {}
        """Those of the models for which requests wait."""
        self._virtual = 0.0
        self._arrivals = 0

    def push(
        self, key: str, n: int, *, model: str = "", weight: float = 1.0, limit: int | None = None
    ) -> QueuedRequest:
        """A request of `n` responses arrives. `weight` and `limit` (the key's responses at once, at least n) are the key's from now on."""
        owner = self._keys.setdefault(key, _KeyState())
        owner.weight, owner.limit = weight, limit
        queue = self._queues.get(model)
        if queue is None:
            queue = self._queues[model] = _ModelQueue(model)
        flow = queue.flows.get(key)
        if flow is None:
            flow = queue.flows[key] = _Flow(owner)
        flow.key = owner  # the key may have been away while its virtual time was kept
        self._arrivals += 1
        request = QueuedRequest(key, model, n, self._arrivals)
        flow.waiting.append(request)
        queue.waiting[key] = flow
        self._waiting[model] = queue
        self.depth += 1
        owner.depth += 1
        queue.positions = None
        return request

    def begin_next(self) -> QueuedRequest | None:
        """The request whose turn it is begins; None when nobody can."""
        if not self._waiting:
            return None
        full: set[frozenset[str]] = set()
        for queue in sorted(self._waiting.values(), key=lambda queue: (max(queue.tag, self._virtual), queue.oldest())):
            pools = self._pools(queue.model)
            for flow in queue.in_turn():
                request = flow.waiting[0]
                cost = min(request.n, self.capacity, *(pool.size for pool in pools))
                lacking = [pool.models for pool in pools if pool.models in full or not self._has_room(pool, cost)]
                has_room = not lacking and self.running + cost <= self.capacity
                if flow.key.held not in (None, request) or not flow.key.lets_begin(request):
                    if has_room and flow.key.held is None:
                        flow.key.held = request
                    continue
                if has_room:
                    return self._begin(queue, flow, cost)
                if not lacking:
                    return None
                full.update(lacking)
                break
        return None

    def leave(self, request: QueuedRequest) -> bool:
        """The request has ended or been given up; whether it was still there."""
        if request.state is QueueState.LEFT:
            return False
        queue, owner = self._queues[request.model], self._keys[request.key]
        flow = queue.flows[request.key]
        if request.is_running:
            flow.running -= 1
            owner.running -= request.n
            queue.running -= request.cost
            self.running -= request.cost
        else:
            flow.waiting.remove(request)
            self._left_waiting(queue, flow, request)
        request.state = QueueState.LEFT
        self._forget(queue, flow, request.key)
        return True

    def depth_for(self, model: str) -> int:
        """Requests for one model that wait."""
        queue = self._waiting.get(model)
        return sum(len(flow.waiting) for flow in queue.waiting.values()) if queue is not None else 0

    def depth_of(self, key: str) -> int:
        """Requests of one key that wait."""
        owner = self._keys.get(key)
        return owner.depth if owner is not None else 0

    def position(self, request: QueuedRequest) -> int:
        """Where a waiting request stands among those for its model if nobody else comes: 1 is next. Limits of keys and of what
        models share are not foreseen."""
        queue = self._queues[request.model]
        if queue.positions is None:
            queue.positions = queue.order()
        return queue.positions[request]

    def _has_room(self, pool: Pool, cost: int) -> bool:
        running = sum(queue.running for model in pool.models if (queue := self._queues.get(model)) is not None)
        return running + cost <= pool.size

    def _begin(self, queue: _ModelQueue, flow: _Flow, cost: int) -> QueuedRequest:
        request = flow.waiting.popleft()
        queue.virtual = queue.start(flow)
        flow.tag = queue.virtual + request.n / flow.key.weight
        self._virtual = max(queue.tag, self._virtual)
        queue.tag = self._virtual + request.n / queue.weight()
        self._left_waiting(queue, flow, request)
        flow.running += 1
        flow.key.running += request.n
        request.cost = cost  # the capacity may be another when it leaves
        queue.running += cost
        self.running += cost
        request.state = QueueState.RUNNING
        return request

    def _left_waiting(self, queue: _ModelQueue, flow: _Flow, request: QueuedRequest) -> None:
        self.depth -= 1
        flow.key.depth -= 1
        if flow.key.held is request:
            flow.key.held = None
        if not flow.waiting:
            del queue.waiting[request.key]
            if not queue.waiting:
                del self._waiting[queue.model]
        queue.positions = None

    def _forget(self, queue: _ModelQueue, flow: _Flow, key: str) -> None:
        """What nobody is in is kept only as long as its virtual time says something."""
        if not self.depth and not self.running:
            self._keys.clear()
            self._queues.clear()
            self._virtual = 0.0
            return
        if not queue.waiting and not queue.running:
            queue.flows.clear()
            queue.virtual = 0.0
            if queue.tag <= self._virtual:
                del self._queues[queue.model]
        elif not flow.waiting and not flow.running and flow.tag <= queue.virtual:
            del queue.flows[key]
        if not flow.key.depth and not flow.key.running:
            del self._keys[key]
