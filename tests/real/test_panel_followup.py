"""Follow-ups in a browser: the dialog, the new tab, where it comes from, and a repair."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.panel.rig import HALF, RIGHT, WRONG, AnsweringProvider, Line
from tests.real.windows import AXE, NARROW, examine, generate, opened, scripted, shoot, tab, wait_for_end

pytestmark = pytest.mark.real

CHECKED_MS = 90_000
"""Longest wait for checks, which run beside other work."""


def ask(page: Page, slot: int) -> None:
    """Opens the dialog on a response."""
    tab(page, slot).click()
    page.get_by_role("button", name="Follow up…").click()
    expect(page.get_by_role("dialog", name=f"Follow up on response {slot}")).to_be_visible()


def test_a_reply_and_a_fusion_are_further_tabs(browser: Browser, tmp_path: Path) -> None:
    """What is asked becomes a new tab, which says what it was made from and shows the message as sent."""
    with scripted(tmp_path, AnsweringProvider()) as workspace, opened(browser, workspace, bypass_csp=True) as page:
        generate(page, 2)
        wait_for_end(page)
        ask(page, 1)
        expect(page.get_by_role("button", name="Ask", exact=True)).to_be_disabled()
        page.get_by_role("textbox", name="Message").fill("Shorter, please.")
        page.add_script_tag(path=AXE)
        examine(page, "followup-dialog")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(tab(page, 3)).to_be_visible()
        expect(page.get_by_role("button", name="Reply to response 1")).to_be_visible()
        page.get_by_role("button", name="What was asked").click()
        expect(page.get_by_role("textbox", name="What was asked")).to_have_value(re.compile("^Shorter, please"))
        wait_for_end(page)
        examine(page, "followup-made")
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        examine(page, "followup-made-400")
        page.set_viewport_size({"width": 1280, "height": 860})
        ask(page, 3)
        page.get_by_label("Fuse with").select_option("2")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(tab(page, 4)).to_be_visible()
        page.get_by_role("button", name="Fusion of responses 3 and 2").click()
        expect(page.get_by_role("button", name="Reply to response 1")).to_be_visible()
        shoot(page, "followup")


def test_failing_checks_are_repaired(browser: Browser, tmp_path: Path) -> None:
    """The failing output is ticked when checks fail; the rounds end with the first answer that is repaired."""
    answers = [Line(content=WRONG), Line(content=HALF), Line()]
    with scripted(tmp_path, AnsweringProvider(answers)) as workspace:
        (workspace.project.root / "words.py").write_text(RIGHT, encoding="utf-8")
        with opened(browser, workspace) as page:
            generate(page, 1)
            wait_for_end(page)
            page.once("dialog", lambda dialog: dialog.accept())
            page.get_by_role("button", name="Run checks").click()
            expect(page.locator(".checks").first).to_be_visible(timeout=CHECKED_MS)
            ask(page, 1)
            expect(page.get_by_label(re.compile("^Send what the failing checks say"))).to_be_checked()
            page.get_by_label("Maximum rounds").select_option("4")
            page.get_by_role("button", name="Ask", exact=True).click()
            expect(tab(page, 3)).to_be_visible(timeout=CHECKED_MS)
            tab(page, 3).click()
            expect(page.get_by_role("button", name="Repair of response 2")).to_be_visible(timeout=CHECKED_MS)
            wait_for_end(page)
            expect(page.get_by_role("tab", name=re.compile("^Response"))).to_have_count(3)
