"""Any OpenAI-compatible server as a provider: each choice ends once, errors name the server, slots vary as requested."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from dce.wire.errors import DceError, Hop
from dce.workspace.context.served_model import Model
from dce.workspace.generating.openai_provider import MAX_AT_ONCE, MAX_WAIT_S, OpenAIProvider
from dce.workspace.generating.provider import (
    CountUpdate,
    Delta,
    Ended,
    GenerationRequest,
    Opened,
    ProviderEvent,
    Waiting,
)
from dce.workspace.generating.provider_events import Turn

Answer = Callable[[dict[str, Any]], httpx2.Response]


class _Stream(httpx2.AsyncByteStream):
    """A stream of prepared pieces; it may end by waiting forever."""

    def __init__(self, *pieces: bytes, hangs: bool = False) -> None:
        self._pieces, self._hangs = pieces, hangs

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._hangs:
            await asyncio.Event().wait()


def _chunk(text: str = "", finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + msgspec.json.encode({"choices": [choice], "model": "served", **more}) + b"\n\n"


_USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}}\n\n'
_DONE = b"data: [DONE]\n\n"


def _sse(*pieces: bytes, hangs: bool = False) -> httpx2.Response:
    stream = _Stream(*pieces, hangs=hangs)
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)


class _Server:
    """Answers with `answer`; records its requests."""

    def __init__(self, answer: Answer, models: httpx2.Response | None = None) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.urls: list[str] = []
        self._answer = answer
        self._models = models or httpx2.Response(200, json={"data": [{"id": "served", "max_model_len": 512}]})

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.urls.append(str(request.url))
        if request.method == "GET":
            return self._models
        self.bodies.append(msgspec.json.decode(request.content))
        return self._answer(self.bodies[-1])

    def provider(self, url: str = "http://server.test", model: str | None = "m", **options: Any) -> OpenAIProvider:
        return OpenAIProvider(url, "sk-secret", model=model, transport=httpx2.MockTransport(self), **options)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(100):
            return await work

    return asyncio.run(limited())


def _events(provider: OpenAIProvider, n: int = 3, **fields: Any) -> list[ProviderEvent]:
    async def collect() -> list[ProviderEvent]:
        async with aclosing(provider.stream(GenerationRequest(prompt="p", n=n, **fields))) as events:
            return [event async for event in events]

    events: list[ProviderEvent] = _run(collect())
    assert sorted(event.index for event in events if isinstance(event, Ended)) == list(range(n))
    return events


def _ends(events: list[ProviderEvent]) -> dict[int, Ended]:
    return {event.index: event for event in events if isinstance(event, Ended)}


def test_every_choice_is_a_request_of_its_own() -> None:
    """N requests are sent; each choice gets its text, the server's count before its end, and its finish_reason."""
    server = _Server(lambda _: _sse(_chunk("a"), _chunk("b", "stop"), _USAGE, _DONE))
    events = _events(server.provider())
    assert isinstance(events[0], Opened)
    for index in range(3):
        own = [event for event in events[1:] if not isinstance(event, Opened) and event.index == index]  # type: ignore[union-attr]
        assert own == [
            Delta(index=index, text="a"),
            Delta(index=index, text="b"),
            CountUpdate(index=index, completion_tokens=7, prompt_tokens=3),
            Ended(index=index, finish_reason="stop"),
        ]
    assert [body["model"] for body in server.bodies] == ["m", "m", "m"]
    assert set(server.urls) == {"http://server.test/v1/chat/completions"}


def test_slots_differ_as_was_asked() -> None:
    """Each request has the temperature and seed of its slot; unset values are not sent."""
    server = _Server(lambda _: _sse(_chunk("a", "stop"), _DONE))
    _events(server.provider(), n=2, temperatures=(0.5, 1.5), seeds=(7, 8), max_tokens=9)
    assert [(body["temperature"], body["seed"], body["max_tokens"]) for body in server.bodies] == [
        (0.5, 7, 9),
        (1.5, 8, 9),
    ]
    assert "reasoning_effort" not in server.bodies[0]


def test_a_conversation_is_sent_whole() -> None:
    """A follow-up's turns come after the prompt, in their order."""
    server = _Server(lambda _: _sse(_chunk("a", "stop"), _DONE))
    _events(server.provider(), n=1, turns=(Turn(role="assistant", text="x?"), Turn(role="user", text="x.")))
    assert [(message["role"], message["content"]) for message in server.bodies[0]["messages"]] == [
        ("user", "p"),
        ("assistant", "x?"),
        ("user", "x."),
    ]


