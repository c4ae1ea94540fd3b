"""The context and the settings of the panel, over one real gateway with a key and the embedded engine."""

import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from dce.cli.panel import panel_tools
from dce.workspace.project import Project
from dce.workspace.settings import Settings, load_settings
from dce.workspace.workspace import Workspace
from tests.fakes.chain import Chain, eventually, free_port
from tests.real.served import STUBS, TASK, Served, begun, copied, serving, wait_for_end_of
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
        counted = httpx2.post(
            f"{served.engine}/tokenize", json={"content": (root / STUBS).read_text()}, trust_env=False
        )
        tokens = len(counted.json()["tokens"])
        with opened(browser, workspace) as page:
            items = page.get_by_role("treeitem")
            expect(page.get_by_role("treeitem", name=re.compile(rf"^stats\.py {tokens} tokens"))).to_be_visible()
            expect(page.locator(".meter")).to_have_text(re.compile(r"^[\d,]+ of [\d,]+ tokens$"))
            expect(page.get_by_role("treeitem", name="logo.bin cannot be selected: binary")).to_be_visible()
            (root / "new.py").write_text("x = 1\n", encoding="utf-8")
            expect(page.get_by_role("treeitem", name=re.compile(r"^new\.py \d+ tokens"))).to_be_visible()
            page.get_by_label("Filter files by name").fill("test_")
            expect(items.filter(has_text="test_report.py")).to_be_visible()
            expect(items.filter(has_text="new.py")).to_have_count(0)
            page.get_by_label("Filter files by name").fill("")
            page.get_by_role("button", name="Selected 2").click()
            page.get_by_label("Level of detail of README.md").select_option("path")
            eventually(lambda: workspace.selection.details() == {"README.md": "path"})
            page.get_by_text("Save selection").click()
            page.get_by_label("Name for the selection").fill("core")
            page.get_by_role("button", name="Save", exact=True).click()
            expect(page.get_by_text("Saved selection: core")).to_be_visible()
            shoot(page, "chain-context")
            generate(page, 1)
            wait_for_end(page)
            stats = root / STUBS
            stats.write_text(stats.read_text().replace("Figures about", "Some figures about"), encoding="utf-8")
            page.get_by_role("button", name="Preview prompt").click()
            expect(page.get_by_role("dialog").locator(".sections li")).not_to_have_count(0)
            page.get_by_role("button", name="Changes since the last one").click()
            expect(page.locator(".cm-insertedLine, .cm-changedLine").first).to_contain_text("Some figures about")
            shoot(page, "chain-last-prompt")


