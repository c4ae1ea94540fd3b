"""Continues a cut answer: what is asked of the server, and how the continuation is joined to the existing text.

What must always hold: no earlier text is lost or duplicated; a server that starts over is an error, not an answer with two beginnings.
A server that supports it gets the existing text as a prefill and continues mid-line. Any other server is asked by a message to
repeat the last line, so that the join can be found.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from dce.wire.errors import DceError, Hop
from dce.workspace.context.served_model import Model
from dce.workspace.generating.provider import Provider
from dce.workspace.generating.provider_events import CountUpdate, Delta, Ended, GenerationRequest, ProviderEvent
from dce.workspace.record.responses import Response, Status
from dce.workspace.record.store import Store

RESUMABLE = (Status.TRUNCATED, Status.STOPPED, Status.INTERRUPTED, Status.ERROR)
"""Statuses of a cut response: by the token limit, by the user, by a crash of DCE, by an error in transit."""

JOIN_SEARCH_CHARS = 2_000
"""How much of a continuation requested by message is held back while the join is searched for: about twenty lines."""

MIN_OVERLAP_CHARS = 12
"""A shorter overlap can be chance: `    }` and a line end occur everywhere."""

MIN_ECHO_CHARS = 40
"""A new text that matches the beginning of the old one for this long is repeating it."""

MAX_PREAMBLE_LINES = 6
"""Lines of politeness, or a fence, before the repeated line."""

REGENERATE_HINT = (
    "Regenerate it: `dce regenerate`. That keeps the same token limit; if it is too small, start a new generation with a larger one: "
    "`dce generate --max-tokens T`."
)
"""The hint for a response that cannot be continued. A regenerated response keeps its generation's `max_tokens`."""


def continuable(store: Store, generation_id: int, slot: int) -> Response:
    """The latest version of a slot, if it can be continued. Raises DceError not_found, conflict or invalid_input."""
    earlier = store.responses.get(generation_id, slot)
    what = f"response {slot} of generation {generation_id}"
    if earlier.status is Status.COMPLETE:
        raise DceError(
            "conflict", f"{what} is complete: nothing is missing", hint="`dce regenerate` replaces it by a new answer."
        )
    if earlier.status not in RESUMABLE:
        raise DceError("conflict", f"{what} is still {earlier.status}")
    if not earlier.text.strip():
        why = "ended during its thinking" if earlier.thinking else "has no text"
        raise DceError("invalid_input", f"{what} {why}: there is nothing to continue from", hint=REGENERATE_HINT)
    return earlier


class StartedOver(Exception):
    """The server started the answer over."""


class Joiner:
    """Joins the pieces of a continuation to `before`, the text so far.

    Trailing white space of `before` counts as not yet written: chat templates strip it, so the model writes it again.
    """

    def __init__(self, before: str, *, is_asked_in_words: bool) -> None:
        self._before = before.rstrip()
        self._gap = before[len(self._before) :]
        self._is_asked_in_words = is_asked_in_words
        self._held: str | None = ""

    def feed(self, piece: str) -> str:
        """The text that is known by now to follow `before`. Raises StartedOver."""
        if self._held is None:
            return piece
        self._held += piece
        echoed = self._common()
        is_echo = echoed == len(self._held) and echoed < len(self._before)
        is_short = self._is_asked_in_words and len(self._held) < JOIN_SEARCH_CHARS
        return "" if is_echo or is_short else self._decide(echoed)

    def flush(self) -> str:
        """The rest of the text, at the end of the stream. Raises StartedOver."""
        return "" if self._held is None else self._decide(self._common())

    def _common(self) -> int:
        """Length of the common prefix of the held text and `before`."""
        held = self._held or ""
        if self._before.startswith(held):
            return len(held)
        pairs = enumerate(zip(held, self._before, strict=False))
        return next((at for at, (new, old) in pairs if new != old), min(len(held), len(self._before)))

    def _decide(self, echoed: int) -> str:
        held, self._held = self._held or "", None
        if echoed == len(self._before) and echoed >= MIN_OVERLAP_CHARS:
            return held[echoed:]  # some servers send the whole answer from its beginning
        if echoed >= MIN_ECHO_CHARS:
            raise StartedOver
        return self._after_overlap(held) if self._is_asked_in_words else held

    def _after_overlap(self, held: str) -> str:
        """The held text after its overlap: the longest suffix of `before` that begins at one of the first lines of the held text."""
        tail = self._before[-JOIN_SEARCH_CHARS:]
        best = (0, 0)
        for start in _line_starts(held):
            for length in range(min(len(tail), len(held) - start), best[0], -1):
                if tail.endswith(held[start : start + length]):
                    best = (length, start + length)
                    break
        length, end = best
        last_line = tail.rpartition("\n")[2].strip()
        is_found = length >= min(MIN_OVERLAP_CHARS, max(len(last_line), 1))
        return held[end:] if is_found else self._gap + held


def _line_starts(text: str) -> list[int]:
    starts = [0]
    while len(starts) <= MAX_PREAMBLE_LINES and (end := text.find("\n", starts[-1])) >= 0:
        starts.append(end + 1)
    # The repeated line may have less or more indentation.
    indents = [start + len(text[start:]) - len(text[start:].lstrip(" \t")) for start in starts]
    return sorted({*starts, *indents})


class ContinuingProvider:
    """A provider that continues one answer: its events cover only what follows `earlier`."""

    def __init__(self, provider: Provider, earlier: Response) -> None:
        self._provider = provider
        self._earlier = earlier

    @property
    def name(self) -> str:
        """The provider's."""
        return self._provider.name

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """See `Provider.stream`; always one choice."""
        models: list[Model] = await self._provider.models()
        model = next((model for model in models if request.model in (None, "", model.id)), None)
        is_asked_in_words = model is None or not model.can_continue
        request = msgspec.structs.replace(
            request, prefix=self._earlier.text.rstrip(), is_asked_in_words=is_asked_in_words
        )
        joiner = Joiner(self._earlier.text, is_asked_in_words=is_asked_in_words)
        async with aclosing(self._provider.stream(request)) as events:
            try:
                async for event in events:
                    for joined in self._joined(joiner, event):
                        yield joined
            except StartedOver:
                yield Ended(index=0, error=_started_over().body())

    def _joined(self, joiner: Joiner, event: ProviderEvent) -> list[ProviderEvent]:
        if isinstance(event, Delta):
            gained = joiner.feed(event.text) if event.text else ""
            return [Delta(index=0, text=gained, thinking=event.thinking)] if gained or event.thinking else []
        if isinstance(event, CountUpdate):
            if not self._earlier.tokens.exact:
                return []  # the sum of an estimate and a count would be passed off as exact
            return [CountUpdate(index=0, completion_tokens=self._earlier.tokens.total + event.completion_tokens)]
        if isinstance(event, Ended):
            rest = joiner.flush()
            return [Delta(index=0, text=rest), event] if rest else [event]
        return [event]

    async def stop(self, stream_id: str, index: int | None) -> None:
        """See `Provider.stop`."""
        await self._provider.stop(stream_id, index)

    async def models(self) -> list[Model]:
        """See `Provider.models`."""
        return await self._provider.models()

    async def count(self, texts: Sequence[str]) -> list[int]:
        """See `Provider.count`."""
        return await self._provider.count(texts)


def _started_over() -> DceError:
    return DceError(
        "backend_error",
        "the model started its answer over instead of continuing it",
        hint=REGENERATE_HINT,
        hop=Hop.MODEL,
    )
