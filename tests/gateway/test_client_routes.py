"""What clients of other APIs really ask for: HEAD, trailing slashes, wrong base URLs, pages in a browser; each told in its own form."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.access.limits import Limits
from dce.gateway.app import refuse_exposed
from dce.gateway.front.body import read_forward, read_generate
from dce.gateway.front.dialects import MESSAGES, OPENAI, OWN, RESPONSES, Dialect, dialect_at
from dce.gateway.settings import GatewaySettings, load_settings
from dce.wire.errors import DceError
from tests.fakes.chain import PROXY, Chain, client_of, drained, raw_request
from tests.fakes.vllm import CONTEXT, MODEL, FakeVllm

PAGE = "https://chat.example.org"
BODIES: dict[str, dict[str, Any]] = {
    PROXY: {"messages": [{"role": "user", "content": "x"}]},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "x"}]},
    "/v1/completions": {"prompt": "x"},
    "/v1/responses": {"input": "x"},
    "/v1/messages": {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5},
    "/v1/messages/count_tokens": {"messages": [{"role": "user", "content": "x"}]},
    "/v1/embeddings": {"input": "x"},
    "/tokenize": {"prompt": "x"},
}
ROUTES = sorted(BODIES)
LOOKUPS = ("/tokenize", "/v1/messages/count_tokens")


def body(path: str, **fields: Any) -> dict[str, Any]:
    """A sound body for a route."""
    return {"model": MODEL, **BODIES[path], **fields}


def check_shape(response: httpx2.Response, path: str) -> dict[str, Any]:
    """The error of an answer, in the form of its route's dialect, with all that every error says."""
    value = response.json()
    error: dict[str, Any] = value["error"]
    is_anthropics = path.startswith("/v1/messages")
    assert (value.get("type") == "error") is is_anthropics
    assert all(error[name] for name in ("message", "type", "code", "hop", "hint", "request_id"))
    assert response.headers["content-type"] == "application/json"
    hint = error["hint"]
    if path != PROXY:
        assert "DCE_URL" not in hint or "https://HOST/v1" in hint
        assert "dce prompt" not in hint
        assert "Select fewer" not in hint
    if is_anthropics:
        assert "OPENAI" not in hint
    return error


@pytest.mark.parametrize("path", ROUTES)
def test_what_the_gateway_refuses_is_in_the_dialect_of_its_route(chain: Chain, path: str) -> None:
    """Route × fault: no key, a wrong one, a wrong method, an unknown path below, a bad body, an unknown model, a field out of bounds."""
    client, stranger = chain.client, client_of(chain.server.url, "")
    cases: list[tuple[httpx2.Response, int, str]] = [
        (stranger.post(path, json=body(path)), 401, "missing_key"),
        (stranger.post(path, json=body(path), headers={"authorization": "Bearer dce_no"}), 401, "invalid_key"),
        (client.get(path), 405, "method_not_allowed"),
        (client.post(f"{path}/nothing", json={}), 404, "route_not_found"),
        (client.post(path, content=b"{"), 400, "invalid_request"),
        (client.post(path, json=body(path, model="fake-8b")), 404, "model_not_found"),
        (client.post(path, content=b"x", headers={"content-encoding": "gzip"}), 400, "invalid_request"),
    ]
    for response, status, code in cases:
        assert (response.status_code, check_shape(response, path)["code"]) == (status, code)
    stranger.close()


