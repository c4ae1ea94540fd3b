"""From a folder with nothing in it to the next cycle, led by the one step that is next; and in which light."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dce.workspace.project import Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.panel.rig import STUB, AnsweringProvider, make_workspace
from tests.real.windows import AXE, NARROW, THEMES, examine_in, generate, opened, tab, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def advised(page: Page, words: str) -> None:
    """The sentence that says what is next."""
    expect(page.locator(".advice")).to_contain_text(words)


def test_an_empty_folder_is_led_to_its_first_responses(browser: Browser, tmp_path: Path) -> None:
    """Scope, then (with a file there) files, then generation; each step is marked once it is done, and a reload knows as much."""
    project = Project.init(tmp_path)
    with (
        Workspace.open(project, Settings(), provider=AnsweringProvider()) as workspace,
        opened(browser, workspace) as page,
    ):
        expect(page.get_by_role("heading", name="Start here")).to_be_visible()
        advised(page, "say what this project is for")
        page.get_by_role("button", name="Step 1: Scope").click()
        expect(page.get_by_label("Project scope")).to_be_focused()
        page.keyboard.type("Small things with words.")
        advised(page, "generate")
        (tmp_path / "words.py").write_text(STUB, encoding="utf-8")
        advised(page, "select the files")
        page.get_by_role("button", name="Step 2: Context").click()
        expect(page.get_by_label("Filter files by name")).to_be_focused()
        page.get_by_role("tree").focus()
        page.keyboard.press("Home")
        page.keyboard.press("Space")
        advised(page, "generate")
        page.reload()
        advised(page, "generate")
        expect(page.get_by_role("button", name="Step 1: Scope, done")).to_be_visible()
        generate(page, 2)
        wait_for_end(page)
        advised(page, "read the best response")
        page.get_by_role("button", name="Step 7: Review").click()
        expect(tab(page, 1)).to_have_attribute("aria-selected", "true")
        advised(page, "accept the files")
        page.get_by_role("button", name="Accept 1 file…").click()
        page.get_by_role("button", name="Write 1 file").click()
        advised(page, "try it in your project")
        page.get_by_role("button", name="New cycle").click()
        advised(page, "say what this cycle should change")


def test_checks_that_fail_lead_back_and_checks_that_pass_lead_on(browser: Browser, tmp_path: Path) -> None:
    """After accepting, the next step follows from what the checks found of that response."""
    with make_workspace(tmp_path / "words", AnsweringProvider()) as workspace, opened(browser, workspace) as page:
        generate(page, 2)
        wait_for_end(page)
        advised(page, "run the checks")
        page.once("dialog", lambda dialog: dialog.accept())  # the question before commands run
        page.get_by_role("button", name="Run checks").click()
        advised(page, "read the best response")
        for slot, words in ((2, "restore, then accept another"), (1, "start the next cycle")):
            tab(page, slot).click()
            page.get_by_role("button", name="Accept 1 file…").click()
            page.get_by_role("button", name="Write 1 file").click()
            advised(page, words)
            page.get_by_role("button", name="Restore…").click()
            page.get_by_role("button", name="Restore 1 file").click()
            advised(page, "accept the files")


def test_the_theme_is_kept_by_this_browser_and_follows_the_system(browser: Browser, tmp_path: Path) -> None:
    """A choice survives a reload; without one, the system's wish for more contrast counts; VS Code's colours are taken where there are any."""
    ground = "getComputedStyle(document.documentElement).getPropertyValue('background-color')"
    with make_workspace(tmp_path / "words") as workspace, opened(browser, workspace) as page:
        light = page.evaluate(ground)
        page.get_by_label("Theme").select_option("dark")
        dark = page.evaluate(ground)
        assert light != dark
        page.reload()
        assert page.evaluate(ground) == dark
        expect(page.get_by_label("Theme").locator("option")).to_have_count(4)
        page.get_by_label("Theme").select_option("system")
        page.emulate_media(contrast="more")
        expect(page.locator("html")).to_have_attribute("data-theme", "contrast")
        page.emulate_media(contrast="no-preference", color_scheme="dark")
        expect(page.locator("html")).not_to_have_attribute("data-theme", re.compile("."))
        assert page.evaluate(ground) == dark
        page.evaluate("document.documentElement.style.setProperty('--vscode-editor-background', 'rgb(1, 2, 3)')")
        page.get_by_label("Theme").select_option("light")
        page.get_by_label("Theme").select_option("vscode")
        assert page.evaluate(ground) == "rgb(1, 2, 3)"


def test_the_beginning_is_accessible_in_every_theme(browser: Browser, tmp_path: Path) -> None:
    """axe finds nothing on the first screen and the keys, wide or narrow, the system's forced colours included."""
    project = Project.init(tmp_path)
    with (
        Workspace.open(project, Settings(), provider=AnsweringProvider()) as workspace,
        opened(browser, workspace, bypass_csp=True) as page,
    ):
        page.add_script_tag(path=AXE)
        expect(page.get_by_role("heading", name="Start here")).to_be_visible()
        examine_in(page, (*THEMES, "forced"), "begin", "wide")
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        examine_in(page, (*THEMES, "forced"), "begin", "narrow")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        examine_in(page, (*THEMES, "forced"), "keys", "narrow")


def test_every_key_is_in_the_sheet(browser: Browser, tmp_path: Path) -> None:
    """Whatever the page says a control's key is, the list of keys names it."""
    with make_workspace(tmp_path / "words", AnsweringProvider()) as workspace, opened(browser, workspace) as page:
        generate(page, 2)
        wait_for_end(page)
        tab(page, 1).click()
        expect(page.get_by_role("button", name="Accept 1 file…")).to_be_visible()
        shortcuts = page.evaluate(
            "[...document.querySelectorAll('[aria-keyshortcuts]')].map(one => one.getAttribute('aria-keyshortcuts'))"
        )
        assert len(shortcuts) > 6
        page.keyboard.press("?")
        named = page.get_by_role("dialog", name="Keyboard shortcuts").locator("kbd").all_inner_texts()
        words = set(re.split(r"[,\s…+]+", " ".join(named)))
        for keys in shortcuts:
            assert set(keys.replace("Control", "Ctrl").split("+")) <= words, keys
