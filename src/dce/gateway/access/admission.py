"""Whether and when a request may begin: the one object of the data path that knows limits and the queue.

`ticket = await admission.admit(…)` checks what the key may use, sets aside what the request may cost, and waits for its turn;
`ticket.settle(tokens)` gives everything back and counts what was used. What must always hold: a ticket is settled once, however
often it is asked to; whoever is refused or cancelled at any await, also while waiting, has used no tokens and holds nothing.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec

from dce.gateway.access.auth import Principal
from dce.gateway.access.fair_queue import FairQueue, Place, Pool
from dce.gateway.access.limits import Bucket, Budget, Limits, period_end, period_start
from dce.gateway.settings import GatewaySettings
from dce.wire.errors import DceError

TELL_EVERY_S = 1.0
"""How often a waiting client is told its place."""
QUEUE_RETRY_S = 10.0
"""When to try a full queue again: some responses have ended by then, and a crowd that returns does not harm."""
BYTES_PER_TOKEN = 4
"""Of prompts, for the estimate before and without a backend's count: source code and English have 3 to 5."""
UNKNOWN_ANSWER_TOKENS = 4096
"""Answer set aside when neither the request nor the model says how long it may be."""
LOOKS_PER_REQUEST = 20
"""Requests that only ask (models, token counts) have an allowance of their own, this many times `rpm`: a client counts the tokens of
every selected file before it sends one prompt."""

OnPosition = Callable[[int], Awaitable[None]]
Used = Callable[[str, float], int]
"""Key id and a moment to the tokens that the key's responses have used since."""


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for: responses of a served model, and the most tokens it can cost (an estimate)."""

    n: int
    tokens: int = 0
    model: str = ""

    @classmethod
    def of(cls, n: int, text_bytes: int, max_tokens: int | None, context: int | None, *, model: str = "") -> "Demand":
        """The prompt counts once; every answer may be as long as asked for, or as the context leaves room for."""
        prompt = text_bytes // BYTES_PER_TOKEN
        room = None if context is None else max(1, context - prompt)
        answer = min(x for x in (max_tokens, room, None if max_tokens or room else UNKNOWN_ANSWER_TOKENS) if x)
        return cls(n=n, tokens=prompt + n * answer, model=model)


class _Account:
    """What one key has used and set aside. Follows the key's limits when they are edited."""

    def __init__(self, key_id: str, used: Used) -> None:
        self._key_id = key_id
        self._used = used
        self.limits = Limits()
        self._requests: Bucket | None = None
        self._looks: Bucket | None = None
        self._tokens: Bucket | None = None
        self._budget: Budget | None = None

    def follow(self, limits: Limits, now: float, wall: float) -> None:
        """The limits as they are now."""
        if limits is self.limits:
            return
        self._requests = _resized(self._requests, limits.rpm, now)
        self._looks = _resized(self._looks, limits.rpm and limits.rpm * LOOKS_PER_REQUEST, now)
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
        """Takes a request and its tokens. Raises rate_limited or quota_exceeded, and has taken nothing then."""
        if self._requests is not None and (wait_s := self._requests.wait_s(1, now)):
            raise _rate_limited(f"the key's {self.limits.rpm:,} requests a minute are used up", wait_s)
        tokens = 0
        if self._tokens is not None:
            # Of a demand larger than a minute's worth the rest is paid for when it is known: a key is not shut out by an estimate.
            tokens = min(demand.tokens, self._tokens.per_minute)
            if wait_s := self._tokens.wait_s(tokens, now):
                raise _rate_limited(f"the key's {self.limits.tpm:,} tokens a minute are used up", wait_s)
        if self._budget is not None and demand.tokens > (left := self._budget.left(wall)):
            raise self._over_budget(self._budget, demand, left, wall)
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)
        if self._budget is not None:
            self._budget.reserve(demand.tokens)
        return _Reservation(self._tokens, tokens, self._budget, demand.tokens)

    def look(self, now: float) -> None:
        """Takes a request that only asks. Raises rate_limited."""
        if self._looks is not None:
            if wait_s := self._looks.wait_s(1, now):
                raise _rate_limited("the key's requests a minute for models and token counts are used up", wait_s)
            self._looks.take(1, now)

    def _over_budget(self, budget: Budget, demand: Demand, left: int, wall: float) -> DceError:
        end = period_end(budget.period, wall)
        per = {"day": "a day", "month": "a month", "total": "in all"}[budget.period]
        renews = "" if end is None else f"; it renews at {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC"
        fact = f"the key's budget of {budget.tokens:,} tokens {per} has {max(0, left):,} left{renews}"
        hint = "Ask the operator for a larger budget, or wait until it renews." if end else ""
        if left > 0:
            fact += f"; this request may need {demand.tokens:,}"
            hint = "Ask for fewer responses, a smaller max_tokens or a shorter prompt; or ask the operator for more."
        return DceError("quota_exceeded", fact, hint=hint, retry_after_s=end and end - wall)


class _Reservation(msgspec.Struct):
    """What was set aside for one request, and where. Edited limits do not move it."""

    bucket: Bucket | None
    bucket_tokens: int
    budget: Budget | None
    budget_tokens: int

    def settle(self, used: int, now: float, wall: float) -> None:
        """Corrects the estimate to what was used."""
        if self.bucket is not None:
            self.bucket.give_back(self.bucket_tokens - used, now)
        if self.budget is not None:
            self.budget.settle(self.budget_tokens, used, wall)


