"""Providers of responses. A provider turns one request into events of N choices; `GatewayProvider` uses a DCE gateway.

What must always hold: every choice 0..n-1 ends exactly once, whatever happens to the connection (`stream_reader.py`); closing the
generator closes the connection, so that an abandoned generation stops the backend; foreign exceptions become
`DceError` in `http/faults.py`, unexpected answers in `gateway_errors.py`; no message contains a key or a prompt.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import msgspec

from dce.wire.errors import DceError
from dce.wire.urls import base_of, with_scheme
from dce.workspace.context.served_model import Model
from dce.workspace.generating.gateway_errors import GATEWAY
from dce.workspace.generating.provider_events import (
    CountUpdate,
    Delta,
    Ended,
    GenerationRequest,
    Opened,
    ProviderEvent,
    Queued,
    Waiting,
    conversation,
)
from dce.workspace.generating.request_shape import RequestShape
from dce.workspace.generating.stream_events import events_of
from dce.workspace.generating.stream_reader import StreamReader
from dce.workspace.http.link import HttpLink
from dce.workspace.http.peer import SSE

if TYPE_CHECKING:
    import httpx2

    from dce.workspace.http.client import HttpClient

__all__ = (
    "CountUpdate",
    "Delta",
    "Ended",
    "GatewayProvider",
    "GenerationRequest",
    "Opened",
    "Provider",
    "ProviderEvent",
    "Queued",
    "Waiting",
    "base_url",
)

HEARTBEAT_DEADLINE_S = 45.0
"""Longest silence: the gateway sends a comment every 15 s, so three in a row are missing."""

RESUME_DELAYS_S = (0.0, 0.1, 0.2, 0.5, 1.0)
"""Seconds before each attempt to resume a lost stream. The first is immediate, because a gateway keeps a stream for only half a
second by default; the later ones wait for a network to come back."""

MAX_TOKENIZE_AT_ONCE = 4
"""Texts counted concurrently: enough to hide the round trips, too few to crowd out generations."""

QUEUED_HEADER = "x-dce-queued"
"""Response header of a stream whose request waits in the gateway's queue."""

_SUFFIXES = ("/api/dce/proxy", "/api/dce/generate", "/v1/chat/completions", "/v1")


class Provider(Protocol):
    """A source of responses."""

    @property
    def name(self) -> str:
        """Identifies the tokenizer, so that counts can be cached."""

    def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """The events of one request. Raises DceError if it fails as a whole; closing it abandons the request."""

    async def stop(self, stream_id: str, index: int | None) -> None:
        """Stops one choice (None: all) of a stream, also of another process's. A stream that no longer exists is not an error."""

    async def models(self) -> list[Model]:
        """The served models, the default first. Raises DceError."""

    async def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text by the model's own tokenizer. Raises DceError."""


