"""The gateway in front of a real vLLM: what a client gets is held against vLLM's own counters, not against our word.

vLLM, the gateway (`dce gateway serve`, a process of its own) and the client meet over real sockets. The model is SmolLM2-135M on the CPU.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import openai
import pytest

from dce.engine.vllm import VllmProcess
from dce.wire.sse import Decoder
from dce.workspace.schema import SCHEMAS
from tests.fakes.chain import free_port

# The first test waits for vLLM to come up: 50 s on two quiet cores, minutes when they are shared.
pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

DCE = [sys.executable, "-c", "from dce.cli.main import main; main()", "gateway"]
STORY = [{"role": "user", "content": "Tell me a long story about a lighthouse."}]
LIVE_USAGE = {"include_usage": True, "continuous_usage_stats": True}
IDLE_WITHIN_STEPS = 24
"""How soon vLLM must be idle when its client has gone (killing the client frees the GPU): in its own steps, of one token for each
response, because on a busy machine seconds say nothing. Beside eight busy processes it took seven."""


class Gateway(NamedTuple):
    """Where the gateway listens and the key it takes."""

    url: str
    key: str

    def client(self) -> httpx2.Client:
        """A client with the key. Close it."""
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=120, trust_env=False)


@pytest.fixture(scope="session")
def gateway(vllm: VllmProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """`dce gateway serve` in front of vLLM, with a key made by `dce gateway keys create`."""
    folder = tmp_path_factory.mktemp("gateway")
    where = ["--data-dir", str(folder)]
    made = subprocess.run([*DCE, "keys", "create", "tests", *where], capture_output=True, text=True, check=True)
    port = free_port()
    with (folder / "log").open("wb") as log:
        serving = subprocess.Popen(
            [*DCE, "serve", *where, "--port", str(port), "--admin-port", "0", "--backend", vllm.url],
            stdout=log,
            stderr=log,
        )
    try:
        gateway = Gateway(f"http://127.0.0.1:{port}", made.stdout.strip())
        with gateway.client() as client:
            while not is_ready(client):
                assert serving.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield gateway
    finally:
        serving.terminate()
        serving.wait(30)


@pytest.fixture
def client(gateway: Gateway, vllm: VllmProcess) -> Iterator[httpx2.Client]:
    """A client of the gateway, on a vLLM that has nothing else to do."""
    wait_until_idle(vllm)
    with gateway.client() as client:
        yield client


def is_ready(client: httpx2.Client) -> bool:
    """Whether the gateway knows a backend that serves."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def metrics(vllm: VllmProcess, *names: str) -> list[int]:
    """vLLM's own figures, each summed over its labels, all of one moment."""
    text = httpx2.get(f"{vllm.url}/metrics", timeout=30, trust_env=False).text
    rows = [re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE) for name in names]
    assert all(rows), f"vLLM lacks one of the metrics {names}"
    return [round(sum(map(float, row))) for row in rows]


def generated(vllm: VllmProcess) -> int:
    """All tokens that vLLM has generated since it started."""
    return metrics(vllm, "vllm:generation_tokens_total")[0]


def wait_until_idle(vllm: VllmProcess) -> None:
    """Returns when vLLM runs no request."""
    while any(metrics(vllm, "vllm:num_requests_running", "vllm:num_requests_waiting")):
        time.sleep(0.05)


def ask(**fields: Any) -> dict[str, Any]:
    """A body for `/api/dce/proxy`."""
    return {"messages": STORY, "stream": True, "stream_options": LIVE_USAGE, **fields}


