"""The routes of the checks: what is configured and proposed, consent, running and stopping them, what they found."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.panel.rig import CHECKS, HALF, STUB, WRONG, AnsweringProvider, Line, Window, make_workspace, window_of

Scene = Callable[[Window], Awaitable[None]]

ANSWERS = (Line(), Line(content=WRONG), Line(content=HALF), Line(content=STUB + "x = 1\n"))
"""One that is right, one that fails each of the two tests, one that does nothing for them."""


def play(folder: Path, scene: Scene, answers: tuple[Line, ...] = ANSWERS) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words", AnsweringProvider(answers)) as workspace:
            async with window_of(workspace) as window:
                await asyncio.wait_for(scene(window), 60)

    asyncio.run(go())


def written(window: Window, text: str) -> None:
    """Puts a text into .dce/checks.toml, behind the panel's back."""
    (window.panel.workspace.project.state_dir / "checks.toml").write_text(text, encoding="utf-8")


async def agreed(window: Window) -> None:
    """Agrees to the commands as they are."""
    digest = (await window.get("/api/checks"))["digest"]
    await window.post("/api/checks/consent", {"digest": digest})


async def generated(window: Window, n: int) -> str:
    """The path of a generation that has ended, whose checks may run."""
    made = await window.post("/api/generations", {"cycle": 1, "n": n})
    await window.ended(made["id"])
    await agreed(window)
    return f"/api/generations/{made['id']}"


def script(code: str, name: str = "t") -> str:
    """A `[[check]]` that runs Python code."""
    return f'[[check]]\nname = "{name}"\ncommand = {json.dumps(["python", "-c", code])}\n'


async def events_of(window: Window, cursor: str, name: str) -> list[dict[str, Any]]:
    """The events of a name that the log told since."""
    found: list[dict[str, Any]] = []
    async for frames in window.panel.log.follow(cursor, heartbeat_s=0.01):
        if frames.startswith(b":"):
            return found
        named = [frame for frame in frames.decode().split("\n\n") if f"event: {name}\n" in frame]
        found += [json.loads(frame.split("data: ", 1)[1]) for frame in named]
    return found


def test_each_response_says_which_tests_fail_and_whether_they_fail_anyway(tmp_path: Path) -> None:
    """What is newly failing, what is gained, and what fails without any response stand apart; the view of one has the output too."""

    async def scene(window: Window) -> None:
        path = await generated(window, 4)
        await window.post(f"{path}/checks")
        view = await window.get(f"{path}/checks")
        assert view["progress"] is None
        assert not view["is_checking"]
        assert view["base"]["failed"] == 2
        runs = {each["slot"]: each["report"]["runs"][0] for each in view["responses"]}
        assert [runs[slot]["ok"] for slot in (1, 2, 3, 4)] == [True, False, False, False]
        assert [len(runs[slot]["newly_passing"]) for slot in (1, 2, 3, 4)] == [2, 1, 1, 0]
        assert runs[4]["fails_anyway"]
        assert runs[2]["newly_failing"] == []
        assert runs[1]["output"] == ""
        one = await window.get(f"{path}/slots/2/checks")
        run = one["report"]["runs"][0]
        assert (one["stale"], "AssertionError" in run["output"], run["stage"]) == ("", True, "test")
        assert one["report"]["lane"] in {"overlay", "copy"}
        _, error = await window.error("GET", f"{path}/slots/9/checks")
        assert error["code"] == "not_found"

    play(tmp_path, scene)


