"""The guide's first hour, walked in a real browser over the real gateway and the embedded engine; its pictures are those of the guide.

`DCE_GUIDE_IMAGES=docs/images python -m pytest -m real tests/real/test_panel_guide.py` renews them.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dce.cli.panel import panel_tools
from dce.engine.process import EngineProcess
from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.workspace.project import Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.panel.rig import CHECKS
from tests.real.windows import GENERATED_MS, RESULTS, ROOT, chromium, opened

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

EXAMPLE = ROOT / "examples/tiny_metrics"
STUBS = "tiny_metrics/stats.py"
IMAGES = Path(os.environ.get("DCE_GUIDE_IMAGES", RESULTS))


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@contextmanager
def fresh(folder: Path) -> Iterator[Workspace]:
    """The sample project as somebody finds it who has just said `dce panel`, with a real gateway and engine to talk to."""
    keys = KeyStore(folder / "gateway")
    key = keys.create("guide")[1]
    keys.close()
    with EngineProcess.start() as engine:
        backends = (BackendSettings(url=engine.url),)
        settings = GatewaySettings(port=0, no_admin=True, data_dir=str(folder / "gateway"), backends=backends)
        with GatewayServer(settings) as gateway:
            shutil.copytree(EXAMPLE, folder / EXAMPLE.name)
            project = Project.init(folder / EXAMPLE.name)
            (project.state_dir / "checks.toml").write_text(CHECKS, encoding="utf-8")
            client = Settings(url=gateway.url, key=key, schema="fill", temperature=0.8)
            with Workspace.open(project, client) as workspace:
                yield workspace


def picture(page: Page, name: str) -> None:
    """A picture of this step."""
    page.wait_for_timeout(400)  # notices and bars come to rest; only the picture waits for it
    IMAGES.mkdir(exist_ok=True)
    page.screenshot(path=IMAGES / f"guide-{name}.png")


def test_the_first_hour(browser: Browser, tmp_path: Path) -> None:
    """From an empty workspace to an accepted response, its restore, and the next cycle."""
    with (
        fresh(tmp_path) as workspace,
        opened(browser, workspace, tools=panel_tools(workspace.project)) as page,
    ):
        begin(page)
        choose(page)
        write(page)
        generate(page)
        judge(page)
        accept_and_restore(page, workspace)


def begin(page: Page) -> None:
    """The scope, and whether everything on the way answers."""
    scope = page.get_by_label("Project scope")
    expect(scope).to_be_visible()
    scope.fill(
        "tiny_metrics is a small Python library of statistics, without dependencies. Functions are short and typed."
    )
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    picture(page, "1-scope")
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator(".verdict")).to_contain_text("All hops work", timeout=GENERATED_MS)
    picture(page, "2-test")
    page.get_by_role("button", name="Back to the cycle").click()


def choose(page: Page) -> None:
    """The files that matter."""
    for name in ("README.md", "stats.py"):
        page.get_by_role("treeitem", name=re.compile(f"^{re.escape(name)}")).locator(".box").click()
    expect(page.get_by_text("2 files, ")).to_be_visible()
    picture(page, "3-context")


def write(page: Page) -> None:
    """What the cycle should do, and the prompt that it makes."""
    page.get_by_role("button", name="New cycle").click()
    page.get_by_label("Title").fill("Mean and spread")
    page.get_by_label("What should change").fill(
        "`mean` and `spread` in tiny_metrics/stats.py are stubs: fill them in, so that the tests pass."
    )
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.get_by_role("button", name="Preview prompt").click()
    expect(page.get_by_role("dialog")).to_contain_text("stats.py")
    picture(page, "4-prompt")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def generate(page: Page) -> None:
    """Ten responses, as they come."""
    page.get_by_label("Number of responses").fill("10")
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.get_by_role("tab", name=re.compile("^Response"))).to_have_count(10, timeout=GENERATED_MS)
    expect(page.locator(".figures").first).to_contain_text("tok/s", timeout=GENERATED_MS)
    picture(page, "5-generate")
    expect(page.locator(".summary")).not_to_contain_text("running", timeout=GENERATED_MS)


def judge(page: Page) -> None:
    """Which one to take."""
    page.once("dialog", lambda dialog: dialog.accept())  # the question before commands run
    page.get_by_role("button", name="Run checks").click()
    expect(page.locator(".checks")).to_have_count(10, timeout=GENERATED_MS)
    expect(page.get_by_role("button", name="Run checks")).to_be_enabled(timeout=GENERATED_MS)
    picture(page, "6-board")
    page.get_by_role("button", name="Files", exact=True).click()
    picture(page, "7-matrix")
    page.get_by_role("button", name="Table", exact=True).click()
    page.get_by_role(
        "button", name=re.compile("^Open response")
    ).first.click()  # the best; if any passed, "Look at" leads there too
    page.get_by_role("button", name="Diff", exact=True).click()
    expect(page.locator(".cm-content").last).to_contain_text("return")
    picture(page, "8-diff")


def accept_and_restore(page: Page, workspace: Workspace) -> None:
    """Into the workspace, back to the byte, and on."""
    file = workspace.project.root / STUBS
    before = file.read_bytes()
    page.get_by_role("button", name="Answer", exact=True).click()
    page.get_by_role("button", name="Accept 1 file…").click()
    picture(page, "9-accept")
    page.get_by_role("button", name="Write 1 file").click()
    expect(page.get_by_text("is in the workspace.")).to_be_visible()
    assert file.read_bytes() != before
    page.get_by_role("button", name="Restore…").click()
    picture(page, "10-restore")
    page.get_by_role("button", name="Restore 1 file").click()
    expect(page.get_by_text("is in the workspace.")).to_be_hidden()
    assert file.read_bytes() == before
    page.get_by_role("button", name="History", exact=True).click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    picture(page, "11-history")
