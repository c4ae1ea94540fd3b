"""Judging and accepting in a real browser: advice, matrices, judgements, corrections, diffs, picks of several responses, conflicts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.panel.rig import RIGHT, STUB, AnsweringProvider, Line
from tests.real.windows import (
    AXE,
    CODE_THEMES,
    NARROW,
    THEMES,
    WIDE,
    chromium,
    examine_in,
    generate,
    opened,
    scripted,
    shoot,
    tab,
    wait_for_end,
)

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

HEAD = STUB.replace("Small things", "Little things")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def answered(page: Page, n: int) -> None:
    """Asks for n responses and waits until all have ended."""
    generate(page, n)
    wait_for_end(page)


def judged_provider() -> AnsweringProvider:
    """Answers about the first line, right ones, and one in no known form."""
    return AnsweringProvider([Line(content=HEAD), Line(), Line(), Line(content=None)])


def test_one_glance_says_which_to_take(browser: Browser, tmp_path: Path) -> None:
    """After the checks the board names the best response and why; its matrices say who agrees on what."""
    with scripted(tmp_path, AnsweringProvider()) as workspace, opened(browser, workspace) as page:
        answered(page, 10)
        expect(page.locator(".advice-line")).to_contain_text("ot checked")
        page.once("dialog", lambda dialog: dialog.accept())  # the question before commands run
        page.get_by_role("button", name="Run checks").click()
        expect(page.locator(".advice-line.is-good")).to_contain_text("reaks nothing, 2 tests gained", timeout=60_000)
        shoot(page, "review-glance")
        page.get_by_role("button", name="Files", exact=True).click()
        row = page.get_by_role("row", name=re.compile("^words.py"))
        expect(row.locator(".cA").first).to_be_visible()
        shoot(page, "review-files")
        page.get_by_role("button", name="Similarity").click()
        expect(page.get_by_role("table", name="Share of changed lines")).to_contain_text("100%")
        shoot(page, "review-likeness")
        page.get_by_role("button", name="Open response 1 (recommended)").click()
        expect(tab(page, 1)).to_have_attribute("aria-selected", "true")


def test_judgements_survive_and_reach_other_windows(browser: Browser, tmp_path: Path) -> None:
    """Shortlisted, rated, noted, made the base; a window that was open all along shows it, and so does a reload; what is rejected
    can be hidden."""
    with scripted(tmp_path, judged_provider()) as workspace, opened(browser, workspace) as page:
        answered(page, 3)
        other = page.context.new_page()
        other.goto(page.url)
        other.get_by_role("tab", name="Board").click()
        expect(other.locator(".board tbody tr")).to_have_count(3)
        tab(page, 2).click()
        page.get_by_role("button", name="Shortlist").click()
        page.get_by_role("button", name="4 of 5").click()
        page.get_by_label("Note", exact=True).fill("clean and short")
        page.get_by_label("Note", exact=True).blur()
        page.get_by_role("button", name="Base of the next cycle").click()
        expect(page.get_by_role("button", name="Base of the next cycle")).to_have_attribute("aria-pressed", "true")
        tab(page, 3).click()
        page.get_by_role("button", name="Reject").click()
        page.get_by_role("tab", name="Board").click()
        expect(other.get_by_label("hide 1 rejected")).to_be_visible()
        for window in (page, other):
            expect(window.get_by_text("clean and short")).to_be_visible()
            window.reload()
            window.get_by_role("tab", name="Board").click()
            expect(window.get_by_text("clean and short")).to_be_visible()
        expect(page.locator(".board tbody tr")).to_have_count(3)
        page.get_by_label("hide 1 rejected").check()
        expect(page.locator(".board tbody tr")).to_have_count(2)
        assert workspace.cycles.get(1).chosen_slot == 2
        (kept,) = [each for each in workspace.store.judgements.latest(1) if each.slot == 2]
        assert (kept.mark, kept.rating, kept.note) == ("shortlisted", 4, "clean and short")


def test_an_unreadable_answer_is_put_right_by_hand(browser: Browser, tmp_path: Path) -> None:
    """Edited raw text becomes a version of its own, parsed as any other; the model's words stay."""
    with scripted(tmp_path, AnsweringProvider([Line(content=None)])) as workspace, opened(browser, workspace) as page:
        answered(page, 1)
        tab(page, 1).click()
        page.get_by_role("button", name="Show the raw text").click()
        page.get_by_role("button", name="Fix answer").click()
        page.get_by_label("Answer text").fill('<file path="words.py">\nx = 1\n</file>\n')
        page.get_by_role("button", name="Save as new version").click()
        expect(page.get_by_text("edited", exact=True)).to_be_visible()
        page.get_by_role("button", name="Answer", exact=True).click()
        expect(page.get_by_role("button", name="Accept 1 file…")).to_be_visible()
        assert workspace.store.responses.get(1, 1, 1).text.startswith("I am not sure")
        assert workspace.store.responses.get(1, 1).version == 2


