"""The data path over real sockets: n responses from a scripted backend, by both strategies, and every way it can go wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.paths.proxy import seed_offset
from dce.gateway.settings import BackendSettings
from dce.wire.asking import MAX_RESPONSES
from tests.fakes.chain import HIT, SEED, TOKENS, Chain, check_sound, client_of, error_of, eventually, free_port
from tests.fakes.vllm import CONTEXT, MODEL, FakeVllm, said

# -- ten sound streams --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 10, 20])
def test_n_responses_come_whole(both: Chain, n: int) -> None:
    """All indices 0 to n-1 are there with their exact text, one end each, ids without gap, usage summed, then [DONE]."""
    check_sound(both.ask(n=n), n)
    eventually(both.is_idle)


def test_what_the_backends_are_asked(chain: Chain, native: Chain) -> None:
    """Fan-out sends n requests of one response with seeds in order; native sends one, or as many as the slots demand."""
    chain.ask(n=10, seed=SEED, temperature=0.5, max_tokens=6, model=None)
    asked = chain.fake.chats()
    assert sorted(chat["seed"] for chat in asked) == list(range(SEED, SEED + 10))
    for chat in asked:
        assert (chat["n"], chat["stream"], chat["temperature"], chat["max_tokens"]) == (1, True, 0.5, 6)
        assert (chat["model"], chat["messages"]) == (MODEL, chain.body()["messages"])
        assert chat["stream_options"]["include_usage"] is True
    native.ask(n=20, seed=SEED)
    assert [(chat["n"], chat["seed"]) for chat in native.fake.chats()] == [(10, SEED), (10, SEED + 10)]


@pytest.mark.parametrize("fault", ["split", "crlf", "many_objects", "spaced", "comments"])
def test_harmless_oddities_change_nothing(both: Chain, fault: str) -> None:
    """However the backend cuts, spaces, merges or decorates its frames, the client sees the same sound stream."""
    both.behave(fault=fault)
    check_sound(both.ask(n=10), 10)


@pytest.mark.parametrize("options", [None, {"include_usage": False, "continuous_usage_stats": False}])
def test_frames_carry_the_counts_so_far(both: Chain, options: dict[str, bool] | None) -> None:
    """Each response's frames say how many tokens it has by now, whether or not the client asked for it."""
    raw = both.ask(n=2, stream_options=options).raw
    assert raw.count(b'"completion_tokens":') + raw.count(b'"predicted_n":') >= 2 * TOKENS


def test_headers_of_a_stream(chain: Chain) -> None:
    """A stream may not be buffered or cached, names itself, and reports the fields that were dropped."""
    headers = chain.ask(priority=5, nonsense=1).response.headers
    assert headers["content-type"].startswith("text/event-stream")
    assert "no-transform" in headers["cache-control"]
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-dce-dropped-fields"] == "nonsense, priority"
    assert headers["x-request-id"]
    assert "x-dce-dropped-fields" not in chain.ask().response.headers


@pytest.mark.parametrize(
    "field", ["priority", "request_id", "kv_transfer_params", "vllm_xargs", "cache_salt", "chat_template"]
)
@pytest.mark.parametrize("path", ["/api/dce/proxy", "/v1/chat/completions"])
def test_internal_fields_never_reach_the_backend(chain: Chain, field: str, path: str) -> None:
    """What steers the backend's insides is left behind on every route."""
    assert chain.post(path, stream=False, **{field: "x"}).status_code == 200
    assert all(chat.get(field) != "x" for chat in chain.fake.chats())


def test_the_backend_sees_the_gateways_key_and_not_the_clients(make_chain: Callable[..., Chain]) -> None:
    """The client's credential ends at the gateway; the backend gets its own."""
    chain = make_chain(fake=FakeVllm(key="backend-key"))
    assert chain.ask().is_done
    for request in chain.fake.requests:
        assert request.headers["authorization"] == "Bearer backend-key"
        assert chain.key not in str(request.headers) + request.body.decode()
        assert "cookie" not in request.headers


