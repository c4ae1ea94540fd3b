"""Progress in a real browser: going on with a cut response, filling what failed, all anew; figures as a record."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from dce.wire.errors import DceError
from tests.fakes.chain import eventually
from tests.panel.rig import AnsweringProvider, Line
from tests.real.windows import NARROW, WIDE, chromium, generate, opened, scripted, shoot, tab, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_a_truncated_response_goes_on(browser: Browser, tmp_path: Path) -> None:
    """Its next version begins with what was there; the earlier one is kept."""
    provider = AnsweringProvider([Line(finish="length"), Line()])
    with scripted(tmp_path, provider) as workspace, opened(browser, workspace) as page:
        generate(page, 1)
        wait_for_end(page)
        expect(tab(page, 1)).to_have_accessible_name(re.compile("truncated"))
        page.get_by_role("button", name="Continue response 1").click()
        expect(tab(page, 1)).to_have_accessible_name(re.compile("complete"))
        first = workspace.store.responses.get(1, 1, 1).text
        assert workspace.store.responses.get(1, 1).text.startswith(first.rstrip())
        expect(page.get_by_role("button", name="Continue response 1")).to_be_hidden()


def test_what_failed_is_filled_and_all_are_written_anew(browser: Browser, tmp_path: Path) -> None:
    """Only the failed ones become version 2; all of them only after a second click; figures of the ended ones stay."""
    failure = DceError("backend_error", "the engine ended the request: out of memory")
    provider = AnsweringProvider([Line(), Line(), Line(error=failure)])
    with scripted(tmp_path, provider) as workspace, opened(browser, workspace) as page:
        generate(page, 3)
        wait_for_end(page)
        page.get_by_role("button", name="Retry 1 failed").click()
        expect(tab(page, 3)).to_have_accessible_name(re.compile("complete"))
        assert [response.version for response in workspace.responses(1)] == [1, 1, 2]
        page.get_by_role("button", name="Regenerate all").click()
        assert [response.version for response in workspace.responses(1)] == [1, 1, 2]
        page.get_by_role("button", name="Sure? Regenerate all").click()
        eventually(lambda: [response.version for response in workspace.responses(1)] == [2, 2, 3])
        expect(page.get_by_role("button", name="Regenerate all", exact=True)).to_be_visible()
        wait_for_end(page)
        expect(page.locator(".figures").last).to_contain_text("TTFT")


def test_a_response_that_waits_shows_that_time_passes(browser: Browser, tmp_path: Path) -> None:
    """The timer runs on though nothing comes; the speed of all together stands beside Stop all."""
    provider = AnsweringProvider([Line()], asyncio.sleep)
    provider.hold = asyncio.Event()
    with scripted(tmp_path, provider) as workspace, opened(browser, workspace) as page:
        generate(page, 2)
        expect(page.locator(".figures").last).to_contain_text(re.compile(r"[3-9]\.\d s"))
        expect(page.get_by_text("total")).to_be_visible()
        shoot(page, "progress-waiting")
        page.get_by_role("button", name="Stop all").click()
        wait_for_end(page)
        assert {response.status for response in workspace.responses(1)} == {"stopped"}


def test_the_cycles_texts_fold_away_for_the_responses(browser: Browser, tmp_path: Path) -> None:
    """Once there are responses the texts are one line, which keys open and close; what is open stays open through a reload, until Generate."""
    with scripted(tmp_path, AnsweringProvider([Line()])) as workspace, opened(browser, workspace) as page:
        fold, words = page.locator("#cycle-fold"), page.get_by_label("What should change")
        expect(words).to_be_visible()
        expect(fold).to_be_hidden()
        words.focus()
        page.keyboard.press("Control+Enter")
        expect(fold).to_have_attribute("aria-expanded", "false")
        expect(fold).to_contain_text(workspace.cycles.get(1).context[:20])
        expect(words).to_be_hidden()
        wait_for_end(page)
        page.get_by_role("tab", name="Board").focus()
        page.keyboard.press("c")
        expect(words).to_be_focused()
        page.reload()
        expect(words).to_be_visible()
        fold.press("Enter")
        expect(words).to_be_hidden()
        expect(fold).to_be_focused()
        page.get_by_role("button", name="Step 3: Cycle").click()
        expect(words).to_be_focused()
        page.keyboard.press("Control+Enter")
        expect(words).to_be_hidden()


def test_on_a_narrow_screen_the_files_fold_away_for_the_responses(browser: Browser, tmp_path: Path) -> None:
    """In one column the files come first until there are responses; then they are a line, which a button and a key open."""
    with scripted(tmp_path, AnsweringProvider([Line()])) as workspace, opened(browser, workspace) as page:
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        tree = page.get_by_role("tree", name="Workspace files")
        expect(tree).to_be_visible()
        generate(page, 1)
        wait_for_end(page)
        expect(tree).to_be_hidden()
        expect(page.get_by_text("2 files, ")).to_be_visible()
        page.get_by_role("button", name="Show", exact=True).press("Enter")
        expect(tree).to_be_visible()
        page.get_by_role("button", name="Hide", exact=True).press("Enter")
        expect(tree).to_be_hidden()
        page.keyboard.press("f")
        expect(page.get_by_label("Filter files by name")).to_be_focused()
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        expect(page.get_by_role("button", name="Hide", exact=True)).to_be_hidden()
