"""Answers carried by hand, in a real browser: copied, pasted, read, fixed."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from dce.workspace.schema.reading import file_block
from dce.workspace.workspace import Workspace
from tests.panel.rig import RIGHT, WRONG, make_workspace
from tests.real.windows import AXE, NARROW, THEMES, by_hand, examine, examine_in, opened, paste, shoot

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def answer(workspace: Workspace, content: str) -> str:
    """A reply to the prompt that stands in .dce/prompt.md, in its form and of some length."""
    prompt = (workspace.project.root / ".dce/prompt.md").read_text(encoding="utf-8")
    nonce = prompt.partition('nonce="')[2].partition('"')[0]
    summary = "Filled in **both** functions. " * 40
    return f"<summary>\n{summary}\n</summary>\n\n{file_block('words.py', content, nonce)}\n"


def test_answers_come_back_by_hand(browser: Browser, tmp_path: Path) -> None:
    """Copying writes .dce/prompt.md; large pastes are kept and go on to the next tab; the prompt itself is refused; the board ranks them."""
    with (
        make_workspace(tmp_path / "words") as workspace,
        opened(browser, workspace, permissions=["clipboard-read", "clipboard-write"]) as page,
    ):
        by_hand(page)
        page.get_by_role("button", name="Copy the prompt").click()
        expect(page.get_by_text("Copied: ")).to_be_visible()
        prompt = (workspace.project.root / ".dce/prompt.md").read_text(encoding="utf-8")
        assert page.evaluate("navigator.clipboard.readText()") == prompt
        paste(page, 1, prompt)
        expect(page.get_by_role("alert")).to_contain_text("this text is the prompt")
        page.get_by_label("Answer 1", exact=True).fill("")
        paste(page, 1, answer(workspace, WRONG))
        paste(page, 2, answer(workspace, RIGHT))
        expect(page.get_by_role("tab", name="Answer 3: empty")).to_have_attribute("aria-selected", "true")
        page.get_by_label("Answer 3", exact=True).fill("I am not sure what you want.")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("tab", name="Answer 3: no files")).to_be_visible()
        page.get_by_role("tab", name="Answer 1: 1 file").click()
        expect(page.locator(".markdown strong").first).to_have_text("both")
        shoot(page, "manual")
        page.get_by_role("button", name="As pasted").click()
        box = page.get_by_label("Answer 1", exact=True)
        expect(box).to_have_value(re.compile("title"))
        box.fill(answer(workspace, RIGHT))
        page.get_by_role("button", name="Save as new version").click()
        expect(page.get_by_role("button", name="Save as new version")).to_be_disabled()
        expect(box).to_have_value(answer(workspace, RIGHT))
        page.get_by_role("button", name="Open the board").click()
        expect(page.get_by_role("tab", name=re.compile("^Response"))).to_have_count(3)
        assert workspace.store.responses.get(1, 1).version == 2
        assert workspace.reading(1, 1).files[0].content == RIGHT
        page.get_by_role("button", name=re.compile("^Open response")).first.click()
        expect(page.get_by_role("button", name="Accept 1 file…")).to_be_visible()


def test_where_the_page_may_not_copy_the_text_is_selected(browser: Browser, tmp_path: Path) -> None:
    """Without leave to use the clipboard the prompt is shown, selected, so that Ctrl C takes it."""
    with make_workspace(tmp_path / "words") as workspace, opened(browser, workspace) as page:
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        by_hand(page)
        page.get_by_role("button", name="Copy the prompt").click()
        box = page.get_by_label("Prompt to copy")
        expect(box).to_be_focused()
        assert page.evaluate("getSelection().toString()").startswith("<prompt.md>")


def test_an_empty_tab_says_where_the_reply_goes(browser: Browser, tmp_path: Path) -> None:
    """Its button takes what was copied and leads on to the next one's; a short text waits in the field; without leave the field is next."""
    with (
        make_workspace(tmp_path / "words") as workspace,
        opened(browser, workspace, permissions=["clipboard-read", "clipboard-write"]) as page,
    ):
        by_hand(page)
        page.get_by_role("button", name="Copy the prompt").click()
        expect(page.get_by_text("Copied: ")).to_be_visible()
        page.evaluate("text => navigator.clipboard.writeText(text)", answer(workspace, RIGHT))
        page.get_by_role("button", name="Paste here as answer 1").press("Enter")
        expect(page.get_by_role("tab", name="Answer 1: 1 file")).to_be_visible()
        second = page.get_by_role("button", name="Paste here as answer 2")
        expect(second).to_be_focused()
        page.evaluate("navigator.clipboard.writeText('No idea.')")
        second.press("Enter")
        field = page.get_by_label("Answer 2", exact=True)
        expect(field).to_have_value("No idea.")
        expect(field).to_be_focused()
        field.fill("")
        page.evaluate("() => { navigator.clipboard.readText = () => Promise.reject(new Error('no')); }")
        second.click()
        expect(field).to_be_focused()
        expect(page.get_by_text("press Ctrl+V in the field")).to_be_visible()
        assert workspace.reading(1, 1).files[0].content == RIGHT


