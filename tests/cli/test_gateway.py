"""`dce gateway`: serving and settings from the shell."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from dce.cli.gateway import command
from dce.cli.main import main
from dce.gateway.settings import GatewaySettings
from tests.doctor.test_tree import closed_port
from tests.fakes.vllm import FakeVllm


def run_json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_every_setting_is_a_flag() -> None:
    """Each field of GatewaySettings can be given to serve and check, under its own name."""
    assert isinstance(command, click.Group)
    for verb in ("serve", "check"):
        names = {parameter.name for parameter in command.commands[verb].params}
        assert set(GatewaySettings.__struct_fields__) <= names


def test_serve_refuses_without_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a key the gateway does not serve, and the error gives the next step."""
    assert main(["gateway", "serve", "--port", "0", "--data-dir", str(tmp_path)]) == 3
    assert "dce gateway keys create" in capsys.readouterr().err


def test_check_of_a_backend_that_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` names the unreachable backend and exits with 4."""
    url = f"http://127.0.0.1:{closed_port()}"
    words = ("gateway", "check", "--insecure", "--backend", url, "--data-dir", str(tmp_path))
    report = run_json(capsys, *words, code=4)
    assert report["ok"] is False
    (row,) = report["backends"]
    assert (row["url"], row["ok"]) == (url, False)
    assert row["error"]["hop"] == "backend"


def test_check_without_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` on a gateway without a key exits with 0, lists the backend's models and says how to create a key."""
    with FakeVllm() as backend:
        words = ("gateway", "check", "--backend", backend.url, "--data-dir", str(tmp_path / "none"))
        assert main([*words]) == 0
        shown = capsys.readouterr().out
        assert run_json(capsys, *words)["cautions"][0]["name"] == "no_keys"
    assert "(vllm) serves fake-7b (8,192 tokens)" in shown
    assert "better: dce gateway keys create NAME" in shown


def test_serve_and_doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A gateway started from the shell prints its URL, passes the doctor with a fresh key, and exits with 0 on Ctrl-C."""
    made = run_json(capsys, "gateway", "keys", "create", "d", "--data-dir", str(tmp_path))
    with FakeVllm() as backend:
        command = [sys.executable, "-m", "dce", "gateway", "serve", "--port", "0", "--backend", backend.url]
        process = subprocess.Popen([*command, "--data-dir", str(tmp_path)], stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            url = process.stderr.readline().split()[2]
            asked = ("doctor", "--silence", "0.2", "--url", url, "--key", made["key"], "-C", str(tmp_path))
            assert run_json(capsys, *asked)["ok"] is True
            assert run_json(capsys, *asked, "--model", "fake-8b", code=1)["code"] == "model_not_found"
            assert run_json(capsys, *asked[:-4], "--key", "dce_no", code=1)["code"] == "invalid_key"
        finally:
            process.send_signal(signal.SIGINT)
            _, rest = process.communicate(timeout=100)
    assert process.returncode == 0
    assert rest.splitlines()[-1] == "gateway stopped"


def test_config_that_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown setting is refused by name."""
    config = tmp_path / "gateway.toml"
    config.write_text("prot = 3001\n")
    assert main(["gateway", "check", "--config", str(config), "--data-dir", str(tmp_path)]) == 3
    assert "prot" in capsys.readouterr().err


def test_alias_form(tmp_path: Path) -> None:
    """An alias is NAME=MODEL."""
    assert main(["gateway", "serve", "--alias", "nonsense", "--data-dir", str(tmp_path)]) == 2
