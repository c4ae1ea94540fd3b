"""The files: the table of all of them, and where a selection can come from."""

import asyncio
import gzip
import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

from dce.panel.limits import MIN_COMPRESSED_BYTES
from dce.workspace.settings import Settings
from tests.panel.rig import AnsweringProvider, Window, make_workspace, window_of

Scene = Callable[[Window], Awaitable[None]]


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
        folder = window.panel.workspace.project.root / "many"
        folder.mkdir()
        for number in range(MIN_COMPRESSED_BYTES // 50):
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
        root = window.panel.workspace.project.root
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
