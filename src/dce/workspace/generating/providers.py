"""Selects the provider that the settings name; defines the one for manual mode (copy and paste)."""

from collections.abc import AsyncGenerator, Sequence

from dce.wire.errors import DceError, Hop
from dce.workspace.context.served_model import Model
from dce.workspace.generating.openai_provider import OpenAIProvider
from dce.workspace.generating.provider import GatewayProvider, Provider
from dce.workspace.generating.provider_events import Ended, GenerationRequest, ProviderEvent
from dce.workspace.generating.request_shape import RequestShape
from dce.workspace.settings import Settings


class ManualProvider:
    """No server: the user copies .dce/prompt.md into a chat and brings the answers back with `dce paste`."""

    name = "manual"

    def __init__(self, model: str | None = None) -> None:
        self._model = model or "manual"

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Every choice ends at once, with the error that says what to do."""
        for index in range(request.n):
            yield Ended(index=index, error=_no_server().body())

    async def stop(self, stream_id: str, index: int | None) -> None:
        """Does nothing: no stream ever runs."""

    async def models(self) -> list[Model]:
        """Raises DceError: DCE does not know which model will write the answers."""
        raise _no_server()

    async def count(self, texts: Sequence[str]) -> list[int]:  # noqa: ARG002 - the protocol's
        """Raises DceError: no server can count."""
        raise _no_server()


def _no_server() -> DceError:
    return DceError(
        "no_healthy_backend",
        "the provider is `manual` (copy and paste), so there is no server to ask",
        hint="Write .dce/prompt.md with `dce prompt`, paste it into your chat, and bring each answer back with `dce paste SLOT F`.",
        hop=Hop.CLIENT,
    )


def provider_of(settings: Settings) -> Provider:
    """The provider that the settings name."""
    if settings.provider == "manual":
        return ManualProvider(settings.model)
    shape = RequestShape(extra_body=settings.extra_body, omit=settings.omit)
    kind = OpenAIProvider if settings.provider == "openai" else GatewayProvider
    return kind(settings.url, settings.key, model=settings.model, headers=settings.headers, shape=shape)
