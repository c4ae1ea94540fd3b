"""What leaves this machine: shown before it goes, agreed to by name, and never with a secret that nobody looked at."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from dce.workspace.settings import Settings
from tests.panel.rig import Window, make_workspace, window_of

FAR = Settings(url="https://gateway.example.org:8443")
SECRET = 'API_TOKEN = "ghp_' + "a8Kd93jfLq02mZx7Vb5Tn1Ry6Wc4Ue0Hs2Gp" + '"\n'


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


def test_this_machine_needs_no_consent(tmp_path: Path) -> None:
    """With the gateway on loopback nothing leaves it."""

    async def scene(window: Window) -> None:
        view = await window.get("/api/cycles/1/sending")
        assert (view["is_local"], view["is_agreed"]) == (True, True)

    play(tmp_path, scene, Settings())
