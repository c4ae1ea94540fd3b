"""The panel's checks in a browser: proposals, a run that can be watched and stopped, what fails on which response and why."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from dce.workspace.workspace import Workspace
from tests.panel.rig import CHECKS, HALF, RIGHT, STUB, WRONG, AnsweringProvider, Line
from tests.real.windows import (
    AXE,
    NARROW,
    examine,
    generate,
    opened,
    scripted,
    shoot,
    tab,
    wait_for_end,
    wear,
)

pytestmark = pytest.mark.real

CHECKED_MS = 90_000
"""Longest wait for checks, which run beside other work."""


def script(name: str, code: str, **settings: object) -> str:
    """A `[[check]]` that runs Python code."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(["[[check]]", f'name = "{name}"', f"command = {json.dumps(['python', '-c', code])}", *lines, ""])


def written(workspace: Workspace, text: str) -> None:
    """Puts a text into .dce/checks.toml."""
    (workspace.project.state_dir / "checks.toml").write_text(text, encoding="utf-8")


def answered(page: Page, n: int) -> None:
    """Generates and waits until every response has ended."""
    generate(page, n)
    wait_for_end(page)


def run_checks(page: Page) -> None:
    """Runs them, agrees to the commands, and waits for the end."""
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Run checks").click()
    expect(page.locator(".checks").first).to_be_visible(timeout=CHECKED_MS)
    expect(page.get_by_role("button", name="Run checks")).to_be_enabled(timeout=CHECKED_MS)


def inspect(page: Page, name: str) -> None:
    """Looks at what is in view in both themes, wide and narrow; axe must find nothing."""
    page.add_script_tag(path=AXE)
    size = page.viewport_size
    for theme in ("light", "dark"):
        wear(page, theme)
        examine(page, f"{name}-{theme}")
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        examine(page, f"{name}-{theme}-400")
        page.set_viewport_size(size)  # type: ignore[arg-type]
    wear(page, "light")


OLD = """\
import unittest


class Old(unittest.TestCase):
    def test_that_nobody_mended(self):
        self.fail("an old fault of this project")

    def test_readme(self):
        self.assertTrue(open("README.md").read())
"""
LINT = (
    "import sys; sys.exit('return \"\".join' in open('words.py').read() and '.upper()' not in open('words.py').read())"
)


def test_each_response_shows_its_tests_and_why(browser: Browser, tmp_path: Path) -> None:
    """Per check: name, stage, verdict, tests by kind, output, limits; per generation: all side by side, and what cannot run here once."""
    checks = (
        script("lint", LINT, stage="lint")
        + CHECKS
        + '[[check]]\nname = "js"\ncommand = ["vitest", "run"]\n'
        + script("memory", "import time; time.sleep(30 * ('- ' in open('words.py').read()))", timeout_s=2)
    )
    answers = [
        Line(),
        Line(content=WRONG),
        Line(content=HALF),
        Line(content=RIGHT + "# - \n"),
        Line(content=STUB + "x = 1\n"),
    ]
    answers += [
        Line(content="raise SystemExit(3)\n"),
        Line(path="test_old.py", content=OLD.split("    def test_readme", maxsplit=1)[0]),
    ]
    with scripted(tmp_path, AnsweringProvider(answers)) as workspace:
        written(workspace, checks)
        (workspace.project.root / "test_old.py").write_text(OLD, encoding="utf-8")
        with opened(browser, workspace, bypass_csp=True) as page:
            answered(page, 7)
            run_checks(page)
            shoot(page, "checks-board")
            page.keyboard.press("t")
            table = page.get_by_role("table", name="Checks of each response")
            expect(table.get_by_role("row", name=re.compile("^tests"))).to_be_visible()
            expect(page.locator(".check-missing")).to_have_count(1)
            expect(page.locator(".check-missing")).to_contain_text("vitest")
            expect(page.get_by_role("table", name=re.compile("^Tests whose results differ"))).to_contain_text(
                "test_slug"
            )
            inspect(page, "checks-all")
            tab(page, 2).click()
            page.keyboard.press("t")
            run = page.get_by_role("region", name="tests", exact=True)
            expect(run).to_contain_text("Fails without any response too")
            expect(run).to_contain_text("unittest")
            inspect(page, "checks-one")
            tab(page, 6).click()
            expect(page.get_by_role("region", name="tests", exact=True)).to_contain_text("tests cannot be loaded")
            shoot(page, "checks-broken")
            tab(page, 7).click()
            expect(page.get_by_role("region", name="Beyond the project’s checks")).to_contain_text("test_old.py")
            expect(page.get_by_role("region", name="Beyond the project’s checks")).to_contain_text("weakened")
            inspect(page, "checks-weakened")
            tab(page, 4).click()
            expect(page.get_by_role("region", name="memory", exact=True)).to_contain_text("time limit")
            shoot(page, "checks-limit")
            tab(page, 3).click()
            expect(page.get_by_role("region", name="tests", exact=True)).to_contain_text(
                "an earlier stage has new failures"
            )
            shoot(page, "checks-stage")


