"""The loop is never blocked: every route is called, and files, locks, SQLite, sleeps and the parsing of answers are forbidden in the loop."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

import dce.doctor.tree as doctor
from dce.panel.app import RAW_ROUTES, ROUTES
from dce.panel.server import PanelServer
from dce.panel.tools import Check, Diagnosis, DoctorTarget, Tools
from dce.workspace.cards import Cards
from dce.workspace.key_vault import KeyVault
from dce.workspace.schema.reading import file_block
from dce.workspace.workspace import Workspace
from tests.panel.blocking import blocking_forbidden
from tests.panel.rig import RIGHT, AnsweringProvider, Line, make_workspace

GENERATION = "/api/generations/{generation:int}"
SLOT = GENERATION + "/slots/{slot:int}"
CYCLE = "/api/cycles/{cycle:int}"


async def examine(target: DoctorTarget, on_check: Callable[[Check], None]) -> Diagnosis:
    """The real doctor, as `dce panel` passes it in."""
    options = doctor.Options(url=target.url, key=target.key, model=target.model, silence_s=0.2)
    return await doctor.examine(options, {}, on_check)


class Caller:
    """Calls routes by their row and remembers which; an answer must be a success or a refusal that was expected."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client
        self.called: set[tuple[str, str]] = set()

    def __call__(self, method: str, row: str, *, query: str = "", refused: str = "", **parts: Any) -> Any:
        """The JSON of the answer. `parts`: what is in the path; `json` or `content`: the body."""
        self.called.add((method, row))
        body = {name: parts.pop(name) for name in ("json", "content", "headers") if name in parts}
        path = row
        for name, value in ({"generation": 1, "slot": 1, "cycle": 1, "version": 1, "name": "small"} | parts).items():
            path = path.replace("{" + name + ":int}", str(value)).replace("{" + name + "}", str(value))
        answer = self.client.request(method, path + query, **body)
        if refused:
            assert answer.json()["error"]["code"] == refused, (method, path, answer.text)
        else:
            assert answer.status_code == 200, (method, path, answer.text)
        return answer.json() if answer.headers["content-type"] == "application/json" else answer.text

    def until_ended(self, generation: int) -> None:
        """Returns once nothing of a generation runs."""
        while self("GET", GENERATION, generation=generation)["is_running"]:
            pass


@contextmanager
def caller(folder: Path, provider: AnsweringProvider) -> Iterator[tuple[Caller, Workspace]]:
    """A browser at a panel whose loop must not block."""
    with make_workspace(folder / "words", provider) as workspace:
        state_dir = workspace.project.state_dir
        tools = Tools(cards=Cards(state_dir, KeyVault(state_dir, None)), examine=examine)
        (folder / "static" / "assets").mkdir(parents=True)
        (folder / "static" / "index.html").write_text("<p>DCE", encoding="utf-8")
        (folder / "static" / "assets" / "index-1.js").write_text("0", encoding="utf-8")
        with blocking_forbidden(), PanelServer(workspace, port=0, static=folder / "static", tools=tools) as server:
            headers = {"origin": server.address}
            with httpx2.Client(base_url=server.address, headers=headers, timeout=60, follow_redirects=True) as client:
                assert client.get(server.url).text == "<p>DCE"
                assert client.get("/assets/index-1.js").text == "0"
                yield Caller(client), workspace


def look_around(call: Caller) -> None:
    """Everything that can be asked before there is a response."""
    for row in ("/healthz", "/api/workspace", "/api/files/git", "/api/cycles", "/api/history", "/api/acceptances"):
        call("GET", row)
    call("GET", "/api/settings")
    call("GET", "/api/files", query="?fresh=yes")
    call("GET", "/api/history/search", query="?q=stubs")
    for row in ("/prompt", "/prompt/change", "/findings", "/host", "/sending", "/record", ""):
        call("GET", CYCLE + row)
    call("POST", "/api/files/find", json={"source": "content", "text": "initials"})
    call("POST", "/api/models", json={"url": "http://127.0.0.1:9", "provider": "openai"}, refused="backend_unreachable")
    for url in ("http://127.0.0.1:9", "https://127.0.0.1:9"):
        call("POST", "/api/doctor", json={"url": url})
    with call.client.stream("GET", "/api/events") as stream:
        next(stream.iter_bytes())
    call.called.add(("GET", "/api/events"))


def edit(call: Caller) -> None:
    """Everything that can be changed before there is a response."""
    call("PUT", "/api/settings", json={"values": {"n": "3"}})
    call("PUT", "/api/cards/{name}", json={"values": {"model": "m"}, "key": "sk-of-the-card"})
    call("PUT", CYCLE + "/card", json={"card": "small"})
    call("PUT", CYCLE + "/card", json={"card": ""})
    call("DELETE", "/api/cards/{name}")
    call("GET", "/api/selection")
    call("PUT", "/api/selection", json={"paths": ["words.py", "test_words.py"]})
    call("PUT", "/api/selection/details", json={"paths": ["test_words.py"], "detail": "full"})
    for act in ("save", "merge", "load", "delete"):
        call("POST", "/api/selection/sets", json={"name": "core", "act": act})
    call("POST", CYCLE + "/findings", json={"act": "show", "fingerprint": "0" * 12})
    call("POST", "/api/secrets/allow", json={"entries": ["0" * 12]})
    host = call("GET", CYCLE + "/sending")["host"]
    call("POST", CYCLE + "/consent", json={"host": host})
    cycle = call("GET", CYCLE)["cycle"]
    texts = {name: cycle[name] for name in ("rev", "title", "context", "ephemeral")}
    call("PUT", CYCLE, json=texts)
    call("POST", "/api/cycles", json={"title": "Next"})
    call("DELETE", CYCLE, cycle=2)


