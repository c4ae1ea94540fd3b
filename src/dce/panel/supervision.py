"""Keeps a background loop going: an error is logged, shown as a state and waited out, and then the loop starts again.

What must always hold: no error ends a supervised loop, and while one stands, `problem` says so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from dce.wire.errors import DceError

logger = logging.getLogger(__name__)

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0
"""How long a failed loop waits before it begins again: doubled with every failure, so that a lasting one costs next to nothing."""

Sleep = Callable[[float], Awaitable[None]]


class Supervisor:
    """One background loop. `title` says what it does, for the log and for people: "watching files"."""

    def __init__(self, title: str, on_change: Callable[[], None] = lambda: None, sleep: Sleep = asyncio.sleep) -> None:
        """`on_change` is called whenever `problem` became another."""
        self._title = title
        self._on_change = on_change
        self._sleep = sleep
        self._delay_s = FIRST_DELAY_S
        self.problem = ""

    async def run(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Runs `loop` until it returns, and again after every error. The loop calls `works` whenever a step of it succeeded."""
        while True:
            try:
                await loop()
            except Exception as error:  # noqa: BLE001 - whatever it is, what the loop keeps current must not go stale silently
                self._failed(error)
            else:
                return
            await self._sleep(self._delay_s)
            self._delay_s = min(2 * self._delay_s, MAX_DELAY_S)

    def works(self) -> None:
        """A step succeeded: the problem, if there was one, is over."""
        self._delay_s = FIRST_DELAY_S
        if self.problem:
            logger.warning("%s works again", self._title)
            self._state("")

    def _failed(self, error: Exception) -> None:
        fact = error.message if isinstance(error, DceError) else f"{type(error).__name__}: {error}"
        # A fault of ours needs its traceback; what the operating system refused does not.
        is_expected = isinstance(error, DceError | OSError)
        logger.warning(
            "%s failed, trying again in %.1f s: %s", self._title, self._delay_s, fact, exc_info=not is_expected
        )
        self._state(f"{self._title} failed: {fact}")

    def _state(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._on_change()