class GatewayProvider:
    """Uses a DCE gateway. Each call has its own connections, so it works from any event loop."""

    def __init__(
        self,
        url: str,
        key: str | None,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        model: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        shape: RequestShape = RequestShape(),  # noqa: B008 - frozen
    ) -> None:
        self.url = base_url(url)
        self.model = model
        self._shape = shape
        self._link = HttpLink(self.url, key, GATEWAY, HEARTBEAT_DEADLINE_S, transport, headers)
        self._default_model = ""

    def __repr__(self) -> str:
        return f"GatewayProvider({self.url!r})"

    @property
    def name(self) -> str:
        """`gateway:` and the model whose tokenizer counts: the configured one, or the default learnt from `models()`."""
        return f"gateway:{self.model or self._default_model}"

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """See `Provider.stream`. A lost stream is resumed where it broke, if the gateway still has it. Silence for
        `HEARTBEAT_DEADLINE_S` counts as a lost connection.
        """
        content = msgspec.json.encode(self._shape.apply(_body(request)))
        async with self._link.client() as client:
            async with client.answer("POST", "/api/dce/proxy", content, SSE) as answer:
                stream_id = answer.headers.get("x-dce-stream-id", "")
                if (
                    QUEUED_HEADER not in answer.headers
                ):  # otherwise frames report its position and when it leaves the queue
                    yield Opened(stream_id=stream_id)
                reader = StreamReader(request.n, GATEWAY, stream_id)
                async with aclosing(events_of(reader, answer, GATEWAY, HEARTBEAT_DEADLINE_S)) as events:
                    async for event in events:
                        yield event
            async with aclosing(self._resumed(client, stream_id, reader)) as events:
                async for event in events:
                    yield event
        for event in reader.end():
            yield event

    async def _resumed(
        self, client: "HttpClient", stream_id: str, reader: StreamReader
    ) -> AsyncGenerator[ProviderEvent, None]:
        """The rest of a lost stream, over as many connections as it takes; nothing if the gateway no longer has it."""
        delays = iter(RESUME_DELAYS_S)
        while not reader.is_done and reader.position is not None and stream_id:
            delay = next(delays, None)
            if delay is None:
                return
            await asyncio.sleep(delay)
            before = reader.position
            path = f"/api/dce/streams/{quote(stream_id, safe='')}?after={before}"
            try:
                async with client.answer("GET", path, b"", SSE) as answer:
                    reader.resume()
                    async with aclosing(events_of(reader, answer, GATEWAY, HEARTBEAT_DEADLINE_S)) as events:
                        async for event in events:
                            yield event
            except DceError as error:
                if error.code not in {"gateway_unreachable", "gateway_timeout"}:
                    return
            if reader.position != before:
                delays = iter(RESUME_DELAYS_S)

    async def stop(self, stream_id: str, index: int | None) -> None:
        """See `Provider.stop`."""
        path = f"/api/dce/streams/{quote(stream_id, safe='')}"
        path += "" if index is None else f"/choices/{index}"
        try:
            async with self._link.client() as client, client.answer("DELETE", path, b"", ""):
                pass
        except DceError as error:
            if error.code not in {"not_found", "route_not_found"}:
                raise

    async def models(self) -> list[Model]:
        """See `Provider.models`."""
        async with self._link.client() as client:
            found = [model_of(item) for item in await client.models("/v1/models")]
        self._default_model = found[0].id if found else ""
        return found

    async def count(self, texts: Sequence[str]) -> list[int]:
        """See `Provider.count`. Fetches the default model first, so that `name` identifies the tokenizer."""
        if not (self.model or self._default_model):
            await self.models()
        counts = [0] * len(texts)
        gate = asyncio.Semaphore(MAX_TOKENIZE_AT_ONCE)

        async def one(client: "HttpClient", at: int) -> None:
            async with gate:
                body = {"prompt": texts[at]} | ({"model": self.model} if self.model else {})
                value = await client.json("POST", "/tokenize", msgspec.json.encode(body))
                tokens = value.get("count")
                if not isinstance(tokens, int):
                    raise DceError("not_a_gateway", f"{self.url}/tokenize returned no token count")
                counts[at] = tokens

        async with self._link.client() as client:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for at in range(len(texts)):
                        tasks.create_task(one(client, at))
            except ExceptionGroup as group:
                raise group.exceptions[0] from None
        return counts


def base_url(url: str) -> str:
    """The gateway's base URL, even if `url` names one of its routes."""
    return base_of(with_scheme(url), _SUFFIXES)


def _body(request: GenerationRequest) -> dict[str, Any]:
    optional = {
        name: value
        for name in ("model", "max_tokens", "temperature", "seed", "reasoning_effort", "grammar")
        if (value := getattr(request, name)) is not None
    }
    return {
        **conversation(request),
        "n": request.n,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        **optional,
    }


def model_of(item: dict[str, Any]) -> Model:
    """One item of a server's list of models."""
    name, context = item.get("id"), item.get("max_model_len")
    return Model(
        id=name if isinstance(name, str) else "",
        max_model_len=context if isinstance(context, int) and context > 0 else None,
        can_continue=item.get("can_continue") is True or _takes_prefill(item),
    )


def _takes_prefill(item: dict[str, Any]) -> bool:
    """vLLM and llama.cpp accept the beginning of an answer, except for gpt-oss, whose chat format allows no prefill."""
    return item.get("owned_by") in {"vllm", "llamacpp"} and "gpt-oss" not in str(item.get("id", "")).lower()
