"""A real vLLM whose engine is killed while it writes: what a client of the gateway hears."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from dce.engine.vllm import VllmProcess
from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.wire.errors import DceError
from dce.workspace.generating.provider import Delta, Ended, GatewayProvider, GenerationRequest

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

N = 4


@pytest.fixture
def provider(mortal_vllm: VllmProcess, tmp_path: Path) -> Iterator[GatewayProvider]:
    """The client's own provider on a gateway in front of the vLLM that will die."""
    keys = KeyStore(tmp_path)
    _, secret = keys.create("test")
    keys.close()
    settings = GatewaySettings(
        port=0, data_dir=str(tmp_path), backends=(BackendSettings(url=mortal_vllm.url),), discovery_interval_s=0.2
    )
    with GatewayServer(settings) as gateway:
        yield GatewayProvider(gateway.url, secret)


def kill_engine(server: VllmProcess) -> None:
    """What the kernel does when memory runs out: the engine's process dies, the one that holds the connections does not."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    engines = [int(pid) for pid in children if "EngineCore" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert engines, "vLLM has no process called EngineCore any more"
    for pid in engines:
        os.kill(pid, signal.SIGKILL)


async def generate_and_kill(provider: GatewayProvider, server: VllmProcess) -> tuple[dict[int, str], list[Ended]]:
    """The texts and ends of N responses whose engine is killed as soon as each of them has begun."""
    texts: dict[int, str] = {}
    ends: list[Ended] = []
    request = GenerationRequest(prompt="Tell me a long story about a lighthouse.", n=N, max_tokens=8000)
    is_killed = False
    async for event in provider.stream(request):
        if isinstance(event, Delta):
            texts[event.index] = texts.get(event.index, "") + event.text
        elif isinstance(event, Ended):
            ends.append(event)
        if len(texts.keys() | {end.index for end in ends}) == N and not is_killed:
            is_killed = True
            kill_engine(server)
    return texts, ends


def test_an_engine_killed_amid_responses_is_an_error_of_the_backend(
    provider: GatewayProvider, mortal_vllm: VllmProcess
) -> None:
    """Every response that was being written ends once, with an error at the hop backend; what had come is kept; the gateway
    lives, says that it is not ready, and refuses the next request with the same hop."""
    texts, ends = asyncio.run(generate_and_kill(provider, mortal_vllm))
    assert sorted(end.index for end in ends) == list(range(N))
    lost = [end for end in ends if end.error is not None]
    assert len(lost) >= N - 1, "one of them may have ended by itself before the kill"
    assert {end.error.hop for end in lost if end.error} == {"backend"}
    assert all(end.error.hint for end in lost if end.error)
    assert all(texts.get(end.index) for end in lost)

    while httpx2.get(f"{provider.url}/readyz", trust_env=False).status_code == 200:
        pass
    assert httpx2.get(f"{provider.url}/healthz", trust_env=False).status_code == 200
    with pytest.raises(DceError) as caught:
        asyncio.run(generate_and_kill(provider, mortal_vllm))
    assert caught.value.hop == "backend"
