"""Which request starts next: weighted fair queues, one per model (start-time fair queueing). Pure: no clock, no tasks.

In a model's queue each key has a virtual time that grows by n ÷ weight whenever one of its requests (of n responses) starts; the key
that is furthest behind starts next. Two busy keys thus share in the ratio of their weights, whatever they send, and busy keys hardly
delay a quiet one. Within a key and a model, order is first come, first served. Models that share a pool of backends, or only the
total capacity, share it the same way, in the ratio of the weights of the keys waiting for them.

Invariants: at most `capacity` responses run, and in each pool at most its size (a larger request runs alone); a request waits only
for its own model's backends, so that a saturated model delays no other; a request that waits for room is not overtaken by others that
need the same room (a large one would starve) nor, once its turn has come, by later ones of its own key; a request leaves once.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """The backends that serve these models and no others, and together run `size` responses at once."""

    models: frozenset[str]
    size: int


Pools = Callable[[str], Sequence[Pool]]
"""A model's current pools, each contained in the next; none when its backends' capacity is unknown."""


class QueueState(StrEnum):
    """A request's state: it waits, then its responses run, then it has left."""

    WAITING = "waiting"
    RUNNING = "running"
    LEFT = "left"


class QueuedRequest(msgspec.Struct, eq=False):
    """One request. `order` is its arrival number; `cost` is how much of the capacity it takes while it runs, in responses."""

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
    """One key, over all models. `held`: its request whose turn has come but that waits for the key's own limit."""

    def __init__(self) -> None:
        self.weight = 1.0
        self.limit: int | None = None
        self.running = 0
        self.depth = 0
        self.held: QueuedRequest | None = None

    def lets_begin(self, request: QueuedRequest) -> bool:
        """Whether the key's own limit leaves room. A request larger than a limit lowered in the meantime runs alone."""
        return self.limit is None or not self.running or self.running + request.n <= self.limit


class _Flow:
    """One key's waiting requests for one model, and its virtual time (`tag`) there."""

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
        """The keys that have requests waiting: usually none or few."""
        self.running = 0
        self.virtual = 0.0
        self.tag = 0.0
        self.positions: dict[QueuedRequest, int] | None = None

    def start(self, flow: _Flow) -> float:
        """The key's virtual time, at least the queue's: a key that was away or held by its own limit gains no credit."""
        return max(flow.tag, self.virtual)

    def in_turn(self) -> list[_Flow]:
        """The waiting keys, furthest behind first."""
        return sorted(self.waiting.values(), key=lambda flow: (self.start(flow), flow.waiting[0].order))

    def oldest(self) -> int:
        """The earliest arrival among the keys' next requests."""
        return min(flow.waiting[0].order for flow in self.waiting.values())

    def weight(self) -> float:
        """Its share of the capacity it has in common with other models."""
        return sum(flow.key.weight for flow in self.waiting.values())

    def order(self) -> dict[QueuedRequest, int]:
        """Each request's position if no other arrives."""
        rows: list[tuple[float, int, QueuedRequest]] = []
        for flow in self.waiting.values():
            tag = self.start(flow)
            for request in flow.waiting:
                rows.append((tag, request.order, request))
                tag += request.n / flow.key.weight
        return {request: at for at, (_, _, request) in enumerate(sorted(rows), start=1)}


class FairQueue:
    """The waiting and running requests. `capacity`: responses that may run at once, over all models."""

    def __init__(self, capacity: int, pools: Pools = lambda _model: ()) -> None:
        self.capacity = capacity
        self.depth = 0
        """Waiting requests."""
        self.running = 0
        """Running responses, as far as they count against the capacity."""
        self._pools = pools
        self._keys: dict[str, _KeyState] = {}
        self._queues: dict[str, _ModelQueue] = {}
        self._waiting: dict[str, _ModelQueue] = {}
        """The queues of models for which requests wait."""
        self._virtual = 0.0
        self._arrivals = 0

    def push(
        self, key: str, n: int, *, model: str = "", weight: float = 1.0, limit: int | None = None
    ) -> QueuedRequest:
        """A request of `n` responses arrives. `weight` and `limit` (the key's concurrent responses, at least n) become the key's."""
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
        """Starts the request whose turn it is; None when none can start."""
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
        """The request has ended or was given up. Returns whether it was still there."""
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
        """Waiting requests for one model."""
        queue = self._waiting.get(model)
        return sum(len(flow.waiting) for flow in queue.waiting.values()) if queue is not None else 0

    def depth_of(self, key: str) -> int:
        """Waiting requests of one key."""
        owner = self._keys.get(key)
        return owner.depth if owner is not None else 0

    def position(self, request: QueuedRequest) -> int:
        """A waiting request's position among those for its model if no other arrives: 1 is next. Key limits and shared capacity are
        not taken into account."""
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
        request.cost = cost  # the capacity may have changed when it leaves
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
        """Drops empty keys and queues once their virtual time no longer matters."""
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