# -- other forms of asking ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "fields", "headers"),
    [
        ("/api/dce/proxy", {"stream": False}, {}),
        ("/api/dce/proxy", {}, {"accept": "application/json"}),
        ("/api/dce/generate", {"stream": False}, {}),
        ("/api/dce/generate", {}, {}),
    ],
)
def test_one_json_answer(both: Chain, path: str, fields: dict[str, Any], headers: dict[str, str]) -> None:
    """Without streaming, by field, by header or by the older route, the same responses come as one JSON answer."""
    response = both.client.post(path, json=both.body(n=3, **fields), headers=headers)
    answer = response.json()
    assert response.headers["x-dce-stream-id"] == answer["id"]
    assert answer["responses"] == [said(TOKENS)] * 3
    assert [choice["message"]["content"] for choice in answer["choices"]] == answer["responses"]
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop"] * 3
    assert answer["usage"]["completion_tokens"] == 3 * TOKENS
    assert answer["model"] == MODEL


def test_a_json_answer_holds_what_survived(chain: Chain) -> None:
    """When one of ten is lost, the nine are answered and the lost one has its error; when all are, the answer is the error."""
    chain.behave(fault="death", only_seed=SEED + HIT)
    answer = chain.post(n=10, stream=False, seed=SEED).json()
    assert [index for index, choice in enumerate(answer["choices"]) if choice["finish_reason"] == "error"] == [HIT]
    assert answer["choices"][HIT]["error"]["code"] == "stream_interrupted"
    assert answer["responses"][0] == said(TOKENS)
    chain.behave(fault="death")
    assert error_of(chain.post(n=3, stream=False))["code"] == "stream_interrupted"


def test_the_originals_request(both: Chain) -> None:
    """What the original client sends is answered: `local-model`, max_tokens beyond the context, reasoning_effort."""
    asked: dict[str, Any] = {
        "n": 10,
        "max_tokens": 16_384,
        "reasoning_effort": "high",
        "stream": True,
        "model": "local-model",
    }
    check_sound(both.ask(**asked), 10)
    for chat in both.fake.chats():
        assert "max_tokens" not in chat
        assert chat["reasoning_effort"] == "high"
        assert chat["model"] == MODEL
    assert both.ask(max_tokens=CONTEXT - 1, model=None).is_done
    assert both.fake.chats()[-1]["max_tokens"] == CONTEXT - 1
    assert both.ask(max_tokens=CONTEXT, model=None).is_done  # as much as the context leaves no room for any prompt
    assert "max_tokens" not in both.fake.chats()[-1]


def test_the_older_prompt_field(chain: Chain) -> None:
    """`prompt` instead of `messages` becomes the user's message."""
    assert chain.ask(messages=None, prompt="Grüße").is_done
    assert chain.fake.chats()[-1]["messages"] == [{"role": "user", "content": "Grüße"}]


def test_grammar_reaches_each_backend_in_its_dialect(chain: Chain, native: Chain) -> None:
    """DCE's `grammar` is vLLM's `structured_outputs.grammar` and llama.cpp's `grammar`."""
    chain.ask(grammar="root ::= x")
    native.ask(grammar="root ::= x")
    assert chain.fake.chats()[-1]["structured_outputs"] == {"grammar": "root ::= x"}
    assert native.fake.chats()[-1]["grammar"] == "root ::= x"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"n":1}', "messages"),
        (b'{"messages":[{"role":"user","content":"x"}],"prompt":"x"}', "both"),
        (b'{"prompt":"x","n":0}', "n must"),
        (b'{"prompt":"x","n":1000}', "n must"),
        (b'{"prompt":"x","n":true}', "n must"),
        (b'{"prompt":"x","n":"3"}', "n must"),
        (b'{"prompt":"x","max_tokens":0}', "max_tokens"),
        (b"[" * 100_000, "too deeply"),
        (b"\xff\xfe", "not JSON"),
        (b'{"prompt":"x","guided_regex":"a"}', "guided_regex"),
    ],
)
def test_bad_bodies_are_refused_before_the_backend(chain: Chain, content: bytes, named: str) -> None:
    """Each wrong body is a 400 that names the field, or says what a body is like; the backend is not asked."""
    response = chain.client.post("/api/dce/proxy", content=content)
    error = error_of(response)
    assert (response.status_code, error["code"], error["hop"]) == (400, "invalid_request", "gateway")
    assert named in error["message"]
    assert ("JSON object" in error["hint"]) is (not content.startswith(b'{"'))
    assert chain.fake.chats() == []


# -- models -------------------------------------------------------------------------------------------------------------


