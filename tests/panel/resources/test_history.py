"""The record over the panel: what it lists, finds, opens and hides."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from dce.workspace.workspace import Workspace
from tests.panel.rig import RIGHT, Window, make_workspace, window_of


def play(
    folder: Path, scene: Callable[[Window], Awaitable[None]], prepare: Callable[[Workspace], None] | None = None
) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words") as workspace:
            if prepare:
                prepare(workspace)
            async with window_of(workspace) as window:
                await scene(window)

    asyncio.run(go())


def test_what_came_of_a_cycle_is_in_its_record(tmp_path: Path) -> None:
    """Generations, every version of a regenerated response, and what was accepted from which one and taken back."""

    async def scene(window: Window) -> None:
        made = await window.post("/api/generations", {"cycle": 1, "n": 2})
        await window.ended(made["id"])
        await window.post("/api/generations/1/regenerate", {"slots": [1]})
        await window.ended(made["id"])
        await window.post("/api/accept", {"generation": 1, "slot": 2})
        await window.post("/api/restore", {})
        record = await window.get("/api/cycles/1/record")
        assert [one["id"] for one in record["generations"]] == [1]
        assert [(row["slot"], row["version"], row["status"]) for row in record["versions"]] == [
            (1, 1, "complete"),
            (1, 2, "complete"),
            (2, 1, "complete"),
        ]
        (acceptance,) = record["acceptances"]
        assert (acceptance["slot"], acceptance["version"]) == (2, 1)
        assert acceptance["restored_at"] is not None
        first = await window.get("/api/generations/1/slots/1/versions/1")
        assert first["reading"]["files"][0]["content"] == RIGHT
        assert first["response"]["text"] != (await window.get("/api/generations/1/slots/1"))["text"]
        assert (await window.error("GET", "/api/generations/1/slots/1/versions/3"))[1]["code"] == "not_found"

    play(tmp_path, scene)


def test_words_are_found_where_they_were_said(tmp_path: Path) -> None:
    """In a cycle's text and in a response; a search without a word is refused, not run."""

    async def scene(window: Window) -> None:
        made = await window.post("/api/generations", {"cycle": 1, "n": 1})
        await window.ended(made["id"])
        hits = (await window.get("/api/history/search?q=stubs"))["hits"]
        assert (hits[0]["kind"], hits[0]["cycle"]) == ("cycle", 1)
        hits = (await window.get("/api/history/search?q=isalnum"))["hits"]
        assert (hits[0]["kind"], hits[0]["generation"], hits[0]["slot"]) == ("response", 1, 1)
        assert (await window.error("GET", "/api/history/search?q=%20"))[1]["code"] == "invalid_input"

    play(tmp_path, scene)


def test_a_deleted_cycle_is_gone_from_every_list(tmp_path: Path) -> None:
    """Its number is not used again; the project's scope stays."""

    async def scene(window: Window) -> None:
        cursor = window.panel.log.cursor
        answer = await window.ask("DELETE", "/api/cycles/1")
        assert [head["id"] for head in answer.json()["cycles"]] == [0]
        assert window.panel.log.cursor != cursor
        assert [row["id"] for row in (await window.get("/api/history"))["rows"]] == [0]
        assert (await window.error("GET", "/api/cycles/1/record"))[1]["code"] == "not_found"
        assert (await window.error("DELETE", "/api/cycles/0"))[1]["code"] == "invalid_input"
        assert (await window.post("/api/cycles", {}))["cycle"]["id"] == 2

    play(tmp_path, scene)


def test_five_hundred_cycles_are_a_small_list(tmp_path: Path) -> None:
    """Snapshot and history hold no texts: with 500 cycles of long texts each is a fraction of a megabyte."""

    def prepare(workspace: Workspace) -> None:
        for number in range(500):
            workspace.cycles.create(f"Cycle number {number}", "word " * 2_000)

    async def scene(window: Window) -> None:
        for path in ("/api/workspace", "/api/history"):
            answer = await window.ask("GET", path)
            assert answer.status_code == 200
            assert len(answer.content) < 250_000, path
        assert len((await window.get("/api/history"))["rows"]) == 502

    play(tmp_path, scene, prepare)