class Ticket:
    """The right to run a request's responses, until `settle`."""

    def __init__(self, admission: "Admission", place: Place, reservation: _Reservation, demand: Demand) -> None:
        self._admission = admission
        self._place = place
        self._reservation = reservation
        self.demand = demand

    def settle(self, tokens: int) -> None:
        """The request has ended and used that many tokens, prompt and answers. Only the first call counts."""
        self._admission.settle(self._place, self._reservation, tokens)


class Admission:
    """Admits requests. One event loop's, like everything in the data path.

    `used`: what the ledger knows. `pools`: what the backends of a model run at once, as far as that is known.
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
        """`check_key` raises when a key, by its id, may no longer begin what it was let into the queue with."""
        self._settings = settings
        self._used = used
        self._clock = clock
        self._wall = wall
        self._tell_every_s = tell_every_s
        self._check_key = check_key
        self._accounts: dict[str, _Account] = {}
        self._queue = FairQueue(settings.max_running_responses, pools)
        self._turns: dict[Place, asyncio.Event] = {}

    @property
    def queue_depth(self) -> int:
        """Requests that wait for their turn."""
        return self._queue.depth

    @property
    def running(self) -> int:
        """Responses that run."""
        return self._queue.running

    def reconfigure(self, settings: GatewaySettings) -> None:
        """Other limits from now on; who runs goes on, who waits may begin."""
        self._settings = settings
        self._begin()

    def look(self, principal: Principal) -> None:
        """A request that needs no response (models, token counts). Raises rate_limited."""
        self._account(principal).look(self._clock())

    async def admit(self, principal: Principal, demand: Demand, on_position: OnPosition | None = None) -> Ticket:
        """Waits for the request's turn. `on_position` is called about once a second while it waits, 1 being next, and with 0 when
        its turn has come after that. Raises invalid_request, rate_limited, quota_exceeded or queue_full; invalid_key or expired_key
        when the key has ended while it waited."""
        limits = principal.limits
        _check_size(limits, demand.n)
        reservation = self._account(principal).reserve(demand, self._clock(), self._wall())
        place = self._queue.push(
            principal.key_id, demand.n, model=demand.model, weight=limits.weight, limit=limits.concurrency
        )
        ticket = Ticket(self, place, reservation, demand)
        self._begin()
        if not place.is_running:
            try:
                await self._wait(place, on_position)
            except BaseException:
                ticket.settle(0)
                raise
        return ticket

    def settle(self, place: Place, reservation: _Reservation, tokens: int) -> None:
        """See `Ticket.settle`."""
        if self._queue.leave(place):
            reservation.settle(tokens, self._clock(), self._wall())
            self._begin()

    def _begin(self) -> None:
        """Lets everybody begin whose turn it is."""
        self._queue.capacity = self._settings.max_running_responses
        while (place := self._queue.begin_next()) is not None:
            if (turn := self._turns.get(place)) is not None:
                turn.set()

    async def _wait(self, place: Place, on_position: OnPosition | None) -> None:
        self._check_depth(place)
        turn = self._turns[place] = asyncio.Event()
        try:
            deadline = self._clock() + self._settings.queue_timeout_s
            while not place.is_running:
                position = self._queue.position(place)
                left = deadline - self._clock()
                if left <= 0:
                    waited = f"the request has waited for {self._settings.queue_timeout_s:g} s and is still number {position}"
                    raise _queue_full(f"{waited} in the queue")
                if on_position is not None:
                    await on_position(position)
                try:
                    async with asyncio.timeout(min(left, self._tell_every_s)):
                        await turn.wait()
                except TimeoutError:
                    self._begin()
            self._check_key(place.key)
            if on_position is not None:
                await on_position(0)
        finally:
            del self._turns[place]

    def _check_depth(self, place: Place) -> None:
        """A queue that is too long helps nobody, and one key must not fill it for the others."""
        settings = self._settings
        if self._queue.depth_for(place.model) > settings.max_queued_requests:
            raise _queue_full(f"{settings.max_queued_requests} requests for this model wait already")
        if self._queue.depth_of(place.key) > settings.max_queued_requests_per_key:
            raise _queue_full(f"{settings.max_queued_requests_per_key} requests of this key wait already")

    def _account(self, principal: Principal) -> _Account:
        account = self._accounts.get(principal.key_id)
        if account is None:
            account = self._accounts[principal.key_id] = _Account(principal.key_id, self._used)
        account.follow(principal.limits, self._clock(), self._wall())
        return account


def _resized(bucket: Bucket | None, per_minute: int | None, now: float) -> Bucket | None:
    if per_minute is None:
        return None
    if bucket is None:
        return Bucket(per_minute, now)
    bucket.resize(per_minute, now)
    return bucket


def _check_size(limits: Limits, n: int) -> None:
    if limits.max_n is not None and n > limits.max_n:
        what = f"the key allows {limits.max_n} responses a request"
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
    return DceError(
        "rate_limited", fact, hint=f"Wait {whole_s} s (Retry-After), then send it again.", retry_after_s=whole_s
    )


def _queue_full(fact: str) -> DceError:
    hint = f"Try again in {QUEUE_RETRY_S:g} s (Retry-After) or later; the server is busy."
    return DceError("queue_full", fact, hint=hint, retry_after_s=QUEUE_RETRY_S)
