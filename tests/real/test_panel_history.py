"""The record in a real browser: found, opened, taken back, deleted; five hundred cycles of it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.panel.rig import RIGHT, AnsweringProvider, Line, make_workspace
from tests.real.windows import AXE, NARROW, THEMES, examine_in, generate, opened, scripted, shoot, tab, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_the_record_of_a_cycle_leads_to_all_that_came_of_it(browser: Browser, tmp_path: Path) -> None:
    """Search finds a response; an earlier version is readable; what was accepted can be put back; reloads come to the same place."""
    provider = AnsweringProvider([Line(), Line(content=RIGHT + "# again\n")])
    with scripted(tmp_path, provider) as workspace, opened(browser, workspace) as page:
        generate(page, 2)
        wait_for_end(page)
        page.get_by_role("button", name="Regenerate response 1", exact=True).click()
        page.get_by_role("button", name="Sure? Regenerate response 1").click()
        expect(tab(page, 1)).to_have_accessible_name(re.compile("complete"))
        expect(page.locator(".summary")).to_contain_text("2 complete")
        tab(page, 2).click()
        page.get_by_role("button", name="Accept 1 file…").click()
        page.get_by_role("button", name="Write 1 file").click()
        expect(page.get_by_text("is in the workspace.")).to_be_visible()
        page.keyboard.press("h")
        page.get_by_label("Search cycles and responses").fill("isalnum")
        page.get_by_role("button", name=re.compile("generation 1, response 1 ")).click()
        expect(page.get_by_role("region", name="Response text")).to_contain_text("isalnum")
        page.reload()
        expect(page.get_by_role("region", name="Response text")).to_contain_text("isalnum")
        page.get_by_role("button", name="Cycle 1", exact=True).click()
        expect(page.get_by_role("button", name="version 1 of response 1")).to_be_visible()
        shoot(page, "history-record")
        page.get_by_role("button", name="Restore…").click()
        page.get_by_role("button", name="Restore 1 file").click()
        expect(page.get_by_text(re.compile("^restored "))).to_be_visible()
        assert "NotImplementedError" in (workspace.project.root / "words.py").read_text(encoding="utf-8")
        page.get_by_role("button", name="Open response 2:").click()
        expect(tab(page, 2)).to_have_attribute("aria-selected", "true")


def test_a_cycle_is_deleted_once_it_is_meant(browser: Browser, tmp_path: Path) -> None:
    """The dialog asks; Cancel keeps it; afterwards it is in no list."""
    with scripted(tmp_path) as workspace, opened(browser, workspace) as page:
        page.keyboard.press("h")
        page.get_by_role("button", name=re.compile("Fill in the stubs")).click()
        page.get_by_role("button", name="Delete this cycle").click()
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Delete this cycle").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_text("Deleted cycle 1.")).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("Fill in the stubs"))).to_be_hidden()
        assert [cycle.id for cycle in workspace.cycles.list()] == [0]


def test_five_hundred_cycles_open_and_are_accessible(browser: Browser, tmp_path: Path) -> None:
    """All are listed, any is a step, a jump or a search away; axe finds nothing, wide or narrow."""
    with make_workspace(tmp_path / "words") as workspace:
        for number in range(2, 501):
            workspace.cycles.create(f"Number {number}", "word " * 1_000)
        with opened(browser, workspace, bypass_csp=True) as page:
            page.add_script_tag(path=AXE)
            expect(page.get_by_role("combobox", name="Cycle", exact=True)).to_have_value("500")
            page.keyboard.press("[")
            expect(page.get_by_role("combobox", name="Cycle", exact=True)).to_have_value("499")
            page.keyboard.press("h")
            expect(page.get_by_role("list", name="Cycles").get_by_role("listitem")).to_have_count(501)
            examine_in(page, THEMES, "history", "wide")
            page.get_by_label("Go to cycle number").fill("250")
            page.get_by_role("button", name="Go", exact=True).click()
            expect(page.get_by_role("heading", name="Cycle 250: Number 250")).to_be_visible()
            page.get_by_role("button", name="Later").click()
            expect(page.get_by_role("heading", name="Cycle 251: Number 251")).to_be_visible()
            page.set_viewport_size(NARROW)  # type: ignore[arg-type]
            examine_in(page, THEMES, "record", "narrow")


def test_a_history_goes_out_as_a_file_and_comes_in_elsewhere(browser: Browser, tmp_path: Path) -> None:
    """Export downloads it; another workspace's panel takes it in and shows what came."""
    with scripted(tmp_path / "one") as workspace, opened(browser, workspace) as page:
        generate(page, 2)
        wait_for_end(page)
        page.keyboard.press("h")
        with page.expect_download() as caught:
            page.get_by_role("link", name="Export…").click()
        caught.value.save_as(tmp_path / "history.jsonl")
    with scripted(tmp_path / "two") as workspace, opened(browser, workspace) as page:
        page.keyboard.press("h")
        page.get_by_label("Import…").set_input_files(tmp_path / "history.jsonl")
        expect(page.get_by_text("with 2 responses.")).to_be_visible()
        expect(page.get_by_role("list", name="Cycles").get_by_role("listitem")).to_have_count(3)
        page.get_by_label("Import…").set_input_files(tmp_path / "history.jsonl")
        expect(page.get_by_role("alert")).to_contain_text("was imported before")