@pytest.mark.parametrize("path", ROUTES)
def test_limits_and_backends_fail_in_the_dialect_of_the_route(make_chain: Callable[..., Chain], path: str) -> None:
    """Route × fault: 413, 429 with Retry-After, 403, a backend that fails, and one that is gone."""
    chain = make_chain(max_body_bytes=2048, max_retries=0)
    response = chain.client.post(path, content=b"x" * 3000)
    assert (response.status_code, check_shape(response, path)["code"]) == (413, "body_too_large")
    keys = KeyStore(chain.folder)
    _, limited = keys.create("limited", limits=Limits(rpm=1))
    _, other = keys.create("other", limits=Limits(models=("another",)))
    keys.close()
    with client_of(chain.server.url, limited) as client:
        answers = [client.post(path, json=body(path)) for _ in range(25 if path in LOOKUPS else 2)]
    assert (answers[-1].status_code, check_shape(answers[-1], path)["code"]) == (429, "rate_limited")
    assert int(answers[-1].headers["retry-after"]) > 0
    with client_of(chain.server.url, other) as client:
        response = client.post(path, json=body(path))
    assert response.status_code in (403, 404)
    check_shape(response, path)
    if path not in LOOKUPS:
        chain.behave(fault="html")
        response = chain.client.post(path, json=body(path))
        assert (response.status_code, check_shape(response, path)["code"]) == (502, "backend_error")
    chain.fake.stop()
    response = chain.client.post(path, json=body(path))
    assert response.status_code in (502, 503)
    check_shape(response, path)


def test_what_is_refused_before_it_is_a_request_has_the_shape_too(make_chain: Callable[..., Chain]) -> None:
    """A trickled body on Anthropic's route, and an ambiguous one, are told in its form; on the others in OpenAI's."""
    chain = make_chain(body_window_s=0.05, min_body_bytes_per_s=10_000)
    key = f"authorization: Bearer {chain.key}\r\n"
    for path, is_anthropics in [("/v1/messages?beta=true", True), ("/v1/chat/completions", False)]:
        for rest, code in [("content-length: 99\r\n\r\n{", "request_timeout"), ("host: y\r\n\r\n", "invalid_request")]:
            head = f"POST {path} HTTP/1.1\r\nhost: x\r\n{key}{rest}"
            with raw_request(chain.server.url, head.encode()) as connection:
                value = json.loads(drained(connection).split(b"\r\n\r\n", 1)[1])
            assert value["error"]["code"] == code
            assert (value.get("type") == "error") is is_anthropics
    with raw_request(chain.server.url, b"\x16\x03\x01 nothing\r\n\r\n") as connection:
        assert b'"invalid_request"' in drained(connection)


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/messages", MESSAGES),
        ("/v1/messages/", MESSAGES),
        ("/v1/messages/batches", MESSAGES),
        ("/v1/messagesx", OPENAI),
        ("/v1/responses/resp_1", RESPONSES),
        ("/v1", OPENAI),
        ("/v1/nothing", OPENAI),
        ("/tokenize", OPENAI),
        ("/v1x", OWN),
        ("/", OWN),
        ("/api/dce/nothing", OWN),
    ],
)
def test_every_path_has_a_dialect(path: str, dialect: Dialect) -> None:
    """Also one that is no route: its error is read by the client that asked."""
    assert dialect_at(path) is dialect


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/chat/completions", "base URL (OPENAI_BASE_URL) to https://HOST/v1"),
        ("/v1/v1/chat/completions", "base URL (OPENAI_BASE_URL) to https://HOST/v1"),
        ("/openai/v1/responses/", "The route is /v1/responses"),
        ("/v1/v1/messages", "ANTHROPIC_BASE_URL) to https://HOST, without a path"),
        ("/messages", "ANTHROPIC_BASE_URL"),
        ("/v1/audio/speech", "/v1/chat/completions"),
        ("/v1", "/v1/models"),
        ("/api/chat", "Ollama"),
        ("/api/dce/nothing", "DCE_URL"),
        ("/nothing", "https://HOST/v1"),
    ],
)
def test_a_wrong_path_is_told_what_its_client_has_to_set(chain: Chain, path: str, told: str) -> None:
    """An OpenAI client hears of /v1, Anthropic's of its base URL, DCE's of DCE_URL."""
    response = chain.client.post(path, json={})
    assert response.status_code == 404
    assert told in response.json()["error"]["hint"]