class Reader:
    """What has arrived of an n-way stream: texts and ends by choice, and how the stream itself ended."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.texts: dict[int, str] = {}
        self.ends: dict[int, str] = {}
        self.tokens: dict[int, int] = {}
        self.usage: dict[str, int] = {}
        self.is_done = False
        self._events = self._read()

    def _read(self) -> Iterator[None]:
        decoder = Decoder()
        for piece in self.response.iter_raw():
            for event in decoder.feed(piece):
                self._event(event.data)
                yield

    def _event(self, data: str) -> None:
        assert not self.is_done, "a frame after [DONE]"
        if data == "[DONE]":
            self.is_done = True
            return
        chunk = json.loads(data)
        assert "error" not in chunk, chunk
        if not chunk["choices"]:
            self.usage = chunk["usage"]
        for choice in chunk["choices"]:
            index = choice["index"]
            assert index not in self.ends, f"choice {index} goes on after its end"
            self.texts[index] = self.texts.get(index, "") + (choice["delta"].get("content") or "")
            self.tokens[index] = (chunk.get("usage") or {}).get("completion_tokens", self.tokens.get(index, 0))
            if choice["finish_reason"]:
                self.ends[index] = choice["finish_reason"]

    def until_all_write(self, n: int) -> None:
        """Reads until each of the n choices has text, or has ended without any."""
        while sum(bool(text) or index in self.ends for index, text in self.texts.items()) < n:
            next(self._events)

    def to_the_end(self) -> None:
        """Reads what is left."""
        for _ in self._events:
            pass


@contextmanager
def stream(client: httpx2.Client, body: dict[str, Any]) -> Iterator[Reader]:
    """A stream of `/api/dce/proxy`, begun; leaving closes the connection."""
    with client.stream("POST", "/api/dce/proxy", json=body) as response:
        if response.status_code != 200:
            pytest.fail(response.read().decode())
        yield Reader(response)


def test_ten_streams_finish_and_are_counted_as_vllm_counts(client: httpx2.Client, vllm: VllmProcess) -> None:
    """All ten responses finish, differ though they share a seed, and their summed usage is vLLM's own increase."""
    before = generated(vllm)
    with stream(client, ask(n=10, max_tokens=48, temperature=1.0, seed=7)) as reader:
        reader.to_the_end()
    assert sorted(reader.ends) == list(range(10))
    assert set(reader.ends.values()) <= {"stop", "length"}
    assert reader.is_done
    assert len(set(reader.texts.values())) > 5
    assert reader.usage["completion_tokens"] == sum(reader.tokens.values())
    wait_until_idle(vllm)
    assert generated(vllm) - before == reader.usage["completion_tokens"]


def test_one_of_ten_is_stopped_and_nine_complete(client: httpx2.Client, vllm: VllmProcess) -> None:
    """A stopped response ends as `stopped` and vLLM stops writing it; the nine others get all their tokens."""
    limit = 96
    before = generated(vllm)
    with stream(client, ask(n=10, max_tokens=limit, temperature=1.0, ignore_eos=True)) as reader:
        reader.until_all_write(10)
        path = f"/api/dce/streams/{reader.response.headers['x-dce-stream-id']}/choices/3"
        assert client.delete(path).status_code == 204
        reader.to_the_end()
    assert reader.ends.pop(3) == "stopped"
    assert reader.ends == dict.fromkeys((0, 1, 2, 4, 5, 6, 7, 8, 9), "length")
    assert reader.is_done
    assert reader.usage["completion_tokens"] == 9 * limit + reader.tokens[3]
    wait_until_idle(vllm)
    assert generated(vllm) - before < 10 * limit


def test_a_client_that_leaves_frees_vllm(client: httpx2.Client, vllm: VllmProcess) -> None:
    """When the client closes its connection amid ten responses, vLLM ends them within a few steps and writes no more."""
    with stream(client, ask(n=10, max_tokens=4000, ignore_eos=True)) as reader:
        reader.until_all_write(10)
        running, left_at = metrics(vllm, "vllm:num_requests_running", "vllm:generation_tokens_total")
        assert running == 10
    wait_until_idle(vllm)
    assert generated(vllm) - left_at <= 10 * IDLE_WITHIN_STEPS
    assert not reader.is_done
    after = generated(vllm)
    with stream(client, ask(n=1, max_tokens=8, ignore_eos=True)) as next_reader:
        next_reader.to_the_end()
    wait_until_idle(vllm)
    assert generated(vllm) - after == 8


