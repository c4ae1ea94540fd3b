"""`dce gateway check` and the doctor about a real vLLM: recognised for what it is, and no false alarm."""

import asyncio
from pathlib import Path

import pytest

from dce.doctor.tree import Options, examine
from dce.engine.vllm import VllmProcess
from dce.gateway.check import check
from dce.gateway.settings import BackendSettings, GatewaySettings

# The first test waits for vLLM to come up.
pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


def test_an_ordinary_vllm_is_no_cause_for_caution(vllm: VllmProcess, tmp_path: Path) -> None:
    """Its kind, model and context are told, and of its routes, ports and clock there is nothing to say."""
    report = asyncio.run(check(GatewaySettings(data_dir=str(tmp_path), backends=(BackendSettings(url=vllm.url),))))
    (backend,) = report.backends
    assert (backend.ok, backend.kind) == (True, "vllm")
    assert [(model.id, model.context) for model in backend.models] == [(vllm.model, 8192)]
    about_the_backend = {"bypass", "key_not_asked", "plain_backend", "dev_mode", "lora_updating", "clock"}
    assert not {caution.name for caution in report.cautions} & about_the_backend


def test_a_bare_vllm_is_called_so(vllm: VllmProcess) -> None:
    """A DCE_URL that leads to vLLM itself is told by its own word, with the command that puts a gateway before it."""
    diagnosis = asyncio.run(examine(Options(url=vllm.url), {}))
    check = next(check for check in diagnosis.checks if check.ok is False)
    assert (check.name, diagnosis.code) == ("gateway", "not_a_gateway")
    assert "vLLM itself" in check.detail
    assert f"--backend {vllm.url}" in check.fix
