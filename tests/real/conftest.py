"""The real vLLM of this test run: one server for all tests but the one that kills it, from the environment that scripts/real_parts.sh keeps."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser

from dce.engine.vllm import VllmProcess, VllmSettings
from dce.wire.errors import DceError
from tests.fakes.chain import free_port
from tests.real.windows import chromium

ROOT = Path(__file__).parents[2]
MODEL = "smollm2-135m"


@pytest.fixture(scope="session")
def vllm_settings() -> VllmSettings:
    """How to start a vLLM with SmolLM2-135M and a context of 8,192 tokens. Fails, never skips, when it is not installed."""
    script = ROOT / "scripts/real_parts.sh"
    environment = os.environ | {"DCE_PYTHON": sys.executable}
    where = subprocess.run([script, "--where"], env=environment, capture_output=True, text=True, check=True)
    python, model = map(Path, where.stdout.splitlines())
    for part in (python.parents[1], model):
        if not (part / "READY").exists():
            pytest.fail(f"{part} is not there: run scripts/real_parts.sh, or `make test-all`, which does")
    return VllmSettings(
        python=python, model=str(model), served_name=MODEL, port=free_port(), context_tokens=8192, cpu_kv_cache_gib=2
    )


def start(settings: VllmSettings, log: Path) -> VllmProcess:
    """A server that serves. When it cannot, the test fails with what the server said."""
    try:
        return VllmProcess.start(settings, log)
    except DceError as error:
        pytest.fail(f"{error.message}\n{error.hint}")


@pytest.fixture(scope="session")
def vllm(vllm_settings: VllmSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmProcess]:
    """The server that all tests share."""
    with start(vllm_settings, tmp_path_factory.mktemp("vllm") / "vllm.log") as server:
        yield server


@pytest.fixture
def mortal_vllm(vllm_settings: VllmSettings, tmp_path: Path) -> Iterator[VllmProcess]:
    """A server of one test's own, to be harmed."""
    own = msgspec.structs.replace(vllm_settings, port=free_port())
    with start(own, tmp_path / "vllm.log") as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium."""
    with chromium() as found:
        yield found
