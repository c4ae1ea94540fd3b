"""The Anthropic Python SDK, as its users have it, pointed at the gateway: `/v1/messages`."""

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import MessageParam

from tests.fakes.chain import Chain, error_of, eventually
from tests.fakes.vllm import MODEL, FakeVllm, said

MESSAGES: list[MessageParam] = [{"role": "user", "content": "Say something."}]


def sdk(chain: Chain, key: str | None, api_key: str | None = None) -> anthropic.Anthropic:
    """A client of the gateway that tries once and asks no proxy of this machine."""
    return anthropic.Anthropic(
        base_url=chain.server.url,
        auth_token=key,
        api_key=api_key,
        max_retries=0,
        http_client=anthropic.DefaultHttpxClient(trust_env=False),
    )


@pytest.fixture
def client(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Iterator[anthropic.Anthropic]:
    """The SDK with the right key."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with sdk(chain, chain.key) as made:
        yield made


def test_it_gets_a_whole_message(chain: Chain, client: anthropic.Anthropic) -> None:
    """Text, reason and usage arrive; the backend was sent the body, under its own model's name, and no key of ours."""
    message = client.messages.create(model="local-model", max_tokens=20, messages=MESSAGES, system="Be brief.")
    assert [block.text for block in message.content if block.type == "text"] == [said(8)]
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 8)
    (request,) = chain.fake.posts()
    assert (request.path, request.json["model"], request.json["system"]) == ("/v1/messages", MODEL, "Be brief.")
    assert chain.key not in str(request.headers)


def test_it_streams(client: anthropic.Anthropic) -> None:
    """The events come as they were sent, and the SDK puts the message together."""
    with client.messages.stream(model=MODEL, max_tokens=20, messages=MESSAGES) as stream:
        texts = list(stream.text_stream)
        message = stream.get_final_message()
    assert "".join(texts) == said(8)
    assert len(texts) == 8
    assert message.usage.output_tokens == 8


def test_its_errors_are_the_right_ones(chain: Chain, client: anthropic.Anthropic) -> None:
    """A wrong key, an unknown model, a bad request and a dead backend are the SDK's own exceptions and show our hint."""
    with sdk(chain, "dce_wrong") as stranger, pytest.raises(anthropic.AuthenticationError, match="invalid_key"):
        stranger.messages.create(model=MODEL, max_tokens=5, messages=MESSAGES)
    with pytest.raises(anthropic.NotFoundError, match=MODEL) as unknown:
        client.messages.create(model="fake-8b", max_tokens=5, messages=MESSAGES)
    body = unknown.value.body
    assert isinstance(body, dict)
    assert (body["type"], body["error"]["type"]) == ("error", "not_found_error")
    assert (body["error"]["code"], body["error"]["hop"]) == ("model_not_found", "model")
    with pytest.raises(anthropic.BadRequestError, match="max_tokens must be"):
        client.messages.create(model=MODEL, max_tokens=0, messages=MESSAGES)
    chain.behave(fault="html")
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(model=MODEL, max_tokens=5, messages=MESSAGES)


def test_its_key_may_be_in_either_header(chain: Chain, client: anthropic.Anthropic) -> None:
    """The SDK sends its key as a bearer, older clients and Claude Code in x-api-key: both count on Anthropic's routes, and only there."""
    with sdk(chain, None, api_key=chain.key) as made:
        assert made.messages.create(model=MODEL, max_tokens=5, messages=MESSAGES).stop_reason == "end_turn"
    body = {"model": MODEL, "max_tokens": 5, "messages": MESSAGES}
    with httpx2.Client(base_url=chain.server.url, trust_env=False, headers={"x-api-key": chain.key}) as older:
        assert older.post("/v1/messages", json=body).json()["stop_reason"] == "end_turn"
        assert older.get("/v1/models", headers={"anthropic-version": "2023-06-01"}).status_code == 200
        refused = older.post("/v1/chat/completions", json=body)
    assert refused.status_code == 401
    assert "only on Anthropic's routes" in error_of(refused)["hint"]
    assert chain.key not in str([request.headers for request in chain.fake.requests])
    assert client.auth_token == chain.key


def test_it_counts_tokens_and_lists_models(chain: Chain, client: anthropic.Anthropic) -> None:
    """`count_tokens` is answered by the backend's own tokenizer, under its model's name; models have the SDK's fields."""
    count = client.messages.count_tokens(model="local-model", messages=MESSAGES, system="Be brief.")
    assert count.input_tokens == 4
    (request,) = chain.fake.posts()
    assert (request.path, request.json["model"]) == ("/v1/messages/count_tokens", MODEL)
    picture = {"type": "image", "source": {"type": "url", "url": "http://169.254.169.254/"}}
    remote: Any = [{"role": "user", "content": [picture]}]
    with pytest.raises(anthropic.BadRequestError, match="remote URLs"):
        client.messages.count_tokens(model=MODEL, messages=remote)
    page = client.models.list()
    assert [(model.id, model.type, model.display_name) for model in page.data] == [(MODEL, "model", MODEL)]
    assert (page.has_more, page.first_id, page.last_id) == (False, MODEL, MODEL)
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(anthropic.NotFoundError, match=MODEL):
        client.models.retrieve("fake-8b")


def test_it_raises_when_a_stream_breaks(chain: Chain, client: anthropic.Anthropic) -> None:
    """A backend that dies in the middle is an exception of the SDK, not a short answer."""
    chain.behave(fault="death")
    with (
        pytest.raises(anthropic.APIStatusError, match="stream_interrupted"),
        client.messages.stream(model=MODEL, max_tokens=20, messages=MESSAGES) as stream,
    ):
        list(stream.text_stream)


def test_closing_a_stream_frees_the_backend(chain: Chain, client: anthropic.Anthropic) -> None:
    """A user who stops reading ends the generation."""
    chain.behave(delay_s=0.01, tokens=10_000)
    with client.messages.stream(model=MODEL, max_tokens=20_000, messages=MESSAGES) as stream:
        next(iter(stream.text_stream))
    eventually(chain.is_idle)
    assert chain.fake.aborted == 1


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1/embeddings"])
def test_a_route_that_the_backend_lacks_is_said_to_be_its(make_chain: Callable[..., Chain], path: str) -> None:
    """Not a bare 404: the route exists here, the backend has none."""
    chain = make_chain(fake=FakeVllm(spoken={}))
    response = chain.client.post(path, json={"model": MODEL, "input": "x", "messages": [], "max_tokens": 5})
    assert response.status_code == 404
    error = response.json()["error"] if path == "/v1/messages" else error_of(response)
    assert (error["code"], error["hop"]) == ("route_not_found", "backend")
    assert path in error["message"]


def test_a_refusal_before_a_key_is_known_has_the_shape_too(chain: Chain) -> None:
    """Without a key the answer on this route is Anthropic's form, on the others OpenAI's."""
    with httpx2.Client(base_url=chain.server.url, trust_env=False) as nobody:
        for path in ("/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches"):
            assert nobody.post(path, json={}).json()["type"] == "error"
        assert "type" not in nobody.post("/v1/responses", json={}).json()
