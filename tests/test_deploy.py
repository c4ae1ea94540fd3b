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
from prometheus_client.parser import text_string_to_metric_families

from dce.gateway.settings import GatewaySettings, load_settings
from tests.gateway.test_metrics import busy

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


FROM_ELSEWHERE = {
    "up",  # Prometheus' own
    "probe_ssl_earliest_cert_expiry",  # the blackbox exporter's, asked from outside for what the web server shows
    "probe_success",
}


def _exported() -> dict[str, set[str]]:
    """Every series that the gateway exports, with its labels (without `le`)."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(busy().text().decode()):
        for sample in family.samples:
            found[sample.name] = set(sample.labels) - {"le"}
    return found


def _check_expression(expression: str) -> set[str]:
    """The gateway's series that an expression is about: each exists, with the labels by which it is asked."""
    exported = _exported()
    names = set(re.findall(r"\bdce_gateway_\w+", expression))
    assert names <= set(exported), names - set(exported)
    for name, selector in re.findall(r"\b(dce_gateway_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*[=!]", selector)) <= exported[name]
    for by in re.findall(r"by \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", by)) - {"le"} <= set().union(*(exported[name] for name in names))
    return names


def test_dashboard_asks_for_metrics_that_exist() -> None:
    """Every expression of the Grafana dashboard is about series and labels that the gateway has; no metric is left out of it."""
    dashboard = json.loads((DEPLOY / "grafana" / "dce-gateway.json").read_text("utf-8"))
    panels = dashboard["panels"]
    asked = {name for panel in panels for target in panel["targets"] for name in _check_expression(target["expr"])}
    bases = {re.sub(r"_(sum|count|bucket)$", "", name) for name in _exported()}
    assert {re.sub(r"_bucket$", "", name) for name in asked} == bases
    assert len({panel["id"] for panel in panels}) == len(panels)


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_alerts_ask_for_metrics_that_exist() -> None:
    """Every alert is about series and labels that are exported; one that says what happened says what to do."""
    rules = _rules()
    words = {"sum", "rate", "increase", "max_over_time", "by", "and", "time"}
    for rule in rules:
        _check_expression(rule["expr"])
        bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)|\b\d\w*", "", rule["expr"])
        others = set(re.findall(r"[a-z_]\w*", bare)) - words
        assert {name for name in others if not name.startswith("dce_gateway_")} <= FROM_ELSEWHERE
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in ("page", "warn")
    assert len({rule["alert"] for rule in rules}) == len(rules)


def test_prometheus_understands_the_alerts() -> None:
    """Prometheus' own checker, where there is one, finds nothing wrong with them."""
    if promtool := shutil.which("promtool"):
        command = [promtool, "check", "rules", str(DEPLOY / "prometheus-rules.yml")]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_every_metric_and_alert_is_documented() -> None:
    """The operator's pages name each metric and each alert."""
    page = (ROOT / "docs" / "operations" / "accounting.md").read_text("utf-8")
    incidents = (ROOT / "docs" / "operations" / "incidents.md").read_text("utf-8")
    bases = {re.sub(r"_(sum|count|bucket)$", "", name) for name in _exported()}
    assert {base for base in bases if base not in page} == set()
    assert {rule["alert"] for rule in _rules() if f"`{rule['alert']}`" not in incidents} == set()