def test_model_names(make_chain: Callable[..., Chain]) -> None:
    """Absent, placeholder, alias and served names are answered; an unknown one is a 404 with the nearest name."""
    chain = make_chain(fake=FakeVllm(models=["qwen3-8b", "smollm2-135m"]), aliases={"small": "smollm2-135m"})
    for asked, expected in [
        (None, "qwen3-8b"),
        ("", "qwen3-8b"),
        ("local-model", "qwen3-8b"),
        ("small", "smollm2-135m"),
    ]:
        assert chain.ask(model=asked).is_done
        assert chain.fake.chats()[-1]["model"] == expected
    response = chain.post(model="smolm2-135")
    error = error_of(response)
    assert (response.status_code, error["code"], error["hop"]) == (404, "model_not_found", "model")
    assert "smollm2-135m" in error["hint"]
    assert "qwen3-8b" in error["message"]


def test_the_list_of_models(make_chain: Callable[..., Chain]) -> None:
    """Served models with their context, aliases with that of their target."""
    chain = make_chain(aliases={"small": MODEL})
    listed = chain.client.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [(row["id"], row["max_model_len"]) for row in listed["data"]] == [(MODEL, CONTEXT), ("small", CONTEXT)]


@pytest.mark.parametrize("text", ["one two three", "", "Grüße 🙂"])
def test_exact_token_counts_for_every_kind(both: Chain, text: str) -> None:
    """The gateway's /tokenize says the same whatever dialect the backend's has."""
    answer = both.client.post("/tokenize", json={"prompt": text}).json()
    assert answer == {"count": len(text.split()), "max_model_len": CONTEXT, "model": MODEL}


@pytest.mark.parametrize("body", [{}, {"prompt": 5}, {"prompt": ["a"]}])
def test_tokenize_wants_a_text(chain: Chain, body: dict[str, Any]) -> None:
    """Anything but a text is refused by name."""
    assert "prompt" in error_of(chain.client.post("/tokenize", json=body))["message"]


# -- pass-through -------------------------------------------------------------------------------------------------------


def test_a_forwarded_request_is_byte_faithful(chain: Chain) -> None:
    """A body that needs no change reaches the backend to the byte but for our salt, and its stream the client to the byte."""
    content = b'{ "zzz" : 1.50, "model":"' + MODEL.encode() + b'", "stream" : true, "messages": [] }'
    response = chain.client.post("/v1/chat/completions", content=content)
    with client_of(chain.fake.url, "") as plain:
        direct = plain.post("/v1/chat/completions", content=content)
    (sent, _) = chain.fake.posts()
    assert sent.body.startswith(content.removesuffix(b"}") + b',"cache_salt":')
    assert response.content == direct.content
    assert response.headers["content-type"].startswith("text/event-stream")


def test_a_forwarded_request_gets_the_served_name(chain: Chain) -> None:
    """A placeholder or absent model becomes the served one; the rest of the body is kept."""
    for model in (None, "local-model"):
        response = chain.post("/v1/completions", model=model, messages=None, prompt="x", odd=[1])
        assert response.json()["choices"][0]["message"]["content"] == said(TOKENS)
        assert chain.fake.posts()[-1].path == "/v1/completions"
        kept = {name: value for name, value in chain.fake.posts()[-1].json.items() if name != "cache_salt"}
        assert kept == {"prompt": "x", "n": 1, "odd": [1], "model": MODEL}


def test_the_model_list_says_why_it_is_empty(make_chain: Callable[..., Chain]) -> None:
    """Without a backend there is no list but an error with the backend's own fault, so that nobody mistakes it for "no models"."""
    chain = make_chain(backends=(BackendSettings(url=f"http://127.0.0.1:{free_port()}"),))
    response = chain.client.get("/v1/models")
    assert response.status_code == 503
    assert error_of(response)["code"] == "no_healthy_backend"
    assert "no connection" in error_of(response)["message"]


@given(st.sets(st.integers(0, 9), min_size=1), st.integers(0, 9))
def test_responses_that_are_sent_again_get_seeds_of_their_own(again: set[int], first_choice: int) -> None:
    """Response i has the seed + i. What is left of a lost native request, with gaps, must not repeat another response's seed,
    because its backend counts on from the first; without gaps every response keeps the seed it had."""
    indices = sorted(first_choice + index for index in again)
    offset = seed_offset(indices)
    seeds = range(offset, offset + len(indices))
    others = set(range(MAX_RESPONSES)) - set(indices)
    assert not others & set(seeds)
    if indices == list(range(indices[0], indices[0] + len(indices))):
        assert list(seeds) == indices
