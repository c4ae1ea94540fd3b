"""Draining: nothing new starts, running responses may finish until a deadline, then the server stops. Pure."""

import logging
import math
import time
from collections.abc import Callable

from dce.wire.errors import DceError

log = logging.getLogger("dce.gateway")


class Drain:
    """Whether the gateway is draining, and until when. Once on, it stays on until the process ends."""

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience_s = patience_s
        """The default time that running responses get."""
        self._clock = clock
        self._deadline: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether draining has begun."""
        return self._deadline is not None

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; the whole `patience_s` before draining begins."""
        return self.patience_s if self._deadline is None else max(0.0, self._deadline - self._clock())

    def begin(self, patience_s: float | None = None) -> None:
        """Begins draining, or moves the deadline if `patience_s` is given."""
        if self.is_on and patience_s is None:
            return
        patience_s = self.patience_s if patience_s is None else patience_s
        self._deadline = self._clock() + patience_s
        log.warning("draining: nothing new starts, running responses have %g s to finish", patience_s)

    def refuse(self) -> None:
        """Raises `draining` once draining has begun. Called before anything new starts."""
        if self.is_on:
            raise DceError("draining", "the gateway is stopping", retry_after_s=max(1, math.ceil(self.left_s)))

    def is_over(self, *, is_idle: bool) -> bool:
        """Whether the server should stop now."""
        return self.is_on and (is_idle or self.left_s <= 0)