@pytest.mark.parametrize("path", ROUTES)
def test_one_trailing_slash_is_ignored(chain: Chain, path: str) -> None:
    """A base URL that ends with a slash works; the backend is asked the plain path."""
    with chain.client.stream("POST", path + "/", json=body(path)) as response:
        assert response.status_code == 200
        response.read()
    assert all(not request.path.endswith("/") for request in chain.fake.posts())
    assert chain.client.post(path + "//", json=body(path)).status_code == 404


def test_head_is_get_without_the_body(chain: Chain) -> None:
    """HEAD answers wherever GET gives a whole answer, closed by the same key; on event streams and POST routes it is refused."""
    for path, status in [
        ("/v1/models", 200),
        ("/v1/models/", 200),
        (f"/v1/models/{MODEL}", 200),
        ("/healthz", 200),
        ("/v1/models/nothing", 404),
        ("/v1/chat/completions", 405),
        ("/api/dce/streamcheck", 405),
        ("/nothing", 404),
    ]:
        head = f"HEAD {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {chain.key}\r\nconnection: close\r\n\r\n"
        with raw_request(chain.server.url, head.encode()) as connection:
            said = drained(connection)
        assert said.startswith(b"HTTP/1.1 %d " % status), path
        assert said.endswith(b"\r\n\r\n"), path
    with client_of(chain.server.url, "") as stranger:
        assert stranger.head("/v1/models").status_code == 401


def test_an_alias_is_a_model_of_its_name(make_chain: Callable[..., Chain]) -> None:
    """The list names it, and so does its own page; a key that may not use it sees neither."""
    chain = make_chain(aliases={"big": MODEL})
    assert [chain.client.get(f"/v1/models/{name}").json()["id"] for name in ("big", MODEL, "local-model")] == [
        "big",
        MODEL,
        MODEL,
    ]
    keys = KeyStore(chain.folder)
    _, other = keys.create("other", limits=Limits(models=("another",)))
    keys.close()
    with client_of(chain.server.url, other) as client:
        assert client.get("/v1/models/big").status_code in (403, 404)


def preflight(client: httpx2.Client, path: str, origin: str = PAGE, **headers: str) -> httpx2.Response:
    """What a browser asks before a script of a page may send a request with a key."""
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    return client.options(path, headers={"origin": origin, **asked, **headers})


