"""What a key may use, and the arithmetic of it: token buckets and budgets. Pure: whoever asks says what time it is.

A bucket fills evenly and holds at most one minute's worth, so that a key that was quiet may burst and none can be cheated at the
turn of a minute. What a request will cost is known only at its end: an estimate is taken at its beginning and corrected when it
ends, which may leave a bucket in debt until the debt has flowed back in.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Period = Literal["day", "month", "total"]
Count = Annotated[int, Meta(ge=1, le=10**15)]
"""A limit; that there is none is said by None."""

MINUTE_S = 60.0
ROUNDING = 1e-6
"""Units that a bucket may lack: less than any request is, more than floating-point time loses."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one key may use. None, or no models: no limit of that kind."""

    rpm: Count | None = None
    """Requests a minute."""
    tpm: Count | None = None
    """Tokens a minute, of prompts and answers."""
    concurrency: Count | None = None
    """Responses at once; more wait in the queue."""
    max_n: Count | None = None
    """Responses of one request."""
    models: tuple[str, ...] = ()
    """Public names (served names or aliases) that may be asked for."""
    budget_tokens: Count | None = None
    """Tokens in each period, of prompts and answers."""
    budget_period: Period = "total"
    weight: Annotated[float, Meta(ge=0.01, le=100)] = 1.0
    """The key's share while several wait: one with 2 gets twice as many responses begun as one with 1."""


NO_LIMITS = Limits()


class Bucket:
    """`per_minute` units flow in each minute; at most that many are kept. Times are seconds of one steady clock."""

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self.level = float(per_minute)
        self._at = now

    def wait_s(self, amount: float, now: float) -> float:
        """How long until `amount` may be taken; 0: now. More than a full bucket waits for a full one and leaves it in debt."""
        self._fill(now)
        missing = min(amount, self.per_minute) - self.level
        return missing * MINUTE_S / self.per_minute if missing > ROUNDING else 0.0

    def take(self, amount: float, now: float) -> None:
        """Takes, into debt if it must be."""
        self._fill(now)
        self.level -= amount

    def give_back(self, amount: float, now: float) -> None:
        """What was taken too much; a negative amount is what was taken too little."""
        self._fill(now)
        self.level = min(float(self.per_minute), self.level + amount)

    def resize(self, per_minute: int, now: float) -> None:
        """Another limit from now on; what had been used stays used."""
        self._fill(now)
        self.level += per_minute - self.per_minute
        self.per_minute = per_minute

    def _fill(self, now: float) -> None:
        gained = max(0.0, now - self._at) * self.per_minute / MINUTE_S
        self.level = min(float(self.per_minute), self.level + gained)
        self._at = max(self._at, now)


class Budget:
    """Tokens of one period of the calendar (UTC), or of a key's whole life. Times are seconds since the epoch."""

    def __init__(self, tokens: int, period: Period, now: float, used: int = 0) -> None:
        self.tokens = tokens
        self.period = period
        self._start = period_start(period, now)
        self._used = used
        self._reserved = 0

    def left(self, now: float) -> int:
        """What may still be reserved; negative after a debt or a lowered limit."""
        self._turn(now)
        return self.tokens - self._used - self._reserved

    def reserve(self, tokens: int) -> None:
        """Sets tokens aside for a request that begins."""
        self._reserved += tokens

    def settle(self, reserved: int, used: int, now: float) -> None:
        """A request has ended: what was set aside is free again, what was used is used in the period that is now."""
        self._turn(now)
        self._reserved -= reserved
        self._used += used

    def _turn(self, now: float) -> None:
        start = period_start(self.period, now)
        if start > self._start:
            self._start, self._used = start, 0


def period_start(period: Period, now: float) -> float:
    """When the running period began; 0 for the one that never ends."""
    if period == "total":
        return 0.0
    midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight if period == "day" else midnight.replace(day=1)).timestamp()


def period_end(period: Period, now: float) -> float | None:
    """When the next period begins; None if none does."""
    if period == "total":
        return None
    start = datetime.fromtimestamp(period_start(period, now), UTC)
    if period == "day":
        return (start + timedelta(days=1)).timestamp()
    return (start + timedelta(days=32)).replace(day=1).timestamp()  # 32 days after a first is always in the next month
