"""Ledger rows of a request that has ended. Pure: from what the stream or relay kept, and who ended it."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from dce.gateway.access.admission import BYTES_PER_TOKEN
from dce.gateway.accounting.counts import total
from dce.gateway.accounting.ledger import EndedBy, Entry, Exactness, Outcome
from dce.gateway.streaming.streams import Choice, ChoiceState, Stream
from dce.gateway.streaming.tail import Tail
from dce.wire.chat import Usage
from dce.wire.errors import DceError, Hop

_REASON = re.compile(r"[a-z_]{1,40}")
_GONE: dict[EndedBy, str] = {"client": "gone", "gateway": "draining", "backend": "", "model": ""}


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The fields shared by all rows of a request. `began_at` is on the loop's clock, `started_at` in seconds since the epoch."""

    request_id: str
    key_id: str
    route: str
    model: str
    text_bytes: int
    began_at: float
    started_at: float


class RelayResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one relayed answer. `frames`: events forwarded; `first_at`: time of the first, on the loop's clock."""

    n: int
    backend: str
    tail: Tail = Tail()
    frames: int = 0
    first_at: float | None = None
    is_whole: bool = False
    """Whether the answer is complete."""
    fault: DceError | None = None


def stream_entries(
    facts: RequestFacts,
    stream: Stream,
    backend_of: Callable[[int], str],
    now: float,
    by: EndedBy,
    fault: DceError | None = None,
) -> list[Entry]:
    """One row per choice. An open choice ends now: `by` someone, or with the `fault` that ended the whole request."""
    each = stream.counts()
    whole = total(each)
    is_estimated = not whole.prompt_tokens and any(not count.is_known for count in each)
    prompt = facts.text_bytes // BYTES_PER_TOKEN if is_estimated else whole.prompt_tokens
    entries = []
    for choice, count in zip(stream.choices, each, strict=True):
        is_first = choice.index == 0
        outcome, reason, ended_by = _end(choice, by, fault)
        entries.append(
            Entry(
                **_shared(facts, stream.id, backend_of(choice.index)),
                choice=choice.index,
                prompt_tokens=prompt if is_first else 0,
                cached_tokens=whole.cached_tokens if is_first else 0,
                thinking_tokens=count.usage.thinking_tokens,
                completion_tokens=count.usage.completion_tokens,
                exactness=count.exactness,
                ttft_s=None if choice.first_at is None else choice.first_at - facts.began_at,
                duration_s=(now if choice.ended_at is None else choice.ended_at) - facts.began_at,
                outcome=outcome,
                finish_reason=reason,
                ended_by=ended_by,
            )
        )
    return entries


def relay_entry(facts: RequestFacts, relayed: RelayResult, now: float, by: EndedBy) -> Entry:
    """The single row of a relayed request, for all its responses."""
    usage, exactness = _relayed_usage(facts, relayed)
    outcome, reason, ended_by = _relayed_end(relayed, by)
    return Entry(
        **_shared(facts, facts.request_id, relayed.backend),
        choice=0,
        responses=relayed.n,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        thinking_tokens=usage.thinking_tokens,
        completion_tokens=usage.completion_tokens,
        exactness=exactness,
        ttft_s=None if relayed.first_at is None else relayed.first_at - facts.began_at,
        duration_s=now - facts.began_at,
        outcome=outcome,
        finish_reason=reason,
        ended_by=ended_by,
    )


def _shared(facts: RequestFacts, stream_id: str, backend: str) -> dict[str, Any]:
    return {
        "stream_id": stream_id,
        "request_id": facts.request_id,
        "key_id": facts.key_id,
        "model": facts.model,
        "backend": backend,
        "route": facts.route,
        "started_at": facts.started_at,
    }


def _end(choice: Choice, by: EndedBy, fault: DceError | None) -> tuple[Outcome, str, EndedBy]:
    if choice.state is ChoiceState.FINISHED:
        return "finished", _plain(choice.finish_reason), "model"
    if choice.state is ChoiceState.STOPPED:
        return "stopped", "stopped", "client"
    error = choice.error or fault
    if error is not None:
        return "lost", error.code, _culprit(error)
    return "stopped", _GONE[by], by


def _relayed_end(relayed: RelayResult, by: EndedBy) -> tuple[Outcome, str, EndedBy]:
    if relayed.is_whole:
        return "finished", relayed.tail.finish_reason, "model"
    if relayed.fault is not None:
        return "lost", relayed.fault.code, _culprit(relayed.fault)
    return "stopped", _GONE[by], by


def _culprit(error: DceError) -> EndedBy:
    """Who ended a lost response: the gateway, or the backend (also by refusing the request)."""
    return "gateway" if error.hop is Hop.GATEWAY else "backend"


def _relayed_usage(facts: RequestFacts, relayed: RelayResult) -> tuple[Usage, Exactness]:
    usage = relayed.tail.usage
    if usage is not None and relayed.is_whole and usage.prompt_tokens:
        return usage, "exact"
    if usage is not None and relayed.n == 1:
        return usage, "running"
    if not relayed.frames and not relayed.is_whole:
        return Usage(), "exact" if relayed.fault is not None else "running"
    # Each response begins with an event that carries no token.
    events = max(0, relayed.frames - relayed.n)
    reported = usage or Usage()
    return (
        Usage(
            prompt_tokens=reported.prompt_tokens or facts.text_bytes // BYTES_PER_TOKEN,
            completion_tokens=reported.completion_tokens
            if usage and relayed.is_whole
            else max(events, reported.completion_tokens),
        ),
        "estimated",
    )


def _plain(reason: str) -> str:
    """A backend's finish reason if it is a single word: free text does not belong in the ledger."""
    return reason if _REASON.fullmatch(reason) else "other"
