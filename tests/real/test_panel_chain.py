"""The context and the settings of the panel, over one real gateway with a key and the embedded engine."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from dce.cli.panel import panel_tools
from dce.workspace.settings import Settings, load_settings
from dce.workspace.workspace import Workspace
from tests.fakes.chain import eventually, free_port
from tests.real.served import STUBS, TASK, Served, begun, copied, serving
from tests.real.windows import GENERATED_MS, generate, opened, shoot, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests."""
    with serving(tmp_path_factory.mktemp("gateway")) as found:
        yield found


def test_the_context_in_the_served_models_own_tokens(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(2) The tree counts as the engine does, against its window; exclusions say why; filter, set, level, disk and last prompt act."""
    with begun(tmp_path, served, n=1) as workspace:
        root = workspace.project.root
        (root / "logo.bin").write_bytes(b"\x89PNG\0\0")
        counted = httpx.post(f"{served.engine}/tokenize", json={"content": (root / STUBS).read_text()}, trust_env=False)
        tokens = len(counted.json()["tokens"])
        with opened(browser, workspace) as page:
            items = page.get_by_role("treeitem")
            expect(page.get_by_role("treeitem", name=re.compile(rf"^stats\.py {tokens} tokens"))).to_be_visible()
            expect(page.locator(".meter")).to_have_text(re.compile(r"^[\d,]+ of [\d,]+ tokens$"))
            expect(page.get_by_role("treeitem", name="logo.bin cannot go in: binary")).to_be_visible()
            (root / "new.py").write_text("x = 1\n", encoding="utf-8")
            expect(page.get_by_role("treeitem", name=re.compile(r"^new\.py \d+ tokens"))).to_be_visible()
            page.get_by_label("Filter files by name").fill("test_")
            expect(items.filter(has_text="test_report.py")).to_be_visible()
            expect(items.filter(has_text="new.py")).to_have_count(0)
            page.get_by_label("Filter files by name").fill("")
            page.get_by_role("button", name="Chosen 2").click()
            page.get_by_label("How much of README.md is shown").select_option("path")
            eventually(lambda: workspace.selection.details() == {"README.md": "path"})
            page.get_by_text("Keep as a set").click()
            page.get_by_label("Name of a new set").fill("core")
            page.get_by_role("button", name="Keep", exact=True).click()
            expect(page.get_by_text("Sets: core")).to_be_visible()
            shoot(page, "chain-context")
            generate(page, 1)
            wait_for_end(page)
            stats = root / STUBS
            stats.write_text(stats.read_text().replace("Figures about", "Some figures about"), encoding="utf-8")
            page.get_by_role("button", name="Preview prompt").click()
            expect(page.get_by_role("dialog").locator(".sections li")).not_to_have_count(0)
            page.get_by_role("button", name="Against the last one").click()
            expect(page.locator(".cm-insertedLine, .cm-changedLine").first).to_contain_text("Some figures about")
            shoot(page, "chain-last-prompt")


def test_settings_lead_to_a_card_that_answers(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(3) Test names the failing hop and its fix for a wrong port and a wrong key, all well for the right ones; the model goes into a card."""
    project = copied(tmp_path)

    def settings_of(card: str) -> Settings:
        return load_settings(project, {"DCE_KEYRING": "0"}, card=card)

    with Workspace.open(project, settings_of(""), settings_of=settings_of) as workspace:
        workspace.selection.replace([STUBS])
        workspace.cycles.create("Mean and spread", TASK)
        with opened(browser, workspace, tools=panel_tools(project)) as page:
            page.get_by_role("button", name="Settings", exact=True).click()
            page.get_by_role("button", name="New card").click()
            page.get_by_label("Name").fill("ours")
            wrong = (
                (f"http://127.0.0.1:{free_port()}", served.key, "refused|listen|connect"),
                (served.url, f"{served.key}x", "key"),
            )
            for url, key, fact in wrong:
                examine_server(page, url, key)
                expect(page.locator(".hop-line.is-failed").first).to_contain_text(re.compile(fact, re.IGNORECASE))
                expect(page.locator(".verdict")).to_contain_text("is at fault", timeout=GENERATED_MS)
                expect(page.locator(".hop-line.is-failed .fix").first).not_to_be_empty()
                shoot(page, f"chain-doctor-{'port' if url != served.url else 'key'}")
            examine_server(page, served.url, served.key)
            expect(page.locator(".verdict")).to_contain_text("All is well", timeout=GENERATED_MS)
            expect(page.locator(".hop-line.is-failed")).to_have_count(0)
            page.get_by_role("button", name="What does it serve?").click()
            page.get_by_role("list", name="Served models").get_by_role("button").first.click()
            expect(page.get_by_label("Model", exact=True)).not_to_have_value("")
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_text("ours", exact=True)).to_be_visible()
            page.get_by_role("button", name="Back to the cycle").click()
            page.get_by_label("Answers by").select_option("ours")
            expect(page.get_by_label("Answers by")).to_be_enabled()
            assert workspace.for_cycle(1).settings.url == served.url


def examine_server(page: Page, url: str, key: str) -> None:
    """Test, of what is in the form."""
    page.get_by_label("Remote Generation URL").fill(url)
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_role("button", name="Testing…")).to_have_count(0, timeout=GENERATED_MS)