def test_the_openai_sdk_works_on_the_gateway(gateway: Gateway, vllm: VllmProcess) -> None:
    """The OpenAI Python SDK lists the model, streams n=10 and gets a whole answer, from vLLM and not from us."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=120) as sdk:
        assert [model.id for model in sdk.models.list()] == [vllm.model]
        ends: dict[int, str] = {}
        total = 0
        chunks = sdk.chat.completions.create(
            model=vllm.model,
            messages=[{"role": "user", "content": "Name a colour."}],
            n=10,
            max_tokens=12,
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in chunks:
            ends.update({choice.index: choice.finish_reason for choice in chunk.choices if choice.finish_reason})
            total = chunk.usage.completion_tokens if chunk.usage else total
        assert sorted(ends) == list(range(10))
        assert set(ends.values()) <= {"stop", "length"}
        assert 10 <= total <= 120
        whole = sdk.chat.completions.create(
            model=vllm.model,
            messages=[{"role": "user", "content": "Name a colour."}],
            n=2,
            max_tokens=8,
            extra_body={"min_tokens": 8},
        )
        assert [choice.index for choice in whole.choices] == [0, 1]
        assert all(choice.message.content for choice in whole.choices)
        assert (whole.system_fingerprint or "").startswith("vllm-")
        with pytest.raises(openai.NotFoundError, match="no backend serves the model 'gpt-9'"):
            sdk.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "Hello"}])


@pytest.mark.parametrize("model", [{"model": "local-model"}, {}], ids=["local-model", "absent"])
def test_the_original_clients_request_is_answered(
    client: httpx2.Client, vllm: VllmProcess, model: dict[str, str]
) -> None:
    """The original's body, asking for more tokens than the context has, is answered; stopping the stream frees vLLM."""
    body = {**model, "messages": STORY, "n": 3, "max_tokens": 16384, "reasoning_effort": "low", "stream": True}
    with stream(client, body) as reader:
        reader.until_all_write(3)
        assert client.delete(f"/api/dce/streams/{reader.response.headers['x-dce-stream-id']}").status_code == 204
        reader.to_the_end()
    assert sorted(reader.ends) == [0, 1, 2]
    assert set(reader.ends.values()) <= {"stopped", "stop"}
    assert reader.is_done
    wait_until_idle(vllm)


def test_an_unknown_model_is_named_with_what_is_served(client: httpx2.Client, vllm: VllmProcess) -> None:
    """A wrong name is 404 `model_not_found` at the hop model, and says which names there are."""
    answer = client.post("/api/dce/proxy", json=ask(n=2, model="smollm2-136m"))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["hop"]) == (404, "model_not_found", "model")
    assert f"served: {vllm.model}" in error["message"]
    assert vllm.model in error["hint"]


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("words", [9_000, 400_000], ids=["by tokens", "by characters"])
def test_a_prompt_beyond_the_context_is_too_long(client: httpx2.Client, words: int, is_stream: bool) -> None:
    """vLLM's two ways of refusing a long prompt both are 400 `prompt_too_long` at the hop model, streamed or not."""
    answer = client.post("/api/dce/proxy", json={"prompt": "word " * words, "n": 10, "stream": is_stream})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["hop"]) == (400, "prompt_too_long", "model")
    assert "8192" in error["message"]


def test_a_count_is_the_one_of_the_models_own_tokenizer(client: httpx2.Client, vllm: VllmProcess) -> None:
    """The gateway's `/tokenize` gives vLLM's own count, for text of any script, and the model's context."""
    text = "def mean(values):\n\treturn sum(values) / len(values)  # naïve 平均 😀\r\n" * 50
    mine = client.post("/tokenize", json={"prompt": text}).json()
    own = httpx2.post(f"{vllm.url}/tokenize", json={"prompt": text}, timeout=30, trust_env=False).json()
    assert mine["count"] == own["count"] > 1000
    assert mine["max_model_len"] == own["max_model_len"] == 8192


