"""Real responses and what comes of them, in the panel over one real gateway with a key and the embedded engine."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dce.workspace.schema.reading import file_block
from tests.fakes.chain import eventually
from tests.real.served import SMALL, SMALL_STUBS, STUBS, Served, begun, begun_small, serving, wait_for_end_of
from tests.real.windows import by_hand, count, generate, opened, paste, press_twice, shoot, tab, wait_for_end

# What the page asks for about judgements takes a second.
SLOW_JUDGEMENTS = """() => {
  const direct = window.fetch;
  window.fetch = async (...what) => {
    if (String(what[0]).endsWith("/judgement")) await new Promise((done) => setTimeout(done, 1000));
    return direct(...what);
  };
}"""

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests."""
    with serving(tmp_path_factory.mktemp("gateway")) as found:
        yield found


def test_one_of_ten_is_stopped_and_written_anew(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(4) Nine complete beside the stopped one; two clicks write it anew and keep what it had; tokens are exact, with their times."""
    with begun_small(tmp_path, served) as workspace, opened(browser, workspace) as page:
        slot = 10
        count(page)
        with served.held():
            generate(page, 10)
            page.get_by_role("button", name=f"Stop response {slot}", exact=True).click()
            eventually(lambda: workspace.store.responses.get(1, slot).status == "stopped")
        wait_for_end_of(page, "9 complete, 1 stopped")
        press_twice(page, f"Regenerate response {slot}")
        wait_for_end_of(page, "10 complete")
        assert [workspace.store.responses.get(1, slot, version).status for version in (1, 2)] == ["stopped", "complete"]
        for figures in page.locator(".board tbody .figures").all_inner_texts():
            assert "≈" not in figures, figures
            assert all(word in figures for word in ("tok/s", "TTFT")), figures
        shoot(page, "chain-ten")
        stopped = workspace.store.responses.get(1, slot, 1).text
        tab(page, slot).click()
        page.get_by_role("button", name="Earlier versions").click()
        page.get_by_role("button", name=f"version 1 of response {slot}").click()
        expect(page.get_by_role("region", name="Response text")).to_have_text(stopped, use_inner_text=False)


def test_all_are_stopped_and_the_empty_ones_filled(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(4) One button ends every stream; another writes anew those that were stopped, and only those."""
    with begun_small(tmp_path, served) as workspace, opened(browser, workspace) as page:
        generate(page, 1)
        wait_for_end_of(page, "1 complete")
        with served.held():
            generate(page, 2)
            page.get_by_role("button", name="Stop all").click()
            wait_for_end_of(page, "2 stopped")
        page.get_by_role("button", name="Retry 2 failed").click()
        wait_for_end_of(page, "2 complete")
        assert [each.version for each in workspace.responses(2)] == [2, 2]


def test_a_truncated_response_goes_on(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(4) What the limit cut off goes on from there as version 2; version 1 stays."""
    # Greedily, because one of twenty answers at another temperature ends by itself before its limit.
    with (
        begun(tmp_path, served, schema="blocks", max_tokens=12, temperature=0.0) as workspace,
        opened(browser, workspace) as page,
    ):
        generate(page, 1)
        wait_for_end_of(page, "1 truncated")
        page.get_by_role("button", name="Continue response 1").click()
        eventually(lambda: workspace.responses(1)[0].version == 2, within_s=60)
        wait_for_end(page)
        first = workspace.store.responses.get(1, 1, 1).text
        assert first
        assert workspace.store.responses.get(1, 1).text.startswith(first.rstrip())


def test_lines_of_two_responses_become_one_file_and_go_again(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(5, 6) Judged, compared, a line of each taken as one plan and written, restored to the byte."""
    with begun(tmp_path, served) as workspace, opened(browser, workspace) as page:
        stats = workspace.project.root / STUBS
        before = stats.read_bytes()
        generate(page, 2)
        wait_for_end_of(page, "2 complete")
        page.get_by_role("button", name="Files", exact=True).click()
        expect(page.get_by_role("row", name=re.compile("stats.py"))).to_be_visible()
        tab(page, 1).click()
        base = page.get_by_role("button", name="Base of the next cycle")
        page.get_by_role("button", name="Shortlist").click()
        page.get_by_label("Note", exact=True).fill("short")
        # The click leaves the note, which saves it: however long that takes, the click itself counts as well.
        page.evaluate(SLOW_JUDGEMENTS)
        base.click(delay=100)
        expect(base).to_have_attribute("aria-pressed", "true")
        (kept,) = workspace.store.judgements.latest(1)
        assert (kept.mark, kept.note) == ("shortlisted", "short")
        page.get_by_role("button", name="Diff", exact=True).click()
        for against, words in (("prompt", "File in the prompt"), ("2", "Response 2"), ("workspace", "Current file")):
            page.get_by_label("Compare with").select_option(against)
            expect(page.locator(".diff-note")).to_contain_text(f"{words} → Response 1")
        first = picked(page, 1, 0)
        second = picked(page, 2, -1)
        expect(page.get_by_text("from 1 + 2").first).to_be_visible()
        page.get_by_role("button", name="Review and apply…").click()
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


def test_a_real_answer_comes_back_by_hand(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(7) Copied, pasted over several tabs, the prompt refused, read and shown as pasted; then board, accept, restore like any other."""
    with (
        begun_small(tmp_path, served) as workspace,
        opened(browser, workspace, permissions=["clipboard-read", "clipboard-write"]) as page,
    ):
        generate(page, 1)
        wait_for_end_of(page, "1 complete")
        content = workspace.reading(1, 1).files[0].content
        page.get_by_role("button", name="New cycle").click()
        expect(page.get_by_role("combobox", name="Cycle", exact=True)).to_have_value("2")
        page.get_by_label("What should change").fill("Fill in the stubs, by hand.")
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        by_hand(page)
        page.get_by_role("button", name="Copy the prompt").click()
        expect(page.get_by_text("Copied: ")).to_be_visible()
        prompt = (workspace.project.root / ".dce/prompt.md").read_text(encoding="utf-8")
        assert page.evaluate("navigator.clipboard.readText()") == prompt
        paste(page, 1, prompt)
        expect(page.get_by_role("alert")).to_contain_text("this text is the prompt")
        page.get_by_label("Answer 1", exact=True).fill("")
        nonce = prompt.partition('nonce="')[2].partition('"')[0]
        reply = f"<summary>\n{'Both **figures**. ' * 80}\n</summary>\n\n{file_block(SMALL, content, nonce)}\n"
        paste(page, 1, reply)
        expect(page.get_by_role("tab", name="Answer 2: empty")).to_have_attribute("aria-selected", "true")
        page.get_by_label("Answer 2", exact=True).fill("I am not sure what you want.")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("tab", name="Answer 2: no files")).to_be_visible()
        page.get_by_role("tab", name="Answer 1: 1 file").click()
        expect(page.locator(".markdown strong").first).to_have_text("figures")
        page.get_by_role("button", name="As pasted").click()
        expect(page.get_by_label("Answer 1", exact=True)).to_have_value(reply)
        page.get_by_role("button", name="Parsed", exact=True).click()
        expect(page.locator(".markdown strong").first).to_be_visible()
        page.get_by_role("button", name="Open the board").click()
        expect(page.get_by_role("tab", name=re.compile("^Response"))).to_have_count(2)
        tab(page, 1).click()
        write(page)
        file = workspace.project.root / SMALL
        assert file.read_text(encoding="utf-8") == content
        put_back(page)
        assert file.read_text(encoding="utf-8") == SMALL_STUBS


def write(page: Page) -> None:
    """All files of the response in view."""
    page.get_by_role("button", name="Accept 1 file…").click()
    page.get_by_role("button", name="Write 1 file").click()
    expect(page.get_by_text("is in the workspace.")).to_be_visible()


def put_back(page: Page) -> None:
    """What was there before."""
    page.get_by_role("button", name="Restore…").click()
    page.get_by_role("button", name="Restore 1 file").click()
    expect(page.get_by_text("is in the workspace.")).to_be_hidden()


MENDED = "    return value * 1000  # edited"


def mended(text: str) -> str:
    """An answer with another line for the first stub, which no response has by chance."""
    before, docstring, after = text.partition('    """Twice the value."""\n')
    return f"{before}{docstring}{MENDED}\n{after.partition(chr(10))[2]}"


def put_right(page: Page, slot: int, text: str) -> None:
    """Another version of a response, by hand."""
    tab(page, slot).click()
    page.get_by_role("button", name="Raw", exact=True).click()
    page.get_by_role("button", name="Fix answer").click()
    page.get_by_label("Answer text").fill(text)
    page.get_by_role("button", name="Save as new version").click()
    expect(page.get_by_text("edited", exact=True)).to_be_visible()


def test_real_answers_are_compared_and_judged(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(5) Files and similarity, read and raw, three diffs in two layouts, marks that a reload keeps, the next base."""
    with begun_small(tmp_path, served) as workspace, opened(browser, workspace) as page:
        generate(page, 2)
        wait_for_end_of(page, "2 complete")
        put_right(page, 2, mended(workspace.store.responses.get(1, 2).text))
        page.get_by_role("tab", name="Board").click()
        page.get_by_role("button", name="Files", exact=True).click()
        expect(page.get_by_role("row", name=re.compile(f"^{re.escape(SMALL)}")).locator(".cB").first).to_be_visible()
        page.get_by_role("button", name="Similarity").click()
        expect(page.get_by_role("table", name="Share of changed lines")).to_contain_text(re.compile(r"\d%"))
        tab(page, 2).click()
        page.get_by_role("button", name="Diff", exact=True).click()
        note, text = page.locator(".diff-note"), page.locator(".diff-text")
        expect(note).to_contain_text("Current file → Response 2")
        expect(text).to_contain_text("edited")
        page.get_by_label("Compare with").select_option("prompt")
        expect(note).to_contain_text("File in the prompt → Response 2")
        page.get_by_label("Compare with").select_option("1")
        expect(note).to_contain_text("Response 1 → Response 2")
        expect(text).to_contain_text("edited")
        page.get_by_role("button", name="Side by side").click()
        expect(page.locator(".cm-mergeView")).to_contain_text("edited")
        page.get_by_role("button", name="Shortlist").click()
        page.get_by_role("button", name="3 of 5").click()
        page.get_by_label("Note", exact=True).fill("the better half")
        page.get_by_label("Note", exact=True).blur()
        base = page.get_by_role("button", name="Base of the next cycle")
        base.click()
        expect(base).to_have_attribute("aria-pressed", "true")
        page.reload()
        expect(base).to_have_attribute("aria-pressed", "true")
        page.get_by_role("tab", name="Board").click()
        page.get_by_role("button", name="Table", exact=True).click()
        expect(page.get_by_text("the better half")).to_be_visible()
        (kept,) = workspace.store.judgements.latest(1)
        assert (kept.slot, kept.mark, kept.rating) == (2, "shortlisted", 3)
        assert workspace.cycles.get(1).chosen_slot == 2


def test_two_responses_that_differ_in_a_line_are_decided(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(6) The whole file of one and a line of another meet in a conflict; the side that is chosen is written, and goes again."""
    with begun_small(tmp_path, served) as workspace, opened(browser, workspace) as page:
        generate(page, 2)
        wait_for_end_of(page, "2 complete")
        file = workspace.project.root / SMALL
        whole = workspace.reading(1, 1).files[0].content
        put_right(page, 2, mended(workspace.store.responses.get(1, 2).text))
        tab(page, 1).click()
        page.get_by_role("button", name="Pick", exact=True).click()
        page.get_by_label(SMALL, exact=False).get_by_role("checkbox").first.check()
        tab(page, 2).click()
        page.get_by_role("button", name="Pick", exact=True).click()
        page.get_by_label(re.compile("^Remove: ")).first.check()
        page.get_by_label(f"Add: {MENDED}").check()
        expect(page.get_by_text("from 1 + 2").first).to_be_visible()
        page.get_by_role("button", name="Review and apply…").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("choose one")).to_be_visible()
        button = dialog.get_by_role("button", name="Write 1 file")
        expect(button).to_be_disabled()
        dialog.get_by_label("Response 2", exact=False).last.check()
        expect(dialog.locator(".cm-content")).to_contain_text("edited")
        button.click()
        expect(page.get_by_text("is in the workspace.")).to_be_visible()
        assert file.read_text(encoding="utf-8") == mended(whole)
        put_back(page)
        assert file.read_text(encoding="utf-8") == SMALL_STUBS


def test_a_file_that_was_edited_since_is_not_overwritten(browser: Browser, tmp_path: Path, served: Served) -> None:
    """(6) Edited after the prompt it is refused and told why; elsewhere in the file it can be merged, in the same line it cannot."""
    with begun_small(tmp_path, served) as workspace, opened(browser, workspace) as page:
        generate(page, 1)
        wait_for_end_of(page, "1 complete")
        file = workspace.project.root / SMALL
        answer = workspace.reading(1, 1).files[0].content
        tab(page, 1).click()
        dialog = page.get_by_role("dialog")
        button = dialog.get_by_role("button", name="Write 1 file")
        mine = SMALL_STUBS.replace("    raise NotImplementedError", "    return 77", 1)
        file.write_text(mine, encoding="utf-8")
        page.get_by_role("button", name="Accept 1 file…").click()
        expect(dialog.locator(".error-text")).to_contain_text("changed since")
        expect(button).to_be_disabled()
        dialog.get_by_label("Merge with files that were edited since the prompt").check()
        expect(dialog.locator(".error-text")).to_contain_text("conflict")
        expect(button).to_be_disabled()
        shoot(page, "chain-stale")
        page.keyboard.press("Escape")
        assert file.read_text(encoding="utf-8") == mine
        mine = SMALL_STUBS.replace("Two figures", "My two figures")
        file.write_text(mine, encoding="utf-8")
        page.get_by_role("button", name="Accept 1 file…").click()
        expect(dialog.locator(".error-text")).to_contain_text("changed since")
        dialog.get_by_label("Merge with files that were edited since the prompt").check()
        expect(dialog.get_by_text("merged", exact=True)).to_be_visible()
        button.click()
        expect(page.get_by_text("is in the workspace.")).to_be_visible()
        assert file.read_text(encoding="utf-8") == answer.replace("Two figures", "My two figures")
        put_back(page)
        assert file.read_text(encoding="utf-8") == mine
