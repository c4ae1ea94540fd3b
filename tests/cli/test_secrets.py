"""`dce secrets`, and consent at the command line."""

import random
from pathlib import Path

import pytest

from tests.cli.conftest import Dce
from tests.cli.scripted_gateway import ScriptedGateway

SECRET = "ghp_" + "".join(random.Random(5).choices("abcdefghijkmnpqrstuvwxyz23456789", k=36))


def test_scan_and_allow(dce: Dce, workspace: Path) -> None:
    """`scan` exits with 1 and names place and fingerprint; after `allow` it exits with 0."""
    (workspace / "src" / "a.py").write_text(f"t = '{SECRET}'\n")
    found = dce("secrets", "scan", "--json", code=1).json
    assert [(item["path"], item["line"], item["rule"]) for item in found] == [("src/a.py", 1, "github-token")]
    shown = dce("secrets", "scan", ".", code=1)
    assert SECRET not in shown.out
    assert found[0]["fingerprint"] in shown.out
    assert dce("secrets", "allow", found[0]["fingerprint"], "--json").json == {"added": [found[0]["fingerprint"]]}
    assert dce("secrets", "scan", "--json").json == []


def test_a_file_for_keys_is_a_finding_by_its_name(dce: Dce, workspace: Path) -> None:
    """`scan` and `prompt` agree on a selected file whose name suggests keys."""
    (workspace / ".env").write_text("MODE=test\n")
    dce("select", "add", ".env")
    found = dce("secrets", "scan", "--json", code=1).json
    assert [(item["path"], item["rule"]) for item in found] == [(".env", "secret-file")]
    assert dce("prompt", "--json").json["findings"] == found


def test_prompt_shows_findings(dce: Dce, workspace: Path) -> None:
    """`prompt` lists possible secrets, and `--secrets placeholder` replaces them."""
    (workspace / "src" / "a.py").write_text(f"t = '{SECRET}'\n")
    assert "possible secret: src/a.py:1" in dce("prompt").out
    assert [item["path"] for item in dce("prompt", "--json").json["findings"]] == ["src/a.py"]
    assert dce("prompt", "--secrets", "placeholder", "--json").json["findings"] == []
    assert SECRET not in (workspace / ".dce/prompt.md").read_text()


def test_what_is_left_out_for_its_secrets_is_named(dce: Dce, workspace: Path) -> None:
    """`--secrets exclude` lists the excluded files: without that, their absence from the prompt would be a riddle."""
    (workspace / "src" / "a.py").write_text(f"t = '{SECRET}'\n")
    told = "left out because of a possible secret: src/a.py"
    assert told in dce("prompt", "--secrets", "exclude").out
    assert dce("prompt", "--secrets", "exclude", "--json").json["left_out"] == ["src/a.py"]
    assert told in dce("generate", "-n", 1, "--secrets", "exclude").err
    assert dce("prompt", "--json").json["left_out"] == []


