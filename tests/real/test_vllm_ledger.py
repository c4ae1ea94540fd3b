"""The gateway's ledger against a real vLLM's own counters: what we say a key has used is what the GPU did."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dce.engine.vllm import VllmProcess
from dce.gateway.accounting.ledger import Entry
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from tests.fakes.chain import Answer, client_of, eventually
from tests.gateway.test_metering import rows
from tests.real.conftest import MODEL
from tests.real.test_vllm_gateway import STORY, generated, wait_until_idle

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

PROXY, CHAT = "/api/dce/proxy", "/v1/chat/completions"
COUNTED = {"stream": True, "stream_options": {"include_usage": True}}
LATE_TOKENS = 2
"""Tokens of one response that vLLM may still count after the last frame that reached us: an abort takes effect between two of its
steps, and the frame of one may be on its way. On a quiet machine there was none."""


class Ledgered:
    """A gateway in front of vLLM, and its ledger."""

    def __init__(self, server: GatewayServer, client: httpx2.Client, vllm: VllmProcess, folder: Path) -> None:
        self.server = server
        self.client = client
        self._vllm = vllm
        self._folder = folder
        wait_until_idle(vllm)
        self._before = generated(vllm)

    def stream(self, path: str = PROXY, **fields: Any) -> Any:
        """A request, begun."""
        return self.client.stream("POST", path, json={"model": self._vllm.model, "messages": STORY, **fields})

    def settled(self) -> tuple[list[Entry], int]:
        """The rows, and what vLLM has generated meanwhile, when both are at rest."""
        gateway = self.server.gateway
        eventually(lambda: gateway.metering.open == 0 and gateway.ledger.pending == 0, within_s=60)
        wait_until_idle(self._vllm)
        return rows(self._folder), generated(self._vllm) - self._before


@pytest.fixture
def ledgered(vllm: VllmProcess, tmp_path: Path) -> Iterator[Ledgered]:
    """A gateway with a ledger of its own, whose streams end with their connection."""
    settings = GatewaySettings(
        port=0,
        no_admin=True,
        insecure=True,
        resume_grace_s=0.0,
        data_dir=str(tmp_path),
        backends=(BackendSettings(url=vllm.url),),
    )
    with GatewayServer(settings) as server, client_of(server.url, "") as client:
        client.timeout = httpx2.Timeout(120)
        yield Ledgered(server, client, vllm, tmp_path)


def test_finished_responses_are_counted_to_the_token(ledgered: Ledgered) -> None:
    """Streams and JSON answers of both routes, of one and of many responses: the rows add up to vLLM's own increase, exactly."""
    for path in (PROXY, CHAT):
        for n, tokens in ((1, 5), (4, 32), (10, 17)):
            for how in (COUNTED, {"stream": False}):
                with ledgered.stream(path, n=n, max_tokens=tokens, temperature=1.0, **how) as response:
                    response.read()
                    assert response.status_code == 200, response.text
    found, counted = ledgered.settled()
    assert sum(row.completion_tokens for row in found) == counted > 0
    assert {(row.outcome, row.exactness, row.ended_by) for row in found} == {("finished", "exact", "model")}
    assert sum(row.responses for row in found) == 2 * 2 * (1 + 4 + 10)
    assert {row.prompt_tokens for row in found if row.choice == 0} == {found[0].prompt_tokens} != {0}


DIALECTS: dict[str, dict[str, Any]] = {
    "/v1/messages": {"messages": STORY, "max_tokens": 23},
    "/v1/responses": {"input": "Tell me a story.", "max_output_tokens": 23},
    "/v1/completions": {"prompt": ["Once upon a time", "In a lighthouse"], "n": 2, "max_tokens": 23},
}


def test_every_dialect_is_counted_to_the_token(ledgered: Ledgered) -> None:
    """Answers of the Messages, Responses and Completions routes, streamed and whole, add up to vLLM's own increase."""
    for path, body in DIALECTS.items():
        for is_stream in (True, False):
            counted = {"stream_options": {"include_usage": True}} if is_stream and "prompt" in body else {}
            answer = ledgered.client.post(path, json={"model": MODEL, **body, "stream": is_stream, **counted})
            assert answer.status_code == 200, answer.text
    found, counted_by_vllm = ledgered.settled()
    assert {(row.route, row.outcome, row.exactness) for row in found} == {
        (path, "finished", "exact") for path in DIALECTS
    }
    assert sum(row.completion_tokens for row in found) == counted_by_vllm > 0
    assert {row.responses for row in found if row.route == "/v1/completions"} == {4}
    assert all(row.prompt_tokens > 0 for row in found)


def test_aborted_responses_are_counted_to_the_last_frame(ledgered: Ledgered) -> None:
    """Clients that leave and responses that are stopped: no row is missing, and each lacks no more than what came after its last
    frame."""
    rng = random.Random(3)
    n, cut = 5, 8
    for at in range(cut):
        with ledgered.stream(n=n, max_tokens=4000, ignore_eos=True, stream=True, temperature=1.0) as response:
            answer = Answer(response)
            for _ in range(rng.randint(1, 150)):
                answer.step()
            if at % 2:
                assert ledgered.client.delete(f"/api/dce/streams/{answer.stream_id}").status_code == 204
                answer.rest()
    found, counted = ledgered.settled()
    assert len(found) == n * cut
    assert {row.outcome for row in found} == {"stopped"}
    assert {row.finish_reason for row in found} == {"stopped", "gone"}
    told = sum(row.completion_tokens for row in found)
    assert told <= counted <= told + LATE_TOKENS * len(found)


def test_a_mixture_is_counted(ledgered: Ledgered) -> None:
    """Some of ten stopped, the others finished: the finished are exact, the sum lies between the ledger's and one frame more."""
    with ledgered.stream(n=10, max_tokens=120, ignore_eos=True, stream=True) as response:
        answer = Answer(response)
        answer.until(lambda seen: len(seen.choices) == 10)
        for index in (2, 7):
            path = f"/api/dce/streams/{answer.stream_id}/choices/{index}"
            assert ledgered.client.delete(path).status_code == 204
        answer.rest()
    found, counted = ledgered.settled()
    finished = [row for row in found if row.outcome == "finished"]
    assert [row.completion_tokens for row in finished] == [120] * 8
    told = sum(row.completion_tokens for row in found)
    assert told == answer.usage["completion_tokens"]
    assert told <= counted <= told + 2 * LATE_TOKENS
