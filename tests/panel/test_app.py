"""The panel's routes over a real workspace: what each shows, what each changes, and the one shape of every error."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dce.panel.app import RAW_ROUTES, ROUTES, create_app
from dce.panel.runtime import PanelRuntime
from dce.panel.security import Access
from dce.wire.errors import CODES, DceError
from tests.panel.rig import ORIGIN, PORT, RIGHT, STUB, AnsweringProvider, Line, Window, make_workspace, window_of

Scene = Callable[[Window], Awaitable[None]]


def play(folder: Path, scene: Scene, provider: AnsweringProvider | None = None) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words", provider) as workspace:
            async with window_of(workspace) as window:
                await scene(window)

    asyncio.run(go())


def concrete(path: str) -> str:
    """A route's path with numbers in it, of things that there are not."""
    for name in ("generation", "slot", "cycle"):
        path = path.replace("{" + name + ":int}", "77")
    return path


def test_every_route_is_closed_without_a_session(tmp_path: Path) -> None:
    """Each route but those that say so answers `forbidden` in the one shape to a request without the cookie."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            app = create_app(PanelRuntime(workspace), Access(), PORT, tmp_path)
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as client:
                rows = [(route.method, concrete(route.path), route.is_public) for route in ROUTES]
                rows += [(route.method, route.path, False) for route in RAW_ROUTES]
                for method, path, is_public in rows:
                    answer = await client.request(method, path, headers={"origin": ORIGIN})
                    assert (answer.status_code == 200) == is_public, path
                    assert is_public or answer.json()["error"]["code"] == "forbidden"

    asyncio.run(go())


def test_every_route_gives_the_one_error_shape(tmp_path: Path) -> None:
    """Asked for what there is not, or with a body that is none, each route answers a code of the table, its hop and a hint."""

    async def scene(window: Window) -> None:
        for route in ROUTES:
            if "{" not in route.path and route.takes is None:
                continue
            answer = await window.ask(route.method, concrete(route.path), {"nonsense": 1} if route.takes else None)
            error = answer.json()["error"]
            assert answer.status_code == CODES[error["code"]].status, route.path
            assert error["code"] in {"not_found", "invalid_input"}, (route.path, error)
            assert error["hop"]
            assert error["hint"]
            assert error["message"]

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/assets/nothing.js", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/api/generations/one", 404),
        ("DELETE", "/api/workspace", 405),
        ("POST", "/", 405),
    ],
)
def test_what_is_no_route_gives_the_same_shape(tmp_path: Path, method: str, path: str, status: int) -> None:
    """The router's own refusals look like every other error."""

    async def scene(window: Window) -> None:
        found, error = await window.error(method, path)
        assert found == status
        assert error["hop"] == "client"
        assert error["hint"]

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"{", "application/json"), (b'{"cycle": "x", "n": 1}', "application/json"), (b"cycle=1&n=1", "text/plain")],
)
def test_a_body_that_is_not_right_is_named(tmp_path: Path, content: bytes, kind: str) -> None:
    """Bad JSON, a wrong type and a form (which another site could send) are each refused before anything happens."""

    async def scene(window: Window) -> None:
        headers = {"origin": ORIGIN, "content-type": kind}
        answer = await window.client.post("/api/generations", content=content, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid_input"
        assert (await window.get("/api/cycles/1"))["generations"] == []

    play(tmp_path, scene)


def test_a_body_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    """A body of more than the limit is not read to its end."""

    async def scene(window: Window) -> None:
        status, error = await window.error("PUT", "/api/selection", {"paths": ["x" * 9_000_000]})
        assert (status, error["code"]) == (400, "invalid_input")

    play(tmp_path, scene)


def test_the_snapshot_holds_what_a_window_starts_from(tmp_path: Path) -> None:
    """Name, cycles, selection, checks, limits and the cursor from which events go on."""

    async def scene(window: Window) -> None:
        view = await window.get("/api/workspace")
        assert view["name"] == "words"
        assert [cycle["id"] for cycle in view["cycles"]] == [0, 1]
        assert view["selection"] == ["test_words.py", "words.py"]
        assert (view["checks"], view["n"], view["max_n"]) == (["tests"], 10, 20)
        assert view["restorable"] is None
        assert view["cursor"] == window.panel.log.cursor

    play(tmp_path, scene)


def test_the_key_is_in_no_answer(tmp_path: Path) -> None:
    """The gateway's key never reaches a browser."""

    async def scene(window: Window) -> None:
        settings = window.panel.workspace.settings
        assert settings.key is None
        for path in ("/api/workspace", "/api/files", "/api/cycles/1/prompt"):
            assert '"key"' not in (await window.ask("GET", path)).text

    play(tmp_path, scene)


def test_the_selection_is_replaced_whole(tmp_path: Path) -> None:
    """What is sent is what is selected afterwards; a path that cannot go in changes nothing."""

    async def scene(window: Window) -> None:
        assert await window.put("/api/selection", {"paths": ["README.md"]}) == {"paths": ["README.md"], "seen": None}
        _, error = await window.error("PUT", "/api/selection", {"paths": ["../outside"]})
        assert error["code"] == "outside_workspace"
        assert (await window.get("/api/workspace"))["selection"] == ["README.md"]

    play(tmp_path, scene)


def test_a_window_changes_only_what_it_changed_itself(tmp_path: Path) -> None:
    """A file that was selected elsewhere after the window looked stays selected; what the window removed is removed."""

    async def scene(window: Window) -> None:
        await window.put("/api/selection", {"paths": ["README.md", "words.py"]})
        edit = {"paths": ["README.md"], "seen": ["README.md"]}
        assert await window.put("/api/selection", edit) == {"paths": ["README.md", "words.py"], "seen": None}
        edit = {"paths": [], "seen": ["words.py"]}
        assert await window.put("/api/selection", edit) == {"paths": ["README.md"], "seen": None}

    play(tmp_path, scene)


def test_an_edit_on_an_old_revision_is_a_conflict(tmp_path: Path) -> None:
    """Two windows that edit one cycle never overwrite each other silently."""

    async def scene(window: Window) -> None:
        (_, cycle) = (await window.get("/api/cycles"))["cycles"]
        edit = {"rev": cycle["rev"], "title": "A", "context": "B", "ephemeral": "C"}
        kept = (await window.put("/api/cycles/1", edit))["cycle"]
        assert (kept["title"], kept["rev"]) == ("A", cycle["rev"] + 1)
        status, error = await window.error("PUT", "/api/cycles/1", edit | {"title": "lost"})
        assert (status, error["code"]) == (409, "conflict")
        assert (await window.get("/api/cycles/1"))["cycle"]["title"] == "A"

    play(tmp_path, scene)


def test_a_new_cycle_is_the_newest(tmp_path: Path) -> None:
    """Creating answers with the cycle and its id, which the snapshot then lists last."""

    async def scene(window: Window) -> None:
        made = (await window.post("/api/cycles", {"title": "Next"}))["cycle"]
        head = (await window.get("/api/workspace"))["cycles"][-1]
        assert (head["id"], head["title"], head["rev"]) == (made["id"], "Next", made["rev"])
        assert "context" not in head

    play(tmp_path, scene)


def test_the_preview_is_what_would_be_sent(tmp_path: Path) -> None:
    """Text, sections that tile it, counts and the budget; without the text for the meter."""

    async def scene(window: Window) -> None:
        view = await window.get("/api/cycles/1/prompt")
        sections = view["sections"]
        assert "".join(view["text"][part["start"] : part["end"]] for part in sections) == view["text"]
        assert STUB in view["text"]
        assert view["budget"] < 8192
        assert view["is_over"] is False
        meter = await window.get("/api/cycles/1/prompt?text=no")
        assert (meter["text"], meter["total"]) == ("", view["total"])

    play(tmp_path, scene)


async def generated(window: Window, n: int = 10) -> Any:
    """A generation that has ended."""
    started = await window.post("/api/generations", {"cycle": 1, "n": n})
    return await window.ended(started["id"])


def test_a_generation_from_the_click_to_its_ends(tmp_path: Path) -> None:
    """Ten responses end each in its own way, and every one says which."""

    async def scene(window: Window) -> None:
        view = await generated(window)
        statuses = [slot["status"] for slot in view["slots"]]
        assert statuses[:5] == ["complete"] * 5
        assert (statuses[6], statuses[7]) == ("truncated", "error")
        assert view["slots"][7]["error"]["hop"] == "backend"
        assert view["model"] == "rig-model"
        (summary,) = (await window.get("/api/cycles/1"))["generations"]
        assert (summary["id"], summary["is_running"]) == (view["id"], False)
        assert (window.panel.workspace.project.root / ".dce/prompt.md").exists()

    play(tmp_path, scene)


def test_an_answer_is_taken_apart_and_compared(tmp_path: Path) -> None:
    """Summary, plan and files with what each would change; the raw text stays as it came."""

    async def scene(window: Window) -> None:
        view = await generated(window)
        slot = await window.get(f"/api/generations/{view['id']}/slots/1")
        reading = slot["reading"]
        assert reading["parse"] == "ok"
        assert "initials" in reading["summary"]
        (file,) = reading["files"]
        assert (file["path"], file["change"], file["content"]) == ("words.py", "modified", RIGHT)
        assert slot["text"].startswith("<summary>")
        assert slot["thinking"].startswith("The tests show")
        escaping = await window.get(f"/api/generations/{view['id']}/slots/6")
        assert escaping["reading"]["files"][0]["flags"] == ["outside_workspace"]

    play(tmp_path, scene)


def test_the_board_ranks_what_the_checks_found(tmp_path: Path) -> None:
    """After the project's own tests ran, a response that passes them leads; events tell of each report."""

    async def scene(window: Window) -> None:
        view = await generated(window, n=3)
        before = await window.get(f"/api/generations/{view['id']}/board")
        assert all(row["checks"] is None for row in before["rows"])
        status, error = await window.error("POST", f"/api/generations/{view['id']}/checks")
        assert (status, error["code"]) == (403, "consent_needed")
        commands = await window.get("/api/checks")
        assert (commands["commands"], commands["is_agreed"]) == (["python -m unittest -q"], False)
        assert commands["containment"] in error["message"]
        status, error = await window.error("POST", "/api/checks/consent", {"digest": "of other commands"})
        assert (status, error["code"]) == (409, "conflict")
        agreed = await window.post("/api/checks/consent", {"digest": commands["digest"]})
        assert agreed["is_agreed"]
        after = await window.post(f"/api/generations/{view['id']}/checks")
        assert [row["slot"] for row in after["rows"]] == [1, 2, 3]
        best = after["rows"][0]["checks"]
        assert (best["passed"], best["failed"], best["new_failures"], best["gained"], best["stale"]) == (2, 0, 0, 2, "")
        assert after["rows"][1]["checks"]["failed"] == 1
        assert after["is_checking"] is False

    play(tmp_path, scene)


def test_checks_without_a_description_say_how_to_make_one(tmp_path: Path) -> None:
    """A workspace that has no checks is told where they are described."""

    async def scene(window: Window) -> None:
        view = await generated(window, n=1)
        (window.panel.workspace.project.state_dir / "checks.toml").unlink()
        status, error = await window.error("POST", f"/api/generations/{view['id']}/checks")
        assert status == 404
        assert "checks.toml" in error["hint"]

    play(tmp_path, scene)


def test_accepting_writes_and_restoring_puts_back(tmp_path: Path) -> None:
    """A dry run writes nothing; accepting writes the file; restoring gives its old bytes."""

    async def scene(window: Window) -> None:
        file = window.panel.workspace.project.root / "words.py"
        order = {"generation": (await generated(window, n=1))["id"], "slot": 1, "paths": ["words.py"]}
        plan = await window.post("/api/accept", order | {"dry_run": True})
        assert [write["change"] for write in plan["writes"]] == ["modified"]
        assert plan["acceptance"] is None
        assert file.read_text(encoding="utf-8") == STUB
        done = await window.post("/api/accept", order)
        assert file.read_text(encoding="utf-8") == RIGHT
        snapshot = await window.get("/api/workspace")
        assert snapshot["restorable"] == done["acceptance"]
        assert snapshot["cycles"][1]["chosen_slot"] == 1
        await window.post("/api/restore", {"acceptance": done["acceptance"]["id"]})
        assert file.read_text(encoding="utf-8") == STUB
        assert (await window.get("/api/workspace"))["restorable"] is None

    play(tmp_path, scene)


def test_a_response_that_leads_out_of_the_workspace_is_refused(tmp_path: Path) -> None:
    """Accepting it names the path, and nothing is written anywhere."""

    async def scene(window: Window) -> None:
        view = await generated(window)
        status, error = await window.error("POST", "/api/accept", {"generation": view["id"], "slot": 6})
        assert (status, error["code"]) == (400, "outside_workspace")
        assert "../../etc/passwd" in error["message"]

    play(tmp_path, scene)


def test_a_file_edited_since_the_prompt_is_not_overwritten(tmp_path: Path) -> None:
    """The user's own edit wins over a response that did not see it."""

    async def scene(window: Window) -> None:
        view = await generated(window, n=1)
        file = window.panel.workspace.project.root / "words.py"
        file.write_text("mine\n", encoding="utf-8")
        status, error = await window.error("POST", "/api/accept", {"generation": view["id"], "slot": 1})
        assert (status, error["code"]) == (409, "stale_file")
        assert file.read_text(encoding="utf-8") == "mine\n"

    play(tmp_path, scene)


def test_accepting_works_while_another_response_still_runs(tmp_path: Path) -> None:
    """The writer's lock is the panel's own: a generation does not keep its user from accepting."""
    provider = AnsweringProvider([Line(content="x\n", path="new.txt"), Line(thinking="long " * 200)])

    async def scene(window: Window) -> None:
        first = await generated(window, n=1)
        provider.hold = asyncio.Event()
        running = await window.post("/api/generations", {"cycle": 1, "n": 2})
        await window.post("/api/accept", {"generation": first["id"], "slot": 1})
        provider.hold.set()
        await window.ended(running["id"])

    play(tmp_path, scene, provider)


def test_stopping_one_leaves_the_others(tmp_path: Path) -> None:
    """One stopped response keeps what it had; the other two complete."""
    provider = AnsweringProvider([Line()], piece_chars=4)
    provider.hold = asyncio.Event()

    async def scene(window: Window) -> None:
        view = await window.post("/api/generations", {"cycle": 1, "n": 3})
        async for _ in window.news():
            now = await window.get(f"/api/generations/{view['id']}")
            if all(slot["status"] == "generating" for slot in now["slots"]):
                break
        await window.post(f"/api/generations/{view['id']}/slots/2/stop")
        assert provider.hold is not None
        provider.hold.set()
        ended = await window.ended(view["id"])
        assert [slot["status"] for slot in ended["slots"]] == ["complete", "stopped", "complete"]

    play(tmp_path, scene, provider)


def test_regenerating_makes_a_new_version(tmp_path: Path) -> None:
    """The slot gets version 2 with its own text; its neighbour is left alone; while it runs it cannot be started again."""
    provider = AnsweringProvider([Line(content="one\n"), Line(content="two\n")])

    async def scene(window: Window) -> None:
        view = await generated(window, n=1)
        provider.hold = asyncio.Event()
        await window.post(f"/api/generations/{view['id']}/regenerate", {"slots": [1]})
        status, error = await window.error("POST", f"/api/generations/{view['id']}/regenerate", {"slots": [1]})
        assert (status, error["code"]) == (409, "conflict")
        provider.hold.set()
        ended = await window.ended(view["id"])
        assert ended["slots"][0]["version"] == 2
        slot = await window.get(f"/api/generations/{view['id']}/slots/1")
        assert slot["reading"]["files"][0]["content"] == "two\n"

    play(tmp_path, scene, provider)


@pytest.mark.parametrize("n", [0, -1, 21, 1000])
def test_n_out_of_range_is_refused(tmp_path: Path, n: int) -> None:
    """Nothing is prepared for a number of responses that nobody can have."""

    async def scene(window: Window) -> None:
        status, error = await window.error("POST", "/api/generations", {"cycle": 1, "n": n})
        assert (status, error["code"]) == (400, "invalid_input")

    play(tmp_path, scene)


def test_a_failed_request_is_the_error_of_every_response(tmp_path: Path) -> None:
    """When the gateway refuses, each slot says so with hop and hint, and nothing hangs."""
    provider = AnsweringProvider(failure=DceError("invalid_key", "the key is not known"))

    async def scene(window: Window) -> None:
        view = await generated(window, n=2)
        assert [slot["status"] for slot in view["slots"]] == ["error", "error"]
        assert {slot["error"]["code"] for slot in view["slots"]} == {"invalid_key"}

    play(tmp_path, scene, provider)


def test_a_fault_of_ours_is_an_answer_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An exception that nobody foresaw becomes an `internal` error of the client, and its traceback goes to the log."""

    async def scene(window: Window) -> None:
        window.panel.workspace.selection = None  # type: ignore[assignment]
        status, error = await window.error("GET", "/api/workspace")
        assert (status, error["code"], error["hop"]) == (500, "internal", "client")
        assert "Traceback" in caplog.text

    play(tmp_path, scene)
