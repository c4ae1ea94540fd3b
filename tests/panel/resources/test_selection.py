"""The selection: what each file costs and risks, and saved selections."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dce.workspace.settings import Settings
from tests.panel.rig import AnsweringProvider, Window, make_workspace, window_of

SECRET = "ghp_" + "".join(random.Random(4).choices("abcdefghijkmnpqrstuvwxyz23456789", k=36))
FAULT_02 = Path(__file__).parents[2] / "fixtures/faults/02-old-encodings-guessed"
Scene = Callable[[Window], Awaitable[None]]


def play(folder: Path, scene: Scene, settings: Settings | None = None) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words", AnsweringProvider(), settings) as workspace:
            async with window_of(workspace) as window:
                await asyncio.wait_for(scene(window), 60)

    asyncio.run(go())


def rows(view: Any) -> dict[str, Any]:
    return {row["path"]: row for row in view["files"]}


def test_the_selection_says_what_each_file_costs_and_risks(tmp_path: Path) -> None:
    """Levels of detail change the cost; a file edited since the last prompt, one with a secret and one that is gone say so."""

    async def scene(window: Window) -> None:
        root = window.panel.workspace.project.root
        (root / "long.py").write_text("".join(f"x{number} = {number}\n" for number in range(300)), encoding="utf-8")
        (root / "key.py").write_text(f'TOKEN = "{SECRET}"\n', encoding="utf-8")
        await window.get("/api/files?fresh=yes")
        await window.put("/api/selection", {"paths": ["words.py", "long.py", "key.py", "README.md"]})
        before = rows(await window.get("/api/selection"))
        assert before["key.py"]["findings"] == 1
        assert before["long.py"]["count"]["exact"]
        view = rows(await window.put("/api/selection/details", {"paths": ["long.py"], "detail": "head-tail"}))
        assert view["long.py"]["detail"] == "head-tail"
        assert view["long.py"]["count"]["tokens"] < before["long.py"]["count"]["tokens"] / 2
        made = await window.post("/api/generations", {"cycle": 1, "n": 1})
        await window.ended(made["id"])
        (root / "words.py").write_text("x = 1\n", encoding="utf-8")
        (root / "README.md").unlink()
        view = rows(await window.get("/api/selection"))
        assert [path for path, row in view.items() if row["is_changed"]] == ["words.py"]
        assert view["README.md"]["count"] is None
        assert "README.md" in view["README.md"]["problem"]
        _, error = await window.error("PUT", "/api/selection/details", {"paths": ["nothing"], "detail": "full"})
        assert error["code"] == "not_found"
        _, error = await window.error("PUT", "/api/selection/details", {"paths": ["words.py"], "detail": "half"})
        assert error["code"] == "invalid_input"

    play(tmp_path, scene)


def test_sets_are_kept_taken_added_and_forgotten(tmp_path: Path) -> None:
    """A set survives in its file; what it names and is gone is told; every window hears of a change."""

    async def scene(window: Window) -> None:
        cursor = window.panel.log.cursor
        view = await window.post("/api/selection/sets", {"name": "core", "act": "save"})
        assert view["sets"] == [{"name": "core", "files": 2, "is_selection": True}]
        await window.put("/api/selection", {"paths": ["README.md"]})
        view = await window.post("/api/selection/sets", {"name": "core", "act": "merge"})
        assert sorted(rows(view)) == ["README.md", "test_words.py", "words.py"]
        (window.panel.workspace.project.root / "test_words.py").unlink()
        view = await window.post("/api/selection/sets", {"name": "core", "act": "load"})
        assert sorted(rows(view)) == ["words.py"]
        assert view["missing"] == ["test_words.py"]
        assert (await window.post("/api/selection/sets", {"name": "core", "act": "delete"}))["sets"] == []
        for act in ("load", "merge", "delete"):
            _, error = await window.error("POST", "/api/selection/sets", {"name": "core", "act": act})
            assert error["code"] == "not_found"
        _, error = await window.error("POST", "/api/selection/sets", {"name": " ", "act": "save"})
        assert error["code"] == "invalid_input"
        told = b""
        async for frames in window.panel.log.follow(cursor, heartbeat_s=0.01):
            told += frames
            if frames.startswith(b":"):
                break
        assert told.count(b'"what":"selection"') == 5

    play(tmp_path, scene)


def test_a_guessed_encoding_is_shown_with_its_doubt(tmp_path: Path) -> None:
    """[02] A selected file says which encoding was guessed, and whether that is in doubt; nothing is said of UTF-8."""

    async def scene(window: Window) -> None:
        root = window.panel.workspace.project.root
        (root / "ru.py").write_bytes((FAULT_02 / "ru.py.txt").read_bytes())
        (root / "fr.py").write_bytes("# \u00e9\n".encode("cp1252"))
        await window.get("/api/files?fresh=yes")
        await window.put("/api/selection", {"paths": ["words.py", "ru.py", "fr.py"]})
        view = rows(await window.get("/api/selection"))
        assert (view["words.py"]["guess"], view["words.py"]["is_doubtful"]) == ("", False)
        assert (view["ru.py"]["guess"], view["ru.py"]["is_doubtful"]) == ("cp1251", False)
        assert view["fr.py"]["is_doubtful"]

    play(tmp_path, scene)
