"""The other /v1 dialects in front of a real vLLM, with the SDKs that people use for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import anthropic
import openai
import pytest
from anthropic.types import MessageParam

from dce.engine.vllm import VllmProcess
from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from tests.fakes.chain import client_of, error_of, free_port
from tests.real.conftest import MODEL
from tests.real.test_vllm_gateway import wait_until_idle

# The first test waits for vLLM to come up: 50 s on two quiet cores, minutes when they are shared.
pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

STORY: list[MessageParam] = [{"role": "user", "content": "Tell me a long story about a lighthouse."}]
GREEDY = {"temperature": 0}
SAID = "Tell me a story about a lighthouse."


class Front(NamedTuple):
    """A gateway and the key it takes."""

    server: GatewayServer
    key: str


@pytest.fixture
def front(vllm: VllmProcess, tmp_path: Path) -> Iterator[Front]:
    """A gateway before vLLM, and before a backend that is not there, which must not matter."""
    keys = KeyStore(tmp_path)
    key = keys.create("tests")[1]
    keys.close()
    rows = (BackendSettings(url=f"http://127.0.0.1:{free_port()}"), BackendSettings(url=vllm.url))
    settings = GatewaySettings(port=0, no_admin=True, data_dir=str(tmp_path), backends=rows, resume_grace_s=0.0)
    with GatewayServer(settings) as server:
        yield Front(server, key)


@pytest.fixture
def claude(front: Front) -> Iterator[anthropic.Anthropic]:
    """The Anthropic SDK, pointed at the gateway."""
    http = anthropic.DefaultHttpxClient(trust_env=False)
    with anthropic.Anthropic(base_url=front.server.url, auth_token=front.key, max_retries=0, http_client=http) as made:
        yield made


@pytest.fixture
def gpt(front: Front) -> Iterator[openai.OpenAI]:
    """The OpenAI SDK, pointed at the gateway."""
    http = openai.DefaultHttpxClient(trust_env=False)
    with openai.OpenAI(base_url=f"{front.server.url}/v1", api_key=front.key, max_retries=0, http_client=http) as made:
        yield made


def test_messages_whole_and_streamed_say_the_same(claude: anthropic.Anthropic) -> None:
    """Greedy answers of both forms are one text, with the same counts; the SDK puts the streamed one together."""
    whole = claude.messages.create(
        model="local-model", max_tokens=12, messages=STORY, system="Be brief.", extra_body=GREEDY
    )
    with claude.messages.stream(
        model=MODEL, max_tokens=12, messages=STORY, system="Be brief.", extra_body=GREEDY
    ) as stream:
        texts = list(stream.text_stream)
        streamed = stream.get_final_message()
    assert [block.text for block in whole.content if block.type == "text"] == ["".join(texts)]
    assert (whole.usage.output_tokens, whole.stop_reason) == (12, "max_tokens")
    assert (streamed.usage.output_tokens, streamed.stop_reason) == (12, "max_tokens")
    assert streamed.usage.input_tokens == whole.usage.input_tokens > 10


def test_errors_of_messages_are_the_sdk_s_own(claude: anthropic.Anthropic) -> None:
    """An unknown model, a prompt that is too long and a body that vLLM refuses: the right exception, with our code and hop."""
    with pytest.raises(anthropic.NotFoundError, match=MODEL) as unknown:
        claude.messages.create(model="smollm2", max_tokens=5, messages=STORY)
    assert "model_not_found" in str(unknown.value)
    long: list[MessageParam] = [{"role": "user", "content": "word " * 9000}]
    with pytest.raises(anthropic.BadRequestError, match="prompt_too_long"):
        claude.messages.create(model=MODEL, max_tokens=5, messages=long)
    with pytest.raises(anthropic.BadRequestError, match="invalid_request"):
        claude.messages.create(model=MODEL, max_tokens=5, messages=[])


def test_a_closed_stream_of_messages_frees_vllm(claude: anthropic.Anthropic, vllm: VllmProcess) -> None:
    """Nothing runs on when the reader has gone."""
    with claude.messages.stream(model=MODEL, max_tokens=2000, messages=STORY, extra_body=GREEDY) as stream:
        next(iter(stream.text_stream))
    wait_until_idle(vllm)


def test_responses_whole_and_streamed_say_the_same(gpt: openai.OpenAI) -> None:
    """Greedy answers of both forms are one text; the response is not kept by vLLM."""
    whole = gpt.responses.create(model="local-model", input=SAID, max_output_tokens=12, temperature=0)
    with gpt.responses.create(model=MODEL, input=SAID, max_output_tokens=12, temperature=0, stream=True) as stream:
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
    assert whole.output_text == "".join(texts) != ""
    assert whole.usage is not None
    assert whole.usage.output_tokens == 12


def test_embeddings_of_a_model_that_has_none(front: Front, gpt: openai.OpenAI) -> None:
    """vLLM serves no embeddings of a model that writes: the answer says that it is the backend that lacks them."""
    with pytest.raises(openai.NotFoundError) as refused:
        gpt.embeddings.create(model=MODEL, input="text")
    assert (refused.value.code, refused.value.type) == ("route_not_found", "invalid_request_error")
    with client_of(front.server.url, front.key) as client:
        error = error_of(client.post("/v1/embeddings", json={"model": MODEL, "input": "text"}))
    assert (error["code"], error["hop"]) == ("route_not_found", "backend")
    assert error["hint"]


def test_completions_stream(gpt: openai.OpenAI) -> None:
    """The older completions, several at once."""
    with gpt.completions.create(
        model=MODEL, prompt="Once upon a", n=2, max_tokens=8, stream=True, extra_body={"min_tokens": 8}
    ) as stream:
        texts = {0: "", 1: ""}
        for chunk in stream:
            for choice in chunk.choices:
                texts[choice.index] += choice.text
    assert all(texts.values())
