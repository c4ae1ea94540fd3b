"""Settings, model cards, Test and the gate before a send, in a real browser over a workspace that reads its own settings."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dce.cli.context import open_served_workspace
from dce.cli.demo_server import CARD, DemoServer
from dce.cli.panel import panel_tools
from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.workspace.settings import Settings, load_settings
from dce.workspace.workspace import Workspace
from tests.fakes.vllm import FakeVllm
from tests.panel.rig import make_project, make_workspace
from tests.real.windows import AXE, NARROW, THEMES, examine_in, generate, opened, shoot, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SECRET = 'API_TOKEN = "ghp_' + "a8Kd93jfLq02mZx7Vb5Tn1Ry6Wc4Ue0Hs2Gp" + '"\n'


@contextmanager
def own_settings(folder: Path) -> Iterator[Workspace]:
    """A workspace under the settings of its own files."""
    project = make_project(folder / "words")

    def settings_of(card: str) -> Settings:
        return load_settings(project, {"DCE_KEYRING": "0"}, card=card)

    with Workspace.open(project, settings_of(""), settings_of=settings_of) as workspace:
        workspace.selection.replace(["words.py"])
        workspace.cycles.edit(0, context="Words is a tiny library.")
        workspace.cycles.create("One", "Fill in the stubs.")
        yield workspace


def open_settings(page: Page) -> None:
    """By the header's button."""
    page.get_by_role("button", name="Settings", exact=True).click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def test_the_doctor_says_what_is_wrong_and_then_that_all_is_well(browser: Browser, tmp_path: Path) -> None:
    """Test shows the tree of the address in the form: first of one where nothing is, then of a real gateway, whose model is chosen."""
    keys = KeyStore(tmp_path / "gateway")
    key = keys.create("panel-test")[1]
    keys.close()
    with FakeVllm() as backend, own_settings(tmp_path) as workspace:
        settings = GatewaySettings(
            port=0, data_dir=str(tmp_path / "gateway"), backends=(BackendSettings(url=backend.url),)
        )
        with (
            GatewayServer(settings) as gateway,
            opened(browser, workspace, tools=panel_tools(workspace.project)) as page,
        ):
            open_settings(page)
            page.get_by_label("Server URL").fill("http://127.0.0.1:9")
            page.get_by_role("button", name="Test", exact=True).click()
            expect(page.get_by_role("list", name="Hops from here to the model")).to_contain_text("Fix:")
            expect(page.locator(".verdict")).to_contain_text("is at fault")
            shoot(page, "settings-fault")
            page.get_by_label("Server URL").fill(gateway.url)
            page.get_by_label("Key", exact=True).fill(key)
            page.get_by_role("button", name="Test", exact=True).click()
            expect(page.locator(".verdict")).to_contain_text("All hops work", timeout=60_000)
            page.get_by_role("button", name="List models").click()
            page.get_by_role("list", name="Served models").get_by_role("button").first.click()
            expect(page.get_by_label("Model", exact=True)).not_to_have_value("")
            shoot(page, "settings-well")
            page.get_by_role("button", name="Save").first.click()
            expect(page.get_by_text("Saved.")).to_be_visible()
            assert workspace.settings.url == gateway.url
            page.reload()
            expect(page.get_by_label("Server URL")).to_have_value(gateway.url)


def test_the_host_in_use_says_what_it_keeps(browser: Browser, tmp_path: Path) -> None:
    """The settings show the notice of the gateway that this cycle asks; a host without one, and the mode without a host, say so."""
    keys = KeyStore(tmp_path / "gateway")
    keys.create("panel-test")
    keys.close()
    words, contact = "Run by the library of words.", "words@example.org"
    with FakeVllm() as backend, own_settings(tmp_path) as workspace:
        gateway_settings = GatewaySettings(
            port=0,
            data_dir=str(tmp_path / "gateway"),
            backends=(BackendSettings(url=backend.url),),
            privacy_text=words,
            privacy_contact=contact,
        )
        with (
            GatewayServer(gateway_settings) as gateway,
            opened(browser, workspace, tools=panel_tools(workspace.project)) as page,
        ):
            open_settings(page)
            where = page.get_by_role("region", name="Where this cycle’s prompt goes")
            expect(where).to_contain_text("This server states no retention policy.")
            page.get_by_label("Server URL").fill(gateway.url)
            page.get_by_role("button", name="Save").first.click()
            where.get_by_text(re.compile("^Privacy notice of ")).click()
            expect(where).to_contain_text("Prompts stay on this machine")
            expect(where.locator("pre")).to_contain_text(words)
            expect(where.locator("pre")).to_contain_text(contact)
            shoot(page, "settings-notice")
            page.get_by_role("button", name="Back to the cycle").click()
            page.get_by_role("combobox", name="Model", exact=True).select_option("manual")
            expect(page.get_by_role("button", name="Copy and paste…")).to_be_visible()
            open_settings(page)
            expect(where).to_contain_text("Nothing is sent")
            expect(where.locator("pre")).to_be_hidden()


