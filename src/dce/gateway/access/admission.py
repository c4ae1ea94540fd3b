"""Whether and when a request may start: the only object of the data path that knows the limits and the queue.

`ticket = await admission.admit(…)` checks the key's limits, reserves what the request may cost, and waits for its turn;
`ticket.settle(tokens)` releases the reservation and counts what was used. Invariants: a ticket is settled once, however often
`settle` is called; a request that is refused, or cancelled at any await, has used no tokens and holds nothing.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec

from dce.gateway.access.auth import Principal
from dce.gateway.access.fair_queue import FairQueue, Pool, QueuedRequest
from dce.gateway.access.limits import Bucket, Budget, Limits, period_end, period_start
from dce.gateway.settings import GatewaySettings
from dce.wire.errors import DceError

TELL_EVERY_S = 1.0
"""How often a waiting client is told its position."""
QUEUE_RETRY_S = 10.0
"""Retry-After of a full queue: some responses have ended by then, and a retrying crowd does no harm."""
BYTES_PER_TOKEN = 4
"""For estimating prompts before, or without, the backend's count: source code and English have 3 to 5 bytes per token."""
UNKNOWN_ANSWER_TOKENS = 4096
"""Answer length reserved when neither the request nor the model limits it."""
LOOKUPS_PER_REQUEST = 20
"""Lookups (models, token counts) have a limit of their own, this many times `rpm`: a client counts the tokens of every selected file
before it sends one prompt."""

OnPosition = Callable[[int], Awaitable[None]]
Used = Callable[[str, float], int]
"""Maps a key id and a time to the tokens that the key's responses have used since."""


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for: `n` responses of a served model, and an upper estimate of the tokens they cost."""

    n: int
    tokens: int = 0
    model: str = ""

    @classmethod
    def of(cls, n: int, text_bytes: int, max_tokens: int | None, context: int | None, *, model: str = "") -> "Demand":
        """The prompt counts once; each answer counts with its maximum length, or with what the context leaves."""
        prompt = text_bytes // BYTES_PER_TOKEN
        room = None if context is None else max(1, context - prompt)
        answer = min(x for x in (max_tokens, room, None if max_tokens or room else UNKNOWN_ANSWER_TOKENS) if x)
        return cls(n=n, tokens=prompt + n * answer, model=model)


class _KeyUsage:
    """What one key has used and reserved. Follows edits of the key's limits."""

    def __init__(self, key_id: str, used: Used) -> None:
        self._key_id = key_id
        self._used = used
        self.limits = Limits()
        self._requests: Bucket | None = None
        self._lookups: Bucket | None = None
        self._tokens: Bucket | None = None
        self._budget: Budget | None = None

    def follow(self, limits: Limits, now: float, wall: float) -> None:
        """Applies the key's current limits."""
        if limits is self.limits:
            return
        self._requests = _resized(self._requests, limits.rpm, now)
        self._lookups = _resized(self._lookups, limits.rpm and limits.rpm * LOOKUPS_PER_REQUEST, now)
        self._tokens = _resized(self._tokens, limits.tpm, now)
        if limits.budget_tokens is None:
            self._budget = None
        elif self._budget is not None and self._budget.period == limits.budget_period:
            self._budget.tokens = limits.budget_tokens
        else:
            since = period_start(limits.budget_period, wall)
            self._budget = Budget(limits.budget_tokens, limits.budget_period, wall, self._used(self._key_id, since))
        self.limits = limits

    def reserve(self, demand: Demand, now: float, wall: float) -> "_Reservation":
        """Takes one request and its tokens. Raises rate_limited or quota_exceeded, having taken nothing."""
        if self._requests is not None and (wait_s := self._requests.wait_s(1, now)):
            raise _rate_limited(f"the key's limit of {self.limits.rpm:,} requests per minute is reached", wait_s)
        tokens = 0
        if self._tokens is not None:
            # An estimate above one minute's tokens must not shut the key out: the rest is charged when the real cost is known.
            tokens = min(demand.tokens, self._tokens.per_minute)
            if wait_s := self._tokens.wait_s(tokens, now):
                raise _rate_limited(f"the key's limit of {self.limits.tpm:,} tokens per minute is reached", wait_s)
        if self._budget is not None and demand.tokens > (left := self._budget.left(wall)):
            raise self._over_budget(self._budget, demand, left, wall)
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)
        if self._budget is not None:
            self._budget.reserve(demand.tokens)
        return _Reservation(self._tokens, tokens, self._budget, demand.tokens)

    def take_lookup(self, now: float) -> None:
        """Takes one lookup. Raises rate_limited."""
        if self._lookups is not None:
            if wait_s := self._lookups.wait_s(1, now):
                raise _rate_limited(
                    "the key's limit of requests per minute for models and token counts is reached", wait_s
                )
            self._lookups.take(1, now)

    def _over_budget(self, budget: Budget, demand: Demand, left: int, wall: float) -> DceError:
        end = period_end(budget.period, wall)
        per = {"day": "per day", "month": "per month", "total": "in total"}[budget.period]
        renews = "" if end is None else f"; it renews at {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC"
        fact = f"the key's budget of {budget.tokens:,} tokens {per} has {max(0, left):,} left{renews}"
        hint = "Ask the operator for a larger budget, or wait until it renews." if end else ""
        if left > 0:
            fact += f"; this request may need {demand.tokens:,}"
            hint = "Ask for fewer responses, a smaller max_tokens or a shorter prompt; or ask the operator for more."
        return DceError("quota_exceeded", fact, hint=hint, retry_after_s=end and end - wall)


