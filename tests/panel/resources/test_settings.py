"""Settings, model cards, the doctor and the host of a cycle, over a real workspace with its real files."""

import asyncio
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from dce.panel.app import create_app
from dce.panel.runtime import PanelRuntime
from dce.panel.security import Access
from dce.panel.tools import DoctorTarget, Tools
from dce.workspace.cards import Cards
from dce.workspace.key_vault import KeyVault
from dce.workspace.settings import load_settings
from dce.workspace.workspace import Workspace
from tests.panel.rig import ORIGIN, PORT, Window, make_project

Scene = Callable[[Window], Awaitable[None]]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a doctor's tree."""

    hop: str
    name: str
    ok: bool | None
    detail: str = ""
    fix: str = ""


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A diagnosis."""

    ok: bool
    failing_hop: str | None
    code: str | None
    checks: tuple[Line, ...]


LINES = (Line(hop="gateway", name="dns", ok=True), Line(hop="gateway", name="key", ok=False, fix="Set a key."))


class Doctor:
    """Finds a missing key, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[DoctorTarget] = []

    async def examine(self, question: DoctorTarget, on_check: Callable[[Any], None]) -> Tree:
        """Two lines."""
        self.asked.append(question)
        for line in LINES:
            on_check(line)
        return Tree(ok=False, failing_hop="gateway", code="missing_key", checks=LINES)


@asynccontextmanager
async def a_window(folder: Path, doctor: Doctor | None = None) -> AsyncIterator[Window]:
    """A window over a workspace that reads its settings from its own files."""
    project = make_project(folder / "words")
    cards = Cards(project.state_dir, KeyVault(project.state_dir, None))

    def settings_of(card: str) -> Any:
        return load_settings(project, {"DCE_KEYRING": "0"}, card=card)

    with Workspace.open(project, settings_of(""), settings_of=settings_of) as workspace:
        workspace.cycles.create("One", "Do it.")
        panel = PanelRuntime(workspace, tools=Tools(cards=cards, examine=doctor.examine if doctor else None))
        panel.start()
        access = Access()
        app = create_app(panel, access, PORT, folder)
        try:
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as client:
                await client.get("/", params={"token": access.mint()})
                yield Window(panel, client)
        finally:
            await panel.close()


def play(folder: Path, scene: Scene, doctor: Doctor | None = None) -> None:
    """Runs a scene."""

    async def go() -> None:
        async with a_window(folder, doctor) as window:
            await scene(window)

    asyncio.run(go())


