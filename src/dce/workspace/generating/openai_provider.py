"""A provider for any OpenAI-compatible server: N requests for one answer each, sent from here.

What must always hold: as for every provider (`provider.py`), each choice ends exactly once and closing the stream closes every
connection; at most `MAX_AT_ONCE` requests are in flight; a failed request ends only its own choice.
"""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from dce.wire.errors import DceError, Hop
from dce.wire.refusals import Refusals
from dce.wire.urls import base_of, with_scheme
from dce.workspace.context.served_model import Model
from dce.workspace.generating.openai_errors import SERVER
from dce.workspace.generating.provider import model_of
from dce.workspace.generating.provider_events import (
    CountUpdate,
    Delta,
    Ended,
    GenerationRequest,
    Opened,
    ProviderEvent,
    Waiting,
    conversation,
)
from dce.workspace.generating.request_shape import RequestShape, advice
from dce.workspace.generating.stream_events import events_of
from dce.workspace.generating.stream_reader import StreamReader
from dce.workspace.http.link import HttpLink
from dce.workspace.http.peer import SSE

if TYPE_CHECKING:
    import httpx2

MAX_AT_ONCE = 10
"""Maximum requests in flight: the ten answers of a usual generation, without flooding a shared server."""

SILENCE_S = 600.0
"""Longest silence, in seconds. These servers send no heartbeat while they process a long prompt or think."""

QUEUED_EVENTS = 1000
"""Maximum queued events. Beyond that the connections wait, so that a slow consumer costs no memory."""

FIRST_WAIT_S = 1.0
"""Wait before retrying a busy server that sends no Retry-After; doubled each time."""

MAX_WAIT_S = 120.0
"""Longest total wait of a response for a busy server: a model loads in a minute or two."""

_BUSY = frozenset({"rate_limited", "no_healthy_backend"})
"""Errors sent before any output: 429, and 503 from a server that is loading its model."""

_ROUTES = ("/chat/completions", "/completions", "/models", "/responses")
_ROOT = re.compile(r"v\d+[a-z0-9]*|openai", re.IGNORECASE)
_OWNER_OF_GRAMMAR = ("vllm", "llamacpp")
"""Values of `owned_by` in the list of models for servers that accept a grammar. Others are sent none."""