def test_a_stale_verdict_says_what_changed_and_one_response_can_run_again(tmp_path: Path) -> None:
    """Until checks have run there is no report; after a change of files or checks the reports are stale, and a run renews them."""

    async def scene(window: Window) -> None:
        path = await generated(window, 2)
        before = await window.get(f"{path}/checks")
        assert [each["report"] for each in before["responses"]] == [None, None]
        await window.post(f"{path}/checks")
        (window.panel.workspace.project.root / "README.md").write_text("changed\n", encoding="utf-8")
        assert [each["stale"] for each in (await window.get(f"{path}/checks"))["responses"]] == ["workspace"] * 2
        await window.post(f"{path}/slots/2/checks")
        assert [each["stale"] for each in (await window.get(f"{path}/checks"))["responses"]] == ["workspace", ""]
        written(window, CHECKS.replace("30", "31"))
        assert [each["stale"] for each in (await window.get(f"{path}/checks"))["responses"]] == ["checks"] * 2

    play(tmp_path, scene)


def test_progress_is_told_and_shown_and_a_run_can_be_stopped(tmp_path: Path) -> None:
    """While checks run, windows hear how many of them run; stopping ends them, is no error, and keeps verdicts that are there."""

    async def scene(window: Window) -> None:
        written(window, script("import os, time; time.sleep(60 * os.path.exists('slow.py'))"))
        path = await generated(window, 3)
        cursor = window.panel.log.cursor
        run = asyncio.create_task(window.post(f"{path}/checks"))
        while not ((view := await window.get(f"{path}/checks"))["progress"] or {}).get("running"):
            assert not run.done()
            await asyncio.sleep(0.01)
        assert view["is_checking"]
        assert view["progress"]["total"] == 3
        status, error = await window.error("POST", f"{path}/checks")
        assert (status, error["code"]) == (409, "conflict")
        assert (await window.post(f"{path}/checks/stop"))["is_checking"] is False
        assert (await run)["is_checking"] is False
        view = await window.get(f"{path}/checks")
        assert (view["progress"], view["failure"], view["is_checking"]) == (None, None, False)
        assert (await window.post(f"{path}/checks/stop"))["is_checking"] is False  # nothing to stop is no error
        told = await events_of(window, cursor, "checks_progress")
        assert told[0]["is_base"]
        assert all(event["done"] + len(event["running"]) <= event["total"] == 3 for event in told)
        assert len(told[-1]["running"]) >= 1

    slow = tuple(Line(path="slow.py", content=f"x = {number}\n") for number in range(3))
    play(tmp_path, scene, slow)


def test_checks_that_cannot_start_blame_no_response_and_are_remembered(tmp_path: Path) -> None:
    """If no check can run, that is one error, kept until the next run; if one can, the others are named once, beside its verdicts."""

    async def scene(window: Window) -> None:
        missing = '[[check]]\nname = "js"\ncommand = ["no-such-runner"]\n\n'
        written(window, missing)
        path = await generated(window, 2)
        _, error = await window.error("POST", f"{path}/checks")
        assert "no-such-runner" in error["message"]
        view = await window.get(f"{path}/checks")
        assert view["failure"]["message"] == error["message"]
        assert all(each["report"] is None for each in view["responses"])
        written(window, missing + CHECKS)
        await agreed(window)
        await window.post(f"{path}/checks")
        view = await window.get(f"{path}/checks")
        assert view["failure"] is None
        for each in view["responses"]:
            assert len(each["report"]["cannot_start"]) == 1
            assert [run["name"] for run in each["report"]["runs"]] == ["tests"]

    play(tmp_path, scene)


def test_proposals_are_tried_before_they_are_saved(tmp_path: Path) -> None:
    """Without a file the proposals say what they were seen by; trying them needs consent, saves nothing, and is not run again once saved."""

    async def scene(window: Window) -> None:
        (window.panel.workspace.project.state_dir / "checks.toml").unlink()
        view = await window.get("/api/checks/file")
        assert (view["exists"], view["checks"], view["text"]) == (False, [], "")
        (found,) = view["found"]
        assert "unittest" in found["command"]
        assert found["why"]
        order = {"text": view["proposed"]}
        _, error = await window.error("POST", "/api/checks/workspace", order)
        assert error["code"] == "consent_needed"
        commands = await window.post("/api/checks/commands", order)
        assert not commands["is_agreed"]
        agreed_to = await window.post("/api/checks/consent", {"digest": commands["digest"], **order})
        assert agreed_to["is_agreed"]
        report = (await window.post("/api/checks/workspace", order))["report"]
        assert (report["failed"], report["runs"][0]["tests"]) == (2, [])
        assert (await window.get("/api/checks/file"))["exists"] is False
        saved = await window.put("/api/checks/file", {"text": view["proposed"], "seen": ""})
        assert saved["report"] == report
        assert saved["found"] == []
        assert (await window.get("/api/workspace"))["checks"] == [check["name"] for check in saved["checks"]]

    play(tmp_path, scene)


