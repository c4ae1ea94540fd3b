"""Any number of windows over one panel: they share one connection, and none misses anything when the one that holds it goes."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from dce.workspace.record.responses import Status
from tests.panel.rig import AnsweringProvider, Line, make_workspace
from tests.real.windows import generate, opened, scripted, tab, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

WINDOWS = 8
"""Two more than the connections that a browser opens to one host."""


def others(page: Page, streams: list[Page]) -> list[Page]:
    """More windows on the place where `page` is. `streams` takes note of each that opens the event stream."""

    def note(request: Request) -> None:
        if "/api/events" in request.url:
            streams.append(request.frame.page)

    page.context.on("request", note)
    pages = []
    for _ in range(WINDOWS - 1):
        other = page.context.new_page()
        other.goto(page.url)
        expect(other.get_by_text("Live", exact=True)).to_be_visible()
        pages.append(other)
    return pages


def raw(page: Page, slot: int) -> None:
    """Shows the raw text of a response."""
    tab(page, slot).click()
    page.get_by_role("button", name="Raw").click()


def test_eight_windows_share_one_connection(browser: Browser, tmp_path: Path) -> None:
    """All eight follow ten responses that stream, each a response of its own, to exactly what is stored."""
    provider = AnsweringProvider([Line(thinking="grüße 🎉 " * 40)], asyncio.sleep, piece_chars=7)
    with scripted(tmp_path, provider) as workspace, opened(browser, workspace) as page:
        streams: list[Page] = []
        pages = [page, *others(page, streams)]
        generate(page, 10)
        for slot, each in enumerate(pages, 1):
            raw(each, slot)
        for slot, each in enumerate(pages, 1):
            expect(tab(each, 10)).to_have_accessible_name(re.compile("complete"), timeout=60_000)
            expect(each.get_by_role("region", name="Answer, raw text")).to_have_text(
                workspace.store.responses.get(1, slot).text, use_inner_text=False
            )
            expect(each.locator("details .raw-text")).to_have_text(workspace.store.responses.get(1, slot).thinking)
        assert streams == [], "a second window opened a connection of its own"


def test_when_the_window_with_the_connection_goes_another_goes_on(browser: Browser, tmp_path: Path) -> None:
    """Closed in the middle of ten streams, twice: one of the others takes over from its own cursor, nothing is lost or doubled."""
    provider = AnsweringProvider([Line(thinking="word " * 200)], asyncio.sleep, piece_chars=5)
    provider.hold = asyncio.Event()
    with scripted(tmp_path, provider) as workspace, opened(browser, workspace) as page:
        streams: list[Page] = []
        pages = others(page, streams)
        generate(page, 10)
        for each in pages:
            raw(each, 3)
        page.close()
        while not streams:
            pages[0].wait_for_timeout(
                20
            )  # lets Playwright tell what happened; the test's own limit ends a wait for nothing
        leader = streams[0]
        expect(leader.get_by_text("Live", exact=True)).to_be_visible()
        pages.remove(leader)
        leader.close()
        provider.hold.set()
        for each in pages:
            expect(tab(each, 3)).to_have_accessible_name(re.compile("complete"), timeout=60_000)
        stored = workspace.store.responses.get(1, 3)
        assert stored.status is Status.COMPLETE
        for each in pages:
            expect(each.get_by_text("Live", exact=True)).to_be_visible()
            assert each.get_by_role("region", name="Answer, raw text").text_content() == stored.text
            assert each.locator("details .raw-text").text_content() == stored.thinking
        assert len(streams) == 2


def test_a_reload_keeps_what_the_window_shows(browser: Browser, tmp_path: Path) -> None:
    """Views, sorting, filters and what is being written are there again; another window has its own."""
    with scripted(tmp_path, AnsweringProvider()) as workspace, opened(browser, workspace) as page:
        generate(page, 3)
        wait_for_end(page)
        page.get_by_label("Filter files by name").fill("words")
        page.get_by_role("button", name="Similarity").click()
        other = page.context.new_page()
        other.goto(page.url)
        expect(other.get_by_role("button", name="Similarity")).to_have_attribute("aria-pressed", "false")
        other.close()
        page.reload()
        expect(page.get_by_role("button", name="Similarity")).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_label("Filter files by name")).to_have_value("words")
        tab(page, 2).click()
        page.get_by_role("button", name="Diff", exact=True).click()
        page.get_by_label("Compare with").select_option("1")
        page.get_by_role("button", name="Unified").click()
        page.get_by_role("button", name=re.compile("^Selected")).click()
        page.get_by_label("Sort by").select_option("name")
        page.reload()
        expect(page.get_by_label("Compare with")).to_have_value("1")
        expect(page.get_by_role("button", name="Unified")).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_label("Sort by")).to_have_value("name")
        page.get_by_role("button", name="Raw", exact=True).click()
        page.get_by_role("button", name="Fix answer").click()
        page.get_by_label("Answer text").fill("half of a correction")
        page.reload()
        expect(page.get_by_label("Answer text")).to_have_value("half of a correction")
        page.get_by_role("button", name="Cancel").click()
        page.reload()
        expect(page.get_by_role("button", name="Fix answer")).to_be_visible()


def test_an_answer_that_is_being_written_survives_a_reload(browser: Browser, tmp_path: Path) -> None:
    """What was typed and not yet kept is in its field again, and gone from there once it is kept."""
    with make_workspace(tmp_path / "words") as workspace, opened(browser, workspace) as page:
        page.get_by_role("combobox", name="Model", exact=True).select_option("manual")
        page.get_by_role("button", name="Copy and paste…").click()
        page.get_by_role("tab", name="Answer 2").click()
        page.get_by_label("Answer 2", exact=True).fill("I am not sure")
        page.reload()
        expect(page.get_by_label("Answer 2", exact=True)).to_have_value("I am not sure")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("tab", name="Answer 2: no files")).to_be_visible()
        page.reload()
        expect(page.get_by_role("tab", name="Answer 2: no files")).to_be_visible()
        expect(page.get_by_label("Answer 1", exact=True)).to_have_value("")
        assert workspace.store.responses.get(1, 2).text == "I am not sure"
