"""The whole loop in the panel, by its steps and by its keys, over one real gateway with a key and the embedded engine."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dce.workspace.project import Project
from dce.workspace.workspace import Workspace
from tests.fakes.chain import eventually
from tests.panel.rig import CHECKS
from tests.real.served import SMALL, SMALL_STUBS, Served, begun_small, serving, settings_for, wait_for_end_of
from tests.real.windows import GENERATED_MS, NARROW, WIDE, count, generate, opened, press_twice, shoot, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

SCOPE = "A small library of figures."
TASK = "Fill in the stubs of figures.py."
TAB_STOPS = 200
"""More than there are on any page."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests."""
    with serving(tmp_path_factory.mktemp("gateway")) as found:
        yield found


def step(page: Page, number: int) -> None:
    """To a step, by the bar."""
    page.get_by_role("button", name=f"Step {number}: ").click()


def press_at(page: Page, number: int, button: str) -> None:
    """To a step whose button has the focus then, and presses it by the keyboard."""
    step(page, number)
    expect(page.get_by_role("button", name=button, exact=True)).to_be_focused()
    page.keyboard.press("Enter")


def cycle_choice(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Cycle", exact=True)


def saved(page: Page) -> None:
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()


def begin_empty(page: Page) -> None:
    """The scope of a folder with nothing in it, and its first generation."""
    expect(page.get_by_role("heading", name="Start here")).to_be_visible()
    step(page, 1)
    expect(page.get_by_label("Project scope")).to_be_focused()
    page.keyboard.type(SCOPE)
    saved(page)
    page.get_by_label("Number of responses").fill("1")
    press_at(page, 5, "Generate")
    expect(page.get_by_role("tab", name=re.compile("^Response"))).to_have_count(1)
    wait_for_end(page)


def test_the_whole_loop_by_its_steps(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(1) From an empty folder to the next cycle every step is reached by the bar; a second window follows; a reload shows the same."""
    project = Project.init(tmp_path)
    (project.state_dir / "checks.toml").write_text(CHECKS, encoding="utf-8")
    with (
        Workspace.open(project, settings_for(served, max_tokens=300)) as workspace,
        opened(browser, workspace) as page,
    ):
        begin_empty(page)
        (tmp_path / SMALL).write_text(SMALL_STUBS, encoding="utf-8")
        expect(page.get_by_role("treeitem", name=re.compile(f"^{re.escape(SMALL)}"))).to_be_visible()
        press_at(page, 10, "New cycle")
        expect(cycle_choice(page)).to_have_value("1")
        step(page, 2)
        expect(page.get_by_label("Filter files by name")).to_be_focused()
        page.get_by_role("treeitem", name=re.compile(f"^{re.escape(SMALL)}")).locator(".box").click()
        eventually(lambda: workspace.selection.paths() == (SMALL,))
        step(page, 3)
        expect(page.get_by_label("What should change")).to_be_focused()
        page.keyboard.type(TASK)
        saved(page)
        step(page, 4)
        expect(page.get_by_role("dialog")).to_contain_text("raise NotImplementedError")
        page.keyboard.press("Escape")
        page.get_by_label("Number of responses").fill("2")
        press_at(page, 5, "Generate")
        wait_for_end_of(page, "2 complete")
        step(page, 6)
        page.once("dialog", lambda dialog: dialog.accept())  # the question before commands run
        page.get_by_role("button", name="Run checks").click()
        expect(page.locator(".checks")).to_have_count(2, timeout=GENERATED_MS)
        step(page, 7)
        expect(page.get_by_role("tab", selected=True)).to_have_accessible_name(re.compile("^Response"))
        second = page.context.new_page()
        second.goto(page.url)
        take_and_put_back(page, second, tmp_path / SMALL)
        press_at(page, 10, "New cycle")
        expect(cycle_choice(page)).to_have_value("2")
        expect(cycle_choice(second).locator("option")).to_have_count(3)
        walk_cycles(page)


def take_and_put_back(page: Page, second: Page, file: Path) -> None:
    """Accept and restore by their steps; the other window shows both, a reload the first."""
    before = file.read_bytes()
    press_at(page, 8, "Accept 1 file…")
    page.get_by_role("button", name="Write 1 file").click()
    for window in (page, second):
        expect(window.get_by_text("is in the workspace.")).to_be_visible()
    assert file.read_bytes() != before
    here = page.url
    page.reload()
    expect(page.get_by_text("is in the workspace.")).to_be_visible()
    assert page.url == here
    press_at(page, 9, "Restore…")
    page.get_by_role("button", name="Restore 1 file").click()
    for window in (page, second):
        expect(window.get_by_text("is in the workspace.")).to_be_hidden()
    assert file.read_bytes() == before


def walk_cycles(page: Page) -> None:
    """Back by a step, on by a choice, by number and by what was said."""
    page.get_by_role("button", name="Earlier cycle").click()
    expect(cycle_choice(page)).to_have_value("1")
    step(page, 3)
    expect(page.get_by_label("What should change")).to_have_value(TASK)
    cycle_choice(page).select_option("0")
    step(page, 1)
    expect(page.get_by_label("Project scope")).to_have_value(SCOPE)
    page.get_by_role("button", name="Later cycle").click()
    expect(cycle_choice(page)).to_have_value("1")
    page.get_by_role("button", name="History", exact=True).click()
    page.get_by_label("Go to cycle number").fill("1")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.get_by_role("heading", name="Cycle 1")).to_be_visible()
    page.get_by_role("button", name="All cycles").click()
    page.get_by_label("Search cycles and responses").fill("stubs")
    expect(page.get_by_role("list", name="Search cycles and responses").get_by_role("listitem").first).to_be_visible()


def tab_to(page: Page, wanted: Locator) -> None:
    """By the Tab key alone, as far as it takes."""
    expect(wanted).to_be_enabled()
    for _ in range(TAB_STOPS):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not come to {wanted}")


def fits(page: Page) -> None:
    """Nothing needs scrolling sideways."""
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_from_context_to_accept_by_keyboard_alone(browser: Browser, tmp_path: Path, served: Served, size: str) -> None:
    """(8) Files ticked, the task written, generated, read, accepted and restored without a pointer, wide and at 400 px."""
    with begun_small(tmp_path, served, n=1) as workspace:
        workspace.selection.replace([])
        file = workspace.project.root / SMALL
        with opened(browser, workspace) as page:
            page.set_viewport_size(WIDE if size == "wide" else NARROW)  # type: ignore[arg-type]
            page.keyboard.press("f")
            expect(page.get_by_label("Filter files by name")).to_be_focused()
            page.keyboard.press("ArrowDown")
            expect(page.get_by_role("tree", name="Workspace files")).to_be_focused()
            page.keyboard.press("Home")
            page.keyboard.press("Space")
            expect(page.get_by_text("1 file, ")).to_be_visible()
            fits(page)
            page.keyboard.press("c")
            expect(page.get_by_label("What should change")).to_be_focused()
            page.keyboard.press("Control+a")
            page.keyboard.type(TASK)
            page.keyboard.press("Control+Enter")
            expect(page.get_by_role("tab", name=re.compile("^Response"))).to_have_count(1)
            wait_for_end_of(page, "1 complete")
            fits(page)
            tab_to(page, page.get_by_role("tab", name="Board"))
            page.keyboard.press("1")
            expect(page.get_by_role("button", name="Accept 1 file…")).to_be_visible()
            for key, there in (("d", ".diff-note"), ("r", ".raw-text"), ("p", "#accept")):
                page.keyboard.press(key)
                expect(page.locator(there).first).to_be_visible()
                fits(page)
            page.keyboard.press("a")
            tab_to(page, page.get_by_role("button", name="Write 1 file"))
            page.keyboard.press("Enter")
            expect(page.get_by_text("is in the workspace.")).to_be_visible()
            fits(page)
            shoot(page, f"loop-keys-{size}")
            assert file.read_text(encoding="utf-8") == workspace.reading(1, 1).files[0].content
            tab_to(page, page.get_by_role("button", name="Restore…"))
            page.keyboard.press("Enter")
            tab_to(page, page.get_by_role("button", name="Restore 1 file"))
            page.keyboard.press("Enter")
            expect(page.get_by_text("is in the workspace.")).to_be_hidden()
            assert file.read_text(encoding="utf-8") == SMALL_STUBS


def test_two_windows_are_one_desk(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(10) What one writes, asks for, stops and judges the other shows; both end with what is stored."""
    with begun_small(tmp_path, served) as workspace, opened(browser, workspace) as page:
        other = page.context.new_page()
        other.goto(page.url)
        expect(other.get_by_text("Live", exact=True)).to_be_visible()
        page.get_by_label("What should change").fill("Written in the first window.")
        expect(other.get_by_label("What should change")).to_have_value("Written in the first window.")
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        count(page)
        with served.held():
            generate(page, 2)
            expect(other.get_by_role("tab", name=re.compile("^Response"))).to_have_count(2)
            other.get_by_role("button", name="Stop all").click()
            for window in (page, other):
                wait_for_end_of(window, "2 stopped")
        press_twice(page, "Regenerate all")
        for window in (page, other):
            wait_for_end_of(window, "2 complete")
        other.get_by_role("tab", name=re.compile("^Response 2:")).click()
        other.get_by_role("button", name="Shortlist").click()
        expect(page.locator(".board tbody")).to_contain_text("shortlisted")
        figures = [window.locator(".board tbody .figures") for window in (page, other)]
        other.get_by_role("tab", name="Board").click()
        expect(figures[1]).to_have_count(2)
        assert figures[0].all_inner_texts() == figures[1].all_inner_texts()
        assert [each.version for each in workspace.responses(1)] == [2, 2]
