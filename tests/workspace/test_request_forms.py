"""Requests as servers want them: the address in every form, fields that are refused, and what a model card adds or leaves out."""

from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.wire.refusals import Refusals
from dce.workspace.generating.openai_provider import api_of
from dce.workspace.generating.request_shape import RequestShape, advice
from tests.workspace.test_openai_provider import _DONE, _chunk, _ends, _events, _run, _Server, _sse

OLD = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
"""OpenAI's o-series."""
STRICT = {
    "detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]
}
"""Servers built on FastAPI that take no fields they do not know."""


def _fine() -> httpx2.Response:
    return _sse(_chunk("a", "stop"), _DONE)


@pytest.mark.parametrize(
    ("url", "root", "query"),
    [
        ("http://h:8000", "http://h:8000/v1", ""),
        ("http://h:8000/", "http://h:8000/v1", ""),
        ("http://h/v1/", "http://h/v1", ""),
        ("http://h/v1/chat/completions", "http://h/v1", ""),
        ("http://h/v1/chat/completions/", "http://h/v1", ""),
        ("https://h/api/v1", "https://h/api/v1", ""),
        ("https://h/prefix", "https://h/prefix/v1", ""),
        ("https://h/v1beta/openai/", "https://h/v1beta/openai", ""),
        ("https://h/my/own/chat/completions", "https://h/my/own", ""),
        ("https://h/v1?api-version=2024-10-21", "https://h/v1", "?api-version=2024-10-21"),
        ("https://h/?a=b", "https://h/v1", "?a=b"),
        (
            "https://x.example/openai/deployments/gpt/chat/completions?api-version=1",
            "https://x.example/openai/deployments/gpt",
            "?api-version=1",
        ),
        ("h.example/v1", "https://h.example/v1", ""),
        ("localhost:8000", "http://localhost:8000/v1", ""),
    ],
)
def test_any_form_of_the_url_is_used_as_given(url: str, root: str, query: str) -> None:
    """Base, root and full path, with or without scheme and query: the requests go where the address says."""
    assert api_of(url) == (root, query)
    server = _Server(lambda _: _fine())
    provider = server.provider(url)
    _events(provider, n=1)
    _run(provider.models())
    assert server.urls == [f"{root}/chat/completions{query}", f"{root}/models{query}"]


class _Moved(_Server):
    """A server that redirects the first requests to `target`."""

    def __init__(self, target: str, status: int = 307, times: int = 1) -> None:
        super().__init__(lambda _: _fine())
        self._target, self._status, self._left = target, status, times
        self.keys: list[str] = []

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.keys.append(request.headers.get("authorization", ""))
        if self._left > 0:
            self._left -= 1
            self.urls.append(str(request.url))
            return httpx2.Response(self._status, headers={"location": self._target})
        return await super().__call__(request)


@pytest.mark.parametrize(
    ("url", "target", "arrives"),
    [
        ("http://h.test", "/v1/chat/completions/", "http://h.test/v1/chat/completions/"),
        ("http://h.test", "http://h.test/other", "http://h.test/other"),
        ("http://h.test", "https://h.test/v1/chat/completions", "https://h.test/v1/chat/completions"),
        ("http://h.test:8000", "http://h.test:8000/x", "http://h.test:8000/x"),
    ],
)
def test_a_redirect_to_the_same_server_is_followed(url: str, target: str, arrives: str) -> None:
    """A 307 or 308 to the same host, also from http to https, gets the same request, with body and key."""
    for status in (307, 308):
        server = _Moved(target, status)
        assert _ends(_events(server.provider(url), n=1))[0].error is None
        assert server.urls[-1] == arrives
        assert server.keys == ["Bearer sk-secret"] * 2
        assert server.bodies[0]["messages"]


@pytest.mark.parametrize(
    ("url", "target", "status"),
    [
        ("http://h.test", "http://evil.test/v1/chat/completions", 307),
        ("https://h.test", "http://h.test/v1/chat/completions", 307),
        ("http://h.test:8000", "http://h.test:9000/", 308),
        ("http://h.test:8000", "https://h.test/", 308),
        ("http://h.test", "//evil.test/", 307),
        ("http://h.test", "http://[bad", 307),
        ("http://h.test", "/v1/chat/completions/", 302),
        ("http://h.test", "/v1/chat/completions/", 301),
    ],
)
def test_no_other_redirect_is_followed(url: str, target: str, status: int) -> None:
    """Another host, port or a step down from TLS gets neither prompt nor key; the error says where the server points."""
    server = _Moved(target, status, times=9)
    error = _ends(_events(server.provider(url), n=1))[0].error
    assert error is not None
    assert "redirect" in error.message
    assert target.partition("?")[0] in error.message
    assert len(server.urls) == 1


def test_redirects_in_a_circle_end() -> None:
    """A server that redirects to itself is asked a few times, not for ever."""
    server = _Moved("/v1/chat/completions", times=99)
    assert _ends(_events(server.provider(), n=1))[0].error is not None
    assert len(server.urls) <= 5


