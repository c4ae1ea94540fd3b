"""The files in deploy/ are what they say: settings that load, units that systemd understands, metrics that exist.

That Caddy and nginx do with the shipped files what they should is shown on the real ones, in tests/real.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dce.gateway.accounting.metrics import Metrics, Now
from dce.gateway.settings import GatewaySettings, load_settings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def test_settings_load() -> None:
    """The example configuration is one: it loads, also with what is commented out in it."""
    file = DEPLOY / "gateway.toml"
    settings = load_settings(file, {})
    assert (settings.data_dir, settings.is_loopback, settings.insecure) == ("/var/lib/dce", True, False)


def test_settings_load_with_everything(tmp_path: Path) -> None:
    """What the example has commented out is right too."""
    text = (DEPLOY / "gateway.toml").read_text("utf-8")
    whole = re.sub(r"(?m)^# (\[?[a-z_]+\]?( = .*)?)$", r"\1", text)
    assert whole != text
    config = tmp_path / "gateway.toml"
    config.write_text(whole)
    settings = load_settings(config, {})
    assert settings.default_model == "coder"
    assert settings.aliases == {"coder": "openai/gpt-oss-120b"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units(unit: Path, tmp_path: Path) -> None:
    """systemd, where there is one, understands every line of the units; nothing runs as root or may become it."""
    text = unit.read_text("utf-8")
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n", "UMask=0077", "\nUser="):
        assert line in text
    if analyze := shutil.which("systemd-analyze"):
        copy = tmp_path / unit.name
        copy.write_text(re.sub(r"/opt/[a-z]+/bin/[a-z]+", "/bin/true", text))
        result = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, check=False)
        said = [line for line in result.stderr.splitlines() if unit.name in line]
        assert not said
        assert result.returncode == 0, result.stderr


def test_commands_of_the_units_and_the_image() -> None:
    """The units and the image start the gateway as it can be started: verbs and flags exist."""
    flags = {f"--{name.replace('_', '-')}" for name in GatewaySettings.__struct_fields__} | {"--config", "--backend"}
    unit = (DEPLOY / "systemd" / "dce-gateway.service").read_text("utf-8")
    image = json.loads(re.findall(r"(?m)^CMD (.*)$", (DEPLOY / "Dockerfile").read_text("utf-8"))[0])
    compose = _compose()["services"]["gateway"]["command"]
    started = re.findall(r"(?m)^ExecStart=\S+ (.*)$", unit)[0].split()
    for words in (started, image, compose):
        assert words[:2] == ["gateway", "serve"]
        assert {word for word in words if word.startswith("--")} <= flags


def test_compose() -> None:
    """Only Caddy is reachable from outside, the model server by the gateway alone; files that are mounted exist."""
    services = _compose()["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["caddy"]
    assert not set(services["caddy"]["networks"]) & set(services["vllm"]["networks"])
    assert set(services["gateway"]["networks"]) == {"models", "front"}
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    assert all((DEPLOY / path).exists() for path in mounted if path.startswith("."))
    assert (DEPLOY / services["gateway"]["build"]["context"] / services["gateway"]["build"]["dockerfile"]).is_file()


def _compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


def test_dashboard_asks_for_metrics_that_exist() -> None:
    """Every expression of the Grafana dashboard is about metrics and labels that the gateway has."""
    metrics = Metrics()
    metrics.watch(
        Now(
            streams=int,
            queue_depth=int,
            backends=lambda: [("http://127.0.0.1:8000", True)],
            ledger_pending=int,
            ledger_dropped=int,
        )
    )
    help_lines = re.findall(r"(?m)^# TYPE (\S+) (\S+)$", metrics.text().decode())
    names = {name for name, _ in help_lines} | {f"{name}_bucket" for name, kind in help_lines if kind == "histogram"}
    dashboard = json.loads((DEPLOY / "grafana" / "dce-gateway.json").read_text("utf-8"))
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"dce_gateway_\w+", target["expr"])
    }
    assert len(asked) >= 8
    assert asked <= names
