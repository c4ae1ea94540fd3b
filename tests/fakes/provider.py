"""A provider that follows a script, and a clock and a sleep that the test moves: the loop without network or waiting."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from dce.wire.errors import DceError
from dce.workspace.context.served_model import Model
from dce.workspace.generating.provider import GenerationRequest, ProviderEvent


class Gate:
    """A place in a script: `arrived` is set when all before it was taken; it goes on when `opened` is."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.opened = asyncio.Event()


Step = ProviderEvent | Gate | BaseException
"""An event to give, an error to raise, or a place to wait at."""


class ScriptedProvider:
    """Answers the i-th request with the i-th script (the last one again and again)."""

    name = "scripted"

    def __init__(self, *scripts: Sequence[Step], models: Sequence[Model] | DceError = ()) -> None:
        self.scripts = list(scripts)
        self.served: Sequence[Model] | DceError = models or (Model(id="scripted-model", max_model_len=4096),)
        self.requests: list[GenerationRequest] = []
        self.stops: list[tuple[str, int | None]] = []
        self.open_streams = 0

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Follows the script; `open_streams` shows whether it was closed."""
        script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
        self.requests.append(request)
        self.open_streams += 1
        try:
            for step in script:
                if isinstance(step, Gate):
                    step.arrived.set()
                    await step.opened.wait()
                elif isinstance(step, BaseException):
                    raise step
                else:
                    yield step
        finally:
            self.open_streams -= 1

    async def stop(self, stream_id: str, index: int | None) -> None:
        """Notes what was to be stopped."""
        self.stops.append((stream_id, index))

    async def models(self) -> list[Model]:
        """As given."""
        if isinstance(self.served, DceError):
            raise self.served
        return list(self.served)

    async def count(self, texts: Sequence[str]) -> list[int]:
        """A token a word."""
        return [len(text.split()) for text in texts]


class Ticks:
    """Stands in for `asyncio.sleep`: time passes only when the test says so."""

    def __init__(self) -> None:
        self._is_waiting = asyncio.Event()
        self._go: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self, _seconds: float) -> None:
        self._is_waiting.set()
        await self._go.get()

    async def pass_(self, times: int = 1) -> None:
        """Lets the sleeper wake that often, and waits until it sleeps again."""
        for _ in range(times):
            await self._is_waiting.wait()
            self._is_waiting.clear()
            self._go.put_nowait(None)
            await self._is_waiting.wait()


class Clock:
    """A clock that moves a little at each look, so that no two moments are the same."""

    def __init__(self, now: float = 1000.0, step: float = 0.25) -> None:
        self.now = now
        self._step = step

    def __call__(self) -> float:
        self.now += self._step
        return self.now
