"""The routes that set responses going again: several anew, one on from where it was cut."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.panel.rig import AnsweringProvider, Line, Window, make_workspace, window_of

Scene = Callable[[Window], Awaitable[None]]


def play(folder: Path, scene: Scene, provider: AnsweringProvider) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words", provider) as workspace:
            async with window_of(workspace) as window:
                await asyncio.wait_for(scene(window), 60)

    asyncio.run(go())


def test_several_are_written_anew_at_once(tmp_path: Path) -> None:
    """The named ones become version 2, the others stay; one that is not there, or still runs, stops all of them."""
    provider = AnsweringProvider()

    async def scene(window: Window) -> None:
        made = await window.post("/api/generations", {"cycle": 1, "n": 3})
        await window.ended(made["id"])
        path = f"/api/generations/{made['id']}/regenerate"
        for slots, code in (((1, 9), "not_found"), ((), "invalid_input")):
            _, error = await window.error("POST", path, {"slots": slots})
            assert error["code"] == code
        provider.hold = asyncio.Event()
        await window.post(path, {"slots": [3, 1, 3]})
        _, error = await window.error("POST", path, {"slots": [1, 2]})
        assert error["code"] == "conflict"
        provider.hold.set()
        view = await window.ended(made["id"])
        assert [slot["version"] for slot in view["slots"]] == [2, 1, 2]

    play(tmp_path, scene, provider)


def test_a_truncated_one_goes_on(tmp_path: Path) -> None:
    """The next version begins with what was there; a complete one has nothing to go on with."""

    async def scene(window: Window) -> None:
        made = await window.post("/api/generations", {"cycle": 1, "n": 2})
        view = await window.ended(made["id"])
        assert [slot["status"] for slot in view["slots"]] == ["truncated", "complete"]
        path = f"/api/generations/{made['id']}/slots"
        before = (await window.get(f"{path}/1"))["text"]
        await window.post(f"{path}/1/continue")
        await window.ended(made["id"])
        after = await window.get(f"{path}/1")
        assert after["progress"]["version"] == 2
        assert after["text"].startswith(before.rstrip())
        _, error = await window.error("POST", f"{path}/2/continue")
        assert error["code"] == "conflict"
        _, error = await window.error("POST", f"{path}/9/continue")
        assert error["code"] == "not_found"

    play(tmp_path, scene, AnsweringProvider([Line(finish="length"), Line()]))