class _Reservation(msgspec.Struct):
    """What was reserved for one request, and in which bucket and budget. Editing the key's limits does not move it."""

    bucket: Bucket | None
    bucket_tokens: int
    budget: Budget | None
    budget_tokens: int

    def settle(self, used: int, now: float, wall: float) -> None:
        """Replaces the estimate by what was used."""
        if self.bucket is not None:
            self.bucket.give_back(self.bucket_tokens - used, now)
        if self.budget is not None:
            self.budget.settle(self.budget_tokens, used, wall)


class Ticket:
    """The right to run a request's responses, until `settle`."""

    def __init__(self, admission: "Admission", entry: QueuedRequest, reservation: _Reservation, demand: Demand) -> None:
        self._admission = admission
        self._entry = entry
        self._reservation = reservation
        self.demand = demand

    def settle(self, tokens: int) -> None:
        """The request has ended and used `tokens`, prompt and answers. Only the first call counts."""
        self._admission.settle(self._entry, self._reservation, tokens)


class Admission:
    """Admits requests. Belongs to one event loop, like everything in the data path.

    `used`: past usage, from the ledger. `pools`: how much a model's backends can run at once, as far as it is known.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        used: Used,
        pools: Callable[[str], Sequence[Pool]] = lambda _model: (),
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        tell_every_s: float = TELL_EVERY_S,
        check_key: Callable[[str], None] = lambda _key_id: None,
    ) -> None:
        """`check_key` raises when the key with that id was revoked or expired while its request waited."""
        self._settings = settings
        self._used = used
        self._clock = clock
        self._wall = wall
        self._tell_every_s = tell_every_s
        self._check_key = check_key
        self._usages: dict[str, _KeyUsage] = {}
        self._queue = FairQueue(settings.max_running_responses, pools)
        self._turns: dict[QueuedRequest, asyncio.Event] = {}

    @property
    def queue_depth(self) -> int:
        """Requests waiting for their turn."""
        return self._queue.depth

    @property
    def running(self) -> int:
        """Running responses."""
        return self._queue.running

    def reconfigure(self, settings: GatewaySettings) -> None:
        """Applies new limits: running requests continue, waiting ones may start."""
        self._settings = settings
        self._begin()

    def admit_lookup(self, principal: Principal) -> None:
        """Admits a request that generates nothing (models, token counts). Raises rate_limited."""
        self._usage_of(principal).take_lookup(self._clock())

    async def admit(self, principal: Principal, demand: Demand, on_position: OnPosition | None = None) -> Ticket:
        """Waits for the request's turn. `on_position` is called about once a second while it waits (1 is next), and with 0 when its
        turn comes after a wait. Raises invalid_request, rate_limited, quota_exceeded or queue_full; invalid_key or expired_key when
        the key was revoked or expired while the request waited."""
        limits = principal.limits
        _check_size(limits, demand.n)
        reservation = self._usage_of(principal).reserve(demand, self._clock(), self._wall())
        entry = self._queue.push(
            principal.key_id, demand.n, model=demand.model, weight=limits.weight, limit=limits.concurrency
        )
        ticket = Ticket(self, entry, reservation, demand)
        self._begin()
        if not entry.is_running:
            try:
                await self._wait(entry, on_position)
            except BaseException:
                ticket.settle(0)
                raise
        return ticket

    def settle(self, entry: QueuedRequest, reservation: _Reservation, tokens: int) -> None:
        """See `Ticket.settle`."""
        if self._queue.leave(entry):
            reservation.settle(tokens, self._clock(), self._wall())
            self._begin()

    def _begin(self) -> None:
        """Starts every request whose turn it is."""
        self._queue.capacity = self._settings.max_running_responses
        while (entry := self._queue.begin_next()) is not None:
            if (turn := self._turns.get(entry)) is not None:
                turn.set()

    async def _wait(self, entry: QueuedRequest, on_position: OnPosition | None) -> None:
        self._check_depth(entry)
        turn = self._turns[entry] = asyncio.Event()
        try:
            deadline = self._clock() + self._settings.queue_timeout_s
            while not entry.is_running:
                position = self._queue.position(entry)
                left = deadline - self._clock()
                if left <= 0:
                    waited = f"the request waited {self._settings.queue_timeout_s:g} s and is still number {position}"
                    raise _queue_full(f"{waited} in the queue")
                if on_position is not None:
                    await on_position(position)
                try:
                    async with asyncio.timeout(min(left, self._tell_every_s)):
                        await turn.wait()
                except TimeoutError:
                    self._begin()
            self._check_key(entry.key)
            if on_position is not None:
                await on_position(0)
        finally:
            del self._turns[entry]

    def _check_depth(self, entry: QueuedRequest) -> None:
        """A queue that is too long helps nobody, and one key must not fill it for everyone."""
        settings = self._settings
        if self._queue.depth_for(entry.model) > settings.max_queued_requests:
            raise _queue_full(f"{settings.max_queued_requests} requests for this model are already waiting")
        if self._queue.depth_of(entry.key) > settings.max_queued_requests_per_key:
            raise _queue_full(f"{settings.max_queued_requests_per_key} requests of this key are already waiting")

    def _usage_of(self, principal: Principal) -> _KeyUsage:
        usage = self._usages.get(principal.key_id)
        if usage is None:
            usage = self._usages[principal.key_id] = _KeyUsage(principal.key_id, self._used)
        usage.follow(principal.limits, self._clock(), self._wall())
        return usage


def _resized(bucket: Bucket | None, per_minute: int | None, now: float) -> Bucket | None:
    if per_minute is None:
        return None
    if bucket is None:
        return Bucket(per_minute, now)
    bucket.resize(per_minute, now)
    return bucket


def _check_size(limits: Limits, n: int) -> None:
    if limits.max_n is not None and n > limits.max_n:
        what = f"the key allows {limits.max_n} responses per request"
    elif limits.concurrency is not None and n > limits.concurrency:
        what = f"the key allows {limits.concurrency} responses at once"
    else:
        return
    raise DceError(
        "invalid_request",
        f"{what}, and this one asks for {n}",
        hint="Ask for fewer responses (`n`), or ask the operator for more.",
    )


def _rate_limited(fact: str, wait_s: float) -> DceError:
    whole_s = math.ceil(wait_s)
    return DceError("rate_limited", fact, hint=f"Retry in {whole_s} s (Retry-After).", retry_after_s=whole_s)


def _queue_full(fact: str) -> DceError:
    hint = f"The server is busy: retry in {QUEUE_RETRY_S:g} s (Retry-After) or later."
    return DceError("queue_full", fact, hint=hint, retry_after_s=QUEUE_RETRY_S)
