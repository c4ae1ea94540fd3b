"""The context in a real browser: a tree of a hundred thousand files, filters, sources, sets, details, findings, the prompt."""

import asyncio
import json
import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.chain import eventually
from tests.panel.rig import AnsweringProvider, make_workspace
from tests.real.windows import AXE, NARROW, THEMES, WIDE, chromium, examine_in, generate, opened, scripted, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

MANY = 100_000
SECRET = "ghp_" + "".join(random.Random(4).choices("abcdefghijkmnpqrstuvwxyz23456789", k=36))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def answer_many(route: Route) -> None:
    """A table of a hundred thousand files, as the panel would send it."""
    paths = sorted(f"pkg{number % 50:02}/mod{number % 1000:03}/file{number:06}.py" for number in range(MANY))
    view = {
        "cursor": "many:1",
        "is_whole": True,
        "is_counting": False,
        "paths": paths,
        "sizes": [400] * MANY,
        "tokens": [None] * MANY,
        "exact": "0" * MANY,
        "excluded": {},
        "documents": [],
        "removed": [],
    }
    route.fulfill(content_type="application/json", body=json.dumps(view))


def test_a_hundred_thousand_files(browser: Browser, tmp_path: Path) -> None:
    """The tree draws only what is in view, opens, moves to its end and filters; rows say their place to a screen reader."""
    with scripted(tmp_path) as workspace, opened(browser, workspace) as page:
        page.route("**/api/files?**", answer_many)
        page.reload()
        tree = page.get_by_role("tree", name="Workspace files")
        expect(tree.get_by_role("treeitem").first).to_contain_text("pkg00/")
        expect(tree.get_by_role("treeitem").first).to_have_attribute("aria-setsize", "50")
        tree.focus()
        page.keyboard.press("ArrowRight")
        expect(tree.get_by_role("treeitem", name="mod000/")).to_have_attribute("aria-level", "2")
        page.keyboard.press("End")
        expect(tree.get_by_role("treeitem", name="pkg49/")).to_be_visible()
        assert tree.get_by_role("treeitem").count() < 100
        page.get_by_label("Filter files by name").fill("file099999")
        expect(tree.get_by_role("treeitem", name="file099999.py")).to_be_visible()
        expect(tree.get_by_role("treeitem")).to_have_count(3)
        page.get_by_label("Filter files by name").fill("")
        page.get_by_label("Filter files by name").fill("mod")
        expect(tree.get_by_role("treeitem").first).to_contain_text("pkg00/")


def test_the_tree_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    """From the filter down into the tree; arrows move, open and close, Space ticks a file, a folder and takes it back."""
    with scripted(tmp_path) as workspace, opened(browser, workspace) as page:
        page.keyboard.press("f")
        page.keyboard.press("ArrowDown")
        tree = page.get_by_role("tree", name="Workspace files")
        expect(tree).to_be_focused()
        page.keyboard.press("Home")
        folder = tree.get_by_role("treeitem", name="docs/")
        expect(folder).to_have_attribute("aria-checked", "false")
        page.keyboard.press("Space")
        expect(folder).to_have_attribute("aria-checked", "true")
        expect(page.get_by_text("3 files, ")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        expect(folder).to_have_attribute("aria-expanded", "false")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(folder).to_have_attribute("aria-checked", "false")
        page.keyboard.press("End")
        page.keyboard.press("Space")
        expect(page.get_by_text("1 file, ")).to_be_visible()
        binary = tree.get_by_role("treeitem", name="logo.bin")
        expect(binary).to_have_attribute("aria-disabled", "true")
        expect(binary).to_have_accessible_name("logo.bin cannot be selected: binary")
        eventually(lambda: workspace.selection.paths() == ("test_words.py",))


def test_what_changes_on_the_disk_shows_by_itself(browser: Browser, tmp_path: Path) -> None:
    """A file made, written and removed by another program comes, costs more and goes without a reload."""
    with scripted(tmp_path) as workspace, opened(browser, workspace) as page:
        tree = page.get_by_role("tree", name="Workspace files")
        new = workspace.project.root / "new.py"
        new.write_text("x = 1\n", encoding="utf-8")
        expect(tree.get_by_role("treeitem", name="new.py 2 tokens")).to_be_visible()
        new.write_text("x = 1\n" * 100, encoding="utf-8")
        expect(tree.get_by_role("treeitem", name="new.py 150 tokens")).to_be_visible()
        new.unlink()
        expect(tree.get_by_role("treeitem", name="new.py")).to_have_count(0)


def test_filters_and_sources(browser: Browser, tmp_path: Path) -> None:
    """By what is in the files, by git, by tokens; and files chosen because git or a pasted trace names them."""
    with scripted(tmp_path) as workspace:
        root = workspace.project.root
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
            subprocess.run(["git", *arguments], cwd=root, check=True)
        (root / "README.md").write_text("# Changed\n", encoding="utf-8")
        with opened(browser, workspace) as page:
            items = page.get_by_role("treeitem")
            page.get_by_role("button", name="content").click()
            page.get_by_label("Filter files by content").fill("keep it small")
            expect(items).to_have_count(2)
            page.get_by_label("Filter files by content").fill("")
            page.get_by_role("button", name="changed", exact=True).click()
            expect(items).to_have_count(1)
            expect(items).to_have_accessible_name("README.md git: modified 3 tokens")
            page.get_by_role("button", name="changed", exact=True).click()
            page.get_by_role("button", name="content").click()
            page.get_by_role("button", name="Add files from git or a trace").click()
            page.get_by_role("button", name="Find files").click()
            page.get_by_role("button", name="Add to selection").click()
            expect(page.get_by_text("3 files, ")).to_be_visible()
            page.get_by_role("button", name="Add files from git or a trace").click()
            page.get_by_label("Named in a stack trace, a diff or a log").check()
            page.get_by_label("Paste the trace, diff or log here").fill('File "/srv/app/words.py", line 7, in slug')
            page.get_by_role("button", name="Find files").click()
            expect(page.get_by_text("1 file found.")).to_be_visible()
            page.get_by_role("button", name="Replace selection").click()
            expect(page.get_by_text("1 file, ")).to_be_visible()
            eventually(lambda: workspace.selection.paths() == ("words.py",))


@contextmanager
def risky(folder: Path) -> Iterator[Workspace]:
    """A workspace whose prompt would go to another host, with a secret in it."""
    settings = Settings(url="https://models.example.org", max_tokens=700)
    with make_workspace(folder / "words", AnsweringProvider(sleep=asyncio.sleep), settings) as workspace:
        workspace.sending.agree()
        (workspace.project.root / "key.py").write_text(f'TOKEN = "{SECRET}"\n', encoding="utf-8")
        workspace.selection.add(["key.py"])
        yield workspace


def test_the_chosen_files_with_their_risks(browser: Browser, tmp_path: Path) -> None:
    """Sorted, with a level of detail each, sets kept and taken, and the secret that leads to where it is decided about."""
    with risky(tmp_path) as workspace, opened(browser, workspace) as page:
        page.get_by_role("button", name="Selected 3").click()
        listed = page.get_by_role("list", name="Selected files").get_by_role("listitem")
        expect(listed).to_have_count(3)
        page.get_by_label("Sort by").select_option("name")
        expect(listed.first).to_contain_text("key.py")
        page.get_by_label("Level of detail of test_words.py").select_option("path")
        expect(listed.nth(1)).to_contain_text(re.compile(r"test_words\.py\s*\d\D"))
        eventually(lambda: workspace.selection.details() == {"test_words.py": "path"})
        page.get_by_text("Save selection").click()
        page.get_by_label("Name for the selection").fill("core")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Saved selection: core")).to_be_visible()
        page.get_by_role("button", name="Remove key.py from the selection").click()
        expect(listed).to_have_count(2)
        page.get_by_role("button", name="Load", exact=True).click()
        expect(listed).to_have_count(3)
        page.get_by_role("button", name="1 possible secret").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("key.py, line 1")).to_be_visible()
        page.get_by_role("button", name="Send a placeholder").click()
        expect(dialog.get_by_text("Sent as placeholders")).to_be_visible()
        dialog.get_by_role("button", name="Text", exact=True).click()
        expect(page.get_by_role("region", name="Prompt text")).to_contain_text("__DCE_SECRET_1__")
        assert SECRET not in (page.content())


