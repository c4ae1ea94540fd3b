"""One request for one answer, for DCE's own questions to a model: the whole text, when it is there."""

from contextlib import aclosing

from dce.wire.errors import DceError
from dce.workspace.generating.provider_events import Delta, Ended, GenerationRequest, Opened
from dce.workspace.workspace import Workspace


async def one_answer(asked: Workspace, prompt: str, most_tokens: int) -> tuple[str, str]:
    """What the model of this workspace's card says, and the model's name ("" if it is not known).

    `most_tokens` bounds the answer; a card's own limit, if smaller, applies. Raises DceError if the request fails.
    """
    settings, words = asked.settings, list[str]()
    model = settings.model or ""
    request = GenerationRequest(
        prompt=prompt,
        n=1,
        model=settings.model,
        max_tokens=min(settings.max_tokens or most_tokens, most_tokens),
        temperature=settings.temperature,
        seed=settings.seed,
        reasoning_effort=settings.reasoning_effort,
    )
    async with aclosing(asked.provider.stream(request)) as events:
        async for event in events:
            if isinstance(event, Delta):
                words.append(event.text)
            elif isinstance(event, Opened):
                model = event.model or model
            elif isinstance(event, Ended) and event.error is not None:
                raise DceError.from_body(event.error)
    return "".join(words), model