def test_web_pages_are_refused_by_default(chain: Chain) -> None:
    """Without the setting no answer lets a page read anything, and the refusal names the setting, whatever the path."""
    with client_of(chain.server.url, "") as browser:
        refused = [preflight(browser, path) for path in ("/v1/chat/completions", "/nothing")]
        for response in refused:
            assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
            assert "cors_origins" in response.json()["error"]["hint"]
    for response in (*refused, chain.client.get("/v1/models", headers={"origin": PAGE})):
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_a_page_that_is_allowed_can_use_the_gateway(make_chain: Callable[..., Chain]) -> None:
    """The preflight needs no key and gives none; answers, streams and errors can be read by that page, and by no other."""
    chain = make_chain(cors_origins=(PAGE,))
    with client_of(chain.server.url, "") as browser:
        asked = preflight(browser, "/v1/chat/completions", **{"access-control-request-private-network": "true"})
        assert (asked.status_code, asked.content) == (204, b"")
        assert asked.headers["access-control-allow-origin"] == PAGE
        assert asked.headers["access-control-allow-headers"] == "authorization,content-type"
        assert asked.headers["access-control-allow-private-network"] == "true"
        assert "POST" in asked.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in asked.headers
        assert preflight(browser, "/v1/models", "https://evil.example.org").status_code == 405
        assert preflight(browser, "/v1/models", "null").status_code == 405
        odd = preflight(browser, "/v1/models", **{"access-control-request-headers": "x: y"})
        assert "access-control-allow-headers" not in odd.headers
        refused = browser.get("/v1/models", headers={"origin": PAGE})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)
    for path in ("/v1/chat/completions", PROXY):
        answer = chain.client.post(path, json=body(path, stream=True), headers={"origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "origin"
    other = chain.client.get("/v1/models", headers={"origin": "https://evil.example.org"})
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "origin"


def test_any_page_or_only_real_origins_can_be_named(make_chain: Callable[..., Chain]) -> None:
    """`*` stands for every page, but not without keys; what no browser sends as an origin is refused at the start."""
    chain = make_chain(cors_origins=("*",))
    with client_of(chain.server.url, "") as browser:
        assert preflight(browser, "/v1/models").headers["access-control-allow-origin"] == PAGE
    with pytest.raises(DceError, match="every web page"):
        refuse_exposed(GatewaySettings(insecure=True, cors_origins=("*",)))
    refuse_exposed(GatewaySettings(insecure=True, cors_origins=(PAGE,)))
    for good in ("*", "http://localhost:5173", "https://[::1]:8443", "vscode-webview://abc-1"):
        assert load_settings(environ={}, cors_origins=[good]).cors_origins == (good,)
    for bad in (
        "chat.example.org",
        "https://x.org/",
        "https://x.org/a",
        "HTTPS://X.org",
        "null",
        "",
        "https://x.org y",
    ):
        with pytest.raises(DceError, match="cors_origins"):
            load_settings(environ={}, cors_origins=[bad])


REGEX = {"structured_outputs": {"regex": "a+"}}
TAG = {"response_format": {"type": "structural_tag", "structures": []}}
SWITCHES = {"chat_template_kwargs": {"custom_flag": {"deep": 1}}}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("structured_outputs.regex", REGEX),
        ("structured_outputs.structural_tag", TAG),
        ("chat_template_kwargs", SWITCHES),
    ],
)
def test_what_is_refused_can_be_allowed(name: str, fields: dict[str, Any]) -> None:
    """A setting lifts one refusal and no other, on both kinds of routes."""
    raw = msgspec.json.encode({"messages": [{"role": "user", "content": "x"}], **fields})
    others = frozenset(
        {"structured_outputs.regex", "structured_outputs.structural_tag", "chat_template_kwargs"} - {name}
    )
    for allowed in (frozenset[str](), others):
        with pytest.raises(DceError, match=next(iter(fields))):
            read_forward(raw, max_n=1, allowed=allowed)
        with pytest.raises(DceError):
            read_generate(raw, max_n=1, is_json_wanted=False, allowed=allowed)
    assert read_forward(raw, max_n=1, allowed=frozenset({name})).raw == raw
    read_generate(raw, max_n=1, is_json_wanted=False, allowed=frozenset({name}))


def test_the_template_itself_stays_closed() -> None:
    """Even when arguments are allowed, those that replace the template are refused, and so is what is no object or too large."""
    for value in (
        {"chat_template": "{% x %}"},
        {"Chat-Template": "x"},
        {"tokenize": True},
        {"a": "x" * 70_000},
        "text",
        [1],
    ):
        raw = msgspec.json.encode({"messages": [], "chat_template_kwargs": value})
        with pytest.raises(DceError, match="chat_template_kwargs"):
            read_forward(raw, max_n=1, allowed=frozenset({"chat_template_kwargs"}))


def test_the_running_gateway_applies_what_is_allowed(make_chain: Callable[..., Chain]) -> None:
    """With the setting the field reaches the backend from every route; without it, it is refused by name."""
    chain = make_chain(allowed_fields=("structured_outputs.regex",))
    for path in (PROXY, "/v1/chat/completions"):
        assert chain.client.post(path, json=body(path, **REGEX)).status_code == 200
    assert [request.json["structured_outputs"]["regex"] for request in chain.fake.posts()] == ["a+", "a+"]
    for path in (PROXY, "/v1/chat/completions"):
        refused = chain.client.post(path, json=body(path, **SWITCHES))
        assert "chat_template_kwargs" in refused.json()["error"]["message"]
    with pytest.raises(DceError, match="allowed_fields"):
        load_settings(environ={}, allowed_fields=["priority"])


