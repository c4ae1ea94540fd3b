"""The routes of the context: where a selection comes from, its sets and details, findings, the prompt against the last one."""

import asyncio
import gzip
import json
import random
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dce.panel.answers import MIN_PACKED_BYTES
from dce.workspace.settings import Settings
from tests.panel.rig import AnsweringProvider, Window, make_workspace, window_of

Scene = Callable[[Window], Awaitable[None]]
SECRET = "ghp_" + "".join(random.Random(4).choices("abcdefghijkmnpqrstuvwxyz23456789", k=36))


def play(folder: Path, scene: Scene, settings: Settings | None = None) -> None:
    """Runs a scene in a window over a fresh workspace."""

    async def go() -> None:
        with make_workspace(folder / "words", AnsweringProvider(), settings) as workspace:
            async with window_of(workspace) as window:
                await asyncio.wait_for(scene(window), 60)

    asyncio.run(go())


def _commit(root: Path) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *arguments], cwd=root, check=True)


def rows(view: Any) -> dict[str, Any]:
    return {row["path"]: row for row in view["files"]}


def test_the_table_of_files(tmp_path: Path) -> None:
    """Columns of the same length, why a file is out, counts that come; packed only when large and wanted."""

    async def scene(window: Window) -> None:
        view = await window.get("/api/files")
        assert view["is_whole"]
        assert view["paths"] == sorted(view["paths"])
        assert len(view["paths"]) == len(view["sizes"]) == len(view["tokens"]) == len(view["exact"])
        assert view["excluded"] == {"logo.bin": "binary"}
        async for _ in window.news():
            view = await window.get("/api/files")
            if not view["is_counting"]:
                break
        assert dict(zip(view["paths"], view["tokens"], strict=True))["README.md"] > 0
        assert (await window.get(f"/api/files?since={view['cursor']}"))["paths"] == []
        folder = window.session.workspace.project.root / "many"
        folder.mkdir()
        for number in range(MIN_PACKED_BYTES // 50):
            (folder / f"a-file-with-a-rather-long-name-that-fills-an-answer-{number}.txt").touch()
        request = window.client.stream("GET", "/api/files?fresh=yes", headers={"accept-encoding": "gzip"})
        async with request as answer:
            raw = b"".join([piece async for piece in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert len(json.loads(gzip.decompress(raw))["paths"]) > 1_000
        plain = await window.client.get("/api/files", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers

    play(tmp_path, scene)


def test_files_are_found_by_git_a_cycle_a_trace_and_their_text(tmp_path: Path) -> None:
    """Each source gives the paths it means; what it cannot know is refused by name."""

    async def scene(window: Window) -> None:
        root = window.session.workspace.project.root
        assert (await window.get("/api/files/git"))["changed"] == {}
        status, error = await window.error("POST", "/api/files/find", {"source": "cycle", "cycle": 1})
        assert (status, error["code"]) == (404, "not_found")
        found = await window.post("/api/files/find", {"source": "content", "text": "KEEP IT"})
        assert found["paths"] == ["docs/notes.md"]
        found = await window.post("/api/files/find", {"source": "trace", "text": 'File "/app/words.py", line 3'})
        assert found["paths"] == ["words.py"]
        for text in ("", "two\nlines", "x" * 2_000):
            status, error = await window.error("POST", "/api/files/find", {"source": "content", "text": text})
            assert error["code"] == "invalid_input"
        await asyncio.to_thread(_commit, root)
        made = await window.post("/api/generations", {"cycle": 1, "n": 1})
        await window.ended(made["id"])
        (root / "words.py").write_text("x = 1\n", encoding="utf-8")
        (root / "new.py").write_text("Keep it\n", encoding="utf-8")
        assert (await window.get("/api/files/git"))["changed"]["words.py"] == "modified"
        assert (await window.get("/api/files/git"))["changed"]["new.py"] == "untracked"
        async for _ in window.news():
            if "new.py" in (await window.get("/api/files"))["paths"]:
                break
        found = await window.post("/api/files/find", {"source": "git"})
        assert found["paths"] == ["new.py", "words.py"]
        assert "words.py" in (await window.post("/api/files/find", {"source": "cycle", "cycle": 1}))["paths"]
        found = await window.post("/api/files/find", {"source": "content", "text": "keep it"})
        assert found["paths"] == ["docs/notes.md", "new.py"]
        _, error = await window.error("POST", "/api/files/find", {"source": "git", "text": "no-such-commit"})
        assert error["code"] == "not_found"

    play(tmp_path, scene)


def test_the_selection_says_what_each_file_costs_and_risks(tmp_path: Path) -> None:
    """Levels of detail change the cost; a file edited since the last prompt, one with a secret and one that is gone say so."""

    async def scene(window: Window) -> None:
        root = window.session.workspace.project.root
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
        cursor = window.session.log.cursor
        view = await window.post("/api/selection/sets", {"name": "core", "act": "save"})
        assert view["sets"] == [{"name": "core", "files": 2, "is_selection": True}]
        await window.put("/api/selection", {"paths": ["README.md"]})
        view = await window.post("/api/selection/sets", {"name": "core", "act": "merge"})
        assert sorted(rows(view)) == ["README.md", "test_words.py", "words.py"]
        (window.session.workspace.project.root / "test_words.py").unlink()
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
        async for frames in window.session.log.follow(cursor, heartbeat_s=0.01):
            told += frames
            if frames.startswith(b":"):
                break
        assert told.count(b'"what":"selection"') == 5

    play(tmp_path, scene)


def test_findings_are_resolved_one_by_one(tmp_path: Path) -> None:
    """A secret blocks a prompt for another host until its value is allowed, hidden behind a placeholder, or its file left out."""

    async def scene(window: Window) -> None:
        where = window.session.workspace
        where.sending.agree()
        (where.project.root / "words.py").write_text(f'TOKEN = "{SECRET}"\n', encoding="utf-8")
        view = await window.get("/api/cycles/1/findings")
        assert (view["host"], view["is_local"], view["policy"]) == ("models.example.org", False, "refuse")
        (finding,) = view["findings"]
        assert (finding["path"], finding["line"]) == ("words.py", 1)
        assert SECRET not in json.dumps(view)
        prompt = await window.get("/api/cycles/1/prompt")
        assert (prompt["findings"], prompt["is_blocked"]) == (1, True)
        _, error = await window.error("POST", "/api/generations", {"cycle": 1, "n": 1})
        assert error["code"] == "secrets_found"

        async def resolve(**order: str) -> Any:
            return await window.post("/api/cycles/1/findings", order)

        view = await resolve(act="placeholder", fingerprint=finding["fingerprint"])
        assert (view["findings"], view["hidden"]) == ([], [finding])
        prompt = await window.get("/api/cycles/1/prompt")
        assert SECRET not in prompt["text"]
        assert "__DCE_SECRET_1__" in prompt["text"]
        assert not prompt["is_blocked"]
        assert len((await resolve(act="show", fingerprint=finding["fingerprint"]))["findings"]) == 1
        view = await resolve(act="exclude", path="words.py")
        assert view["findings"] == []
        assert where.selection.paths() == ("test_words.py",)
        where.selection.replace(["words.py"])
        view = await resolve(act="allow", fingerprint=finding["fingerprint"])
        assert view["findings"] == []
        assert SECRET in (await window.get("/api/cycles/1/prompt"))["text"]
        made = await window.post("/api/generations", {"cycle": 1, "n": 1})
        await window.ended(made["id"])
        for order in ({"act": "placeholder", "fingerprint": "0" * 12}, {"act": "exclude", "path": "nothing"}):
            _, error = await window.error("POST", "/api/cycles/1/findings", order)
            assert error["code"] == "not_found"
        _, error = await window.error("POST", "/api/cycles/1/findings", {"act": "allow"})
        assert error["code"] == "invalid_input"

    play(tmp_path, scene, Settings(url="https://models.example.org"))


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
        (window.session.workspace.project.root / "words.py").write_text("x = 1\n", encoding="utf-8")
        change = await window.get("/api/cycles/1/prompt/change")
        before, after = change["before"].splitlines(), change["after"].splitlines()
        assert [line for line in after if line not in before] == ["x = 1"]
        _, error = await window.error("GET", "/api/cycles/77/prompt/change")
        assert error["code"] == "not_found"

    play(tmp_path, scene)
