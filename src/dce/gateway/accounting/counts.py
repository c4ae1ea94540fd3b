"""Token counts of each choice of a stream, from what the backends reported. Pure; computed once, when the stream has ended.

The usage sent to the client is the sum of these, so the ledger agrees with what clients were told.
"""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from dce.gateway.accounting.ledger import Exactness
from dce.wire.chat import BadChunk, Usage, read_chunks


class Counted(Protocol):
    """A choice, as far as counting needs it."""

    index: int
    last_frame: bytes
    usage: Usage | None
    """The backend's final count for this choice alone."""

    @property
    def is_finished(self) -> bool:
        """Whether the model ended it."""


class Carrier(Protocol):
    """A backend request, as far as counting needs it."""

    indices: tuple[int, ...]
    sum: Usage | None
    """The backend's final count over all choices of the request."""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """One choice's tokens. `is_known`: the backend reported a count, so it is part of the usage the client was told."""

    usage: Usage = Usage()
    exactness: Exactness = "exact"
    is_known: bool = True


def counts(parts: Iterable[Carrier], choices: Sequence[Counted], frames: int) -> list[Count]:
    """The count of each choice. One that sent frames but no count is estimated by its share of the stream's `frames`."""
    found: dict[int, Count] = {}
    for part in parts:
        mine = [choices[index] for index in part.indices]
        known = {choice.index: _count(choice, frames // len(choices)) for choice in mine}
        found.update(known if part.sum is None else _shared(part.sum, known))
    return [found[choice.index] for choice in choices]


def total(each: Iterable[Count]) -> Usage:
    """The usage the client is told: the sum of the answers, the prompt once."""
    known = [count.usage for count in each if count.is_known]
    return Usage(
        prompt_tokens=max((usage.prompt_tokens for usage in known), default=0),
        completion_tokens=sum(usage.completion_tokens for usage in known),
        cached_tokens=max((usage.cached_tokens for usage in known), default=0),
        thinking_tokens=sum(usage.thinking_tokens for usage in known),
    )


def _count(choice: Counted, frames: int) -> Count:
    if choice.usage is not None:
        return Count(usage=choice.usage)
    if not choice.last_frame:
        return Count()
    running = _running(choice.last_frame)
    if running is not None:
        return Count(usage=running, exactness="exact" if choice.is_finished else "running")
    return Count(usage=Usage(completion_tokens=frames), exactness="estimated", is_known=False)


def _running(frame: bytes) -> Usage | None:
    """The running count in a choice's last frame."""
    with contextlib.suppress(BadChunk):
        usages = [chunk.usage for chunk in read_chunks(frame.decode("utf-8", "replace"))]
        return next((usage for usage in reversed(usages) if usage is not None), None)
    return None


def _shared(whole: Usage, known: dict[int, Count]) -> dict[int, Count]:
    """Divides a sum over several choices: each keeps its running count, the first also gets the rest."""
    each = {index: count.usage if count.is_known else Usage() for index, count in known.items()}
    rest = whole.completion_tokens - sum(usage.completion_tokens for usage in each.values())
    first = min(each)
    own = each[first]
    each[first] = msgspec.structs.replace(
        whole,
        completion_tokens=max(0, own.completion_tokens + rest),
        thinking_tokens=max(0, whole.thinking_tokens - sum(usage.thinking_tokens for usage in each.values()))
        + own.thinking_tokens,
    )
    return {index: Count(usage=usage) for index, usage in each.items()}