def test_generate_asks_before_a_new_host(
    dce: Dce, workspace: Path, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal for the question, a new host is refused (exit 3); `--yes` consents, and that is remembered."""
    # 0.0.0.0 reaches this machine too, but its name does not say so.
    monkeypatch.setenv("DCE_URL", gateway.url.replace("127.0.0.1", "0.0.0.0"))
    refused = dce("generate", "-n", 1, "--json", code=3)
    assert refused.json["error"]["code"] == "consent_needed"
    assert "2 files" in refused.json["error"]["message"]
    assert gateway.requests == []
    gateway.notice = "What becomes of it"
    agreed = dce("generate", "-n", 1, "--yes")
    assert "its privacy notice, if it has one: http://0.0.0.0" in agreed.err
    assert "/api/dce/privacy" not in dce("generate", "-n", 1).err


def test_no_verb_contacts_a_host_before_consent(
    dce: Dce, workspace: Path, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a committed config.toml names a host and a tokenizer there, no verb sends it key, prompt or any byte without consent."""
    monkeypatch.delenv("DCE_URL")
    remote = gateway.url.replace("127.0.0.1", "0.0.0.0")
    (workspace / ".dce" / "config.toml").write_text(f'url = "{remote}"\n')
    assert "has not been contacted yet" in dce("files", "--exact").err
    assert "has not been contacted yet" in dce("prompt").out
    for words in (["generate", "-n", 1], ["doctor"]):
        assert dce(*words, "--json", code=3).json["error"]["code"] == "consent_needed"
    dce("settings", "set", "tokenizer", f"{remote}/tokenizer.json")
    assert f"dce consent {remote}/tokenizer.json" in dce("prompt").out
    assert gateway.requests == []
    listed = dce("consent", "--json").json
    assert [(row["url"], row["is_agreed"]) for row in listed] == [(remote, False), (f"{remote}/tokenizer.json", False)]
    host = remote.removeprefix("http://")
    assert all(row["is_agreed"] for row in dce("consent", host, "--json").json)
    dce("prompt")
    assert {path for _, path, _ in gateway.requests} == {"/v1/models", "/tokenizer.json"}


def test_consent_is_for_one_host_one_port_and_one_scheme(dce: Dce, workspace: Path) -> None:
    """Consent to https at a port covers neither another port nor plain http on the same host; an unknown name is refused."""
    dce("consent", "https://models.example.org")
    for url in ("https://models.example.org:8443", "http://models.example.org", "https://models.example.org.evil.net"):
        (workspace / ".dce" / "config.toml").write_text(f'tokenizer = "{url}/t.json"\n')
        rows = {row["host"]: row["is_agreed"] for row in dce("consent", "--json").json}
        assert not rows[url.partition("://")[2]]
    (workspace / ".dce" / "config.toml").write_text('tokenizer = "https://Models.Example.org/t.json"\n')
    assert all(row["is_agreed"] for row in dce("consent", "--json").json)
    assert dce("consent", "nowhere.example.org", "--json", code=1).json["error"]["code"] == "not_found"


def test_the_doctor_contacts_a_host_that_was_named_to_it(
    dce: Dce, workspace: Path, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--url` and DCE_URL come from the user, so no consent is needed; for a host in config.toml one `--yes` is enough."""
    remote = gateway.url.replace("127.0.0.1", "0.0.0.0")
    dce("doctor", "--url", remote, code=None)
    assert gateway.requests
    monkeypatch.delenv("DCE_URL")
    (workspace / ".dce" / "config.toml").write_text(f'url = "{remote}"\n')
    dce("doctor", code=3)
    dce("doctor", "--yes", code=None)
    count = len(gateway.requests)
    dce("doctor", code=None)
    assert len(gateway.requests) > count


def test_scanning_a_folder_includes_its_files_for_keys(dce: Dce, workspace: Path) -> None:
    """`scan .` includes `.env`, even if git ignores it, and `scan conf` works if the folder contains nothing else."""
    (workspace / ".gitignore").write_text(".env\n")
    (workspace / ".env").write_text(f"TOKEN={SECRET}\n")
    (workspace / "conf").mkdir()
    (workspace / "conf" / ".env.local").write_text("MODE=test\n")
    (workspace / "node_modules").mkdir()
    (workspace / "node_modules" / ".env").write_text("MODE=test\n")
    found = {(item["path"], item["rule"]) for item in dce("secrets", "scan", ".", "--json", code=1).json}
    assert found == {(".env", "secret-file"), (".env", "github-token"), ("conf/.env.local", "secret-file")}
    assert [item["path"] for item in dce("secrets", "scan", "conf", "--json", code=1).json] == ["conf/.env.local"]
    assert dce("secrets", "scan", "nothing", code=1).err


def test_a_prompt_that_is_carried_by_hand_is_held_back(dce: Dce, workspace: Path) -> None:
    """With the provider `manual`, a prompt with a finding is not printed for copying; the findings are shown with the file."""
    (workspace / "src" / "a.py").write_text(f"t = '{SECRET}'\n")
    assert SECRET in dce("prompt", "--out", "-").out
    dce("settings", "set", "provider", "manual")
    refused = dce("prompt", "--out", "-", code=3)
    assert "secrets_found" in dce("prompt", "--out", "-", "--json", code=3).out
    assert SECRET not in refused.out + refused.err
    assert "possible secret: src/a.py:1" in dce("prompt").out
    assert "__DCE_SECRET_1__" in dce("prompt", "--out", "-", "--secrets", "placeholder").out