def test_settings_lead_to_a_card_that_answers(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(3) Test names the failing hop and its fix for a wrong port and a wrong key, all well for the right ones; the model goes into a card."""
    project = copied(tmp_path)
    (project.state_dir / "config.toml").write_text("max_tokens = 24\n", encoding="utf-8")

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
            expect(page.locator(".verdict")).to_contain_text("All hops work", timeout=GENERATED_MS)
            expect(page.locator(".hop-line.is-failed")).to_have_count(0)
            page.get_by_role("button", name="List models").click()
            page.get_by_role("list", name="Served models").get_by_role("button").first.click()
            expect(page.get_by_label("Model", exact=True)).not_to_have_value("")
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_text("ours", exact=True)).to_be_visible()
            page.get_by_role("button", name="Back to the cycle").click()
            page.get_by_role("combobox", name="Model", exact=True).select_option("ours")
            expect(page.get_by_role("combobox", name="Model", exact=True)).to_be_enabled()
            assert workspace.for_cycle(1).settings.url == served.url
            generate(page, 1)
            wait_for_end(page)
            (response,) = workspace.responses(1)
            assert response.tokens.total > 0, response
            edit_and_delete(page)


def edit_and_delete(page: Page) -> None:
    """The card another temperature, and then its end; the cycle goes back to the settings."""
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("button", name="Edit the card ours").click()
    expect(page.get_by_label("Model", exact=True)).not_to_have_value("")
    page.get_by_text("Advanced").click()
    page.get_by_label("Temperature", exact=True).fill("0.5")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Edit the card ours").click()
    page.get_by_text("Advanced").click()
    expect(page.get_by_label("Temperature", exact=True)).to_have_value("0.5")
    page.get_by_role("button", name="Back to the cycle").click()
    page.get_by_role("combobox", name="Model", exact=True).select_option("")
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_be_enabled()
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("button", name="Delete the card ours").click()
    expect(page.get_by_text("ours", exact=True)).to_be_hidden()


def test_a_real_git_workspace_is_narrowed_and_chosen(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(2) A folder is ticked whole, half and not at all; git, text and name narrow the tree; a set and a level come back; all is in the prompt."""
    with begun(tmp_path, served) as workspace:
        root = workspace.project.root
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
            subprocess.run(["git", *arguments], cwd=root, check=True)
        with opened(browser, workspace) as page:
            items = page.get_by_role("treeitem")
            folder = page.get_by_role("treeitem", name="tiny_metrics/")
            expect(folder).to_have_attribute("aria-checked", "mixed")
            folder.locator(".box").first.click()
            expect(folder).to_have_attribute("aria-checked", "true")
            folder.locator(".box").first.click()
            expect(folder).to_have_attribute("aria-checked", "false")
            page.get_by_role("treeitem", name=re.compile(r"^stats\.py")).locator(".box").click()
            expect(folder).to_have_attribute("aria-checked", "mixed")
            readme = root / "README.md"
            readme.write_text(readme.read_text(encoding="utf-8") + "\nOne line more.\n", encoding="utf-8")
            page.get_by_role("button", name="changed", exact=True).click()
            expect(items).to_have_count(1)
            expect(items).to_have_accessible_name(re.compile(r"^README\.md git: modified"))
            page.get_by_role("button", name="changed", exact=True).click()
            page.get_by_role("button", name="content").click()
            page.get_by_label("Filter files by content").fill("One line more.")
            expect(items).to_have_count(1)
            page.get_by_label("Filter files by content").fill("")
            page.get_by_role("button", name="content").click()
            page.get_by_role("button", name=re.compile("^Selected")).click()
            page.get_by_label("Level of detail of README.md").select_option("path")
            eventually(lambda: workspace.selection.details() == {"README.md": "path"})
            page.get_by_text("Save selection").click()
            page.get_by_label("Name for the selection").fill("core")
            page.get_by_role("button", name="Save", exact=True).click()
            expect(page.get_by_text("Saved selection: core")).to_be_visible()
            page.get_by_role("button", name="Remove README.md from the selection").click()
            expect(page.get_by_role("list", name="Selected files").get_by_role("listitem")).to_have_count(1)
            page.get_by_role("button", name="Load", exact=True).click()
            expect(page.get_by_role("list", name="Selected files").get_by_role("listitem")).to_have_count(2)
            eventually(lambda: set(workspace.selection.paths()) == {STUBS, "README.md"})
            page.get_by_role("button", name="Preview prompt").click()
            shown = page.get_by_role("region", name="Prompt text")
            expect(shown).to_contain_text("raise NotImplementedError")
            expect(shown).not_to_contain_text("One line more.")


def secret(seed: int) -> str:
    """A token like a real one, another for each seed."""
    return "ghp_" + "".join(random.Random(seed).choices("abcdefghijkmnpqrstuvwxyz23456789", k=36))


def decide(page: Page, path: str, act: str) -> None:
    """What shall be done about the secret of a file."""
    row = page.get_by_role("dialog").get_by_role("listitem").filter(has_text=path)
    row.get_by_role("button", name=act).click()
    expect(row.get_by_role("button", name=act)).to_have_count(0)


def test_secrets_are_decided_before_anything_leaves(browser: Browser, tmp_path: Path) -> None:
    """(2) Held back until each is hidden, left out or allowed; what then reaches the backend holds the allowed one alone."""
    root = tmp_path / "work"
    root.mkdir()
    secrets = {f"{name}.py": secret(seed) for seed, name in enumerate(("hidden", "left", "allowed"))}
    for path, value in secrets.items():
        (root / path).write_text(f'TOKEN = "{value}"\n', encoding="utf-8")
    with Chain(tmp_path) as chain:
        # The gateway under a name that is not a loopback one, as a host elsewhere is.
        settings = Settings(url=chain.server.url.replace("127.0.0.1", "0.0.0.0"), key=chain.key)
        with Workspace.open(Project.init(root), settings) as workspace:
            workspace.selection.replace(list(secrets))
            workspace.cycles.create("Tokens", "Say what these are for.")
            with opened(browser, workspace) as page:
                page.get_by_label("Number of responses").fill("1")
                page.get_by_role("button", name="Generate", exact=True).click()
                dialog = page.get_by_role("dialog", name="Before this is sent")
                expect(dialog).to_contain_text("3 possible secrets to review first")
                expect(dialog.get_by_role("button", name=re.compile("^Agree"))).to_be_disabled()
                shoot(page, "chain-gate")
                page.keyboard.press("Escape")
                assert not any(value in page.content() for value in secrets.values())
                page.get_by_role("button", name="Preview prompt").click()
                page.get_by_role("button", name="Secrets (3)").click()
                decide(page, "hidden.py", "Send a placeholder")
                decide(page, "left.py", "Exclude the file")
                decide(page, "allowed.py", "Not a secret")
                expect(page.get_by_text("Nothing in this prompt looks like a secret.")).to_be_visible()
                shoot(page, "chain-secrets")
                page.keyboard.press("Escape")
                assert chain.fake.chats() == []
                page.get_by_role("button", name="Generate", exact=True).click()
                dialog.get_by_role("button", name=re.compile("^Agree")).click()
                wait_for_end_of(page, "1 complete")
        (sent,) = [str(chat["messages"]) for chat in chain.fake.chats()]
        assert [path for path, value in secrets.items() if value in sent] == ["allowed.py"]
        assert "__DCE_SECRET_1__" in sent
        assert "left.py" not in sent


def examine_server(page: Page, url: str, key: str) -> None:
    """Test, of what is in the form."""
    page.get_by_label("Server URL").fill(url)
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_role("button", name="Testing…")).to_have_count(0, timeout=GENERATED_MS)
