"""The routes of accepting: hunks to pick, a plan of parts looked at and written, the list of what was written, the way back."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.panel.rig import RIGHT, STUB, WRONG, AnsweringProvider, Line, Window, make_workspace, window_of

Scene = Callable[[Window], Awaitable[None]]
HEAD = STUB.replace("Small things", "Little things")


def play(folder: Path, scene: Scene) -> None:
    """Runs a scene over a workspace whose three answers are about the first line, right, and half right."""

    async def go() -> None:
        provider = AnsweringProvider([Line(content=HEAD), Line(), Line(content=WRONG)])
        with make_workspace(folder / "words", provider) as workspace:
            async with window_of(workspace) as window:
                made = await window.post("/api/generations", {"cycle": 1, "n": 3})
                await window.ended(made["id"])
                await asyncio.wait_for(scene(window), 60)

    asyncio.run(go())


def pick(slot: int, *hunks: str) -> dict[str, Any]:
    return {"slot": slot, "hunks": hunks}


def words(window: Window) -> Path:
    return window.panel.workspace.project.root / "words.py"


def test_hunks_and_lines_of_several_responses_in_one_plan(tmp_path: Path) -> None:
    """What is picked of two responses is shown, then written as one acceptance, and taken back as one."""

    async def scene(window: Window) -> None:
        view = await window.get("/api/generations/1/slots/1/hunks?path=words.py")
        assert [hunk["removed"] for hunk in view["hunks"]] == [1]
        assert view["problem"] == ""
        head_slot, right_slot = 1, 2
        plan = {"path": "words.py", "picks": [pick(right_slot), pick(head_slot, "1")]}
        view = await window.post("/api/accept/preview", {"generation": 1, "plan": plan})
        wanted = RIGHT.replace("Small things", "Little things")
        assert (view["before"], view["after"], view["clashes"], view["problem"]) == (STUB, wanted, [], "")
        order = {"generation": 1, "slot": right_slot, "plans": [plan], "dry_run": True}
        view = await window.post("/api/accept", order)
        assert view["acceptance"] is None
        assert words(window).read_text(encoding="utf-8") == STUB
        view = await window.post("/api/accept", {**order, "dry_run": False})
        assert words(window).read_text(encoding="utf-8") == wanted
        listed = (await window.get("/api/acceptances"))["acceptances"]
        assert [(found["slot"], found["files"][0]["also"]) for found in listed] == [(right_slot, [head_slot])]
        await window.post("/api/restore", {"acceptance": listed[0]["id"]})
        assert words(window).read_text(encoding="utf-8") == STUB
        assert (await window.get("/api/acceptances"))["acceptances"][0]["restored_at"] is not None

    play(tmp_path, scene)


def test_a_conflict_is_shown_decided_and_only_then_written(tmp_path: Path) -> None:
    """An edit since the prompt that clashes with the answer stops the write until a side is taken."""

    async def scene(window: Window) -> None:
        edited = STUB.replace("Small things", "My things").replace("raise NotImplementedError", "return 1")
        words(window).write_text(edited, encoding="utf-8")
        plan: dict[str, Any] = {"path": "words.py", "picks": [pick(2)]}
        view = await window.post("/api/accept/preview", {"generation": 1, "plan": plan})
        assert view["clashes"]
        assert {clash["first_slot"] for clash in view["clashes"]} == {0}
        order = {"generation": 1, "slot": 2, "plans": [plan]}
        _, error = await window.error("POST", "/api/accept", order)
        assert error["code"] == "stale_file"
        assert words(window).read_text(encoding="utf-8") == edited
        view = await window.get("/api/generations/1/slots/2/hunks?path=words.py")
        assert "whole" in view["problem"]
        plan["choices"] = ["second"] * len(view["hunks"] or [1, 1])
        await window.post("/api/accept", order)
        assert "My things" in words(window).read_text(encoding="utf-8")

    play(tmp_path, scene)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    """Files, hunks, responses and acceptances that are not there, and paths outside, are named; nothing is written."""

    async def scene(window: Window) -> None:
        for query, code in [("path=../x", "outside_workspace"), ("path=nothing.py", "not_found")]:
            _, error = await window.error("GET", f"/api/generations/1/slots/1/hunks?{query}")
            assert error["code"] == code
        plans: list[tuple[dict[str, Any], str]] = [
            ({"path": "words.py", "picks": [pick(2, "99")]}, "not_found"),
            ({"path": "words.py", "picks": [pick(2, "x")]}, "invalid_input"),
            ({"path": "words.py", "picks": [pick(9)]}, "not_found"),
            ({"path": "words.py", "picks": []}, "invalid_input"),
            ({"path": "../x", "picks": [pick(2)]}, "outside_workspace"),
        ]
        for plan, code in plans:
            for path, body in [
                ("/api/accept/preview", {"generation": 1, "plan": plan}),
                ("/api/accept", {"generation": 1, "slot": 2, "plans": [plan]}),
            ]:
                _, error = await window.error("POST", path, body)
                assert error["code"] == code, (plan, path)
        _, error = await window.error("POST", "/api/restore", {"acceptance": 7})
        assert error["code"] == "not_found"
        assert words(window).read_text(encoding="utf-8") == STUB

    play(tmp_path, scene)


def test_a_doubtful_file_is_written_once_it_is_ticked(tmp_path: Path) -> None:
    """The preview names the doubt and blocks the file; confirmed by its path it is written, restored, and made again."""

    async def go() -> None:
        elided = "# ... rest of the code unchanged ...\n"
        with make_workspace(tmp_path / "words", AnsweringProvider([Line(content=elided)])) as workspace:
            async with window_of(workspace) as window:
                made = await window.post("/api/generations", {"cycle": 1, "n": 1})
                await window.ended(made["id"])
                await asyncio.wait_for(scene(window), 60)

    async def scene(window: Window) -> None:
        order = {"generation": 1, "slot": 1, "paths": ["words.py"]}
        view = await window.post("/api/accept", {**order, "dry_run": True})
        [write] = view["writes"]
        assert ("elision" in write["doubts"], write["is_blocked"]) == (True, True)
        assert "elision" in {doubt["flag"] for doubt in view["doubts"]}
        _, error = await window.error("POST", "/api/accept", order)
        assert "nothing was written" in error["message"]
        assert words(window).read_text(encoding="utf-8") == STUB
        await window.post("/api/accept", {**order, "confirmed": ["words.py"]})
        accepted = words(window).read_text(encoding="utf-8")
        view = await window.post("/api/restore", {})
        assert (view["is_last"], view["committed"]) == (True, [])
        assert words(window).read_text(encoding="utf-8") == STUB
        await window.post("/api/restore", {"redo": True})
        assert words(window).read_text(encoding="utf-8") == accepted

    asyncio.run(go())
