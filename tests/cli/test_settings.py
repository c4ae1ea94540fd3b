"""`dce settings` and model cards from the command line."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import Dce
from tests.cli.scripted_gateway import ScriptedGateway


@pytest.fixture(autouse=True)
def _no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCE_KEYRING", "0")


def test_settings_are_set_and_shown(dce: Dce, workspace: Path) -> None:
    """A set value takes effect and is in config.toml; an empty one removes it; an invalid one is refused by name."""
    dce("settings", "set", "n", "4")
    assert dce("settings", "get", "n", "--json").json == {"n": 4}
    assert (workspace / ".dce" / "config.toml").read_text() == "n = 4\n"
    dce("settings", "set", "n", "")
    assert dce("settings", "get", "n", "--json").json == {"n": 10}
    assert "1 to 20" in dce("settings", "set", "n", "90", code=3).err
    dce("settings", "set", "key", "sk-x", code=3)
    dce("settings", "get", "colour", code=1)
    assert "dce_sk" not in dce("settings", "get").out


def test_a_cycle_generates_by_its_card(
    dce: Dce, workspace: Path, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card is stored with the cycle and decides where and how it generates; --card and flags override it."""
    dce("settings", "cards", "add", "warm", "--temperature", "1.5", "-n", "2")
    stdin = SimpleNamespace(readline=lambda: "sk-1\n", isatty=lambda: False, buffer=io.BytesIO())
    monkeypatch.setattr("sys.stdin", stdin)
    added = dce(
        "settings", "cards", "add", "gpu", "--provider", "openai", "--url", gateway.url, "--key-stdin", "--json"
    ).json
    assert (added["key"], "sk-1" in str(added)) == ("file", False)
    assert dce("settings", "cards", "show", "gpu", "--json").json["has_key"] is True
    assert list(dce("settings", "cards", "list", "--json").json) == ["gpu", "warm"]
    assert dce("cycle", "card", "warm", "--json").json["card"] == "warm"
    dce("generate", "-n", "2")
    assert dce("history", "--json").json[0]["card"] == "warm"
    dce("settings", "cards", "rm", "warm", code=3)
    dce("cycle", "card", "none", code=1)
    dce("cycle", "card", "")
    dce("settings", "cards", "rm", "warm")
    assert "sk-1" not in (workspace / ".dce" / "config.toml").read_text()


def test_a_manual_card_says_what_to_do(dce: Dce, workspace: Path) -> None:  # the prompt needs no server
    """With manual copy and paste the prompt is still written, and `generate` says how to add the answers."""
    dce("settings", "cards", "add", "chat", "--provider", "manual")
    dce("cycle", "card", "chat")
    dce("prompt")
    assert (workspace / ".dce/prompt.md").exists()
    assert "dce paste" in dce("generate", code=4).err


def test_a_card_shapes_requests(dce: Dce, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Extra fields, omitted fields and headers are options of a card; a secret must be a variable, whose value no output has."""
    monkeypatch.setenv("GPU_KEY", "sk-very-secret-value-1")
    options = ["--extra-body", '{"top_k": 20}', "--omit", "seed", "--omit", "n2", "--header", "X-Key: ${GPU_KEY}"]
    added = dce("settings", "cards", "add", "gpu", *options, "--json").json
    values = {"extra_body": {"top_k": 20}, "omit": ["seed", "n2"], "headers": {"X-Key": "${GPU_KEY}"}}
    assert {name: added[name] for name in values} == values
    assert dce("settings", "cards", "list", "--json").json["gpu"] == values
    dce("settings", "set", "card", "gpu")
    shown = dce("settings", "get", "--json").json
    assert (shown["headers"], shown["extra_body"]) == ({"X-Key": "…"}, {"top_k": 20})
    for verb in (("settings", "get"), ("settings", "cards", "show", "gpu"), ("settings", "cards", "list")):
        assert "sk-very" not in dce(*verb).out
    refused = dce("settings", "cards", "add", "x", "--header", "X-Key: sk-very-secret-value-1", code=3)
    assert "X-Key" in refused.err
    assert "sk-very" not in refused.out + refused.err
    assert "sk-very" not in dce("settings", "cards", "add", "x", "--header", "sk-very-secret-value-1", code=3).err
    assert "sk-very" not in (workspace / ".dce" / "config.toml").read_text()
    dce("settings", "cards", "add", "x", "--extra-body", "[1]", code=3)
