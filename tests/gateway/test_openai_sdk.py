"""The OpenAI Python SDK, as its users have it, pointed at the gateway."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.fakes.chain import Chain, eventually
from tests.fakes.vllm import CONTEXT, MODEL, said

MESSAGES: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Say something."}]


def sdk(chain: Chain, key: str) -> openai.OpenAI:
    """A client of the gateway that tries once and asks no proxy of this machine."""
    return openai.OpenAI(
        base_url=f"{chain.server.url}/v1",
        api_key=key,
        max_retries=0,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )


@pytest.fixture
def client(both: Chain) -> Iterator[openai.OpenAI]:
    """The SDK with the right key, against each kind of backend."""
    with sdk(both, both.key) as made:
        yield made


def test_it_lists_models(client: openai.OpenAI) -> None:
    """`models.list` gives the served model with its context size."""
    (model,) = client.models.list().data
    assert model.id == MODEL
    assert model.model_extra is not None
    assert model.model_extra["max_model_len"] == CONTEXT


def test_it_retrieves_a_model(both: Chain, client: openai.OpenAI) -> None:
    """`models.retrieve` gives one model, whose name may hold slashes; an unknown one is the SDK's own exception and names what is served."""
    assert client.models.retrieve(MODEL).model_dump()["max_model_len"] == CONTEXT
    assert client.models.retrieve("local-model").id == MODEL
    with pytest.raises(openai.NotFoundError, match=MODEL) as unknown:
        client.models.retrieve("unsloth/gpt-oss-20b")
    assert unknown.value.code == "model_not_found"
    both.fake.models.append("org/with-slash.gguf")
    try:
        eventually(lambda: len(client.models.list().data) > 1)
        assert client.models.retrieve("org/with-slash.gguf").id == "org/with-slash.gguf"
    finally:
        both.fake.models.pop()
        eventually(lambda: len(client.models.list().data) == 1)


def test_it_streams_ten_choices(client: openai.OpenAI) -> None:
    """`stream=True, n=10` gives ten whole texts by index, with usage at the end."""
    texts = [""] * 10
    finishes: list[str | None] = [None] * 10
    usage = None
    with client.chat.completions.create(
        model=MODEL, messages=MESSAGES, n=10, stream=True, stream_options={"include_usage": True}
    ) as stream:
        for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
                finishes[choice.index] = choice.finish_reason or finishes[choice.index]
    assert texts == [said(8)] * 10
    assert finishes == ["stop"] * 10
    assert usage is not None


def test_it_gets_a_whole_answer(client: openai.OpenAI) -> None:
    """Without streaming, `n=3` gives three choices."""
    answer = client.chat.completions.create(model="local-model", messages=MESSAGES, n=3)
    assert [choice.message.content for choice in answer.choices] == [said(8)] * 3
    assert answer.usage is not None


def test_its_errors_are_the_right_ones(both: Chain, client: openai.OpenAI) -> None:
    """A wrong key, an unknown model, a bad request and a dead backend are the SDK's own exceptions, with our code and hint."""
    with sdk(both, "dce_wrong") as stranger, pytest.raises(openai.AuthenticationError) as refused:
        stranger.models.list()
    assert refused.value.code == "invalid_key"
    with pytest.raises(openai.NotFoundError, match=MODEL) as unknown:
        client.chat.completions.create(model="fake-8b", messages=MESSAGES)
    assert (unknown.value.code, unknown.value.type) == ("model_not_found", "invalid_request_error")
    assert unknown.value.request_id
    with pytest.raises(openai.BadRequestError, match="n must be"):
        client.chat.completions.create(model=MODEL, messages=MESSAGES, n=1000)
    both.behave(fault="html")
    with pytest.raises(openai.InternalServerError) as dead:
        client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert dead.value.status_code == 502


def test_it_raises_when_a_stream_breaks(both: Chain, client: openai.OpenAI) -> None:
    """A backend that dies in the middle is an exception of the SDK, not a short answer."""
    both.behave(fault="death")
    stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="closed the connection"):
        list(stream)


def test_it_gets_a_response_and_streams_one(both: Chain, client: openai.OpenAI) -> None:
    """The Responses API: whole, streamed, and never stored by the backend."""
    assert client.responses.create(model="local-model", input="Say something.").output_text == said(8)
    with client.responses.create(model=MODEL, input="Say something.", stream=True) as stream:
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
    assert "".join(texts) == said(8)
    assert [request.json["store"] for request in both.fake.posts()] == [False, False]
    assert [request.path for request in both.fake.posts()] == ["/v1/responses"] * 2


def test_a_response_that_breaks_raises(both: Chain, client: openai.OpenAI) -> None:
    """The Responses API has its own form of an error in a stream: the SDK raises it."""
    both.behave(fault="death")
    with client.responses.create(model=MODEL, input="x", stream=True) as stream, pytest.raises(openai.APIError):
        list(stream)


def test_it_gets_vectors(client: openai.OpenAI) -> None:
    """Embeddings of several texts, in their order."""
    vectors = client.embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float")
    assert [(row.index, row.embedding) for row in vectors.data] == [(0, [0.5, 0.0]), (1, [0.5, 1.0])]


def test_an_agent_of_the_responses_api_goes_on(both: Chain, client: openai.OpenAI) -> None:
    """Calls and results of tools that the client runs go to the backend; the web search that Codex offers is left out, and said."""
    items: list[Any] = [
        {"role": "user", "content": "List the files."},
        {"type": "local_shell_call", "id": "l", "call_id": "c1", "status": "completed", "action": {"type": "exec", "command": ["ls"], "env": {}}},
        {"type": "local_shell_call_output", "id": "l", "output": "a.py"},
        {"type": "apply_patch_call", "call_id": "c2", "status": "completed", "operation": {"type": "delete_file", "path": "a.py"}},
        {"type": "apply_patch_call_output", "call_id": "c2", "status": "completed", "output": "gone"},
        {"type": "function_call", "call_id": "c3", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c3", "output": [{"type": "input_text", "text": "done"}]},
    ]  # fmt: skip
    tools: list[Any] = [{"type": "local_shell"}, {"type": "web_search"}, {"type": "apply_patch"}]
    raw = client.responses.with_raw_response.create(model=MODEL, input=items, tools=tools)
    assert raw.parse().output_text == said(8)
    assert raw.headers["x-dce-dropped-fields"] == "tools.web_search"
    (sent,) = both.fake.posts()
    assert sent.json["input"] == items
    assert sent.json["tools"] == [tools[0], tools[2]]
    with pytest.raises(openai.BadRequestError, match="tool_choice"):
        client.responses.create(model=MODEL, input="x", tools=tools, tool_choice={"type": "web_search_preview"})


def test_what_is_not_kept_here_cannot_be_asked_for(client: openai.OpenAI) -> None:
    """Stored and background responses are refused, naming the field."""
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        client.responses.create(model=MODEL, input="x", previous_response_id="resp_1")
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_1")
