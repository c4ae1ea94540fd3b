"""A key's limits and their arithmetic: token buckets and budgets. Pure: the caller passes the time.

A bucket refills continuously and holds at most one minute's worth, so that a quiet key may burst and no limit can be doubled around
the turn of a minute. A request's cost is known only when it ends: an estimate is taken when it starts and corrected when it ends,
which may leave the bucket in debt until it has refilled.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Period = Literal["day", "month", "total"]
Count = Annotated[int, Meta(ge=1, le=10**15)]
"""A limit. None means no limit."""

MINUTE_S = 60.0
ROUNDING = 1e-6
"""Tolerance of a bucket, in units: smaller than any request, larger than floating-point error."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one key. None, or an empty `models`, means no limit of that kind."""

    rpm: Count | None = None
    """Requests per minute."""
    tpm: Count | None = None
    """Tokens per minute, prompts and answers."""
    concurrency: Count | None = None
    """Concurrent responses; further ones wait in the queue."""
    max_n: Count | None = None
    """Responses per request."""
    models: tuple[str, ...] = ()
    """Allowed model names (served names or aliases)."""
    budget_tokens: Count | None = None
    """Tokens per period, prompts and answers."""
    budget_period: Period = "total"
    weight: Annotated[float, Meta(ge=0.01, le=100)] = 1.0
    """The key's share while several keys wait: with 2 it starts twice as many responses as a key with 1."""


NO_LIMITS = Limits()


class Bucket:
    """A token bucket: refills by `per_minute` units a minute and holds at most that many. Times are seconds of one monotonic clock."""

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self.level = float(per_minute)
        self._at = now

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken; 0 means now. An amount larger than the bucket waits for a full one, then leaves a debt."""
        self._fill(now)
        missing = min(amount, self.per_minute) - self.level
        return missing * MINUTE_S / self.per_minute if missing > ROUNDING else 0.0

    def take(self, amount: float, now: float) -> None:
        """Takes `amount`, going into debt if necessary."""
        self._fill(now)
        self.level -= amount

    def give_back(self, amount: float, now: float) -> None:
        """Returns what was taken in excess; a negative amount charges what was taken too little."""
        self._fill(now)
        self.level = min(float(self.per_minute), self.level + amount)

    def resize(self, per_minute: int, now: float) -> None:
        """Changes the limit; what has been used stays used."""
        self._fill(now)
        self.level += per_minute - self.per_minute
        self.per_minute = per_minute

    def _fill(self, now: float) -> None:
        gained = max(0.0, now - self._at) * self.per_minute / MINUTE_S
        self.level = min(float(self.per_minute), self.level + gained)
        self._at = max(self._at, now)


class Budget:
    """Tokens per calendar period (UTC), or over a key's whole life. Times are seconds since the epoch."""

    def __init__(self, tokens: int, period: Period, now: float, used: int = 0) -> None:
        self.tokens = tokens
        self.period = period
        self._start = period_start(period, now)
        self._used = used
        self._reserved = 0

    def left(self, now: float) -> int:
        """What can still be reserved; negative after an overrun or a lowered limit."""
        self._turn(now)
        return self.tokens - self._used - self._reserved

    def reserve(self, tokens: int) -> None:
        """Reserves tokens for a request that starts."""
        self._reserved += tokens

    def settle(self, reserved: int, used: int, now: float) -> None:
        """A request has ended: releases its reservation and charges what it used to the current period."""
        self._turn(now)
        self._reserved -= reserved
        self._used += used

    def _turn(self, now: float) -> None:
        start = period_start(self.period, now)
        if start > self._start:
            self._start, self._used = start, 0


def period_start(period: Period, now: float) -> float:
    """Start of the current period; 0 for `total`."""
    if period == "total":
        return 0.0
    midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight if period == "day" else midnight.replace(day=1)).timestamp()


def period_end(period: Period, now: float) -> float | None:
    """Start of the next period; None for `total`."""
    if period == "total":
        return None
    start = datetime.fromtimestamp(period_start(period, now), UTC)
    if period == "day":
        return (start + timedelta(days=1)).timestamp()
    return (start + timedelta(days=32)).replace(day=1).timestamp()  # 32 days after the 1st is always in the next month