def test_a_refused_field_is_sent_otherwise() -> None:
    """`max_tokens` becomes `max_completion_tokens` and `stream_options` goes, each once and as the server's error says; later requests
    begin with what was learnt; nothing is lost."""

    def answer(body: dict[str, Any]) -> httpx2.Response:
        if "max_tokens" in body:
            return httpx2.Response(400, json={"error": {"message": OLD, "code": "unsupported_parameter"}})
        return httpx2.Response(422, json=STRICT) if "stream_options" in body else _fine()

    server = _Server(answer)
    provider = server.provider()
    ends = _ends(_events(provider, n=3, max_tokens=9, temperature=0.5))
    assert [end.error for end in ends.values()] == [None] * 3
    before = len(server.bodies)
    assert before <= 9
    assert _ends(_events(provider, n=2, max_tokens=9))[0].error is None
    assert len(server.bodies) == before + 2
    last = server.bodies[-1]
    assert (last["max_completion_tokens"], "max_tokens" in last, "stream_options" in last) == (9, False, False)


@pytest.mark.parametrize(
    "said",
    [
        "max_tokens is too large: 99999. This model supports at most 4096 completion tokens.",
        "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is supported.",
        "seed: Extra inputs are not permitted",
        "the field max_tokens_total is not supported",
        "something else",
    ],
)
def test_what_the_user_chose_is_not_dropped(said: str) -> None:
    """A refused value, or a refused parameter that the user set, is an error at once; where a field is named, so is the way to omit it."""
    server = _Server(lambda _: httpx2.Response(400, json={"error": {"message": said}}))
    error = _ends(_events(server.provider(), n=1, max_tokens=9, temperature=0.5, seed=3))[0].error
    assert error is not None
    assert len(server.bodies) == 1
    assert said in error.message
    named = next(
        (name for name in ("temperature", "seed", "max_tokens") if f"{name}_total" not in said and name in said), ""
    )
    assert ("settings set omit " + named in error.hint) is bool(named)


def test_the_first_refusal_is_told_when_the_other_form_is_refused_too() -> None:
    """If neither name is taken, the server's own first words are the error, and the next request begins anew."""
    server = _Server(
        lambda body: httpx2.Response(400, json={"error": OLD if "max_tokens" in body else "no such thing"})
    )
    provider = server.provider()
    for _ in range(2):
        error = _ends(_events(provider, n=1, max_tokens=9))[0].error
        assert error is not None
        assert "max_tokens" in error.message
    assert ["max_tokens" in body for body in server.bodies] == [True, False, True, False]


@given(
    st.text(),
    st.dictionaries(st.sampled_from(["max_tokens", "max_completion_tokens", "stream_options", "seed"]), st.just(1)),
)
def test_no_words_of_a_server_make_requests_go_on_for_ever(said: str, body: dict[str, Any]) -> None:
    """Whatever a server says, a request changes form a few times at most, and no value is lost on the way."""
    for words in (said, "max_tokens max_completion_tokens stream_options seed unsupported"):
        refusals, changes = Refusals({}), 0
        while refusals.learn(refusals.apply(body), words):
            changes += 1
        assert changes <= 2
        assert len(refusals.apply(body)) >= len(body) - 1
        advice(body, words)


def test_a_card_adds_and_leaves_out_fields() -> None:
    """`extra_body` is in every request and replaces DCE's own fields, `omit` takes fields out; neither is undone by what is learnt."""
    shape = RequestShape(
        extra_body={
            "top_k": 20,
            "chat_template_kwargs": {"enable_thinking": False},
            "temperature": 0.1,
            "max_tokens": 7,
        },
        omit=("stream_options", "seed"),
    )
    server = _Server(lambda _: httpx2.Response(400, json={"error": {"message": OLD}}))
    _events(server.provider(shape=shape), n=1, temperature=0.9, seed=3, max_tokens=99)
    [body] = server.bodies
    assert (body["top_k"], body["temperature"], body["max_tokens"]) == (20, 0.1, 7)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert not {"stream_options", "seed"} & set(body)


def test_headers_are_sent_with_every_request() -> None:
    """Headers of the settings go along with the key, to the list of models and the count too; one may replace the key's own."""
    seen: list[httpx2.Headers] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers)
        if request.method == "GET":
            return httpx2.Response(200, json={"data": [{"id": "m"}]})
        return httpx2.Response(200, json={"count": 1}) if "tokenize" in str(request.url) else _fine()

    server = _Server(lambda _: _fine())
    server.__class__ = type("_Seeing", (_Server,), {"__call__": staticmethod(answer)})
    for headers, authorization in (({"X-Team": "a"}, "Bearer sk-secret"), ({"AUTHORIZATION": "Key b"}, "Key b")):
        seen.clear()
        provider = server.provider(headers=headers)
        _events(provider, n=2)
        _run(provider.models())
        _run(provider.count(["x"]))
        assert [one.get_list("authorization") for one in seen] == [[authorization]] * 4
        assert all(name in one for one in seen for name in headers)


@pytest.mark.parametrize("value", ["${DCE_TEST_UNSET}", "a\nb", "\u00e9"])
def test_a_header_that_cannot_be_sent_is_named(value: str) -> None:
    """A variable that is not set, or a value with a line break, fails before anything is sent; the message has no value."""
    server = _Server(lambda _: _fine())
    with pytest.raises(DceError) as caught:
        _run(server.provider(headers={"X-Team": value}).models())
    assert caught.value.code == "invalid_input"
    assert "X-Team" in caught.value.message
    assert server.urls == []
    error = _ends(_events(server.provider(headers={"X-Team": value}), n=1))[0].error
    assert error is not None
    assert error.code == "invalid_input"
