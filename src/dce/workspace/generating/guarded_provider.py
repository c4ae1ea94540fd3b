"""A provider wrapper that contacts no host without consent and sends nothing that may not leave this machine."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from dce.workspace.context.served_model import Model
from dce.workspace.generating.provider import GenerationRequest, Provider, ProviderEvent
from dce.workspace.outbound.sending import Sending


class GuardedProvider:
    """A provider that asks `Sending` before every request, whoever made it."""

    def __init__(self, provider: Provider, sending: Sending) -> None:
        self._provider = provider
        self._sending = sending

    @property
    def name(self) -> str:
        """The wrapped provider's name."""
        return self._provider.name

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """See `Provider.stream`. Raises secrets_found and consent_needed before anything is sent."""
        turns = [turn.text for turn in request.turns]
        await asyncio.to_thread(self._sending.check_after, request.prompt, turns)
        async with aclosing(self._provider.stream(request)) as events:
            async for event in events:
                yield event

    async def stop(self, stream_id: str, index: int | None) -> None:
        """See `Provider.stop`. Raises consent_needed."""
        await asyncio.to_thread(self._sending.require_consent)
        await self._provider.stop(stream_id, index)

    async def models(self) -> list[Model]:
        """See `Provider.models`. Raises consent_needed: the request carries the key."""
        await asyncio.to_thread(self._sending.require_consent)
        return await self._provider.models()

    async def count(self, texts: Sequence[str]) -> list[int]:
        """See `Provider.count`. Raises like `stream` if one of the texts may not be sent."""
        for text in texts:
            await asyncio.to_thread(self._sending.check, text)
        return await self._provider.count(texts)
