"""The gateway provider over real sockets: each choice ends once, each failure names its hop, no secret is shown."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any

import httpx2
import msgspec
import pytest

from dce.wire.errors import DceError, Hop
from dce.workspace.context.served_model import Model
from dce.workspace.generating.provider import (
    CountUpdate,
    Delta,
    Ended,
    GatewayProvider,
    GenerationRequest,
    Opened,
    ProviderEvent,
    Queued,
    Waiting,
    base_url,
)
from tests.fakes.gateway import DONE, END, FakeGateway, Step, frame, head, json_answer, piece, stream_head

KEY = "dce_sk_0123456789abcdef"
PROMPT = "the secret plan"


def _request(n: int = 2, **fields: Any) -> GenerationRequest:
    return GenerationRequest(prompt=PROMPT, n=n, **fields)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(100):
            return await work

    return asyncio.run(limited())


async def _collect(provider: GatewayProvider, request: GenerationRequest) -> list[ProviderEvent]:
    async with aclosing(provider.stream(request)) as events:
        return [event async for event in events]


def _stream(*script: Step, n: int = 2) -> list[ProviderEvent]:
    """The events of one answer."""

    async def work() -> list[ProviderEvent]:
        async with FakeGateway.serve(script) as gateway:
            return await _collect(GatewayProvider(gateway.url, KEY), _request(n))

    events: list[ProviderEvent] = _run(work())
    ends = [event.index for event in events if isinstance(event, Ended)]
    assert sorted(ends) == list(range(n)), "each choice ends exactly once"
    return events


def _failure(*script: Step) -> DceError:
    """The error of an answer that is not a stream."""
    with pytest.raises(DceError) as caught:
        _stream(*script)
    error = caught.value
    assert KEY not in error.message + error.hint
    assert PROMPT not in error.message + error.hint
    assert error.hint
    return error


def _ends(events: list[ProviderEvent]) -> dict[int, tuple[str, str, str]]:
    """Choice → finish_reason, code and hop of its end."""
    return {
        event.index: (
            event.finish_reason,
            event.error.code if event.error else "",
            event.error.hop if event.error else "",
        )
        for event in events
        if isinstance(event, Ended)
    }


def test_a_good_stream_is_told_in_order() -> None:
    """Stream id, model, deltas, each choice's counts and ends arrive as the gateway sent them, once each."""
    events = _stream(
        stream_head("abc"),
        frame(0, thinking="hm", tokens=1),
        frame(1, "é🦊", tokens=2),
        frame(0, "x", tokens=3, finish_reason="stop"),
        piece(b": heartbeat\n\n"),
        frame(1, finish_reason="length"),
        piece(b'data: {"choices":[],"usage":{"completion_tokens":9}}\n\n'),
        DONE,
    )
    assert events == [
        Opened(stream_id="abc"),
        Opened(stream_id="abc", model="fake"),
        Delta(index=0, thinking="hm"),
        CountUpdate(index=0, completion_tokens=1),
        Delta(index=1, text="é🦊"),
        CountUpdate(index=1, completion_tokens=2),
        Delta(index=0, text="x"),
        CountUpdate(index=0, completion_tokens=3),
        Ended(index=0, finish_reason="stop"),
        Ended(index=1, finish_reason="length"),
    ]


def queued(position: int) -> bytes:
    """A frame with only the queue position."""
    value = {"id": "s1", "object": "chat.completion.chunk", "choices": [], "queued": {"position": position}}
    return piece(b"data: " + msgspec.json.encode(value) + b"\n\n")


QUEUED_HEAD = head(extra="x-dce-stream-id: s1\r\nx-dce-queued: 2\r\ntransfer-encoding: chunked\r\n")


