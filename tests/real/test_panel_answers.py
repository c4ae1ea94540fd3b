"""Real responses and what comes of them, in the panel over one real gateway with a key and the embedded engine."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fakes.chain import eventually
from tests.real.served import STUBS, Served, begun, serving, wait_for_end_of
from tests.real.windows import generate, opened, shoot, tab, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests."""
    with serving(tmp_path_factory.mktemp("gateway")) as found:
        yield found


def test_a_truncated_response_goes_on(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(4) What the limit cut off goes on from there as version 2; version 1 stays."""
    # Greedily, because one of twenty answers at another temperature ends by itself before its limit.
    with (
        begun(tmp_path, served, schema="blocks", max_tokens=12, temperature=0.0) as workspace,
        opened(browser, workspace) as page,
    ):
        generate(page, 1)
        wait_for_end_of(page, "1 truncated")
        page.get_by_role("button", name="Go on with response 1").click()
        eventually(lambda: workspace.responses(1)[0].version == 2, within_s=60)
        wait_for_end(page)
        first = workspace.store.response(1, 1, 1).text
        assert first
        assert workspace.store.response(1, 1).text.startswith(first.rstrip())


def test_lines_of_two_responses_become_one_file_and_go_again(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(5, 6) Judged, compared, a line of each taken as one plan and written, restored to the byte."""
    with begun(tmp_path, served) as workspace, opened(browser, workspace) as page:
        stats = workspace.project.root / STUBS
        before = stats.read_bytes()
        generate(page, 2)
        wait_for_end_of(page, "2 complete")
        page.get_by_role("button", name="Who changes what").click()
        expect(page.get_by_role("row", name=re.compile("stats.py"))).to_be_visible()
        tab(page, 1).click()
        page.get_by_role("button", name="Shortlist").click()
        page.get_by_label("Note", exact=True).fill("short")
        page.get_by_role("button", name="Base of the next cycle").click()
        expect(page.get_by_role("button", name="Base of the next cycle")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Diff", exact=True).click()
        for against, words in (("prompt", "the prompt’s own copy"), ("2", "response 2"), ("workspace", "the file now")):
            page.get_by_label("against").select_option(against)
            expect(page.locator(".diff-note")).to_contain_text(f"From {words} to response 1")
        first = picked(page, 1, 0)
        second = picked(page, 2, -1)
        expect(page.get_by_text("from 1 + 2").first).to_be_visible()
        page.get_by_role("button", name="Look and write…").click()
        shoot(page, "chain-plan")
        page.get_by_role("button", name="Write 1 file").click()
        expect(page.get_by_text("is in the workspace.")).to_be_visible()
        stub = "    raise NotImplementedError"
        parts = before.decode().split(stub)
        assert stats.read_text() == f"{parts[0]}{first}{parts[1]}{second}{parts[2]}"
        page.get_by_role("button", name="Restore…").click()
        page.get_by_role("button", name="Restore 1 file").click()
        expect(page.get_by_text("is in the workspace.")).to_be_hidden()
        assert stats.read_bytes() == before


def picked(page: Page, slot: int, which: int) -> str:
    """Ticks the one stub's removal and what a response has in its place; the added line."""
    tab(page, slot).click()
    page.get_by_role("button", name="Pick", exact=True).click()
    page.get_by_label(re.compile("^Remove: ")).nth(which).check()
    added = page.get_by_label(re.compile("^Add: ")).nth(which)
    added.check()
    return (added.get_attribute("aria-label") or "").removeprefix("Add: ")