def test_it_is_accessible_in_every_theme(browser: Browser, tmp_path: Path) -> None:
    """axe finds nothing, wide or narrow."""
    with make_workspace(tmp_path / "words") as workspace, opened(browser, workspace, bypass_csp=True) as page:
        page.add_script_tag(path=AXE)
        by_hand(page)
        page.get_by_role("button", name="Copy the prompt").click()
        expect(
            page.get_by_text("Also written to .dce/prompt.md").or_(page.get_by_label("Prompt to copy"))
        ).to_be_visible()
        paste(page, 1, answer(workspace, RIGHT))
        page.get_by_role("tab", name="Answer 1: 1 file").click()
        examine_in(page, THEMES, "manual", "wide")
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        page.get_by_role("button", name="As pasted").click()
        examine_in(page, THEMES, "manual", "narrow")


def test_what_was_edited_since_can_stay_while_the_rest_goes_back(browser: Browser, tmp_path: Path) -> None:
    """A file edited after it was accepted stops a restore until the person says that it shall stay as it is."""
    with make_workspace(tmp_path / "words") as workspace, opened(browser, workspace, bypass_csp=True) as page:
        words, notes = workspace.project.root / "words.py", workspace.project.root / "notes.txt"
        before = words.read_bytes()
        by_hand(page)
        page.get_by_role("button", name="Copy the prompt").click()
        expect(page.get_by_text("Copied: ").or_(page.get_by_label("Prompt to copy"))).to_be_visible()
        text = answer(workspace, RIGHT)
        nonce = text.partition('nonce="')[2].partition('"')[0]
        paste(page, 1, text + file_block("notes.txt", "from the answer\n", nonce) + "\n")
        expect(page.get_by_role("tab", name="Answer 1: 2 files")).to_be_visible()
        page.get_by_role("button", name="Open the board").click()
        page.get_by_role("button", name=re.compile("^Open response")).first.click()
        page.get_by_role("button", name="Accept 2 files…").click()
        page.get_by_role("button", name="Write 2 files").click()
        expect(page.get_by_text("are in the workspace.")).to_be_visible()
        notes.write_text("mine\n", encoding="utf-8")
        page.get_by_role("button", name="Restore…").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.locator(".error-text")).to_contain_text("edited since")
        expect(dialog.get_by_role("button", name="Restore 2 files")).to_be_disabled()
        dialog.get_by_label("Keep edited files and restore the others").check()
        page.add_script_tag(path=AXE)
        examine(page, "restore-keeping")
        dialog.get_by_role("button", name="Restore 1 file").click()
        expect(page.get_by_text("are in the workspace.")).to_be_hidden()
        assert (words.read_bytes(), notes.read_text(encoding="utf-8")) == (before, "mine\n")
