"""An event loop without a clock and without sockets: time passes only when nothing else can happen, so a minute costs nothing.

The same callbacks in the same order for the same seed: whatever a seed finds, it finds again.
"""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any


class Stuck(AssertionError):
    """Nothing can ever happen again, and somebody still waits."""


class _NoSockets(selectors.BaseSelector):
    """Waiting is free: it moves the loop's clock on to the next timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self._map: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._map[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)  # the loop's own wake-up pipe
        return self._map[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._map.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("every task waits for something that cannot come")
        self.now += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._map


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

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, **_: Any
    ) -> tuple[Any, Any]:
        assert self.connect is not None
        return await self.connect(protocol_factory, host, port)
