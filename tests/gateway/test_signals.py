"""What a gateway process does when it is told to stop: it finishes what runs, refuses what is new, and loses no row."""

import contextlib
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fakes.chain import PROXY, SLOW, Answer, client_of, error_of, eventually
from tests.fakes.gateway_process import GatewayProcess
from tests.fakes.vllm import Behaviour, FakeVllm
from tests.gateway.test_metering import rows

BODY = {"messages": [{"role": "user", "content": "x"}], "n": 2}
TOKENS = 300
"""Three seconds and more: while they are written a busy machine finds the time to be refused."""


@pytest.fixture
def backend() -> Iterator[FakeVllm]:
    """A backend that takes its time."""
    with FakeVllm(behaviour=Behaviour(tokens=TOKENS, delay_s=SLOW)) as fake:
        yield fake


@contextlib.contextmanager
def streaming(gateway: GatewayProcess) -> Iterator[Answer]:
    """A stream of which every response has begun."""
    with client_of(gateway.url, gateway.key) as client, client.stream("POST", PROXY, json=BODY) as response:
        answer = Answer(response)
        answer.until(lambda seen: len(seen.choices) == 2)
        yield answer


def refused(client: httpx2.Client) -> bool:
    """Whether new work is refused as it should be; a generation that still gets in is read to its end."""
    answer = client.post(PROXY, json={**BODY, "max_tokens": 1, "n": 1})
    if answer.status_code == 200:
        return False
    error: dict[str, Any] = error_of(answer)
    assert (answer.status_code, error["code"]) == (503, "draining")
    assert int(answer.headers["retry-after"]) >= 1
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(backend: FakeVllm, tmp_path: Path, number: signal.Signals) -> None:
    """Running responses finish, new ones are told to come back, then the process ends; every row is on disk."""
    with GatewayProcess(tmp_path, backend.url, "--shutdown-timeout-s", "100") as gateway, streaming(gateway) as answer:
        codes: list[int] = []
        ending = threading.Thread(target=lambda: codes.append(gateway.kill(number)))
        ending.start()
        with client_of(gateway.url, gateway.key) as client:
            eventually(lambda: refused(client))
            assert client.get("/readyz").status_code == 503
        answer.rest()
        ending.join(100)
        assert codes == [0]
        assert answer.is_done
        assert answer.ends() == {0: ["stop"], 1: ["stop"]}
        found = rows(gateway.folder, stream_id=answer.stream_id)
        check_log(gateway, answer.response.headers["x-request-id"])
    assert [(row.outcome, row.completion_tokens) for row in found] == [("finished", TOKENS)] * 2


def check_log(gateway: GatewayProcess, request_id: str) -> None:
    """What the process said, but for its first and last words to a person, is lines of JSON; the request's has its account."""
    lines = [json.loads(line) for line in gateway.log().splitlines() if line.startswith("{")]
    assert {"time", "level"} <= set.intersection(*map(set, lines))
    (line,) = [line for line in lines if line.get("request_id") == request_id]
    assert (line["status"], line["n"], line["tokens"] > 120) == (200, 2, True)
    assert any("draining" in line.get("message", "") for line in lines)
    assert gateway.log().splitlines()[-1] == "gateway stopped"


def test_a_second_signal_does_not_wait(backend: FakeVllm, tmp_path: Path) -> None:
    """Whoever is in a hurry signals twice: the stream ends visibly, and its rows say that the gateway ended it."""
    backend.behaviour = Behaviour(tokens=1_000_000, delay_s=SLOW)
    with GatewayProcess(tmp_path, backend.url, "--shutdown-timeout-s", "600") as gateway, streaming(gateway) as answer:
        first = threading.Thread(target=gateway.kill, args=(signal.SIGTERM,))
        first.start()
        with client_of(gateway.url, gateway.key) as client:
            eventually(lambda: refused(client))
        gateway.kill(signal.SIGTERM)
        first.join(100)
        answer.rest()
        assert not answer.is_done
        assert answer.error["code"] == "draining"
        found = rows(gateway.folder, stream_id=answer.stream_id)
    assert [(row.outcome, row.ended_by) for row in found] == [("stopped", "gateway")] * 2
