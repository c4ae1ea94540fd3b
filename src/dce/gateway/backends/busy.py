"""Waiting for a backend that is healthy but takes no request right now: 429, or 503 while it loads its model.

Nothing of the response has been sent yet, so the request can be sent again. The total wait of a request is bounded; beyond that the
backend's own answer, with its Retry-After, is what the client gets. Whoever waits is told, and told again as the time runs down.
"""

from collections.abc import Awaitable, Callable

from dce.wire.errors import DceError, Hop

BUSY_RETRY_S = 2.0
"""Wait if the backend does not say how long."""

MAX_STEP_S = 10.0
"""The waits double up to this, so that a backend that always says "1 second" is not asked a hundred times."""

TOLD_EVERY_S = 5.0
"""How often a waiting client is told how long it still waits."""

_BUSY = frozenset({"rate_limited", "no_healthy_backend"})

Sleep = Callable[[float], Awaitable[None]]
OnBusy = Callable[[DceError, float], Awaitable[None]]
"""Called with the backend's error and the seconds until it is asked again."""


def is_busy(error: DceError) -> bool:
    """Whether an error says that a backend takes no request right now. Only a backend's own refusal has that hop and a Retry-After."""
    return error.code in _BUSY and error.hop is Hop.BACKEND and error.retry_after_s is not None


async def tell_nobody(error: DceError, left_s: float) -> None:
    """For a request whose client cannot be told."""
    del error, left_s


class BusyWait:
    """The waits of one request, `limit_s` in total."""

    def __init__(self, limit_s: float, sleep: Sleep, chance: Callable[[], float]) -> None:
        self._left_s = limit_s
        self._step_s = 0.0
        self._sleep = sleep
        self._chance = chance

    def has_time(self, error: DceError) -> bool:
        """Whether the wait that this error asks for fits into what is left."""
        return is_busy(error) and self._next(error) <= self._left_s

    async def wait(self, error: DceError, tell: OnBusy) -> None:
        """Waits as long as the backend asks, or longer if it was asked before. A little more for some than for others: ten requests that
        were refused together must not come back together."""
        self._step_s = self._next(error)
        self._left_s -= self._step_s
        left = self._step_s * (1 + 0.25 * self._chance())
        while left > 0:
            await tell(error, left)
            step = min(left, TOLD_EVERY_S)
            await self._sleep(step)
            left -= step

    def _next(self, error: DceError) -> float:
        return max(error.retry_after_s or 0.0, min(2 * self._step_s, MAX_STEP_S), 0.5)