class OpenAIProvider:
    """The server at `url`. Streams can be stopped from the process that runs them."""

    def __init__(
        self,
        url: str,
        key: str | None,
        model: str | None = None,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        shape: RequestShape = RequestShape(),  # noqa: B008 - frozen
    ) -> None:
        self.url, self._query = api_of(url)
        self.model = model
        self._shape = shape
        self._refusals = Refusals(shape.extra_body)
        self._link = HttpLink(self.url, key, SERVER, SILENCE_S, transport, headers)
        self._default_model = ""
        self._owner = ""
        self._sleep = asyncio.sleep
        self._running: dict[str, dict[int, asyncio.Task[None]]] = {}

    def __repr__(self) -> str:
        return f"OpenAIProvider({self.url!r})"

    @property
    def name(self) -> str:
        """`openai:`, host and model: identifies the tokenizer."""
        return f"openai:{urlsplit(self.url).netloc}:{self.model or self._default_model}"

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """See `Provider.stream`."""
        model = request.model or self.model or await self._first_model()
        stream_id = f"{os.getpid()}-{secrets.token_hex(4)}"
        events: asyncio.Queue[ProviderEvent] = asyncio.Queue(QUEUED_EVENTS)
        gate = asyncio.Semaphore(MAX_AT_ONCE)
        tasks = {
            index: asyncio.create_task(self._choice(request, model, index, gate, events)) for index in range(request.n)
        }
        self._running[stream_id] = tasks
        await asyncio.sleep(0)  # let each task start: one cancelled before its start would send no end
        try:
            yield Opened(stream_id=stream_id, model=model)
            for_end = set(tasks)
            while for_end:
                event = await events.get()
                if isinstance(event, Ended):
                    for_end.discard(event.index)
                yield event
        finally:
            del self._running[stream_id]
            await _close(tasks.values(), events)

    async def stop(self, stream_id: str, index: int | None) -> None:
        """See `Provider.stop`. Raises DceError conflict for another process's stream: this process does not have its connections."""
        tasks = self._running.get(stream_id)
        if tasks is None:
            pid = stream_id.partition("-")[0]
            if pid != str(os.getpid()):
                raise DceError(
                    "conflict",
                    f"process {pid} is connected to the server itself, so only that process can stop it",
                    hint="`dce stop` leaves a stop request for it.",
                )
            return
        for at, task in tasks.items():
            if index in (None, at):
                task.cancel()

    async def models(self) -> list[Model]:
        """See `Provider.models`. A server without such a list has the configured model, if there is one."""
        try:
            async with self._link.client() as client:
                items = await client.models(f"/models{self._query}")
        except DceError as error:
            if error.code == "route_not_found" and self.model:
                return [Model(id=self.model)]
            raise
        self._owner = str(items[0].get("owned_by", "")) if items else ""
        found = [model_of(item) for item in items]
        self._default_model = found[0].id if found else ""
        return found

    async def count(self, texts: Sequence[str]) -> list[int]:
        """See `Provider.count`. Uses `/tokenize`, which vLLM and llama.cpp offer next to `/v1`; raises DceError if it is missing."""
        model = self.model or await self._first_model()
        path = f"{re.sub(r'/v[0-9]+$', '', self.url)}/tokenize{self._query}"
        counts = []
        async with self._link.client() as client:
            for text in texts:
                # vLLM reads `prompt`, llama.cpp reads `content`; each ignores the other.
                body = msgspec.json.encode({"model": model, "prompt": text, "content": text})
                value = await client.json("POST", path, body)
                tokens = value.get("count", len(value["tokens"]) if isinstance(value.get("tokens"), list) else None)
                if not isinstance(tokens, int) or (text and not tokens):
                    raise DceError("backend_error", f"{path} returned no token count", hop=Hop.BACKEND)
                counts.append(tokens)
        return counts

    async def _first_model(self) -> str:
        if not self._default_model:
            await self.models()
        if not self._default_model:
            raise DceError("no_healthy_backend", f"{self.url} lists no model", hop=Hop.BACKEND)
        return self._default_model

    async def _choice(
        self,
        request: GenerationRequest,
        model: str,
        index: int,
        gate: asyncio.Semaphore,
        events: asyncio.Queue[ProviderEvent],
    ) -> None:
        """Streams one answer to its single end. Cancellation stops it; a closing stream accepts no more events."""
        end = Ended(index=index, finish_reason="stopped")
        try:
            async with gate:
                async for event in self._with_retries(self._body(request, model, index)):
                    if isinstance(event, Ended):
                        end = msgspec.structs.replace(event, index=index)
                    elif isinstance(event, Delta | CountUpdate | Waiting):
                        await events.put(msgspec.structs.replace(event, index=index))
        except DceError as error:
            end = Ended(index=index, error=error.body())
        except asyncio.CancelledError:
            pass  # keep what came; the end says that it was stopped
        except Exception as error:  # noqa: BLE001 - a choice without an end would be awaited for ever
            fault = DceError("internal", f"DCE failed: {type(error).__name__}", hop=Hop.CLIENT)
            end = Ended(index=index, error=fault.body())
        try:
            await events.put(end)
        except asyncio.CancelledError:  # stopped too late: it had already ended
            await events.put(end)

    async def _with_retries(self, body: dict[str, Any]) -> AsyncIterator[ProviderEvent]:
        """Like `_answer`, but retries a server that is busy or loading its model, for up to `MAX_WAIT_S` in total, and one that refuses
        a field that DCE can name otherwise or do without."""
        waited, delay = 0.0, FIRST_WAIT_S
        refused: DceError | None = None
        while True:
            sent = self._refusals.apply(body)
            try:
                async for event in self._answer(msgspec.json.encode(sent)):
                    yield event
            except DceError as error:  # raised before the first byte only: the reader handles later faults
                if error.code == "invalid_request":
                    if not self._refusals.retries(body, sent, error.message, is_again=refused is not None):
                        raise _advised(refused or error, body) from None
                    refused = refused or error
                    continue
                wait = delay if error.retry_after_s is None else max(error.retry_after_s, FIRST_WAIT_S)
                if error.code not in _BUSY or waited + wait > MAX_WAIT_S:
                    raise
                busy = error
            else:
                return
            yield Waiting(index=0, why=_why(busy), retry_in_s=wait)
            await self._sleep(wait)
            waited, delay = waited + wait, 2 * delay

    async def _answer(self, content: bytes) -> AsyncIterator[ProviderEvent]:
        """The events of one request, with its end last, after the server's own count."""
        end: Ended | None = None
        async with aclosing(self._streamed(content)) as events:
            async for event in events:
                if isinstance(event, Ended):
                    end = event
                else:
                    yield event
        if end is not None:
            yield end

    async def _streamed(self, content: bytes) -> AsyncGenerator[ProviderEvent, None]:
        reader = StreamReader(1, SERVER, has_final_usage=True)
        async with (
            self._link.client() as client,
            client.answer("POST", f"/chat/completions{self._query}", content, SSE) as answer,
            aclosing(events_of(reader, answer, SERVER, SILENCE_S)) as events,
        ):
            async for event in events:
                yield event
        for event in reader.end():
            yield event

    def _body(self, request: GenerationRequest, model: str, index: int) -> dict[str, Any]:
        temperature = request.temperatures[index] if request.temperatures else request.temperature
        seed = request.seeds[index] if request.seeds else request.seed
        optional: dict[str, Any] = {
            "max_tokens": request.max_tokens,
            "temperature": temperature,
            "seed": seed,
            "reasoning_effort": request.reasoning_effort,
        }
        if request.grammar and self._owner in _OWNER_OF_GRAMMAR:
            is_vllm = self._owner == "vllm"
            optional |= (
                {"structured_outputs": {"grammar": request.grammar}} if is_vllm else {"grammar": request.grammar}
            )
        body = {
            "model": model,
            **conversation(request),
            "stream": True,
            "stream_options": {"include_usage": True},
            **{name: value for name, value in optional.items() if value is not None},
        }
        return self._shape.apply(body)