def test_a_grammar_holds_every_response(client: httpx2.Client) -> None:
    """With a fill grammar, in llama.cpp's notation, each of ten responses is the fixed text with a body of the model's own."""
    grammar = 'root ::= "```python\\n" "def mean(values):\\n    return " hole "\\n```"\nhole ::= [^\\n`]{1,60}\n'
    prompt = "Write the Python function `mean(values)`. Return the arithmetic mean of values."
    body = {"prompt": prompt, "n": 10, "max_tokens": 400, "temperature": 0.8, "grammar": grammar, "stream": False}
    answer = client.post("/api/dce/proxy", json=body)
    assert answer.status_code == 200, answer.text
    texts = answer.json()["responses"]
    assert len(texts) == 10
    form = re.compile(r"```python\ndef mean\(values\):\n    return [^\n`]{1,60}\n```")
    assert [text for text in texts if not form.fullmatch(text)] == []
    assert len(set(texts)) > 1


def test_a_grammar_that_is_none_is_refused(client: httpx2.Client) -> None:
    """vLLM reports a broken grammar inside a stream under status 200; the client hears of it, and hears why."""
    body = {"prompt": "Hello", "n": 2, "grammar": "root ::= (", "stream": False}
    answer = client.post("/api/dce/proxy", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["hop"]) == ("invalid_request", "backend")
    assert "grammar" in error["message"]


def test_greedy_responses_are_possible(client: httpx2.Client) -> None:
    """Temperature 0 with n=3, which vLLM itself refuses, works: each response is a request of its own."""
    with stream(client, ask(n=3, max_tokens=6, temperature=0)) as reader:
        reader.to_the_end()
    assert reader.is_done
    assert sorted(reader.ends) == [0, 1, 2]


def verb(gateway: Gateway, folder: Path, *words: str) -> Any:
    """What a verb of the client says, as JSON: an event a line from those that generate."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DCE_")}
    run = subprocess.run(
        [*DCE[:-1], *words, "--json"],
        cwd=folder,
        env=environment | {"DCE_URL": gateway.url, "DCE_API_KEY": gateway.key},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert run.stdout, (words, run.stderr)
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_cut_response_goes_on_where_it_stops(gateway: Gateway, vllm: VllmProcess, tmp_path: Path) -> None:
    """`dce continue` gives vLLM the answer so far as its own last words: what comes is added to it, and nothing is said twice."""
    wait_until_idle(vllm)
    verb(gateway, tmp_path, "init")
    (tmp_path / "story.md").write_text("# The lighthouse\n\nA keeper, a storm, a ship.\n")
    verb(gateway, tmp_path, "select", "add", "story.md")
    verb(gateway, tmp_path, "cycle", "new", "-m", "Write the story at length, in a new file.")
    # The model may end an answer by itself after any token: of eight with a limit of eight tokens, one that met its limit goes on.
    verb(gateway, tmp_path, "generate", "-n", "8", "--max-tokens", "8", "--yes")
    shown = [verb(gateway, tmp_path, "show", str(slot))[0]["response"] for slot in range(1, 9)]
    # The one with the most different characters: a text of little else than white space may well be said twice.
    cut = max((each for each in shown if each["status"] == "truncated"), key=lambda each: len(set(each["text"])))
    slot = str(cut["slot"])
    assert (cut["version"], cut["tokens"]["exact"]) == (1, True)
    before = generated(vllm)
    verb(gateway, tmp_path, "continue", "latest", slot, "--yes")
    joined = verb(gateway, tmp_path, "show", slot)[0]["response"]
    assert joined["version"] == 2
    assert joined["status"] in ("truncated", "complete")
    assert joined["text"].startswith(cut["text"].rstrip())
    assert cut["text"][:40] not in joined["text"][40:]
    assert joined["tokens"]["answer"] - cut["tokens"]["answer"] == generated(vllm) - before > 0
    assert verb(gateway, tmp_path, "show", slot, "--version", "1")[0]["response"] == cut


def test_the_grammar_of_whole_files_is_taken(client: httpx2.Client) -> None:
    """vLLM compiles the grammar of schema `strict` and holds each response to it from its first character."""
    grammar = SCHEMAS["strict"].grammar("a1b2c3", ())
    body = {
        "prompt": "Write hello.py.",
        "n": 2,
        "max_tokens": 60,
        "temperature": 0.8,
        "grammar": grammar,
        "stream": False,
    }
    answer = client.post("/api/dce/proxy", json=body)
    assert answer.status_code == 200, answer.text
    assert all(text.startswith("<summary>\n") for text in answer.json()["responses"])
