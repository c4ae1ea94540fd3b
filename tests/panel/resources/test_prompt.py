"""The prompt, file by file and against the last one sent."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from dce.workspace.settings import Settings
from tests.panel.rig import AnsweringProvider, Window, make_workspace, window_of

Scene = Callable[[Window], Awaitable[None]]


def play(folder: Path, scene: Scene, settings: Settings | None = None) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words", AnsweringProvider(), settings) as workspace:
            async with window_of(workspace) as window:
                await asyncio.wait_for(scene(window), 60)

    asyncio.run(go())


def test_the_prompt_file_by_file_and_against_the_last_one(tmp_path: Path) -> None:
    """Files have their cost and their place in the text; the last prompt differs only where something changed."""

    async def scene(window: Window) -> None:
        prompt = await window.get("/api/cycles/1/prompt")
        assert [file["path"] for file in prompt["files"]] == ["test_words.py", "words.py"]
        for file in prompt["files"]:
            assert prompt["text"][file["start"] :].startswith(f'<file path="{file["path"]}"')
            assert file["count"]["tokens"] > 0
        change = await window.get("/api/cycles/1/prompt/change")
        assert (change["generation"], change["before"], change["after"]) == (0, "", prompt["text"])
        made = await window.post("/api/generations", {"cycle": 1, "n": 1})
        await window.ended(made["id"])
        change = await window.get("/api/cycles/1/prompt/change")
        assert (change["generation"], change["before"]) == (made["id"], change["after"])
        (window.panel.workspace.project.root / "words.py").write_text("x = 1\n", encoding="utf-8")
        change = await window.get("/api/cycles/1/prompt/change")
        before, after = change["before"].splitlines(), change["after"].splitlines()
        assert [line for line in after if line not in before] == ["x = 1"]
        _, error = await window.error("GET", "/api/cycles/77/prompt/change")
        assert error["code"] == "not_found"

    play(tmp_path, scene)