def test_the_words_beside_the_files_are_put_right(browser: Browser, tmp_path: Path) -> None:
    """Summary, plan and activity are edited in the parsed view, go back to what was read, are kept as a version, and are taken back."""
    with scripted(tmp_path, judged_provider()) as workspace, opened(browser, workspace) as page:
        answered(page, 1)
        own, files = workspace.store.responses.get(1, 1).text, workspace.reading(1, 1).files
        tab(page, 1).click()
        edit = page.get_by_role("button", name="Edit summary")
        edit.press("Enter")
        summary, keep = (
            page.get_by_role("textbox", name="Summary", exact=True),
            page.get_by_role("button", name="Save as new version"),
        )
        expect(summary).to_be_focused()
        expect(keep).to_be_disabled()
        read = summary.input_value()
        summary.fill("Half of a thought")
        page.reload()
        expect(summary).to_have_value("Half of a thought")
        page.get_by_role("button", name="Reset").click()
        expect(summary).to_have_value(read)
        summary.fill("What it **really** did")
        page.get_by_role("textbox", name="Activity", exact=True).fill("Run the tests.")
        keep.click()
        expect(page.locator(".answer .markdown strong").first).to_have_text("really")
        expect(page.get_by_text("edited", exact=True)).to_be_visible()
        assert workspace.reading(1, 1).activity == "Run the tests."
        assert workspace.reading(1, 1).files == files
        page.get_by_role("button", name="Revert edit").click()
        expect(page.get_by_text("edited", exact=True)).to_be_hidden()
        expect(edit).to_be_visible()
        assert workspace.store.responses.get(1, 1).text == own
        assert workspace.store.responses.get(1, 1).version == 3


def test_a_diff_against_the_prompts_own_copy(browser: Browser, tmp_path: Path) -> None:
    """What was edited since the prompt is not in it; against the file now it is; unfolding shows what stays the same."""
    with scripted(tmp_path, judged_provider()) as workspace, opened(browser, workspace) as page:
        answered(page, 2)
        (workspace.project.root / "words.py").write_text(STUB + "# edited since\n", encoding="utf-8")
        tab(page, 2).click()
        page.get_by_role("button", name="Diff", exact=True).click()
        expect(page.locator(".diff-note")).to_contain_text("Current file → Response 2")
        expect(page.locator(".diff-text")).to_contain_text("edited since")
        page.get_by_label("Compare with").select_option("prompt")
        expect(page.locator(".diff-note")).to_contain_text("File in the prompt → Response 2")
        expect(page.locator(".diff-text")).not_to_contain_text("edited since")
        page.get_by_label("Compare with").select_option("1")
        expect(page.locator(".diff-text")).to_contain_text("Little things")