async def deleted(window: Window, path: str) -> Any:
    """The JSON of a deletion that must succeed."""
    answer = await window.ask("DELETE", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_edit_is_in_force_at_once_and_in_the_file(tmp_path: Path) -> None:
    """What is written counts from the next request on, stands in config.toml, and an empty text takes it out again."""

    async def scene(window: Window) -> None:
        view = await window.put("/api/settings", {"values": {"url": "http://127.0.0.1:4444", "n": "3"}})
        assert (view["values"]["url"], view["values"]["n"]) == ("http://127.0.0.1:4444", 3)
        assert view["kept"] == {"url": "http://127.0.0.1:4444", "n": "3"}
        snapshot = await window.get("/api/workspace")
        assert (snapshot["url"], snapshot["n"]) == ("http://127.0.0.1:4444", 3)
        assert "4444" in (window.panel.workspace.project.state_dir / "config.toml").read_text(encoding="utf-8")
        assert (await window.put("/api/settings", {"values": {"n": ""}}))["values"]["n"] == 10

    play(tmp_path, scene)


def test_one_bad_value_writes_nothing(tmp_path: Path) -> None:
    """Several settings are kept all or none; the one that is wrong is named."""

    async def scene(window: Window) -> None:
        _, error = await window.error("PUT", "/api/settings", {"values": {"n": "3", "url": "ftp://x"}})
        assert error["code"] == "invalid_input"
        assert "url" in error["message"]
        assert (await window.get("/api/settings"))["kept"] == {}

    play(tmp_path, scene)


def test_a_key_goes_in_and_never_comes_out(tmp_path: Path) -> None:
    """Keys of the settings and of a card lie in files that only the owner may read, and in no answer."""

    async def scene(window: Window) -> None:
        state_dir = window.panel.workspace.project.state_dir
        answers = [
            await window.ask("PUT", "/api/settings", {"values": {}, "key": "sk-very-secret-1"}),
            await window.ask("PUT", "/api/cards/big", {"values": {"model": "m"}, "key": "sk-very-secret-2"}),
            await window.ask("GET", "/api/settings"),
            await window.ask("GET", "/api/workspace"),
        ]
        assert all(answer.status_code == 200 for answer in answers)
        assert not any("sk-very-secret" in answer.text for answer in answers)
        view = answers[2].json()
        assert view["has_key"]
        assert next(card for card in view["cards"] if card["name"] == "big")["has_key"]
        for name in ("credentials", "card-keys.json"):
            assert stat.S_IMODE((state_dir / name).stat().st_mode) & 0o077 == 0
        assert window.panel.workspace.settings.key == "sk-very-secret-1"
        assert not (await window.put("/api/settings", {"values": {}, "key": ""}))["has_key"]
        assert not (state_dir / "credentials").exists()
        assert (
            "sk-very"
            not in (await window.error("PUT", "/api/settings", {"values": {}, "key": "sk-very bad"}))[1]["message"]
        )

    play(tmp_path, scene)


def test_headers_go_in_and_their_secrets_never_come_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Extra fields, omitted fields and headers are edited as text and shown as written; a variable's value, and a secret that was written
    into the file by hand, are in no answer; a secret in the form is refused unread."""
    monkeypatch.setenv("GPU_KEY", "sk-very-secret-1")

    async def scene(window: Window) -> None:
        state_dir = window.panel.workspace.project.state_dir
        values = {"extra_body": '{"top_k":20}', "omit": "seed, n2", "headers": '{"X-Key":"${GPU_KEY}"}'}
        view = await window.put("/api/settings", {"values": values})
        assert {name: view["kept"][name] for name in values} == values
        assert view["overridden"] == []
        view = await window.put("/api/cards/big", {"values": values})
        assert next(card["values"] for card in view["cards"] if card["name"] == "big") == values
        bad = {"values": {"headers": '{"X-Key":"sk-very-secret-2"}'}}
        for path in ("/api/settings", "/api/cards/x"):
            status, error = await window.error("PUT", path, bad)
            assert (status, error["code"], "X-Key" in error["message"]) == (400, "invalid_input", True)
            assert "sk-very" not in str(error)
        config = state_dir / "config.toml"
        config.write_text(config.read_text() + '\n[cards.hand]\nheaders = { "X-Key" = "sk-very-secret-3" }\n')
        for address in ("/api/settings", "/api/workspace"):
            answer = await window.ask("GET", address)
            assert answer.status_code == 200
            assert "sk-very" not in answer.text

    play(tmp_path, scene)


def test_a_card_is_made_changed_chosen_and_taken_out(tmp_path: Path) -> None:
    """The cycle generates by the card it names; one that the latest cycle uses stays until another is chosen."""

    async def scene(window: Window) -> None:
        workspace = window.panel.workspace
        await window.put(
            "/api/cards/far", {"values": {"url": "https://llm.example.org", "provider": "openai", "n": "2"}}
        )
        chosen = await window.put("/api/cycles/1/card", {"card": "far"})
        assert chosen["cycle"]["card"] == "far"
        assert workspace.for_cycle(1).settings.provider == "openai"
        await window.put("/api/cards/far", {"values": {"url": "https://llm.example.org", "n": "4"}})
        assert (workspace.for_cycle(1).settings.provider, workspace.for_cycle(1).settings.n) == ("gateway", 4)
        status, error = await window.error("DELETE", "/api/cards/far")
        assert (status, error["code"]) == (409, "conflict")
        await window.put("/api/cycles/1/card", {"card": ""})
        view = await deleted(window, "/api/cards/far")
        assert [card["name"] for card in view["cards"]] == ["manual"]
        assert (await window.error("PUT", "/api/cycles/1/card", {"card": "far"}))[1]["code"] == "not_found"

    play(tmp_path, scene)


def test_answers_by_hand_need_no_card_of_ones_own(tmp_path: Path) -> None:
    """The card `manual` is always there, sends nothing anywhere and cannot be taken out."""

    async def scene(window: Window) -> None:
        await window.put("/api/cycles/1/card", {"card": "manual"})
        host = await window.get("/api/cycles/1/host")
        assert (host["provider"], host["url"], host["is_agreed"]) == ("manual", "", True)
        assert (await window.error("DELETE", "/api/cards/manual"))[0] in (400, 409)
        await window.put("/api/cycles/1/card", {"card": ""})
        assert (await window.error("DELETE", "/api/cards/manual"))[1]["code"] == "invalid_input"

    play(tmp_path, scene)


def test_the_doctor_tells_each_line_and_then_the_whole(tmp_path: Path) -> None:
    """Lines come as events under the name of the run, in order; the answer holds the tree."""
    doctor = Doctor()

    async def scene(window: Window) -> None:
        cursor = window.panel.log.cursor
        order = {"url": "http://127.0.0.1:9", "key": "k", "run": "r1", "model": "m"}
        tree = await window.post("/api/doctor", order)
        assert (tree["ok"], tree["failing_hop"], tree["code"]) == (False, "gateway", "missing_key")
        assert [check["name"] for check in tree["checks"]] == ["dns", "key"]
        frames = b""
        async for piece in window.panel.log.follow(cursor, heartbeat_s=0.01):
            frames += piece
            if b'"name":"key"' in frames:
                break
        assert frames.count(b"event: hop_checked") == 2
        assert b'"run":"r1"' in frames
        assert (doctor.asked[0].key, doctor.asked[0].model) == ("k", "m")

    play(tmp_path, scene, doctor)


def test_a_kept_key_goes_to_its_own_server_only(tmp_path: Path) -> None:
    """Examining another address than the one the key is kept for goes without it."""
    doctor = Doctor()

    async def scene(window: Window) -> None:
        await window.put("/api/settings", {"values": {"url": "https://mine.example.org"}, "key": "mine"})
        await window.put("/api/cards/far", {"values": {"url": "https://far.example.org"}, "key": "its"})
        for url, card in [
            ("https://mine.example.org/", ""),
            ("https://evil.example.org", ""),
            ("https://far.example.org", "far"),
        ]:
            await window.post("/api/doctor", {"url": url, "card": card, "is_agreed": True})
        await window.post("/api/doctor", {"url": "https://mine.example.org", "card": "far"})
        assert [question.key for question in doctor.asked] == ["mine", None, "its", None]

    play(tmp_path, scene, doctor)


def test_a_server_in_a_form_is_contacted_after_its_host_was_agreed_to(tmp_path: Path) -> None:
    """The form may show the address of a committed file: neither its models nor the doctor are asked for before a person agrees."""
    doctor = Doctor()

    async def scene(window: Window) -> None:
        for path in ("/api/doctor", "/api/models"):
            _, error = await window.error("POST", path, {"url": "https://evil.example.org", "key": "mine"})
            assert error["code"] == "consent_needed"
            assert "evil.example.org" in error["message"]
        assert doctor.asked == []
        await window.post("/api/doctor", {"url": "https://evil.example.org", "is_agreed": True})
        await window.post("/api/doctor", {"url": "https://evil.example.org"})
        assert len(doctor.asked) == 2

    play(tmp_path, scene, doctor)


def test_a_server_that_is_not_there_says_so(tmp_path: Path) -> None:
    """Asking for models names the hop; without a doctor the answer names the terminal's."""

    async def scene(window: Window) -> None:
        _, error = await window.error("POST", "/api/models", {"url": "http://127.0.0.1:9"})
        assert error["code"] == "gateway_unreachable"
        _, error = await window.error("POST", "/api/doctor", {"url": "http://127.0.0.1:9"})
        assert "dce doctor" in error["hint"]

    play(tmp_path, scene)


def test_a_card_that_the_program_serves_is_offered_and_chosen(tmp_path: Path) -> None:
    """It is listed without an address until it is used, can be chosen, and cannot be deleted."""

    async def scene(window: Window) -> None:
        panel = window.panel
        panel.tools = msgspec.structs.replace(panel.tools, servers=("demo",))
        cards = {card["name"]: card for card in (await window.get("/api/settings"))["cards"]}
        assert (cards["demo"]["is_built_in"], cards["demo"]["url"]) == (True, "")
        assert (await window.put("/api/cycles/1/card", {"card": "demo"}))["cycle"]["card"] == "demo"
        assert (await window.error("DELETE", "/api/cards/demo"))[1]["code"] in {"conflict", "not_found"}

    play(tmp_path, scene)
