"""A circuit breaker for each backend: after several failures in a row it is left alone for a while, then tried with one request.

What counts is decided in faults.py: a client that goes away and a request that is refused for its own sake say nothing against
a backend. Failures of requests that ran at the same time are one incident: a backend that dies under ten responses has failed
once, not ten times. Pure: clock and randomness are given.
"""

import random
import time
from collections.abc import Callable
from enum import StrEnum

import msgspec


class BreakerState(StrEnum):
    """Whether requests go to a backend."""

    CLOSED = "closed"
    """As usual."""
    OPEN = "open"
    """Not before its wait is over."""
    HALF_OPEN = "half_open"
    """One request is on trial; it decides."""


class Signal(StrEnum):
    """What a breaker is told, or finds."""

    TRIPPED = "tripped"
    TRIED = "tried"
    SUCCEEDED = "succeeded"
    ABANDONED = "abandoned"


TRANSITIONS: dict[tuple[BreakerState, Signal], BreakerState] = {
    (BreakerState.CLOSED, Signal.TRIPPED): BreakerState.OPEN,
    (BreakerState.CLOSED, Signal.SUCCEEDED): BreakerState.CLOSED,
    (BreakerState.CLOSED, Signal.ABANDONED): BreakerState.CLOSED,
    (BreakerState.OPEN, Signal.TRIED): BreakerState.HALF_OPEN,
    # A long stream that began before the failures and ends well: the backend works.
    (BreakerState.OPEN, Signal.SUCCEEDED): BreakerState.CLOSED,
    (BreakerState.OPEN, Signal.ABANDONED): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, Signal.TRIPPED): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, Signal.SUCCEEDED): BreakerState.CLOSED,
    # The trial's client went away, so nothing was learnt: the next request is the trial.
    (BreakerState.HALF_OPEN, Signal.ABANDONED): BreakerState.OPEN,
}
"""Every other pair is a mistake of ours and raises."""


class BreakerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """See GatewaySettings for the reasons."""

    failures: int = 5
    first_wait_s: float = 1.0
    max_wait_s: float = 30.0


class Breaker:
    """One backend's. `clock` gives seconds; `chance` a number from 0 to 1, so that gateways do not come back in step."""

    def __init__(
        self,
        limits: BreakerLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.limits = limits or BreakerLimits()
        self.state = BreakerState.CLOSED
        self.failures = 0
        """Incidents in a row."""
        self.trips = 0
        """How often it was left alone, ever."""
        self._clock = clock
        self._chance = chance
        self._trips_in_a_row = 0
        self._retry_at = 0.0
        self._last_incident_at = float("-inf")

    @property
    def wait_s(self) -> float:
        """Seconds until an open one may be tried; 0 if it may be now."""
        return max(0.0, self._retry_at - self._clock()) if self.state is BreakerState.OPEN else 0.0

    def admits(self) -> bool:
        """Whether a request may be sent now."""
        return self.state is BreakerState.CLOSED or (self.state is BreakerState.OPEN and self.wait_s == 0)

    def started(self) -> float:
        """A request is sent, whether or not it was admitted; gives the moment that `failed` wants back."""
        if self.state is BreakerState.OPEN and self.wait_s == 0:
            self._move(Signal.TRIED)
        return self._clock()

    def succeeded(self) -> None:
        """A request was answered as it should be, or refused for its own sake."""
        self._move(Signal.SUCCEEDED)
        self.failures = self._trips_in_a_row = 0

    def abandoned(self) -> None:
        """A request ended because nobody wanted it any more."""
        self._move(Signal.ABANDONED)

    def failed(self, started_at: float) -> None:
        """The backend failed a request."""
        is_new = started_at > self._last_incident_at
        if self.state is BreakerState.OPEN or not is_new:
            return  # the end of a request from before: the same incident
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
