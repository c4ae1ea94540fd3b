"""The judge in a browser: asked from the board, its advice beside the ranking."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.panel.resources.test_judge import AdvisingProvider
from tests.panel.rig import HALF, Line
from tests.real.windows import AXE, examine, generate, opened, scripted, wait_for_end

pytestmark = pytest.mark.real


def test_advice_stands_beside_the_ranking(browser: Browser, tmp_path: Path) -> None:
    """Nothing is asked until the button is pressed; then the board says which response the judge prefers."""
    provider = AdvisingProvider([Line(content=HALF), Line(), Line()])
    with scripted(tmp_path, provider) as workspace, opened(browser, workspace, bypass_csp=True) as page:
        generate(page, 2)
        wait_for_end(page)
        expect(page.get_by_text("prefers response")).to_have_count(0)
        page.get_by_role("button", name="Ask a judge").click()
        expect(page.get_by_text("The judge (rig-judge) prefers response 2 to 1.")).to_be_visible()
        page.add_script_tag(path=AXE)
        examine(page, "judge")
