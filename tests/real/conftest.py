"""The real vLLM of this test run: one server for all tests, from the environment that scripts/real_parts.sh keeps."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce.engine.vllm import VllmProcess, VllmSettings, free_port
from dce.wire.errors import DceError

ROOT = Path(__file__).parents[2]
MODEL = "smollm2-135m"


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmProcess]:
    """A vLLM that serves SmolLM2-135M with a context of 8,192 tokens. Fails, never skips, when it cannot be had."""
    script = ROOT / "scripts/real_parts.sh"
    where = subprocess.run(
        [script, "--where"], env=os.environ | {"DCE_PYTHON": sys.executable}, capture_output=True, text=True, check=True
    )
    python, model = map(Path, where.stdout.splitlines())
    for part in (python.parents[1], model):
        if not (part / "READY").exists():
            pytest.fail(f"{part} is not there: run scripts/real_parts.sh, or `make test-all`, which does")
    settings = VllmSettings(
        python=python, model=str(model), served_name=MODEL, port=free_port(), context_tokens=8192, cpu_kv_cache_gib=2
    )
    try:
        server = VllmProcess.start(settings, tmp_path_factory.mktemp("vllm") / "vllm.log")
    except DceError as error:
        pytest.fail(f"{error.message}\n{error.hint}")
    with server:
        yield server
