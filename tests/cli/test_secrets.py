"""`dce secrets`, and consent at the command line."""

import random
from pathlib import Path

import pytest

from tests.cli.conftest import Dce
from tests.cli.scripted_gateway import ScriptedGateway

SECRET = "ghp_" + "".join(random.Random(5).choices("abcdefghijkmnpqrstuvwxyz23456789", k=36))


def test_scan_and_allow(dce: Dce, workspace: Path) -> None:
    """`scan` ends with 1 and names place and fingerprint; after `allow` it ends with 0."""
    (workspace / "src" / "a.py").write_text(f"t = '{SECRET}'\n")
    found = dce("secrets", "scan", "--json", code=1).json
    assert [(item["path"], item["line"], item["rule"]) for item in found] == [("src/a.py", 1, "github-token")]
    shown = dce("secrets", "scan", ".", code=1)
    assert SECRET not in shown.out
    assert found[0]["fingerprint"] in shown.out
    assert dce("secrets", "allow", found[0]["fingerprint"], "--json").json == {"added": [found[0]["fingerprint"]]}
    assert dce("secrets", "scan", "--json").json == []


def test_a_file_for_keys_is_a_finding_by_its_name(dce: Dce, workspace: Path) -> None:
    """`scan` and `prompt` agree on a selected file whose name says that it holds keys."""
    (workspace / ".env").write_text("MODE=test\n")
    dce("select", "add", ".env")
    found = dce("secrets", "scan", "--json", code=1).json
    assert [(item["path"], item["rule"]) for item in found] == [(".env", "secret-file")]
    assert dce("prompt", "--json").json["findings"] == found


def test_prompt_shows_findings(dce: Dce, workspace: Path) -> None:
    """`prompt` lists what looks like a secret, and `--secrets placeholder` takes it out."""
    (workspace / "src" / "a.py").write_text(f"t = '{SECRET}'\n")
    assert "possible secret: src/a.py:1" in dce("prompt").out
    assert [item["path"] for item in dce("prompt", "--json").json["findings"]] == ["src/a.py"]
    assert dce("prompt", "--secrets", "placeholder", "--json").json["findings"] == []
    assert SECRET not in (workspace / ".dce/prompt.md").read_text()


def test_what_is_left_out_for_its_secrets_is_named(dce: Dce, workspace: Path) -> None:
    """`--secrets exclude` says which files do not go: a prompt that lacks one without a word would be a riddle."""
    (workspace / "src" / "a.py").write_text(f"t = '{SECRET}'\n")
    told = "left out for what looks like a secret in it: src/a.py"
    assert told in dce("prompt", "--secrets", "exclude").out
    assert dce("prompt", "--secrets", "exclude", "--json").json["left_out"] == ["src/a.py"]
    assert told in dce("generate", "-n", 1, "--secrets", "exclude").err
    assert dce("prompt", "--json").json["left_out"] == []


def test_generate_asks_before_a_new_host(
    dce: Dce, workspace: Path, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal to ask at, a new host is refused with 3; `--yes` agrees, and it is remembered."""
    # 0.0.0.0 reaches this machine too, but its name does not say so.
    monkeypatch.setenv("DCE_URL", gateway.url.replace("127.0.0.1", "0.0.0.0"))
    refused = dce("generate", "-n", 1, "--json", code=3)
    assert refused.json["error"]["code"] == "consent_needed"
    assert "2 files" in refused.json["error"]["message"]
    assert not any(path.endswith(("/proxy", "/tokenize")) for _, path, _ in gateway.requests)
    gateway.notice = "What becomes of it"
    agreed = dce("generate", "-n", 1, "--yes")
    assert "what becomes of it: http://0.0.0.0" in agreed.err
    assert "/api/dce/privacy" not in dce("generate", "-n", 1).err
