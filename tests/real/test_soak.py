"""An hour's mischief in a minute: streams that end, that are left, stopped and resumed; then nothing may have grown."""

import math
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.chain import Answer, client_of, eventually
from tests.fakes.gateway_process import GatewayProcess
from tests.fakes.vllm import FAULTS, Behaviour, FakeVllm

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

GENERATIONS_A_ROUND = 150
WORKERS = 6
LEVEL_ROUNDS = 4
MAX_ROUNDS = 24
"""An allocator fills its arenas for as long as the mischief finds new sizes; what leaks goes on for ever."""

MAX_GROWTH_BYTES_A_GENERATION = 400
"""Over the level rounds. A generation kept by mistake would be tens of kilobytes; an allocator's drift is not."""


def one_generation(gateway: GatewayProcess, seed: int) -> None:
    """A client of some temper."""
    rng = random.Random(seed)
    body = {"messages": [{"role": "user", "content": "x" * rng.choice((10, 1000, 100_000))}], "n": rng.randint(1, 10)}
    with client_of(gateway.url, gateway.key) as client:
        temper = rng.choice(("stays", "leaves", "stops", "resumes", "asks for JSON", "passes through"))
        if temper == "asks for JSON":
            client.post("/api/dce/proxy", json={**body, "stream": False})
            return
        path = "/v1/chat/completions" if temper == "passes through" else "/api/dce/proxy"
        headers = {"x-dce-resume-grace": rng.choice(("0", "0.5"))}
        with client.stream("POST", path, json={**body, "stream": True}, headers=headers) as response:
            answer = Answer(response)
            if temper in ("stays", "passes through") or response.status_code != 200:
                for _ in response.iter_raw():
                    pass
                return
            for _ in range(rng.randint(1, 5)):
                answer.step()
            if temper == "stops":
                client.delete(f"/api/dce/streams/{answer.stream_id}")
        if temper == "resumes":
            client.get(f"/api/dce/streams/{answer.stream_id}?after={len(answer.ids)}")


def growth_bytes(rss: list[int]) -> float:
    """A generation, over the last rounds; infinite before there are as many."""
    level = rss[-LEVEL_ROUNDS:]
    if len(level) < LEVEL_ROUNDS:
        return math.inf
    return (level[-1] - level[0]) / (GENERATIONS_A_ROUND * (LEVEL_ROUNDS - 1))


def test_nothing_grows(tmp_path: Path) -> None:
    """After each round of mischief the gateway is idle; its files are as many as before, and its memory comes to a level."""
    with FakeVllm() as fake, GatewayProcess(tmp_path, fake.url) as gateway:
        rss, files = list[int](), list[int]()
        over = threading.Event()
        while growth_bytes(rss) >= MAX_GROWTH_BYTES_A_GENERATION and len(rss) < MAX_ROUNDS:
            at = len(rss)
            fake.behaviour = Behaviour(fault=("", *FAULTS)[at % 3], delay_s=0.0005, tokens=12)
            seeds = range(at * GENERATIONS_A_ROUND, (at + 1) * GENERATIONS_A_ROUND)
            with ThreadPoolExecutor(WORKERS) as pool:
                list(pool.map(lambda seed: one_generation(gateway, seed), seeds))
            fake.requests.clear()
            eventually(lambda: fake.open_streams == 0)
            over.wait(6)  # longer than a resting connection to a backend is kept, and than every grace
            rss.append(gateway.rss_bytes())
            files.append(gateway.open_files())
        eventually(lambda: gateway.open_files() <= files[1] + 2)
        assert growth_bytes(rss) < MAX_GROWTH_BYTES_A_GENERATION, f"resident after each round: {rss}"
