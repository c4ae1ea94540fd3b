"""What machines do to a gateway: killed, paused, cut off, out of disk. Real processes, real sockets."""

import contextlib
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.fakes.chain import Answer, check_sound, client_of, error_of, eventually
from tests.fakes.gateway_process import GatewayProcess
from tests.fakes.vllm import Behaviour, FakeVllm

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
BODY = {"messages": [{"role": "user", "content": "Say something."}], "n": 10}
BACKEND = """
import threading
from tests.fakes.vllm import Behaviour, FakeVllm
with FakeVllm(behaviour=Behaviour(delay_s=0.01, tokens=400)) as fake:
    print(fake.url, flush=True)
    threading.Event().wait()
"""
"""A backend in a process of its own, so that it can be stopped in mid-word."""


@contextlib.contextmanager
def streaming(gateway: GatewayProcess, n: int = 10, grace: str = "0") -> Iterator[Answer]:
    """An open generation. `grace`: seconds that it may run on without us."""
    with (
        client_of(gateway.url, gateway.key) as client,
        client.stream(
            "POST", "/api/dce/proxy", json={**BODY, "n": n}, headers={"x-dce-resume-grace": grace}
        ) as response,
    ):
        assert response.status_code == 200, response.read()
        yield Answer(response)


def test_a_killed_gateway_frees_its_backend_and_comes_back(tmp_path: Path) -> None:
    """kill -9 in mid-stream: the client's stream breaks without a fabricated end, the backend is free at once, and the
    gateway that is started again knows its keys, its ledger and its streams' end: it answers 404, never a wrong stream."""
    with (
        FakeVllm(behaviour=Behaviour(delay_s=0.01, tokens=4000)) as fake,
        GatewayProcess(tmp_path, fake.url) as gateway,
    ):
        for _ in range(3):
            with streaming(gateway, grace="60") as answer:
                answer.until(lambda seen: len(seen.choices) == 10)
                gateway.kill()
                answer.rest()
                assert answer.is_broken
                assert not answer.is_done
                assert not any(answer.ends().values())
            eventually(lambda: fake.open_streams == 0)
            gateway.start()
            with client_of(gateway.url, gateway.key) as client:
                gone = error_of(client.get(f"/api/dce/streams/{answer.stream_id}?after=1"))
                assert gone["code"] == "route_not_found"
        fake.behaviour = Behaviour()
        with streaming(gateway) as answer:
            check_sound(answer.rest(), 10)
        for path in gateway.folder.glob("*.db"):
            with contextlib.closing(sqlite3.connect(path)) as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_paused_backend_is_a_timeout_of_the_backend_and_its_return_is_noticed(tmp_path: Path) -> None:
    """SIGSTOP: connections stay open and nothing comes. Every response ends with backend_timeout, with what it had; the
    gateway says that nothing serves; after SIGCONT it serves again."""
    with (
        subprocess.Popen([sys.executable, "-c", BACKEND], cwd=ROOT, stdout=subprocess.PIPE, text=True) as backend,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(backend.kill)
        assert backend.stdout is not None
        config = tmp_path / "gateway.toml"
        config.write_text("idle_timeout_s = 2.0\nfirst_byte_timeout_s = 4.0\ndiscovery_interval_s = 0.2\n", "utf-8")
        gateway = stack.enter_context(
            GatewayProcess(tmp_path, backend.stdout.readline().strip(), "--config", str(config))
        )
        with streaming(gateway, n=3) as answer:
            answer.until(lambda seen: len(seen.choices) == 3 and all(said.text for said in seen.choices.values()))
            backend.send_signal(signal.SIGSTOP)
            answer.rest()
        assert {said.error["code"] for said in answer.choices.values()} == {"backend_timeout"}
        assert answer.error["hop"] == "backend"
        assert not answer.is_done
        with client_of(gateway.url, gateway.key) as client:
            refused = error_of(client.post("/api/dce/proxy", json=BODY))
            assert refused["hop"] == "backend"
        backend.send_signal(signal.SIGCONT)
        eventually(gateway.is_ready)
        with streaming(gateway, n=2) as answer:
            assert answer.rest().is_done


def test_two_hundred_cuts(tmp_path: Path) -> None:
    """200 connections cut at random places over real sockets: every stream is whole in the end, no frame is missing or twice."""
    rng = random.Random(20)
    cuts = 0
    with (
        FakeVllm(behaviour=Behaviour(delay_s=0.001, tokens=30)) as fake,
        GatewayProcess(tmp_path, fake.url) as gateway,
    ):
        while cuts < 200:
            with streaming(gateway, grace="60") as answer:
                for _ in range(rng.randint(0, 4)):
                    answer.step()
            while not answer.is_done:
                cuts += 1
                with (
                    client_of(gateway.url, gateway.key) as client,
                    client.stream("GET", f"/api/dce/streams/{answer.stream_id}?after={len(answer.ids)}") as response,
                ):
                    assert response.status_code == 200, response.read()
                    answer._decoder, answer._pieces = (
                        type(answer._decoder)(),
                        response.iter_raw(rng.choice([None, 300])),
                    )
                    for _ in range(rng.randint(1, 40)):
                        if not answer.step():
                            break
            check_sound(answer, 10, 30)
        eventually(lambda: fake.open_streams == 0)


def test_a_full_disk_stops_no_stream_and_loses_no_account(tmp_path: Path) -> None:
    """While nothing can be written the gateway goes on serving; when there is room again, what happened meanwhile is written."""
    with FakeVllm() as fake, GatewayProcess(tmp_path, fake.url) as gateway:
        with streaming(gateway, n=2) as answer:
            check_sound(answer.rest(), 2)
        eventually(lambda: rows_of(gateway) == 2)
        limit = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        for _ in range(5):
            with streaming(gateway, n=2) as answer:
                check_sound(answer.rest(), 2)
        with client_of(gateway.url, gateway.key) as client:
            assert client.get("/v1/models").status_code == 200
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, limit)
        eventually(lambda: rows_of(gateway) == 12)


def rows_of(gateway: GatewayProcess) -> int:
    """The rows of the ledger."""
    with contextlib.closing(sqlite3.connect(f"file:{gateway.folder / 'ledger.db'}?mode=ro", uri=True)) as database:
        try:
            return int(database.execute("SELECT count(*) FROM responses").fetchone()[0])
        except sqlite3.OperationalError:
            return -1


def test_a_terminated_gateway_ends_its_streams_truthfully(tmp_path: Path) -> None:
    """SIGTERM in mid-stream: what does not end in time ends with an error that names the gateway, never with [DONE]."""
    with (
        FakeVllm(behaviour=Behaviour(delay_s=0.01, tokens=40_000)) as fake,
        GatewayProcess(tmp_path, fake.url, "--shutdown-timeout-s", "0.5") as gateway,
        streaming(gateway) as answer,
    ):
        answer.until(lambda seen: len(seen.choices) == 10)
        assert gateway.kill(signal.SIGTERM) in (0, -signal.SIGTERM)
        answer.rest()
        assert not answer.is_done
        assert answer.error.get("code") == "draining" or answer.is_broken
        eventually(lambda: fake.open_streams == 0)
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{gateway.url}/healthz", trust_env=False)