def test_a_stream_that_just_ends_is_an_error() -> None:
    """A choice without a finish_reason is incomplete, with or without [DONE]; the error names the server."""
    answers = iter([_sse(_chunk("a"), _DONE), _sse(_chunk("a")), _sse(b"data: {broken\n\n")])
    ends = _ends(_events(_Server(lambda _: next(answers)).provider()))
    assert [end.error.code for end in ends.values() if end.error] == ["stream_interrupted"] * 2 + ["backend_error"]
    assert all(end.error and end.error.hop == Hop.BACKEND for end in ends.values())


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (401, "Incorrect API key", "backend_unauthorized"),
        (404, "The model `x` does not exist", "model_not_found"),
        (404, "Not Found", "route_not_found"),
        (400, "maximum context length is 512 tokens", "prompt_too_long"),
        (400, "bad value", "invalid_request"),
        (429, "slow down", "rate_limited"),
        (500, "boom", "backend_error"),
    ],
)
def test_refusals_are_told_apart(status: int, said: str, code: str) -> None:
    """A refused request ends its own choice with the server's message; the key is in no message."""
    refusal = {"error": {"message": said, "type": "x"}}
    provider = _Server(lambda _: httpx2.Response(status, json=refusal)).provider()
    _waits(provider)
    end = _ends(_events(provider, n=1))[0]
    assert end.error is not None
    assert (end.error.code, end.error.hop) == (code, Hop.BACKEND)
    assert said in end.error.message
    assert "sk-secret" not in end.error.message


def test_one_can_be_stopped_alone_and_the_rest_at_once() -> None:
    """A stopped choice keeps its text and ends as stopped; the others continue until they are stopped too."""
    provider = _Server(lambda _: _sse(_chunk("a"), hangs=True)).provider()

    async def work() -> list[ProviderEvent]:
        seen: list[ProviderEvent] = []
        async with aclosing(provider.stream(GenerationRequest(prompt="p", n=3))) as events:
            async for event in events:
                seen.append(event)
                deltas = sum(isinstance(one, Delta) for one in seen)
                ends = sum(isinstance(one, Ended) for one in seen)
                assert isinstance(seen[0], Opened)
                if isinstance(event, Delta) and deltas == 3:
                    await provider.stop(seen[0].stream_id, 1)
                elif isinstance(event, Ended) and ends == 1:
                    assert event == Ended(index=1, finish_reason="stopped")
                    await provider.stop(seen[0].stream_id, None)
        return seen

    ends = _ends(_run(work()))
    assert [end.finish_reason for end in ends.values()] == ["stopped"] * 3


def test_a_stream_that_is_closed_leaves_nothing() -> None:
    """A consumer that leaves mid-stream, or before the first event, leaves no task behind."""
    provider = _Server(lambda _: _sse(*[_chunk("a")] * 3000, hangs=True)).provider()

    async def work(taken: int) -> int:
        stream = provider.stream(GenerationRequest(prompt="p", n=MAX_AT_ONCE + 2))
        for _ in range(taken):
            await anext(stream)
        await asyncio.sleep(0)
        await stream.aclose()
        return len(asyncio.all_tasks()) - 1  # except this one

    assert [_run(work(taken)) for taken in (1, 2, 500)] == [0, 0, 0]


def test_a_stream_of_another_process_is_not_stopped_in_silence() -> None:
    """Stopping another process's stream is a conflict, since it owns the connections; a finished one of this process is no error."""
    provider = _Server(lambda _: _sse()).provider()
    with pytest.raises(DceError) as caught:
        _run(provider.stop("1-abcd", None))
    assert caught.value.code == "conflict"


def test_models_are_listed_and_the_first_is_the_default() -> None:
    """If no model is set, the first of the list is used; a server without a list has the configured one."""
    server = _Server(lambda _: _sse(_chunk("a", "stop"), _DONE))
    provider = server.provider(model=None)
    assert _run(provider.models()) == [Model(id="served", max_model_len=512)]
    _events(provider, n=1)
    assert server.bodies[0]["model"] == "served"
    bare = _Server(lambda _: _sse(), models=httpx2.Response(404, json={"detail": "Not Found"}))
    assert _run(bare.provider().models()) == [Model(id="m")]
    with pytest.raises(DceError):
        _run(bare.provider(model=None).models())


@pytest.mark.parametrize(
    ("answer", "counts"), [({"count": 5}, [5, 5]), ({"tokens": [1, 2]}, [2, 2]), ({"tokens": []}, None), ({}, None)]
)
def test_counts_are_the_servers_or_none(answer: dict[str, Any], counts: list[int] | None) -> None:
    """Answers of vLLM and llama.cpp are understood; anything that is not a count raises, so that an estimate is used."""
    server = _Server(lambda _: httpx2.Response(200, json=answer))
    provider = server.provider()
    if counts is None:
        with pytest.raises(DceError):
            _run(provider.count(["a", "b"]))
        return
    assert _run(provider.count(["a", "b"])) == counts
    assert server.urls[0] == "http://server.test/tokenize"


