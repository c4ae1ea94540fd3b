"""The routes of judging: agreement, judgements, corrections, the base of the next cycle, two texts of a file."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.panel.rig import RIGHT, STUB, AnsweringProvider, Line, Window, make_workspace, window_of

Scene = Callable[[Window], Awaitable[None]]


def play(folder: Path, scene: Scene, provider: AnsweringProvider | None = None) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words", provider or AnsweringProvider()) as workspace:
            async with window_of(workspace) as window:
                await asyncio.wait_for(scene(window), 60)

    asyncio.run(go())


async def generated(window: Window, n: int = 10) -> str:
    """The path of a generation that has ended."""
    made = await window.post("/api/generations", {"cycle": 1, "n": n})
    await window.ended(made["id"])
    return f"/api/generations/{made['id']}"


async def told(window: Window, cursor: str) -> bytes:
    """What the log told since."""
    frames = b""
    async for frame in window.panel.log.follow(cursor, heartbeat_s=0.01):
        if frame.startswith(b":"):
            break
        frames += frame
    return frames


def test_who_agrees(tmp_path: Path) -> None:
    """Equal answers have one letter in the matrix and are 100 % alike; unreadable ones are not in it."""

    async def scene(window: Window) -> None:
        found = await window.get(f"{await generated(window)}/agreement")
        files = {file["path"]: file for file in found["files"]}
        groups = {cell["slot"]: cell["group"] for cell in files["words.py"]["cells"]}
        assert groups[1] == groups[4]
        assert groups[1] != groups[2]
        assert 5 not in groups
        percents = {(pair["first"], pair["second"]): pair["percent"] for pair in found["likeness"]}
        assert percents[1, 4] == 100
        assert 0 < percents[1, 2] < 100

    play(tmp_path, scene)


def test_a_judgement_survives_and_is_told(tmp_path: Path) -> None:
    """Mark, rating and note are on the board, and a change of one leaves the others; every window hears of it; a new version is not judged."""

    async def scene(window: Window) -> None:
        path = await generated(window, 2)
        cursor = window.panel.log.cursor
        order = {"version": 1, "mark": "shortlisted", "rating": 4, "note": "grüße: the best so far"}
        kept = await window.put(f"{path}/slots/2/judgement", order)
        assert kept["note"] == order["note"]
        assert (await window.get(f"{path}/board"))["judgements"] == [kept]
        assert b'"judgements"' in await told(window, cursor)
        for change in ({"rating": 3}, {"mark": ""}, {"note": "only the note"}):
            kept |= change
            assert await window.put(f"{path}/slots/2/judgement", {"version": 1, **change}) == kept
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"version": 1, "rating": 6}, "invalid_input"),
            ({"version": 1, "mark": "loved"}, "invalid_input"),
            ({"version": 1, "note": "x" * 20_001}, "invalid_input"),
            ({"version": 2}, "conflict"),
        ]
        for body, code in wrong:
            _, error = await window.error("PUT", f"{path}/slots/2/judgement", body)
            assert error["code"] == code
        await window.post(f"{path}/regenerate", {"slots": [2]})
        await window.ended(int(path.rsplit("/", 1)[1]))
        assert (await window.get(f"{path}/board"))["judgements"] == []

    play(tmp_path, scene)


def test_an_unreadable_answer_is_put_right_by_hand(tmp_path: Path) -> None:
    """The corrected text is a version of its own with files in it; what it was made of must be the latest."""

    async def scene(window: Window) -> None:
        path = await generated(window, 1)
        slot = await window.get(f"{path}/slots/1")
        assert slot["reading"]["parse"] == "failed"
        fixed = '<file path="words.py">\nx = 1\n</file>\n'
        view = await window.post(f"{path}/slots/1/correction", {"version": 1, "text": fixed})
        (progress,) = view["slots"]
        assert (progress["version"], progress["status"], progress["finish_reason"]) == (2, "complete", "corrected")
        slot = await window.get(f"{path}/slots/1")
        assert [file["path"] for file in slot["reading"]["files"]] == ["words.py"]
        _, error = await window.error("POST", f"{path}/slots/1/correction", {"version": 1, "text": "again"})
        assert error["code"] == "conflict"
        _, error = await window.error("POST", f"{path}/slots/1/correction", {"version": 2, "text": fixed})
        assert error["code"] == "invalid_input"
        view = await window.post(f"{path}/slots/1/correction", {"version": 2, "words": {"summary": "One file."}})
        slot = await window.get(f"{path}/slots/1")
        assert (slot["reading"]["summary"], len(slot["reading"]["files"])) == ("One file.", 1)
        view = await window.post(f"{path}/slots/1/correction", {"version": 3})
        (progress,) = view["slots"]
        assert (progress["version"], progress["finish_reason"]) == (4, "stop")
        _, error = await window.error("POST", f"{path}/slots/1/correction", {"version": 4})
        assert error["code"] == "invalid_input"

    play(tmp_path, scene, AnsweringProvider([Line(content=None)]))


def test_the_base_of_the_next_cycle(tmp_path: Path) -> None:
    """A response is chosen without writing a file, and no longer chosen again; the next prompt holds what it said."""

    async def scene(window: Window) -> None:
        path = await generated(window, 2)
        view = await window.put(f"{path}/slots/2/base", {"is_base": True})
        assert view["cycle"]["chosen_slot"] == 2
        assert (window.panel.workspace.project.root / "words.py").read_text(encoding="utf-8") == STUB
        await window.post("/api/cycles", {"title": "next", "context": "Go on."})
        assert "Implemented `initials`" in (await window.get("/api/cycles/2/prompt"))["text"]
        view = await window.put(f"{path}/slots/2/base", {"is_base": False})
        assert view["cycle"]["chosen_slot"] is None
        _, error = await window.error("PUT", f"{path}/slots/9/base", {"is_base": True})
        assert error["code"] == "not_found"

    play(tmp_path, scene)


def test_a_diff_is_against_the_file_the_prompt_or_another_response(tmp_path: Path) -> None:
    """Both texts of the file, and what each side is; the prompt's copy is not what was edited since."""

    async def scene(window: Window) -> None:
        slots = f"{await generated(window)}/slots"
        (window.panel.workspace.project.root / "words.py").write_text("edited\n", encoding="utf-8")
        diff = await window.get(f"{slots}/1/diff?path=words.py")
        assert (diff["before"], diff["after"], diff["before_kind"]) == ("edited\n", RIGHT, "workspace")
        diff = await window.get(f"{slots}/1/diff?path=words.py&against=prompt")
        assert (diff["before"], diff["before_kind"]) == (STUB, "prompt")
        diff = await window.get(f"{slots}/2/diff?path=words.py&against=1")
        assert (diff["before"], diff["before_kind"], diff["before_slot"]) == (RIGHT, "response", 1)
        for query, code in [
            ("path=nothing.py", "not_found"),
            ("path=words.py&against=x", "invalid_input"),
            ("path=words.py&against=99", "not_found"),
            ("path=../../etc/passwd", "outside_workspace"),
        ]:
            _, error = await window.error("GET", f"{slots}/1/diff?{query}")
            assert error["code"] == code, query

    play(tmp_path, scene)


def test_a_diff_shows_renames_deletions_and_modes(tmp_path: Path) -> None:
    """A renamed file is compared with its old name, a new mode leaves the text, a deletion empties it; each is named."""
    acts = {
        "rename": "diff --git a/words.py b/new.py\nsimilarity index 100%\nrename from words.py\nrename to new.py\n",
        "delete": "diff --git a/words.py b/words.py\ndeleted file mode 100644\n",
        "mode": "diff --git a/words.py b/words.py\nold mode 100644\nnew mode 100755\n",
    }

    async def scene(window: Window) -> None:
        copied = await window.post("/api/cycles/1/prompt")
        for slot, (act, answer) in enumerate(acts.items(), start=1):
            order = {"slot": slot, "text": f"```diff\n{answer}```\n", "prompt": copied["sha256"]}
            generation = (await window.post("/api/cycles/1/answers", order))["id"]
            path = "new.py" if act == "rename" else "words.py"
            diff = await window.get(f"/api/generations/{generation}/slots/{slot}/diff?path={path}")
            assert diff["action"] == act
            assert diff["from_path"] == ("words.py" if act == "rename" else "")
            assert (diff["before"], diff["after"]) == (STUB, "" if act == "delete" else STUB)

    play(tmp_path, scene)
