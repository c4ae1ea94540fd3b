"""Answers by hand over the panel: the prompt is copied, answers come back, and belong to what was copied."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from dce.panel.limits import MAX_BODY_BYTES
from dce.workspace.manual import MAX_PASTED_CHARS
from dce.workspace.schema.reading import file_block
from tests.panel.rig import RIGHT, Window, make_workspace, window_of


def play(folder: Path, scene: Callable[[Window], Awaitable[None]]) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words") as workspace:
            async with window_of(workspace) as window:
                await scene(window)

    asyncio.run(go())


def answer_to(prompt: str) -> str:
    """An answer in the prompt's form."""
    nonce = prompt.partition('nonce="')[2].partition('"')[0]
    return f"<summary>\nDone.\n</summary>\n\n{file_block('words.py', RIGHT, nonce)}\n"


def test_copied_and_pasted_it_is_a_response_like_any_other(tmp_path: Path) -> None:
    """The prompt stands in .dce/prompt.md as it was copied; two answers fill one generation, are read and ranked."""

    async def scene(window: Window) -> None:
        copied = await window.post("/api/cycles/1/prompt")
        root = window.panel.workspace.project.root
        assert (root / copied["path"]).read_text(encoding="utf-8") == copied["text"]
        order = {"slot": 1, "text": answer_to(copied["text"]), "prompt": copied["sha256"]}
        first = await window.post("/api/cycles/1/answers", order)
        second = await window.post("/api/cycles/1/answers", order | {"slot": 3})
        assert first["id"] == second["id"]
        assert [slot["slot"] for slot in second["slots"]] == [1, 3]
        row = (await window.get(f"/api/generations/{first['id']}/board"))["rows"][0]
        assert (row["parse"], row["files"][0]["path"]) == ("ok", "words.py")
        again = await window.post("/api/cycles/1/answers", {"slot": 1, "text": "Sorry.", "generation": first["id"]})
        assert again["slots"][0]["version"] == 2

    play(tmp_path, scene)


def test_an_answer_belongs_to_the_prompt_that_was_copied(tmp_path: Path) -> None:
    """Whatever was edited since, and also if another cycle's prompt was copied meanwhile."""

    async def scene(window: Window) -> None:
        copied = await window.post("/api/cycles/1/prompt")
        await window.post("/api/cycles", {"title": "Other", "context": "Something else."})
        await window.post("/api/cycles/2/prompt")
        order = {"slot": 1, "text": answer_to(copied["text"]), "prompt": copied["sha256"]}
        made = await window.post("/api/cycles/1/answers", order)
        assert made["cycle"] == 1
        kept = window.panel.workspace.store.generations.get(made["id"])
        assert kept.prompt_sha256 == copied["sha256"]
        _, error = await window.error(
            "POST", "/api/cycles/2/answers", {"slot": 1, "text": "x", "generation": made["id"]}
        )
        assert error["code"] == "invalid_input"

    play(tmp_path, scene)


def test_the_prompt_is_not_an_answer(tmp_path: Path) -> None:
    """Pasting it, or nothing, is refused and leaves no trace."""

    async def scene(window: Window) -> None:
        copied = await window.post("/api/cycles/1/prompt")
        for text in (copied["text"], "   "):
            order = {"slot": 1, "text": text, "prompt": copied["sha256"]}
            assert (await window.error("POST", "/api/cycles/1/answers", order))[1]["code"] == "invalid_input"
        assert (await window.get("/api/cycles/1"))["generations"] == []

    play(tmp_path, scene)


def test_a_long_answer_is_pasted_whole(tmp_path: Path) -> None:
    """An answer beyond what other bodies may have is kept; one beyond the workspace's own limit is refused by that, by name."""

    async def scene(window: Window) -> None:
        copied = await window.post("/api/cycles/1/prompt")
        text = answer_to(copied["text"]) + "x" * MAX_BODY_BYTES
        made = await window.post("/api/cycles/1/answers", {"slot": 1, "text": text, "prompt": copied["sha256"]})
        kept = await window.get(f"/api/generations/{made['id']}/slots/1")
        assert kept["text"] == text
        too_long = {"slot": 1, "text": "x" * (MAX_PASTED_CHARS + 1), "generation": made["id"]}
        status, error = await window.error("POST", "/api/cycles/1/answers", too_long)
        assert (status, error["code"]) == (400, "invalid_input")
        assert f"{MAX_PASTED_CHARS:,}" in error["message"]

    play(tmp_path, scene)
