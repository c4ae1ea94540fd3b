"""Finds out whether a client that has sent its last byte still reads.

HTTP lets a client close its sending side and wait for the answer; a client that goes away altogether looks the same until something is
sent to it. So something harmless is sent: the second write to a client that has gone fails, which closes the connection and ends its
request. A client that still reads gets its answer.
"""

import asyncio
from collections.abc import Callable

from dce.wire.chunks import chunk
from dce.wire.sse import comment

DELAYS_S = (0.01, 0.05, 0.25, 1.0)
"""Waits between the first probes: the refusal of the first one is here after one round trip, and a GPU must not wait longer for it."""
EVERY_S = 15.0
"""Wait between later probes: a client may also go while it waits."""
BEFORE_ANSWER = b"HTTP/1.1 100 Continue\r\n\r\n"
"""Harmless before an answer: every client skips it, any number of times."""
IN_STREAM = chunk(comment("keep-alive"))
"""Harmless between two events."""


class Probe:
    """Sends probes until stopped. `send` is called for each."""

    def __init__(self, send: Callable[[], object]) -> None:
        self._send = send
        self._delays = iter(DELAYS_S)
        self._timer: asyncio.TimerHandle | None = None
        self._next()

    def stop(self) -> None:
        """The request is over, or its client has gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self) -> None:
        self._send()
        self._timer = asyncio.get_running_loop().call_later(next(self._delays, EVERY_S), self._next)