def test_a_request_that_waits_says_its_place_until_its_turn() -> None:
    """While the gateway makes it wait, nothing is opened and the positions are reported; then the stream continues as usual."""
    events = _stream(QUEUED_HEAD, queued(2), queued(1), queued(0), frame(0, "x", finish_reason="stop"), DONE, n=1)
    assert events == [
        Queued(position=2),
        Queued(position=1),
        Opened(stream_id="s1"),
        Opened(stream_id="s1", model="fake"),
        Delta(index=0, text="x"),
        Ended(index=0, finish_reason="stop"),
    ]


def test_a_busy_backend_is_told_by_the_gateway() -> None:
    """Which responses wait, why and how long; garbage in the notice, and choices that nobody asked for, cost nothing."""

    def busy(notice: object) -> bytes:
        value = {"id": "s1", "model": "m", "choices": [], "busy": notice}
        return piece(b"data: " + msgspec.json.encode(value) + b"\n\n")

    events = _stream(
        stream_head("s1"),
        busy({"choices": [1, 0, 7, "x"], "message": "the backend is busy", "retry_in_s": 4}),
        busy({"choices": [0], "message": 3, "retry_in_s": -1}),
        busy({"choices": 1}),
        busy({}),
        frame(0, "x", finish_reason="stop"),
        frame(1, "y", finish_reason="stop"),
        DONE,
    )
    assert [event for event in events if isinstance(event, Waiting)] == [
        Waiting(index=1, why="the backend is busy", retry_in_s=4.0),
        Waiting(index=0, why="the backend is busy", retry_in_s=4.0),
        Waiting(index=0, why="", retry_in_s=0.0),
    ]
    assert [event.finish_reason for event in events if isinstance(event, Ended)] == ["stop", "stop"]


def test_a_request_that_waited_in_vain_fails_as_the_gateway_says() -> None:
    """An error after the positions ends every choice with that error."""
    error = {"message": "waited", "type": "rate_limit_error", "code": "queue_full", "hop": "gateway", "hint": "later"}
    said = piece(b"data: " + msgspec.json.encode({"error": error}) + b"\n\n")
    events = _stream(QUEUED_HEAD, queued(2), said, END)
    assert _ends(events) == dict.fromkeys(range(2), ("", "queue_full", "gateway"))


def test_the_request_is_what_the_gateway_expects() -> None:
    """One POST has the prompt, n, streaming with usage, the key only in its header, and only the fields that are set."""

    async def work() -> None:
        script = [stream_head(), frame(0, finish_reason="stop"), DONE]
        async with FakeGateway.serve(script) as gateway:
            await _collect(GatewayProvider(gateway.url, KEY), _request(1))
            full = _request(1, model="m", max_tokens=5, temperature=0.0, seed=7, reasoning_effort="low", grammar="root")
            await _collect(GatewayProvider(gateway.url, None), full)
        first, second = gateway.asked
        assert (first.method, first.path) == ("POST", "/api/dce/proxy")
        assert first.headers["authorization"] == f"Bearer {KEY}"
        assert "authorization" not in second.headers
        always = {
            "messages": [{"role": "user", "content": PROMPT}],
            "n": 1,
            "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        }
        assert msgspec.json.decode(first.body) == always
        assert msgspec.json.decode(second.body) == always | {
            "model": "m",
            "max_tokens": 5,
            "temperature": 0.0,
            "seed": 7,
            "reasoning_effort": "low",
            "grammar": "root",
        }

    _run(work())


def test_a_stream_in_single_bytes_reads_the_same() -> None:
    """However the bytes are split, even inside characters and field names, the events are the same."""
    frames = [frame(0, "é🦊", tokens=2), frame(1, "b", finish_reason="stop"), frame(0, finish_reason="stop")]
    payload = b"".join(data.split(b"\r\n", 1)[1][:-2] for data in frames).replace(b"\n", b"\r\n")
    bytewise = b"".join(piece(payload[at : at + 1]) for at in range(len(payload)))
    assert _stream(stream_head(), bytewise, DONE) == _stream(stream_head(), *frames, DONE)


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        ([DONE], "stream_interrupted"),
        ([END], "stream_interrupted"),
        ([], "stream_interrupted"),
        ([b"zz\r\nno chunk\r\n"], "stream_interrupted"),
        ([piece(b"data: this is no JSON\n\n"), DONE], "not_a_gateway"),
    ],
    ids=["done", "end", "cut", "broken framing", "garbage"],
)
def test_what_has_no_finish_reason_is_not_complete(tail: list[bytes], code: str) -> None:
    """[DONE] without a reason, an early end, a cut connection, broken framing and garbage are errors of the hop gateway."""
    events = _stream(stream_head(), frame(0, "a", finish_reason="stop"), frame(1, "half"), *tail)
    assert _ends(events) == {0: ("stop", "", ""), 1: ("", code, "gateway")}
    assert Delta(index=1, text="half") in events