def test_the_prompt_against_the_last_one(browser: Browser, tmp_path: Path) -> None:
    """A file's entry scrolls to its text; after a generation and an edit the difference is what was edited."""
    with scripted(tmp_path) as workspace, opened(browser, workspace) as page:
        page.get_by_role("button", name="Preview prompt").click()
        page.get_by_role("button", name="Changes since the last one").click()
        expect(page.get_by_text("No prompt has been sent yet")).to_be_visible()
        page.keyboard.press("Escape")
        generate(page, 1)
        wait_for_end(page)
        (workspace.project.root / "words.py").write_text("x = 'edited since'\n", encoding="utf-8")
        page.get_by_role("button", name="Preview prompt").click()
        page.get_by_role("dialog").get_by_role("button", name="words.py").last.click()
        page.get_by_role("button", name="Changes since the last one").click()
        expect(page.locator(".cm-insertedLine, .cm-changedLine").first).to_contain_text("edited since")


def test_escape_closes_a_dialog_whose_last_button_was_pressed(browser: Browser, tmp_path: Path) -> None:
    """A decision takes its own button away, and the focus with it; the keyboard still leads out."""
    with risky(tmp_path) as workspace, opened(browser, workspace) as page:
        page.get_by_role("button", name="Preview prompt").click()
        page.get_by_role("button", name="Secrets (1)").click()
        page.get_by_role("button", name="Not a secret").click()
        expect(page.get_by_text("Nothing in this prompt looks like a secret.")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_the_screens_are_accessible(browser: Browser, tmp_path: Path, size: str) -> None:
    """axe finds nothing on tree, list, finder and prompt in any theme and width."""
    with risky(tmp_path) as workspace, opened(browser, workspace, bypass_csp=True) as page:
        page.set_viewport_size(WIDE if size == "wide" else NARROW)  # type: ignore[arg-type]
        page.add_script_tag(path=AXE)
        examine_in(page, THEMES, "context-tree", size)
        page.get_by_role("button", name="Selected 3").click()
        page.get_by_text("Save selection").click()
        expect(page.get_by_role("button", name="1 possible secret")).to_be_visible()
        examine_in(page, THEMES, "context-chosen", size)
        page.get_by_role("button", name="Add files from git or a trace").click()
        examine_in(page, THEMES, "context-finder", size)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Preview prompt").click()
        expect(page.get_by_role("region", name="Prompt text")).to_be_visible()
        examine_in(page, THEMES, "context-prompt", size)
        page.get_by_role("button", name="Secrets (1)").click()
        expect(page.get_by_text("key.py, line 1")).to_be_visible()
        examine_in(page, THEMES, "context-secrets", size)
