"""An opener for a stream without backends: what a function gives, and a note of how each request ended."""

from collections.abc import Awaitable, Callable, Sequence

from dce.gateway.backends.transport import Exchange
from dce.wire.errors import DceError


class FakeOpener:
    """Opens with `send`. Sends nothing again unless `retries` says how often it may."""

    def __init__(self, send: Callable[[Sequence[int]], Awaitable[Exchange]], retries: int = 0) -> None:
        self.send = send
        self.retries = retries
        self.ends: list[tuple[tuple[int, ...], str]] = []
        """Choices of a request, and how it ended: `well`, `dropped`, or the error's code."""

    async def __call__(self, indices: Sequence[int]) -> Exchange:
        return await self.send(indices)

    def ended(self, indices: Sequence[int], error: DceError | None) -> None:
        self.ends.append((tuple(indices), error.code if error else "well"))

    def failed(self, indices: Sequence[int], error: DceError) -> bool:
        self.ends.append((tuple(indices), error.code))
        self.retries -= 1
        return self.retries >= 0

    def dropped(self, indices: Sequence[int]) -> None:
        self.ends.append((tuple(indices), "dropped"))