def test_an_end_before_garbage_in_the_same_packet_is_kept() -> None:
    """A choice that ended well is not affected by an error in the same bytes."""
    good = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    events = _stream(stream_head(), piece(good + b"data: garbage\n\n"), END)
    assert _ends(events)[0] == ("stop", "", "")


def test_a_last_frame_without_its_blank_line_counts() -> None:
    """If a stream ends right after its last line, that line still counts."""
    events = _stream(
        stream_head(), piece(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n'), END, n=1
    )
    assert _ends(events) == {0: ("stop", "", "")}


def test_a_failed_choice_carries_its_error() -> None:
    """A choice's own error is its end, with code, hop, hint and request id; the summary frame repeats nothing."""
    error = {
        "message": "lost",
        "type": "api_error",
        "code": "backend_error",
        "hop": "backend",
        "hint": "log",
        "request_id": "r1",
    }
    events = _stream(
        stream_head(),
        frame(1, finish_reason="error", error=error),
        frame(0, finish_reason="stop"),
        piece(b"data: " + msgspec.json.encode({"error": error | {"choices": [1]}}) + b"\n\n"),
        END,
    )
    assert _ends(events) == {0: ("stop", "", ""), 1: ("error", "backend_error", "backend")}
    (failed,) = [event for event in events if isinstance(event, Ended) and event.error]
    assert failed.error is not None
    assert (failed.error.message, failed.error.hint, failed.error.request_id) == ("lost", "log", "r1")
    assert failed.error.choices == ()


def test_an_error_of_the_stream_ends_the_choices_it_names() -> None:
    """A stream-level error with choices ends those; without choices, all open ones."""
    error = {"message": "backend died", "type": "api_error", "code": "backend_unreachable", "hop": "backend"}
    named = _stream(
        stream_head(), piece(b"data: " + msgspec.json.encode({"error": error | {"choices": [0]}}) + b"\n\n"), END
    )
    assert _ends(named) == {0: ("", "backend_unreachable", "backend"), 1: ("", "stream_interrupted", "gateway")}
    all_open = _stream(stream_head(), piece(b"data: " + msgspec.json.encode({"error": error}) + b"\n\n"), DONE)
    assert set(_ends(all_open).values()) == {("", "backend_unreachable", "backend")}


def test_words_after_the_end_and_of_others_are_ignored() -> None:
    """Frames of an ended or unrequested choice are ignored."""
    events = _stream(
        stream_head(), frame(0, "a", finish_reason="stop"), frame(0, "late", tokens=9), frame(5, "whose?"), DONE, n=1
    )
    assert [event for event in events if isinstance(event, Delta)] == [Delta(index=0, text="a")]


def test_silence_becomes_gateway_timeout() -> None:
    """When even heartbeats stop, the open choices end with gateway_timeout; before the response head, the request fails with it."""

    class Silent(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
            raise httpx2.ReadTimeout("silence")

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Silent())

    def nothing(request: httpx2.Request) -> httpx2.Response:
        assert request.extensions["timeout"] == {"connect": 5.0, "read": 45.0, "write": 45.0, "pool": 45.0}
        raise httpx2.ReadTimeout("silence", request=request)

    events = _run(_collect(GatewayProvider("http://x", None, httpx2.MockTransport(answer)), _request()))
    assert _ends(events) == {0: ("stop", "", ""), 1: ("", "gateway_timeout", "gateway")}
    with pytest.raises(DceError) as caught:
        _run(_collect(GatewayProvider("http://x", None, httpx2.MockTransport(nothing)), _request()))
    assert caught.value.code == "gateway_timeout"


def test_the_gateways_error_is_passed_on() -> None:
    """Code, hop, hint and Retry-After of a refusal are the gateway's own."""
    body = {
        "error": {
            "message": "too many",
            "type": "rate_limit_error",
            "code": "rate_limited",
            "hop": "gateway",
            "hint": "later",
        }
    }
    error = _failure(json_answer(body, 429, "retry-after: 7\r\n"))
    assert (error.code, error.message, error.hop, error.hint) == ("rate_limited", "too many", Hop.GATEWAY, "later")
    assert error.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (head(200, "text/html") + b"<html>please log in</html>", "not_a_gateway"),
        (json_answer({"hello": "world"}), "not_a_gateway"),
        (head(404, "text/html") + b"<html>nginx</html>", "not_a_gateway"),
        (json_answer({"detail": "Not Found"}, 404), "not_a_gateway"),
        (head(301, "text/html", "location: https://elsewhere/\r\n"), "not_a_gateway"),
        (head(401, "text/plain") + b"basic auth", "not_a_gateway"),
        (head(502, "text/html") + b"<html>bad gateway</html>", "gateway_unreachable"),
        (head(413, "text/html") + b"<html>too large</html>", "body_too_large"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not_a_gateway"),
        (b"", "gateway_unreachable"),
        (head(500, "text/html") + b"x" * 1_000_000, "not_a_gateway"),
    ],
    ids=[
        "login page",
        "other JSON",
        "web server",
        "foreign 404",
        "redirect",
        "401",
        "proxy",
        "413",
        "ssh",
        "hangs up",
        "huge",
    ],
)
def test_answers_that_no_gateway_gives_are_named(answer: bytes, code: str) -> None:
    """If something else answers at the URL, the error says so in one message of bounded length."""
    error = _failure(answer)
    assert error.code == code
    assert len(error.message) < 500