def judge_and_accept(call: Caller) -> None:
    """Everything about responses that have ended."""
    call("GET", SLOT)
    call("GET", SLOT + "/versions/{version:int}")
    digest = call("GET", "/api/checks")["digest"]
    call("POST", "/api/checks/consent", json={"digest": digest})
    call("POST", GENERATION + "/checks")
    call("POST", SLOT + "/checks", query="?fresh=yes")
    call("POST", GENERATION + "/checks/stop")
    call("GET", GENERATION + "/checks")
    call("GET", SLOT + "/checks")
    digest = call("GET", "/api/behaviour/commands")["digest"]
    call("POST", "/api/behaviour/consent", json={"digest": digest})
    call("POST", GENERATION + "/behaviour")
    call("GET", GENERATION + "/behaviour")
    file = call("GET", "/api/checks/file")
    call("POST", "/api/checks/commands", json={"text": file["text"]})
    call("POST", "/api/checks/workspace", json={"text": file["text"]})
    call("POST", "/api/checks/workspace/stop")
    call("PUT", "/api/checks/file", json={"text": file["text"] + "# edited\n", "seen": file["text"]})
    digest = call("GET", "/api/behaviour/commands")["digest"]
    call("POST", "/api/behaviour/consent", json={"digest": digest})
    call("POST", GENERATION + "/behaviour")
    call("GET", GENERATION + "/behaviour")
    call("GET", GENERATION + "/board")
    call("GET", GENERATION + "/agreement")
    call("PUT", SLOT + "/judgement", json={"version": 1, "rating": 3})
    call("PUT", SLOT + "/base", json={"is_base": True})
    call("GET", SLOT + "/diff", query="?path=words.py&against=prompt")
    call("GET", SLOT + "/hunks", query="?path=words.py")
    plan = {"path": "words.py", "picks": [{"slot": 1, "hunks": []}]}
    call("POST", "/api/accept/preview", json={"generation": 1, "plan": plan})
    call("POST", "/api/accept", json={"generation": 1, "slot": 1})
    call("POST", "/api/restore", json={})


def write_again(call: Caller) -> None:
    """Everything that gives a response another version."""
    call("POST", GENERATION + "/regenerate", json={"slots": [1]})
    call("GET", SLOT + "/follow-up", refused="not_found")
    call.until_ended(1)
    call("POST", SLOT + "/follow-up", json={"version": 2, "words": "Shorter.", "is_failing": True, "other": 2})
    call.until_ended(1)
    call("GET", SLOT + "/follow-up", slot=4)
    call("POST", SLOT + "/continue", slot=2)
    call.until_ended(1)
    call("POST", SLOT + "/correction", json={"version": 2, "text": file_block("words.py", RIGHT, "")})
    call("POST", SLOT + "/correction", json={"version": 3, "words": {"summary": "Both functions."}})
    call("POST", SLOT + "/correction", json={"version": 4})
    copied = call("POST", CYCLE + "/prompt")
    answer = {"slot": 3, "text": "Sorry.", "prompt": copied["sha256"]}
    call("POST", CYCLE + "/answers", json=answer)
    call("POST", CYCLE + "/answers", json={"slot": 3, "text": "Sorry!", "generation": 1})


def test_no_route_blocks_the_loop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each row of the route tables is called once and more; so are the page itself, refusals and what runs in the background."""
    provider = AnsweringProvider([Line(), Line(finish="length"), Line(content=None)])
    with caller(tmp_path, provider) as (call, workspace):
        look_around(call)
        edit(call)
        call("POST", "/api/generations", json={"cycle": 1, "n": 3})
        call.until_ended(1)
        judge_and_accept(call)
        write_again(call)
        provider.hold = asyncio.Event()
        running = call("POST", "/api/generations", json={"cycle": 1, "n": 2})["id"]
        call("POST", SLOT + "/stop", generation=running)
        call("POST", GENERATION + "/stop", generation=running)
        call.until_ended(running)
        exported = call("GET", "/api/export")
        call("POST", "/api/import", content=exported, headers={"content-type": "application/octet-stream"})
        call("GET", SLOT, slot=77, refused="not_found")
        call("POST", "/api/generations", json={"cycle": 1}, refused="invalid_input")
        (workspace.project.root / "new.py").write_text("x = 1\n", encoding="utf-8")
        while "new.py" not in call("GET", "/api/files")["paths"]:
            time.sleep(0.02)
    rows = {(route.method, route.path) for route in ROUTES} | {(route.method, route.path) for route in RAW_ROUTES}
    assert call.called == rows
    assert "BlockingError" not in caplog.text


def test_the_guard_would_notice(tmp_path: Path) -> None:
    """A lock, an fsync, a file or the parsing of an answer in the loop is found, so the test above can fail."""
    with make_workspace(tmp_path / "words") as workspace:

        async def go() -> list[str]:
            found = []
            for block in (
                lambda: workspace.writer_lock("test").__enter__(),
                lambda: os.fsync(0),
                lambda: (tmp_path / "x").write_text("x"),
                lambda: workspace.read(1, "", is_cut=False),
                workspace.cycles.heads,
            ):
                try:
                    block()
                except Exception as error:  # noqa: BLE001 - blockbuster's is compared by name
                    found.append(type(error).__name__)
            return found

        with blocking_forbidden():
            assert asyncio.run(go()) == ["BlockingError"] * 5