def test_proposals_are_tried_accepted_and_edited(browser: Browser, tmp_path: Path) -> None:
    """Without checks the panel proposes some, runs them on the workspace as it is, and takes them with one click; a mistake loses nothing."""
    with scripted(tmp_path, AnsweringProvider([Line(), Line(content=WRONG)])) as workspace:
        file = workspace.project.state_dir / "checks.toml"
        file.unlink()
        with opened(browser, workspace, bypass_csp=True) as page:
            answered(page, 2)
            page.get_by_role("button", name="Set up checks…").click()
            expect(page.locator(".check-lines")).to_contain_text("unittest")
            page.once("dialog", lambda dialog: dialog.dismiss())
            page.get_by_role("button", name="Try them on the workspace").click()
            expect(page.locator(".notice")).to_contain_text("you have not agreed")
            page.get_by_role("button", name="Dismiss").click()
            asked: list[str] = []

            def agree(dialog: Dialog) -> None:
                asked.append(dialog.message)
                dialog.accept()

            page.once("dialog", agree)
            page.get_by_role("button", name="Try them on the workspace").click()
            expect(page.get_by_role("region", name="unittest", exact=True)).to_contain_text(
                "2 failed", timeout=CHECKED_MS
            )
            assert "unittest" in asked[0]
            assert not file.exists()
            inspect(page, "checks-proposals")
            page.get_by_role("button", name="Use these checks").click()
            expect(page.get_by_role("heading", name="Commands")).to_be_visible()
            assert file.exists()
            expect(page.get_by_role("region", name="unittest", exact=True)).to_contain_text("2 failed")  # not run again
            box = page.get_by_label("Text of .dce/checks.toml")
            saved = box.input_value()
            box.fill(saved.replace('name = "unittest"', "name = 7"))
            page.get_by_role("button", name="Save", exact=True).click()
            expect(page.locator(".notice").last).to_contain_text("cannot be used")
            page.reload()
            expect(box).to_have_value(saved.replace('name = "unittest"', "name = 7"))
            box.fill(saved.replace('name = "unittest"', 'name = "unit tests"'))
            page.get_by_role("button", name="Save", exact=True).click()
            expect(page.locator(".check-lines")).to_contain_text("unit tests")
            inspect(page, "checks-screen")
            page.keyboard.press("Escape")
            run_checks(page)
            assert "unit tests" in file.read_text(encoding="utf-8")


def test_a_run_is_watched_and_stopped_and_stale_verdicts_run_again(browser: Browser, tmp_path: Path) -> None:
    """How many of how many run, in every window; stopping keeps the verdicts; a verdict on changed files says so and is renewed."""
    slow = script("tests", "import os, time; time.sleep(600 * os.path.exists('slow'))", timeout_s=700)
    with scripted(
        tmp_path, AnsweringProvider([Line(path=f"{n}.py", content=f"x = {n}\n") for n in range(4)])
    ) as workspace:
        written(workspace, slow)
        with opened(browser, workspace, bypass_csp=True) as page:
            answered(page, 4)
            run_checks(page)
            (workspace.project.root / "slow").write_text("", encoding="utf-8")
            expect(page.locator(".checks.is-stale")).to_have_count(4)
            shoot(page, "checks-stale")
            tab(page, 2).click()
            page.keyboard.press("t")
            expect(page.locator(".check-panel .banner")).to_contain_text(
                "The files or the installed packages changed after the checks ran"
            )
            inspect(page, "checks-stale-one")
            page.get_by_role("tab", name="Board").click()
            page.keyboard.press("t")
            page.locator(".banner").get_by_role("button", name="Run again").click()
            other = page.context.new_page()
            other.goto(page.url)
            for window in (page, other):
                stop = window.get_by_role("button", name="Stop checks")
                expect(stop).to_be_visible()
            expect(page.locator(".check-progress")).to_contain_text("Checking the workspace first")
            shoot(page, "checks-running")
            other.get_by_role("button", name="Stop checks").click()
            for window in (page, other):
                expect(window.get_by_role("button", name="Run checks")).to_be_enabled(timeout=CHECKED_MS)
            expect(page.locator(".check-panel .banner")).to_contain_text("All verdicts are stale")
            (workspace.project.root / "slow").unlink()  # the files are again what the verdicts are on
            expect(page.locator(".check-panel .banner")).to_have_count(0)
