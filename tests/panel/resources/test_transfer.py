"""The history as a file through the panel: what goes out comes in again elsewhere, and nothing that is no history does."""

import asyncio
import tempfile
from pathlib import Path

from tests.panel.rig import ORIGIN, make_workspace, window_of

BYTES = {"origin": ORIGIN, "content-type": "application/octet-stream"}


def left_behind() -> set[Path]:
    """The temporary files of exports and imports, anybody's."""
    return set(Path(tempfile.gettempdir()).glob("dce-history-*"))


def test_what_is_exported_is_imported_elsewhere(tmp_path: Path) -> None:
    """Cycles and responses arrive whole; the same file again is a conflict; no temporary file is left."""
    before_all = left_behind()

    async def go() -> None:
        with make_workspace(tmp_path / "one") as one, make_workspace(tmp_path / "two") as two:
            async with window_of(one) as window:
                made = await window.post("/api/generations", {"cycle": 1, "n": 2})
                await window.ended(made["id"])
                text = (await window.get("/api/generations/1/slots/1"))["text"]
                answer = await window.ask("GET", "/api/export")
                assert 'filename="one-history.jsonl"' in answer.headers["content-disposition"]
            async with window_of(two) as window:
                before = window.panel.log.cursor
                done = await window.client.post("/api/import?name=x.jsonl", content=answer.content, headers=BYTES)
                assert done.status_code == 200, done.text
                assert done.json()["responses"] == 2
                assert window.panel.log.cursor != before
                (cycle,) = set(done.json()["cycles"].values()) - {0}
                record = await window.get(f"/api/cycles/{cycle}/record")
                generation = record["generations"][0]["id"]
                assert (await window.get(f"/api/generations/{generation}/slots/1"))["text"] == text
                again = await window.client.post("/api/import?name=x.jsonl", content=answer.content, headers=BYTES)
                assert again.json()["error"]["code"] == "conflict"
                assert "x.jsonl" in again.json()["error"]["message"]

    asyncio.run(go())
    assert left_behind() <= before_all


def test_what_is_no_history_changes_nothing(tmp_path: Path) -> None:
    """A file of another kind is named as such; a form that another site could send is not read."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            async with window_of(workspace) as window:
                cycles = await window.get("/api/cycles")
                wrong = await window.client.post("/api/import?name=a.json", content=b"[1, 2", headers=BYTES)
                assert wrong.json()["error"]["code"] == "invalid_input"
                form = BYTES | {"content-type": "text/plain"}
                assert (await window.client.post("/api/import", content=b"x", headers=form)).status_code == 400
                foreign = BYTES | {"origin": "https://evil.example.org"}
                assert (await window.client.post("/api/import", content=b"x", headers=foreign)).status_code == 403
                assert await window.get("/api/cycles") == cycles

    asyncio.run(go())
