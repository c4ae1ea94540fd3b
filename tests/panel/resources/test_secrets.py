"""Possible secrets in a prompt, decided about one by one."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dce.workspace.settings import Settings
from tests.panel.rig import AnsweringProvider, Window, make_workspace, window_of

SECRET = "ghp_" + "".join(random.Random(4).choices("abcdefghijkmnpqrstuvwxyz23456789", k=36))
Scene = Callable[[Window], Awaitable[None]]


def play(folder: Path, scene: Scene, settings: Settings | None = None) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words", AnsweringProvider(), settings) as workspace:
            async with window_of(workspace) as window:
                await asyncio.wait_for(scene(window), 60)

    asyncio.run(go())


def test_findings_are_resolved_one_by_one(tmp_path: Path) -> None:
    """A secret blocks a prompt for another host until its value is allowed, hidden behind a placeholder, or its file left out."""

    async def scene(window: Window) -> None:
        where = window.panel.workspace
        where.sending.agree()
        (where.project.root / "words.py").write_text(f'TOKEN = "{SECRET}"\n', encoding="utf-8")
        view = await window.get("/api/cycles/1/findings")
        assert (view["host"], view["is_local"], view["policy"]) == ("models.example.org", False, "refuse")
        (finding,) = view["findings"]
        assert (finding["path"], finding["line"]) == ("words.py", 1)
        assert SECRET not in json.dumps(view)
        prompt = await window.get("/api/cycles/1/prompt")
        assert (prompt["findings"], prompt["is_blocked"]) == (1, True)
        _, error = await window.error("POST", "/api/generations", {"cycle": 1, "n": 1})
        assert error["code"] == "secrets_found"

        async def resolve(**order: str) -> Any:
            return await window.post("/api/cycles/1/findings", order)

        view = await resolve(act="placeholder", fingerprint=finding["fingerprint"])
        assert (view["findings"], view["hidden"]) == ([], [finding])
        prompt = await window.get("/api/cycles/1/prompt")
        assert SECRET not in prompt["text"]
        assert "__DCE_SECRET_1__" in prompt["text"]
        assert not prompt["is_blocked"]
        assert len((await resolve(act="show", fingerprint=finding["fingerprint"]))["findings"]) == 1
        view = await resolve(act="exclude", path="words.py")
        assert view["findings"] == []
        assert where.selection.paths() == ("test_words.py",)
        where.selection.replace(["words.py"])
        await window.post("/api/secrets/allow", {"entries": [finding["fingerprint"]], "reason": "a test's"})
        assert (await window.get("/api/cycles/1/findings"))["findings"] == []
        assert SECRET in (await window.get("/api/cycles/1/prompt"))["text"]
        made = await window.post("/api/generations", {"cycle": 1, "n": 1})
        await window.ended(made["id"])
        for order in ({"act": "placeholder", "fingerprint": "0" * 12}, {"act": "exclude", "path": "nothing"}):
            _, error = await window.error("POST", "/api/cycles/1/findings", order)
            assert error["code"] == "not_found"
        for path, body in [
            ("/api/cycles/1/findings", {"act": "allow", "fingerprint": finding["fingerprint"]}),
            ("/api/secrets/allow", {"entries": []}),
        ]:
            _, error = await window.error("POST", path, body)
            assert error["code"] == "invalid_input"

    play(tmp_path, scene, Settings(url="https://models.example.org"))
