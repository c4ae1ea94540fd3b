"""How responses behave, in a browser: the sentence, the probes on which they differ, why each has its rank."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.panel.rig import RIGHT, WRONG, AnsweringProvider, Line
from tests.real.test_panel_checks import CHECKED_MS, answered, inspect, run_checks
from tests.real.windows import opened, scripted, shoot, tab

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CRUDE = RIGHT.replace(
    'words = "".join(char if char.isalnum() else " " for char in title.lower()).split()',
    'words = title.lower().replace(",", "").replace("!", "").split()',
)
"""Passes the tests, and keeps punctuation that they do not mention."""

COMMENTED = RIGHT + "\n# The same behaviour in other bytes.\n"


def test_the_board_says_why_and_shows_where_responses_differ(browser: Browser, tmp_path: Path) -> None:
    """One sentence, probes by responses grouped in classes, identical responses folded; a change of the files marks all of it stale."""
    answers = [Line(), Line(content=CRUDE), Line(content=COMMENTED), Line(), Line(content=WRONG)]
    with (
        scripted(tmp_path, AnsweringProvider(answers)) as workspace,
        opened(browser, workspace, bypass_csp=True) as page,
    ):
        answered(page, 5)
        run_checks(page)
        expect(page.locator(".advice-line")).to_contain_text("Breaks nothing", timeout=CHECKED_MS)
        expect(page.locator(".board tbody tr:visible")).to_have_count(4)
        expect(page.locator(".board tbody tr").first).to_contain_text("= 4")
        shoot(page, "behaviour-board")
        page.get_by_label("fold 1 identical").uncheck()
        expect(page.locator(".board tbody tr:visible")).to_have_count(5)
        page.get_by_role("button", name="Show probes").click()
        table = page.get_by_role("table", name="Probes on which responses differ")
        expect(table).to_contain_text("slug(")
        expect(table.get_by_role("columnheader", name=re.compile("^Open response 1"))).to_contain_text("= 4")
        expect(page.locator(".sentence")).to_contain_text("agree")
        inspect(page, "behaviour")
        (workspace.project.root / "README.md").write_text("changed\n", encoding="utf-8")
        expect(page.locator(".check-panel .banner")).to_contain_text("stale")
        shoot(page, "behaviour-stale")
        page.get_by_role("button", name="Compare again").click()
        expect(page.locator(".check-panel .banner")).to_have_count(0, timeout=CHECKED_MS)
        tab(page, 1).click()
        page.get_by_role("button", name="Accept 1 file…").click()
        page.get_by_role("button", name="Write 1 file").click()
        expect(page.get_by_text("is in the workspace.")).to_be_visible()
        page.get_by_role("tab", name="Board").click()
        expect(page.get_by_role("table", name="Probes on which responses differ")).to_contain_text("accepted")


def test_without_checks_behaviour_is_compared_on_request(browser: Browser, tmp_path: Path) -> None:
    """A workspace without checks offers the comparison, asks before anything runs, and says what came of it."""
    with scripted(tmp_path, AnsweringProvider([Line(), Line(content=CRUDE)])) as workspace:
        (workspace.project.state_dir / "checks.toml").unlink()
        with opened(browser, workspace) as page:
            answered(page, 2)
            page.get_by_role("button", name="Behaviour", exact=True).click()
            page.once("dialog", lambda dialog: dialog.accept())
            page.get_by_role("button", name="Compare behaviour").click()
            expect(page.locator(".sentence")).to_be_visible(timeout=CHECKED_MS)
            shoot(page, "behaviour-no-checks")