def test_template_switches_reach_the_backend_from_every_route(both: Chain) -> None:
    """Switching a model's thinking off is an ordinary wish: the switch goes on, and nothing is reported as dropped."""
    switch = {"chat_template_kwargs": {"enable_thinking": False}}
    for path in (PROXY, "/v1/chat/completions"):
        answer = both.client.post(path, json=body(path, stream=False, **switch))
        assert "x-dce-dropped-fields" not in answer.headers
    assert [request.json["chat_template_kwargs"] for request in both.fake.posts()] == [{"enable_thinking": False}] * 2


def test_a_conversation_is_counted_on_any_backend(both: Chain) -> None:
    """`/tokenize` takes messages: as they are for vLLM, as the text of the server's own template for llama.cpp."""
    messages = [{"role": "user", "content": "one two three"}]
    answer = both.client.post("/tokenize", json={"messages": messages}).json()
    assert answer == {"count": 5, "max_model_len": CONTEXT, "model": MODEL}
    last = both.fake.posts()[-1].json
    if both.fake.behaviour.owned_by == "llamacpp":
        assert (last["content"], last["add_special"]) == ("<user> one two three <end>", True)
    else:
        assert last == {"model": MODEL, "messages": messages}
    assert both.client.post("/tokenize", json={"prompt": "one two"}).json()["count"] == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "messages"),
        ({"prompt": 7, "messages": [{"role": "user", "content": "x"}]}, "messages"),
        ({"prompt": ["x"]}, "prompt"),
        ({"messages": []}, "messages"),
        ({"messages": "x"}, "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
            "data:",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(chain: Chain, fields: dict[str, Any], told: str) -> None:
    """A body with neither a text nor a conversation, or with a remote picture reaches no backend."""
    response = chain.client.post("/tokenize", json=fields)
    assert response.status_code == 400
    assert told in response.json()["error"]["message"]
    assert chain.fake.posts() == []


def test_a_backend_without_a_count_says_so(make_chain: Callable[..., Chain]) -> None:
    """The route is the gateway's, the backend has none: hop backend, in Anthropic's form."""
    chain = make_chain(fake=FakeVllm(spoken={}))
    path = "/v1/messages/count_tokens"
    error = check_shape(chain.client.post(path, json=body(path)), path)
    assert (error["code"], error["hop"]) == ("route_not_found", "backend")
    assert path in error["message"]


def test_a_count_that_is_no_json_is_the_backends_fault(chain: Chain) -> None:
    """A page in place of the count is told as the backend's, never as a fault of the caller's body."""
    chain.behave(fault="html_200")
    path = "/v1/messages/count_tokens"
    error = check_shape(chain.client.post(path, json=body(path)), path)
    assert (error["code"], error["hop"]) == ("backend_error", "backend")


@pytest.mark.parametrize("fault", ["error_200", "html_200"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_is_none_is_an_error(chain: Chain, path: str, fault: str, stream: bool) -> None:
    """A backend's 200 with an error or a page is an error in the form of the route, for a stream too, and the ledger says so."""
    chain.behave(fault=fault)
    response = chain.client.post(path, json=body(path, stream=stream))
    assert response.status_code == 502
    assert check_shape(response, path)["hop"] == "backend"


def test_streamed_errors_fit_who_reads_them(chain: Chain) -> None:
    """A stream that breaks tells users of other APIs to send the request again, and users of DCE to regenerate."""
    chain.behave(fault="death")
    for path, told in [
        ("/v1/chat/completions", "Send the request again."),
        ("/v1/messages", "Send the request again."),
    ]:
        with chain.client.stream("POST", path, json=body(path, stream=True)) as response:
            last = response.read().rsplit(b"data: ", 1)[1]
        assert json.loads(last)["error"]["hint"] == told
    assert "Regenerate" in chain.ask(n=1).error["hint"]
