"""The routes of follow-ups: a new answer from one, what was asked, and what is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.panel.rig import HALF, RIGHT, WRONG, AnsweringProvider, Line, Window, make_workspace, window_of

Scene = Callable[[Window], Awaitable[None]]


def play(folder: Path, scene: Scene, provider: AnsweringProvider) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words", provider) as workspace:
            async with window_of(workspace) as window:
                await asyncio.wait_for(scene(window), 60)

    asyncio.run(go())


async def _generated(window: Window, n: int) -> str:
    """The path of a generation's slots, once it has ended."""
    made = await window.post("/api/generations", {"cycle": 1, "n": n})
    await window.ended(made["id"])
    return f"/api/generations/{made['id']}/slots"


def _lineage(view: Any) -> dict[int, Any]:
    return {row["slot"]: row["made_from"] and row["made_from"]["slot"] for row in view["rows"]}


def test_a_reply_is_one_more_tab(tmp_path: Path) -> None:
    """The answer to the request has the new slot already; the board tells its lineage, and the message can be read."""
    provider = AnsweringProvider()

    async def scene(window: Window) -> None:
        path = await _generated(window, 2)
        provider.hold = asyncio.Event()
        view = await window.post(f"{path}/1/follow-up", {"version": 1, "words": "Shorter, please."})
        assert ([slot["slot"] for slot in view["slots"]], view["n"], view["is_running"]) == ([1, 2, 3], 3, True)
        _, error = await window.error("POST", f"{path}/3/follow-up", {"version": 1, "words": "Now."})
        assert error["code"] == "conflict"
        provider.hold.set()
        await window.ended(view["id"])
        assert _lineage(await window.get(f"/api/generations/{view['id']}/board")) == {1: None, 2: None, 3: 1}
        asked = await window.get(f"{path}/3/follow-up")
        assert asked["request"].startswith("Shorter, please.\n\n")
        assert asked["made_from"]["kind"] == "reply"

    play(tmp_path, scene, provider)


def test_a_stopped_follow_up_keeps_what_came(tmp_path: Path) -> None:
    """A running follow-up is stopped like any response, and regenerated with its conversation."""
    provider = AnsweringProvider()

    async def scene(window: Window) -> None:
        path = await _generated(window, 1)
        provider.hold = asyncio.Event()
        view = await window.post(f"{path}/1/follow-up", {"version": 1, "words": "Shorter."})
        await window.post(f"{path}/2/stop")
        view = await window.ended(view["id"])
        assert [slot["status"] for slot in view["slots"]] == ["complete", "stopped"]
        provider.hold.set()
        await window.post(f"/api/generations/{view['id']}/regenerate", {"slots": [1, 2]})
        view = await window.ended(view["id"])
        assert [slot["version"] for slot in view["slots"]] == [2, 2]

    play(tmp_path, scene, provider)


def test_failing_checks_are_repaired_in_rounds(tmp_path: Path) -> None:
    """Repair runs in the background, round after round, until an answer breaks nothing, and each has its checks on the board."""

    async def scene(window: Window) -> None:
        path = await _generated(window, 1)
        _, error = await window.error("POST", f"{path}/1/follow-up", {"version": 1, "is_failing": True})
        assert error["code"] == "consent_needed"
        digest = (await window.get("/api/checks"))["digest"]
        await window.post("/api/checks/consent", {"digest": digest})
        view = await window.post(f"{path}/1/follow-up", {"version": 1, "is_failing": True, "rounds": 5})
        await window.ended(view["id"])
        board = await window.get(f"/api/generations/{view['id']}/board")
        assert _lineage(board) == {1: None, 2: 1, 3: 2}
        assert {row["slot"]: row["checks"]["failed"] for row in board["rows"]} == {1: 1, 2: 1, 3: 0}

    # The first answer fails one test that the stubs fail too; so the project is given a workspace in which all pass.
    play(tmp_path, _passing(scene), AnsweringProvider([Line(content=WRONG), Line(content=HALF), Line()]))


def _passing(scene: Scene) -> Scene:
    """The scene over files that pass their checks, so that a wrong answer breaks something."""

    async def begun(window: Window) -> None:
        root = window.panel.workspace.project.root
        (root / "words.py").write_text(RIGHT, encoding="utf-8")
        await scene(window)

    return begun


def test_what_is_refused(tmp_path: Path) -> None:
    """Nothing asked, another version, another response that is not there, too many rounds: an error each, and no slot."""

    async def scene(window: Window) -> None:
        path = await _generated(window, 1)
        for body, code in (
            ({"version": 1}, "invalid_input"),
            ({"version": 2, "words": "x"}, "conflict"),
            ({"version": 1, "other": 7}, "not_found"),
            ({"version": 1, "words": "x", "rounds": 0}, "invalid_input"),
            ({"version": 1, "words": "x", "rounds": 99}, "invalid_input"),
            ({"version": 1, "word": "x"}, "invalid_input"),
        ):
            _, error = await window.error("POST", f"{path}/1/follow-up", body)
            assert error["code"] == code, body
        _, error = await window.error("POST", f"{path}/9/follow-up", {"version": 1, "words": "x"})
        assert error["code"] == "not_found"
        for slot in (1, 9):
            assert (await window.error("GET", f"{path}/{slot}/follow-up"))[1]["code"] == "not_found"
        assert len((await window.get(path.removesuffix("/slots")))["slots"]) == 1

    play(tmp_path, scene, AnsweringProvider())
