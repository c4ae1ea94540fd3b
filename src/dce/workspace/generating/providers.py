"""Which provider the settings mean, and the one for answers that are carried by hand."""

from collections.abc import AsyncGenerator, Sequence

from dce.wire.errors import DceError, Hop
from dce.workspace.context.served_model import Model
from dce.workspace.generating.openai_provider import OpenAIProvider
from dce.workspace.generating.provider import GatewayProvider, Provider
from dce.workspace.generating.provider_events import Ended, GenerationRequest, ProviderEvent
from dce.workspace.settings import Settings


class ManualProvider:
    """No server at all: .dce/prompt.md is carried to a chat by hand, and the answers come back by `dce paste`."""

    name = "manual"

    def __init__(self, model: str | None = None) -> None:
        self._model = model or "manual"

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Every choice ends at once, with the error that says what to do."""
        for index in range(request.n):
            yield Ended(index=index, error=_nobody().body())

    async def stop(self, stream_id: str, index: int | None) -> None:
        """Nothing runs."""

    async def models(self) -> list[Model]:
        """Raises DceError: what will write the answers is not known here."""
        raise _nobody()

    async def count(self, texts: Sequence[str]) -> list[int]:  # noqa: ARG002 - the protocol's
        """Raises DceError: nobody counts."""
        raise _nobody()


def _nobody() -> DceError:
    return DceError(
        "no_healthy_backend",
        "answers are pasted by hand here (provider `manual`), so there is no server to ask",
        hint="Write .dce/prompt.md with `dce prompt`, carry it to your chat, and `dce paste SLOT F` each answer.",
        hop=Hop.CLIENT,
    )


def provider_of(settings: Settings) -> Provider:
    """The provider that the settings name."""
    if settings.provider == "manual":
        return ManualProvider(settings.model)
    if settings.provider == "openai":
        return OpenAIProvider(settings.url, settings.key, model=settings.model)
    return GatewayProvider(settings.url, settings.key, model=settings.model)
