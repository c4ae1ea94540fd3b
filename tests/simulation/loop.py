"""An event loop without a clock and without sockets: time passes only when nothing else can happen, so a minute costs nothing.

The same callbacks in the same order for the same seed: whatever a seed finds, it finds again.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

THREAD_S = 30.0
"""Longest a thread's job may take, of real time."""


class Stuck(AssertionError):
    """Nothing can ever happen again, and somebody still waits."""


class _NoSockets(selectors.DefaultSelector):
    """Waiting is free: it moves the loop's clock on to the next timer. Only for a thread at work it waits really, and the clock stands."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(0) if self.threads else []
        if self.threads:
            done = super().select(THREAD_S)
            assert done, "a thread does not end"
            return done
        if timeout is None:
            raise Stuck("every task waits for something that cannot come")
        self.now += timeout
        return []


Connect = Callable[[Callable[[], asyncio.BaseProtocol], str, int], "asyncio.Future[tuple[Any, Any]]"]


class VirtualLoop(asyncio.SelectorEventLoop):
    """`connect` stands for the network: it is asked for every connection that is opened through the loop."""

    def __init__(self) -> None:
        self._waiting = _NoSockets()
        super().__init__(self._waiting)
        self.connect: Connect | None = None
        self.faults: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.faults.append(context))

    def time(self) -> float:
        # A timer is due when it is within the clock's resolution: without this the clock would creep up to it.
        return self._waiting.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        job = super().run_in_executor(executor, func, *args)
        self._waiting.threads += 1

        def ended(_: "asyncio.Future[Any]") -> None:
            self._waiting.threads -= 1

        job.add_done_callback(ended)
        return job

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, **_: Any
    ) -> tuple[Any, Any]:
        assert self.connect is not None
        return await self.connect(protocol_factory, host, port)