def test_the_demo_answers_without_a_server(browser: Browser, tmp_path: Path) -> None:
    """Chosen for a cycle, the small model on this machine answers it; the prompt goes nowhere else, and the settings say so."""
    project = make_project(tmp_path / "words")
    with (
        DemoServer(project.state_dir) as demo,
        open_served_workspace(project.root, {CARD: demo.settings}, {}) as workspace,
    ):
        workspace.selection.replace(["words.py"])
        workspace.cycles.create("One", "Fill in the stubs.")
        with opened(browser, workspace, tools=panel_tools(project, (CARD,))) as page:
            page.get_by_role("combobox", name="Model", exact=True).select_option(CARD)
            expect(page.get_by_role("combobox", name="Model", exact=True)).to_be_enabled()
            generate(page, 2)
            wait_for_end(page)
            assert all(each.tokens.total for each in workspace.responses(1))
            open_settings(page)
            where = page.get_by_role("region", name="Where this cycle’s prompt goes")
            expect(where).to_contain_text("Prompts stay on this machine")
            expect(where.locator("summary")).to_contain_text("127.0.0.1")


def test_a_card_from_its_making_to_its_end(browser: Browser, tmp_path: Path) -> None:
    """Made with a key, chosen for the cycle, edited, given up and deleted; the key is never shown."""
    with own_settings(tmp_path) as workspace, opened(browser, workspace, tools=panel_tools(workspace.project)) as page:
        os.environ.pop("DCE_API_KEY", None)
        open_settings(page)
        page.get_by_role("button", name="New card").click()
        page.get_by_label("Name").fill("far")
        page.get_by_label("Server type").select_option("openai")
        page.get_by_label("Server URL").fill("https://llm.example.org/v1")
        page.get_by_label("Key", exact=True).fill("sk-very-secret")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("far", exact=True)).to_be_visible()
        page.get_by_role("button", name="Back to the cycle").click()
        page.get_by_role("combobox", name="Model", exact=True).select_option("far")
        expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value("far")
        expect(page.get_by_role("combobox", name="Model", exact=True)).to_be_enabled()
        assert workspace.cycles.get(1).card == "far"
        assert workspace.for_cycle(1).settings.key == "sk-very-secret"
        open_settings(page)
        page.get_by_role("button", name="Edit the card far").click()
        expect(page.get_by_label("Key", exact=True)).to_have_attribute("placeholder", re.compile("A key is stored"))
        assert "sk-very-secret" not in page.content()
        page.get_by_label("Model", exact=True).fill("big")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("big, OpenAI-compatible server")).to_be_visible()
        page.get_by_role("button", name="Delete the card far").click()
        expect(page.get_by_role("alert")).to_contain_text("the current cycle generates with")
        page.keyboard.press("Escape")
        page.get_by_role("combobox", name="Model", exact=True).select_option("")
        open_settings(page)
        page.get_by_role("button", name="Delete the card far").click()
        expect(page.get_by_text("far", exact=True)).to_be_hidden()


def test_nothing_goes_to_a_new_host_unseen(browser: Browser, tmp_path: Path) -> None:
    """Generate shows what would go where; a secret is resolved first; after the word it is sent, and not asked for again."""
    far = Settings(url="https://gateway.example.org")
    with make_workspace(tmp_path / "words", settings=far) as workspace:
        (workspace.project.root / "words.py").write_text(SECRET, encoding="utf-8")
        with opened(browser, workspace) as page:
            page.get_by_role("button", name="Generate", exact=True).click()
            dialog = page.get_by_role("dialog", name="Before this is sent")
            expect(dialog).to_contain_text("gateway.example.org")
            expect(dialog).to_contain_text("words.py:1")
            expect(dialog.get_by_role("button", name=re.compile("^Agree"))).to_be_disabled()
            assert "a8Kd93jf" not in page.content()
            shoot(page, "gate")
            dialog.get_by_role("button", name="Not a secret").click()
            expect(dialog.get_by_text("possible secret")).to_be_hidden()
            dialog.get_by_role("button", name="Agree and send").click()
            expect(page.get_by_role("tab", name=re.compile("^Response"))).to_have_count(10)
            expect(page.locator(".summary")).not_to_contain_text("running")
            page.get_by_role("button", name="Generate", exact=True).click()
            expect(page).to_have_url(re.compile("#c1/g2"))


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_settings_are_accessible_in_every_theme(browser: Browser, tmp_path: Path, size: str) -> None:
    """axe finds nothing on the settings, a card's editor and the gate, and nothing needs scrolling sideways."""
    with (
        own_settings(tmp_path) as workspace,
        opened(browser, workspace, tools=panel_tools(workspace.project), bypass_csp=True) as page,
    ):
        page.add_script_tag(path=AXE)
        if size == "narrow":
            page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        open_settings(page)
        page.get_by_text("Advanced").click()
        page.get_by_label("Server URL").fill("http://127.0.0.1:9")
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.locator(".verdict")).to_contain_text("is at fault")
        examine_in(page, THEMES, "settings", size)
        page.get_by_role("button", name="New card").click()
        examine_in(page, THEMES, "card", size)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Step 5: Generate").wait_for()
        examine_in(page, THEMES, "main", size)
