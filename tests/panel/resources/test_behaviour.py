"""resources/behaviour.py: the panel compares how responses behave, with consent, with or without checks."""

from pathlib import Path

from tests.panel.rig import Window
from tests.panel.test_app import generated, play


def test_behaviour_is_compared_on_request(tmp_path: Path) -> None:
    """Without consent nothing runs; with it, the view has a sentence, classes and the probes on which the responses differ."""

    async def scene(window: Window) -> None:
        view = await generated(window, n=3)
        path = f"/api/generations/{view['id']}/behaviour"
        empty = {"generation": view["id"], "report": None, "why_stale": "", "is_running": False}
        assert await window.get(path) == empty
        commands = await window.get("/api/behaviour/commands")
        assert commands["probes"].startswith("short calls to the code")
        status, error = await window.error("POST", path)
        assert (status, error["code"]) == (403, "consent_needed")
        status, error = await window.error("POST", "/api/behaviour/consent", {"digest": "of something else"})
        assert (status, error["code"]) == (409, "conflict")
        assert (await window.post("/api/behaviour/consent", {"digest": commands["digest"]}))["is_agreed"]
        report = (await window.post(path))["report"]
        assert set(report["compared"]) == {slot for found in report["classes"] for slot in found["slots"]}
        assert (await window.get(path))["report"] == report
        rows = (await window.get(f"/api/generations/{view['id']}/board"))["rows"]
        assert all(row["why"] for row in rows)
        status, error = await window.error("POST", "/api/generations/99/behaviour")
        assert (status, error["code"]) == (404, "not_found")

    play(tmp_path, scene)