def test_parts_of_several_responses_are_written_as_one(browser: Browser, tmp_path: Path) -> None:
    """A hunk of one and the whole of another, by keyboard alone; a reload keeps the plan; restore takes all of it back."""
    with scripted(tmp_path, judged_provider()) as workspace, opened(browser, workspace) as page:
        answered(page, 2)
        page.get_by_role("tab", name="Board").focus()
        page.keyboard.press("1")
        page.keyboard.press("l")
        hunk = page.get_by_label(re.compile("^Hunk 1, line 1"))
        hunk.focus()
        page.keyboard.press("Space")
        expect(page.get_by_text("Plan: 1 file")).to_be_visible()
        page.get_by_role("tab", name="Board").focus()
        page.keyboard.press("2")
        whole = page.get_by_label("words.py", exact=False).get_by_role("checkbox").first
        whole.focus()
        page.keyboard.press("Space")
        expect(page.get_by_text("from 1 + 2").first).to_be_visible()
        page.reload()
        shoot(page, "review-picks")
        page.get_by_role("button", name="Review and apply…").press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog.locator(".cm-content")).to_contain_text("Little things")
        shoot(page, "review-plan")
        page.get_by_role("button", name="Write 1 file").press("Enter")
        expect(page.get_by_text("is in the workspace.")).to_be_visible()
        wanted = RIGHT.replace("Small things", "Little things")
        assert (workspace.project.root / "words.py").read_text(encoding="utf-8") == wanted
        expect(page.get_by_text("Plan: 1 file")).to_be_hidden()
        page.get_by_role("button", name="Restore…").click()
        page.get_by_role("button", name="Restore 1 file").click()
        expect(page.get_by_text("is in the workspace.")).to_be_hidden()
        assert (workspace.project.root / "words.py").read_text(encoding="utf-8") == STUB


def test_a_conflict_is_decided_before_it_is_written(browser: Browser, tmp_path: Path) -> None:
    """Both sides are shown; writing waits for the choice and takes it."""
    with scripted(tmp_path, judged_provider()) as workspace, opened(browser, workspace) as page:
        answered(page, 1)
        mine = STUB.replace("Small things", "My things")
        (workspace.project.root / "words.py").write_text(mine, encoding="utf-8")
        tab(page, 1).click()
        page.get_by_role("button", name="Pick", exact=True).click()
        page.get_by_label("words.py", exact=False).get_by_role("checkbox").first.check()
        page.get_by_role("button", name="Review and apply…").click()
        write = page.get_by_role("button", name="Write 1 file")
        expect(page.get_by_text("choose one")).to_be_visible()
        expect(write).to_be_disabled()
        shoot(page, "review-conflict")
        page.get_by_label("Response 1", exact=False).last.check()
        expect(write).to_be_enabled()
        write.click()
        expect(page.get_by_text("is in the workspace.")).to_be_visible()
        assert (workspace.project.root / "words.py").read_text(encoding="utf-8") == HEAD


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_the_screens_are_accessible(browser: Browser, tmp_path: Path, size: str) -> None:
    """axe finds nothing on board, matrices, response, picks and plan in any theme and width."""
    with (
        scripted(tmp_path, AnsweringProvider()) as workspace,
        opened(browser, workspace, bypass_csp=True) as page,
    ):
        page.set_viewport_size(WIDE if size == "wide" else NARROW)  # type: ignore[arg-type]
        page.add_script_tag(path=AXE)
        answered(page, 7)
        tab(page, 3).click()
        page.get_by_role("button", name="Reject").click()
        page.get_by_role("button", name="2 of 5").click()
        expect(page.get_by_role("button", name="Reject")).to_have_attribute("aria-pressed", "true")
        examine_in(page, (*THEMES, *CODE_THEMES), "review-response", size)
        page.get_by_role("button", name="Pick", exact=True).click()
        page.get_by_label(re.compile("^Hunk 1, line")).check()
        examine_in(page, (*THEMES, *CODE_THEMES), "review-picks", size)
        page.get_by_role("button", name="Review and apply…").click()
        expect(page.get_by_role("dialog").locator(".cm-content")).to_be_visible()
        examine_in(page, (*THEMES, *CODE_THEMES), "review-plan", size)
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Board").click()
        expect(page.get_by_text("rejected", exact=True)).to_be_visible()
        examine_in(page, (*THEMES, *CODE_THEMES), "review-board", size)
        for name in ("Files", "Similarity"):
            page.get_by_role("button", name=name, exact=True).click()
            expect(page.locator(".matrix")).to_be_visible()
            examine_in(page, (*THEMES, *CODE_THEMES), f"review-{name.lower()}", size)