@pytest.mark.parametrize("pieces", [(_chunk("a"), _chunk("", "stop"), _USAGE), (_chunk("a", "stop"),)])
def test_a_connection_that_stays_open_after_the_reason_is_not_waited_for(
    pieces: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a finish_reason without [DONE] and a short silence on an open connection, the response is complete."""
    monkeypatch.setattr("dce.workspace.generating.stream_events.SETTLE_S", 0.0)
    ends = _ends(_events(_Server(lambda _: _sse(*pieces, hangs=True)).provider(), n=2))
    assert [(end.finish_reason, end.error) for end in ends.values()] == [("stop", None)] * 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda: httpx2.Response(200, json={"error": "CUDA out of memory"}), "CUDA out of memory"),
        (lambda: httpx2.Response(400, json={"object": "error", "message": "no such thing"}), "no such thing"),
        (lambda: httpx2.Response(422, json={"detail": [{"loc": ["n"], "msg": "must be 1"}]}), "n: must be 1"),
        (lambda: httpx2.Response(500, text="Internal Server Error"), "Internal Server Error"),
        (lambda: _sse(b"upstream said no\n"), "upstream said no"),
    ],
)
def test_errors_of_any_shape_are_told(answer: Callable[[], httpx2.Response], says: str) -> None:
    """A server's error message is reported, whatever its shape."""
    end = _ends(_events(_Server(lambda _: answer()).provider(), n=1))[0]
    assert end.error is not None
    assert says in end.error.message


def test_the_context_error_of_older_servers_is_one() -> None:
    """vLLM before 0.10.1 and SGLang put the message beside `object`; the error is a prompt that is too long, not an invalid request."""
    body = (Path(__file__).parents[1] / "fixtures/faults/19-errors-of-other-shapes-lost/vllm400.json").read_bytes()
    answer = httpx2.Response(400, content=body, headers={"content-type": "application/json"})
    end = _ends(_events(_Server(lambda _: answer).provider(), n=1))[0]
    assert end.error is not None
    assert end.error.code == "prompt_too_long"
    assert "4096" in end.error.message


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "application/octet-stream", "Text/Event-Stream", ""])
def test_a_stream_is_read_under_any_name(kind: str) -> None:
    """An event stream sent as plain text, as bytes, or without a media type is read like any other; what is none is told."""
    headers = {"content-type": kind} if kind else {}
    bodies = iter([(_chunk("a"), _chunk("", "stop"), _DONE), (b"upstream is asleep",)])
    server = _Server(lambda _: httpx2.Response(200, headers=headers, stream=_Stream(*next(bodies))))
    provider = server.provider()
    events = _events(provider, n=1)
    assert [event.text for event in events if isinstance(event, Delta)] == ["a"]
    assert _ends(events)[0] == Ended(index=0, finish_reason="stop")
    error = _ends(_events(provider, n=1))[0].error
    assert error is not None
    assert "upstream is asleep" in error.message


def _waits(provider: OpenAIProvider) -> list[float]:
    """Records a provider's waits, which then take no time."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    provider._sleep = sleep  # type: ignore[assignment]
    return waits


def test_a_busy_server_is_asked_again() -> None:
    """After 429 with Retry-After, or 503 while the model loads, the request is sent again and nothing is lost."""
    answers = iter(
        [
            httpx2.Response(429, headers={"retry-after": "7"}, json={"error": {"message": "slow down"}}),
            httpx2.Response(503, json={"error": {"message": "Loading model"}}),
            _sse(_chunk("a", "stop"), _DONE),
        ]
    )
    provider = _Server(lambda _: next(answers)).provider()
    waits = _waits(provider)
    events = _events(provider, n=1)
    assert _ends(events)[0].error is None
    assert waits == [7.0, 2.0]
    assert [event for event in events if isinstance(event, Waiting)] == [
        Waiting(index=0, why="the server is busy", retry_in_s=7.0),
        Waiting(index=0, why="the server is loading its model or not ready", retry_in_s=2.0),
    ]
    assert sum(isinstance(event, Delta) for event in events) == 1


def test_a_server_that_stays_busy_is_not_asked_for_ever() -> None:
    """The waits are bounded, even for a very long Retry-After; then the refusal is reported."""
    for headers in ({}, {"retry-after": "3600"}):
        server = _Server(lambda _, headers=headers: httpx2.Response(429, headers=headers, json={"detail": "slow down"}))  # type: ignore[misc]
        provider = server.provider()
        waits = _waits(provider)
        error = _ends(_events(provider, n=1))[0].error
        assert error is not None
        assert (error.code, "slow down" in error.message) == ("rate_limited", True)
        assert sum(waits) <= MAX_WAIT_S
        assert ("3600 s" in error.hint) is bool(headers)
