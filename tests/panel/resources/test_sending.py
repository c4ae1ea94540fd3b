"""What leaves this machine: shown before it goes, agreed to by name, and never with a secret that nobody looked at."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from dce.workspace.context.served_model import Model
from dce.workspace.outbound.secrets import Finding
from dce.workspace.settings import Settings
from tests.panel.rig import AnsweringProvider, Window, make_workspace, window_of

FAR = Settings(url="https://gateway.example.org:8443")
SECRET = 'API_TOKEN = "ghp_' + "a8Kd93jfLq02mZx7Vb5Tn1Ry6Wc4Ue0Hs2Gp" + '"\n'


class Recording(AnsweringProvider):
    """A server that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def models(self) -> list[Model]:
        self.asked.append("models")
        return await super().models()

    async def count(self, texts: Sequence[str]) -> list[int]:
        self.asked.append("count")
        return await super().count(texts)


def play(folder: Path, scene: Callable[[Window], Awaitable[None]], settings: Settings = FAR) -> None:
    """Runs a scene over a workspace whose gateway is on another host."""

    async def go() -> None:
        with make_workspace(folder / "words", settings=settings) as workspace:
            async with window_of(workspace) as window:
                await scene(window)

    asyncio.run(go())


def test_the_first_send_to_a_host_needs_its_name(tmp_path: Path) -> None:
    """Nothing is sent before; what would be is shown; agreeing to another host than the present one is a conflict."""

    async def scene(window: Window) -> None:
        assert (await window.error("POST", "/api/generations", {"cycle": 1, "n": 1}))[1]["code"] == "consent_needed"
        view = await window.get("/api/cycles/1/sending")
        assert (view["host"], view["is_local"], view["is_agreed"]) == ("gateway.example.org:8443", False, False)
        assert view["files"] == ["test_words.py", "words.py"]
        assert view["size"] > 500
        _, error = await window.error("POST", "/api/cycles/1/consent", {"host": "evil.example.org"})
        assert error["code"] == "conflict"
        assert (await window.post("/api/cycles/1/consent", {"host": view["host"]}))["is_agreed"]
        made = await window.post("/api/generations", {"cycle": 1, "n": 1})
        await window.ended(made["id"])

    play(tmp_path, scene)


def test_a_window_that_opens_contacts_no_host(tmp_path: Path) -> None:
    """What a window loads asks a host that nobody agreed to for nothing: no models, no counts, no privacy notice."""
    provider = Recording()

    async def go() -> None:
        with make_workspace(tmp_path / "words", provider=provider, settings=FAR) as workspace:
            async with window_of(workspace) as window:
                view = await window.get("/api/cycles/1/host")
                assert (view["is_agreed"], view["notice"]) == (False, None)
                for path in (
                    "/api/workspace",
                    "/api/files",
                    "/api/selection",
                    "/api/settings",
                    "/api/cycles/1/sending",
                ):
                    await window.get(path)
                await window.get("/api/cycles/1/prompt")
            assert provider.asked == []

    asyncio.run(go())


def test_a_secret_stays_until_it_is_looked_at(tmp_path: Path) -> None:
    """A finding refuses the send, names its place but not the secret, and allowing its fingerprint lets the prompt go."""

    async def scene(window: Window) -> None:
        (window.panel.workspace.project.root / "words.py").write_text(SECRET, encoding="utf-8")
        await window.post("/api/cycles/1/consent", {"host": "gateway.example.org:8443"})
        assert (await window.error("POST", "/api/generations", {"cycle": 1, "n": 1}))[1]["code"] == "secrets_found"
        (finding,) = (await window.get("/api/cycles/1/sending"))["findings"]
        assert (finding["path"], finding["line"]) == ("words.py", 1)
        assert "a8Kd93jf" not in str(finding)
        added = await window.post("/api/secrets/allow", {"entries": [finding["fingerprint"]], "reason": "a test's"})
        assert added["entries"] == [finding["fingerprint"]]
        assert (await window.get("/api/cycles/1/sending"))["findings"] == []
        made = await window.post("/api/generations", {"cycle": 1, "n": 1})
        await window.ended(made["id"])

    play(tmp_path, scene)


def test_a_prompt_to_be_copied_passes_the_same_gate(tmp_path: Path) -> None:
    """*Copy prompt* gives nothing while a finding is undecided: what is pasted elsewhere has left. A placeholder lets it go."""

    async def scene(window: Window) -> None:
        (window.panel.workspace.project.root / "words.py").write_text(
            SECRET + 'STOP = "<|im_end|>"\n', encoding="utf-8"
        )
        _, error = await window.error("POST", "/api/cycles/1/prompt", {})
        assert error["code"] == "secrets_found"
        assert error["message"].startswith("1 possible secret and 1 control token would go to wherever it is pasted")
        assert (await window.get("/api/cycles/1/prompt"))["is_blocked"]
        assert not (window.panel.workspace.project.root / ".dce/prompt.md").exists()
        for finding in (await window.get("/api/cycles/1/sending"))["findings"]:
            window.panel.workspace.sending.hide(msgspec.convert(finding, Finding))
        text = (await window.post("/api/cycles/1/prompt", {}))["text"]
        assert "<|im_end|>" not in text
        assert "__DCE_SECRET_2__" in text

    play(tmp_path, scene, Settings(provider="manual"))


def test_this_machine_needs_no_consent(tmp_path: Path) -> None:
    """With the gateway on loopback nothing leaves it."""

    async def scene(window: Window) -> None:
        view = await window.get("/api/cycles/1/sending")
        assert (view["is_local"], view["is_agreed"]) == (True, True)

    play(tmp_path, scene, Settings())