def _advised(error: DceError, body: Mapping[str, Any]) -> DceError:
    """A refusal with the advice that fits the field it names."""
    hint = advice(body, error.message)
    return DceError(error.code, error.message, hint=hint or error.hint, hop=error.hop)


def _why(refusal: DceError) -> str:
    return "the server is busy" if refusal.code == "rate_limited" else "the server is loading its model or not ready"


def api_of(url: str) -> tuple[str, str]:
    """The API root (`…/v1`) and the query (`?…`) for a URL in any form: the server's base, the root, or one of its routes in full, with or
    without scheme and query. The full URL of a route is used as it is; a base gets `/v1`."""
    base, mark, query = with_scheme(url).partition("?")
    base = base.rstrip("/")
    root = base_of(base, _ROUTES)
    is_root = root != base or _ROOT.fullmatch(urlsplit(root).path.rpartition("/")[2])
    return root if is_root else f"{root}/v1", mark + query


async def _close(tasks: Iterable[asyncio.Task[None]], events: asyncio.Queue[ProviderEvent]) -> None:
    """Cancels running tasks and waits for them. Drains the queue meanwhile, because nobody reads their last events any more."""
    pending = {task for task in tasks if not task.done()}
    for task in pending:
        task.cancel()
    while pending:
        while not events.empty():
            events.get_nowait()
        _, pending = await asyncio.wait(pending, timeout=0.05)