def test_an_unreachable_gateway_is_named() -> None:
    """A refused connection, an unknown host and an invalid URL are client errors that contain the URL."""

    async def work() -> None:
        async with FakeGateway.serve([b""]) as gateway:
            closed = gateway.url
        for url, code in ((closed, "gateway_unreachable"), ("http://no-such-host.invalid", "gateway_unreachable")):
            for ask in (GatewayProvider(url, KEY).models, lambda url=url: GatewayProvider(url, KEY).count(["a", "b"])):
                with pytest.raises(DceError) as caught:
                    await ask()
                assert caught.value.code == code
                assert url in caught.value.message
        with pytest.raises(DceError) as caught:
            await GatewayProvider("gopher://x", KEY).models()
        assert caught.value.code == "invalid_input"

    _run(work())


def test_closing_the_generator_closes_the_connection() -> None:
    """A generation cancelled or closed mid-stream disconnects from the gateway at once, so that it stops the backend."""

    async def work() -> None:
        for is_cancelled in (True, False):
            async with FakeGateway.serve([stream_head(), frame(0, "a"), asyncio.Event()]) as gateway:
                events = GatewayProvider(gateway.url, KEY).stream(_request())
                while not isinstance(await anext(events), Delta):
                    pass
                if is_cancelled:
                    waiting = asyncio.ensure_future(anext(events))
                    await asyncio.sleep(0)
                    waiting.cancel()
                    await asyncio.gather(waiting, return_exceptions=True)
                else:
                    await events.aclose()
                await gateway.client_left.wait()
                gateway.scripts[0][2].set()  # type: ignore[union-attr]

    _run(work())


