"""vLLM's own load generator as a client of the gateway: a client nobody here wrote."""

import json
import subprocess
from pathlib import Path

import pytest

from dce.engine.vllm import VllmProcess, VllmSettings
from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

BENCH = """
import argparse
from vllm.benchmarks.serve import add_cli_args, main
parser = argparse.ArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""
"""What `vllm bench serve` runs; the command itself wants a package of the name vllm, and the CPU build has another."""
PROMPTS, INPUT_TOKENS, OUTPUT_TOKENS = 12, 64, 16


def test_its_own_benchmark_runs_through_the_gateway(
    vllm: VllmProcess, vllm_settings: VllmSettings, tmp_path: Path
) -> None:
    """Streams of /v1/chat/completions, several at once, with a key: every request succeeds, every token arrives and is timed."""
    keys = KeyStore(tmp_path)
    _, secret = keys.create("bench")
    keys.close()
    settings = GatewaySettings(port=0, data_dir=str(tmp_path), backends=(BackendSettings(url=vllm.url),))
    with GatewayServer(settings) as gateway:
        options = {
            "backend": "openai-chat",
            "base-url": gateway.url,
            "endpoint": "/v1/chat/completions",
            "header": f"Authorization=Bearer {secret}",
            "model": vllm_settings.served_name,
            "tokenizer": vllm_settings.model,
            "dataset-name": "random",
            "num-prompts": PROMPTS,
            "max-concurrency": 4,
            "random-input-len": INPUT_TOKENS,
            "random-output-len": OUTPUT_TOKENS,
            "result-dir": tmp_path,
            "result-filename": "bench.json",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        flags += ["--ignore-eos", "--save-result", "--disable-tqdm"]
        ran = subprocess.run(
            [vllm_settings.python, "-c", BENCH, *flags],
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "VLLM_TARGET_DEVICE": "cpu"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-3000:]
    result = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert result["completed"] == PROMPTS
    assert result["total_output_tokens"] == PROMPTS * OUTPUT_TOKENS
    assert result["mean_ttft_ms"] > 0
    assert result["mean_itl_ms"] > 0
