"""A circuit breaker per backend: after several consecutive failures the backend is skipped for a while, then tried with one request.

faults.py decides what counts as a failure: neither a client that disconnects nor a request refused as invalid counts against a
backend. Failures of requests that ran at the same time are one incident: a backend that dies with ten responses running has failed
once, not ten times. Pure: clock and randomness are arguments.
"""

import random
import time
from collections.abc import Callable
from enum import StrEnum

import msgspec


class BreakerState(StrEnum):
    """Whether requests go to a backend."""

    CLOSED = "closed"
    """Requests are sent."""
    OPEN = "open"
    """No requests are sent until the wait is over."""
    HALF_OPEN = "half_open"
    """One trial request is running; its result decides."""


class Signal(StrEnum):
    """Events that change a breaker's state."""

    TRIPPED = "tripped"
    TRIED = "tried"
    SUCCEEDED = "succeeded"
    ABANDONED = "abandoned"


TRANSITIONS: dict[tuple[BreakerState, Signal], BreakerState] = {
    (BreakerState.CLOSED, Signal.TRIPPED): BreakerState.OPEN,
    (BreakerState.CLOSED, Signal.SUCCEEDED): BreakerState.CLOSED,
    (BreakerState.CLOSED, Signal.ABANDONED): BreakerState.CLOSED,
    (BreakerState.OPEN, Signal.TRIED): BreakerState.HALF_OPEN,
    # A long response that started before the failures and finishes: the backend works.
    (BreakerState.OPEN, Signal.SUCCEEDED): BreakerState.CLOSED,
    (BreakerState.OPEN, Signal.ABANDONED): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, Signal.TRIPPED): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, Signal.SUCCEEDED): BreakerState.CLOSED,
    # The trial's client disconnected, so nothing was learnt: the next request is the trial.
    (BreakerState.HALF_OPEN, Signal.ABANDONED): BreakerState.OPEN,
}
"""Every other pair is a bug and raises."""


class BreakerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """See GatewaySettings for the reasons."""

    failures: int = 5
    first_wait_s: float = 1.0
    max_wait_s: float = 30.0


class Breaker:
    """One backend's breaker. `clock` returns seconds; `chance` a number from 0 to 1, so that several gateways do not retry in step."""

    def __init__(
        self,
        limits: BreakerLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.limits = limits or BreakerLimits()
        self.state = BreakerState.CLOSED
        self.failures = 0
        """Consecutive incidents."""
        self.trips = 0
        """How often it has opened."""
        self._clock = clock
        self._chance = chance
        self._trips_in_a_row = 0
        self._retry_at = 0.0
        self._last_incident_at = float("-inf")

    @property
    def wait_s(self) -> float:
        """Seconds until an open breaker allows a trial; 0 if a request may be sent now."""
        return max(0.0, self._retry_at - self._clock()) if self.state is BreakerState.OPEN else 0.0

    def admits(self) -> bool:
        """Whether a request may be sent now."""
        return self.state is BreakerState.CLOSED or (self.state is BreakerState.OPEN and self.wait_s == 0)

    def started(self) -> float:
        """A request is sent, whether or not `admits` allowed it. Returns its start time, to be passed to `failed`."""
        if self.state is BreakerState.OPEN and self.wait_s == 0:
            self._move(Signal.TRIED)
        return self._clock()

    def succeeded(self) -> None:
        """A request was answered, or refused as invalid."""
        self._move(Signal.SUCCEEDED)
        self.failures = self._trips_in_a_row = 0

    def abandoned(self) -> None:
        """A request was dropped by our side."""
        self._move(Signal.ABANDONED)

    def failed(self, started_at: float) -> None:
        """The backend failed a request."""
        is_new = started_at > self._last_incident_at
        if self.state is BreakerState.OPEN or not is_new:
            return  # the request started before the last incident: it belongs to that one
        self._last_incident_at = self._clock()
        self.failures += 1
        if self.state is BreakerState.HALF_OPEN or self.failures >= self.limits.failures:
            self.trips += 1
            self._trips_in_a_row += 1
            doublings = min(self._trips_in_a_row - 1, 30)
            wait_s = min(self.limits.first_wait_s * 2**doublings, self.limits.max_wait_s)
            self._retry_at = self._clock() + wait_s * (0.5 + 0.5 * self._chance())
            self._move(Signal.TRIPPED)

    def _move(self, signal: Signal) -> None:
        self.state = TRANSITIONS[self.state, signal]