def test_a_stop_is_a_delete() -> None:
    """One choice or the whole stream is stopped by DELETE; a finished stream is not an error, other refusals are."""
    gone = json_answer(
        {"error": {"message": "no such stream", "type": "x", "code": "not_found", "hop": "gateway"}}, 404
    )
    refused = json_answer({"error": {"message": "no", "type": "x", "code": "invalid_key", "hop": "gateway"}}, 401)

    async def work() -> None:
        async with FakeGateway.serve([head(204)], [head(204)], [gone], [refused]) as gateway:
            provider = GatewayProvider(gateway.url, KEY)
            await provider.stop("a/b", 3)
            await provider.stop("s1", None)
            await provider.stop("s1", None)
            with pytest.raises(DceError) as caught:
                await provider.stop("s1", None)
            assert caught.value.code == "invalid_key"
        assert [(asked.method, asked.path) for asked in gateway.asked[:2]] == [
            ("DELETE", "/api/dce/streams/a%2Fb/choices/3"),
            ("DELETE", "/api/dce/streams/s1"),
        ]

    _run(work())


def test_models_name_their_context() -> None:
    """Served models have their context window, if known; the default model's name is the tokenizer's name."""
    listed = {
        "object": "list",
        "data": [{"id": "a", "max_model_len": 4096}, {"id": "b"}, {"id": "c", "max_model_len": "x"}],
    }

    async def work() -> None:
        async with FakeGateway.serve([json_answer(listed)], [json_answer({"no": "list"})]) as gateway:
            provider = GatewayProvider(gateway.url, KEY)
            assert await provider.models() == [Model(id="a", max_model_len=4096), Model(id="b"), Model(id="c")]
            assert provider.name == "gateway:a"
            assert GatewayProvider(gateway.url, KEY, model="b").name == "gateway:b"
            with pytest.raises(DceError) as caught:
                await provider.models()
            assert caught.value.code == "not_a_gateway"

    _run(work())


def test_texts_are_counted_by_the_served_model() -> None:
    """Each text is counted by /tokenize, in order; an answer without a count is not from a gateway."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked = msgspec.json.decode(request.content)
        assert (request.url.path, asked["model"]) == ("/tokenize", "m")
        return httpx2.Response(200, json={"count": len(asked["prompt"])} if asked["prompt"] != "bad" else {})

    async def work() -> None:
        provider = GatewayProvider("http://x/v1", KEY, httpx2.MockTransport(answer), model="m")
        assert await provider.count(["a" * number for number in range(1, 10)]) == list(range(1, 10))
        with pytest.raises(DceError) as caught:
            await provider.count(["a", "bad"])
        assert caught.value.code == "not_a_gateway"

    _run(work())


def test_the_default_model_is_known_before_it_counts() -> None:
    """If no model is set, counting first learns the served model, so that counts are not stored for another."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/models":
            return httpx2.Response(200, json={"data": [{"id": "served"}]})
        assert b"model" not in request.content
        return httpx2.Response(200, json={"count": 3})

    async def work() -> None:
        provider = GatewayProvider("http://x", KEY, httpx2.MockTransport(answer))
        assert await provider.count(["text"]) == [3]
        assert provider.name == "gateway:served"

    _run(work())


@pytest.mark.parametrize(
    "url", ["http://h:1", "http://h:1/", "http://h:1/api/dce/proxy", "http://h:1/v1/", "http://h:1/v1/chat/completions"]
)
def test_any_of_the_gateways_urls_will_do(url: str) -> None:
    """The base URL is found from itself and from the routes that people paste; a path prefix is kept."""
    assert base_url(url) == "http://h:1"
    assert base_url(url.replace("h:1", "h:1/prefix")) == "http://h:1/prefix"


def test_key_and_prompt_are_logged_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither key nor prompt shows, even at debug level or in any repr."""
    with caplog.at_level(logging.DEBUG):
        _stream(stream_head(), frame(0, "a", finish_reason="stop"), frame(1, "half"))
    provider = GatewayProvider("http://h", KEY)
    shown = caplog.text + repr(provider) + repr(_request())
    assert KEY not in shown
    assert PROMPT not in shown