def test_what_cannot_start_on_the_workspace_is_still_known_after_a_reload(tmp_path: Path) -> None:
    """The report names it once, also when it is asked for again; a change of the files or the checks makes it unknown."""

    async def scene(window: Window) -> None:
        written(window, CHECKS + '[[check]]\nname = "js"\ncommand = ["no-such-runner"]\n')
        await agreed(window)
        report = (await window.post("/api/checks/workspace", {}))["report"]
        assert [problem.split(":")[0] for problem in report["cannot_start"]] == ["js"]
        assert (await window.get("/api/checks/file"))["report"] == report
        (window.panel.workspace.project.root / "new.txt").write_text("x", encoding="utf-8")
        assert (await window.get("/api/checks/file"))["report"] is None
        (window.panel.workspace.project.root / "new.txt").unlink()
        assert (await window.get("/api/checks/file"))["report"] == report
        written(window, CHECKS)
        assert (await window.get("/api/checks/file"))["report"] is None

    play(tmp_path, scene)


def test_a_text_is_saved_only_if_it_is_valid_and_nobody_changed_the_file(tmp_path: Path) -> None:
    """A mistake is named and nothing is written; a file changed since it was shown is not overwritten; one that is broken says so."""

    async def scene(window: Window) -> None:
        path = window.panel.workspace.project.state_dir / "checks.toml"
        for text in (
            "[[check]]\nname = 3\n",
            "nonsense",
            '[[check]]\nname = "a"\ncommand = []\n',
            "[lane]\nmemory = 'much'\n",
        ):
            _, error = await window.error("PUT", "/api/checks/file", {"text": text, "seen": CHECKS})
            assert error["code"] == "invalid_input"
            _, error = await window.error("POST", "/api/checks/workspace", {"text": text})
            assert error["code"] == "invalid_input"
        assert path.read_text(encoding="utf-8") == CHECKS
        _, error = await window.error("PUT", "/api/checks/file", {"text": CHECKS, "seen": ""})
        assert error["code"] == "conflict"
        view = await window.put("/api/checks/file", {"text": "# none\n", "seen": CHECKS})
        assert (view["checks"], len(view["found"])) == ([], 1)
        _, error = await window.error("POST", "/api/checks/workspace", {"text": "# none\n"})
        assert error["code"] == "not_found"
        written(window, "nonsense")
        view = await window.get("/api/checks/file")
        assert "checks.toml" in view["problem"]
        assert (view["text"], view["found"]) == ("nonsense", [])
        assert (await window.put("/api/checks/file", {"text": CHECKS, "seen": "nonsense"}))["problem"] == ""

    play(tmp_path, scene)


def test_consent_is_for_the_text_that_was_shown(tmp_path: Path) -> None:
    """The digest of one text does not agree to another, and consent to a text covers the file once it is saved."""

    async def scene(window: Window) -> None:
        text = script("print(1)")
        digest = (await window.post("/api/checks/commands", {"text": text}))["digest"]
        _, error = await window.error("POST", "/api/checks/consent", {"digest": digest})
        assert error["code"] == "conflict"
        await window.post("/api/checks/consent", {"digest": digest, "text": text})
        assert not (await window.get("/api/checks"))["is_agreed"]
        written(window, text)
        assert (await window.get("/api/checks"))["is_agreed"]

    play(tmp_path, scene)
