"""A panel in a real browser, for the tests that look at it: windows over scripted workspaces, screenshots, axe.

Screenshots go to test-results/. Nothing in the page may log an error or break the policy: `opened` fails then.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from dce.panel.server import PanelServer
from dce.panel.tools import Tools
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.panel.rig import AnsweringProvider, make_workspace

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "test-results"
STATIC = Path(os.environ.get("DCE_TEST_STATIC") or ROOT / "src/dce/panel/static")
"""The build that is looked at: the checkout's, or another that somebody works on."""

AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 400, "height": 860}
GENERATED_MS = 400_000
"""Longest wait for ten responses of the embedded engine: half a minute on two quiet cores, minutes beside other work."""

SHOWN_MS = 30_000.0
"""How long a page may take to show what is expected of it, on a machine that does much else: only a failure waits so long."""

PASTE = """
([selector, text]) => {
  const data = new DataTransfer();
  data.setData("text", text);
  const box = document.querySelector(selector);
  box.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
}
"""

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"),
    *("--disable-component-update", "--disable-default-apps", "--disable-sync", "--no-first-run"),
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    path = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if path is None:
        pytest.fail("there is no Chromium: scripts/real_parts.sh installs it")
    if not (STATIC / "index.html").exists():
        pytest.fail("the front-end is not built: make frontend")
    expect.set_options(timeout=SHOWN_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def entered(
    browser: Browser, workspace: Workspace, tools: Tools | None = None, **options: Any
) -> Iterator[tuple[Page, PanelServer]]:
    """A window over a workspace that has not looked at anything yet; what it logs as an error fails the test."""
    wrong: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # The browser itself logs answers that are errors; those that a test provokes are the page's to show.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            wrong.append(message.text)

    with PanelServer(workspace, port=0, static=STATIC, tools=tools) as server:
        context = browser.new_context(viewport=WIDE, base_url=server.address, **options)  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        yield page, server
        context.close()
    assert wrong == []


@contextmanager
def opened(browser: Browser, workspace: Workspace, tools: Tools | None = None, **options: Any) -> Iterator[Page]:
    """A window over a workspace that has followed its link."""
    with entered(browser, workspace, tools, **options) as (page, server):
        page.goto(server.url)
        assert "token" not in page.url
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        yield page


def shoot(page: Page, name: str) -> None:
    """A screenshot for people."""
    RESULTS.mkdir(exist_ok=True)
    page.screenshot(path=RESULTS / f"panel-{name}.png")


def tab(page: Page, slot: int) -> Locator:
    return page.get_by_role("tab", name=re.compile(rf"^Response {slot}:"))


def generate(page: Page, n: int) -> None:
    """Types the number and presses the button."""
    page.get_by_label("Number of responses").fill(str(n))
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.get_by_role("tab", name=re.compile("^Response"))).to_have_count(n)


def wait_for_end(page: Page) -> None:
    expect(page.locator(".summary")).not_to_contain_text("running", timeout=GENERATED_MS)


@contextmanager
def scripted(folder: Path, provider: AnsweringProvider | None = None) -> Iterator[Workspace]:
    """A workspace whose responses are written by a script, at a pace that an eye can follow."""
    provider = provider or AnsweringProvider(sleep=lambda seconds: asyncio.sleep(seconds / 3))
    with make_workspace(folder / "words", provider, Settings(max_tokens=700)) as workspace:
        yield workspace


def whole(page: Page) -> None:
    """Makes the window as high as its page. Otherwise what the bars cover in part at this scroll position counts as too small to be hit.

    An editor measures more lines as it gets more room, and the page grows again: until that is over.
    """
    while (height := page.evaluate("() => document.documentElement.scrollHeight")) > page.viewport_size["height"]:  # type: ignore[index]
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})  # type: ignore[index]
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def examine(page: Page, name: str) -> None:
    """A screenshot, axe's findings, and whether the page is as wide as the window."""
    shoot(page, name)
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    size = page.viewport_size
    if size:
        whole(page)
    findings = page.evaluate("async rules => (await axe.run(document, rules)).violations", rules)
    if size:
        page.set_viewport_size(size)
    said = [
        f"{found['id']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
        for found in findings
        for node in found["nodes"]
    ]
    assert not said, "\n".join([name, *said])
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the window"


CODE_COLOURS = {
    "light": "editor-background #ffffff, sideBar-background #f8f8f8, editorWidget-background #f8f8f8, panel-border #e5e5e5, "
    "checkbox-border #cecece, foreground #3b3b3b, descriptionForeground #3b3b3b, textLink-foreground #005fb8, "
    "list-hoverBackground #f2f2f2, testing-iconPassed #73c991, list-warningForeground #855f00, errorForeground #f85149, "
    "diffEditor-insertedLineBackground #9bb95533, diffEditor-removedLineBackground #ff000033, "
    "diffEditor-insertedTextBackground #9ccc2c40, diffEditor-removedTextBackground #ff000033",
    "dark": "editor-background #1f1f1f, sideBar-background #181818, editorWidget-background #202020, panel-border #2b2b2b, "
    "checkbox-border #3c3c3c, foreground #cccccc, descriptionForeground #9d9d9d, textLink-foreground #4daafc, "
    "list-hoverBackground #2a2d2e, testing-iconPassed #73c991, list-warningForeground #cca700, errorForeground #f85149, "
    "diffEditor-insertedLineBackground #9bb95533, diffEditor-removedLineBackground #ff000033, "
    "diffEditor-insertedTextBackground #9ccc2c33, diffEditor-removedTextBackground #ff000033",
}
"""What VS Code gives a page in its own two themes, light and dark."""


WEAR = """
([theme, light, colours]) => {
  const { dataset, style } = document.documentElement;
  style.cssText = colours.map(([name, value]) => `--vscode-${name}: ${value};`).join("");
  if (theme) dataset.theme = theme;
  else delete dataset.theme;
  if (light) dataset.light = light;
}
"""

THEMES = ("light", "dark", "contrast")
"""What a person can choose, by the names of `wear`."""

CODE_THEMES = ("code-light", "code-dark")
SYSTEM_THEMES = ("system-light", "system-dark")


def wear(page: Page, theme: str) -> None:
    """One of the panel's themes, VS Code's two, the system's two, or the system's forced colours."""
    page.emulate_media(
        color_scheme="dark" if theme == "system-dark" else "light",
        forced_colors="active" if theme == "forced" else "none",
    )
    if theme in CODE_THEMES:
        light = theme.removeprefix("code-")
        page.evaluate(WEAR, ["vscode", light, [pair.split(" ") for pair in CODE_COLOURS[light].split(", ")]])
    else:
        page.evaluate(WEAR, ["" if theme in (*SYSTEM_THEMES, "forced") else theme, "", []])


def examine_in(page: Page, themes: Iterable[str], name: str, size: str) -> None:
    """Examines what is in view in each theme: what leads to it is done once for all."""
    for theme in themes:
        wear(page, theme)
        examine(page, f"{name}-{theme}-{size}")


def count(page: Page) -> None:
    """Has the prompt's tokens counted, which takes the engine; they are known then."""
    page.get_by_role("button", name="Preview prompt").click()
    expect(page.get_by_role("region", name="Prompt text")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def press_twice(page: Page, name: str) -> None:
    """A button that asks a second time, both before it calms down again."""
    page.get_by_role("button", name=name, exact=True).dblclick()


def paste(page: Page, slot: int, text: str) -> None:
    """Pastes a text into an answer's field, as Ctrl V does."""
    box = page.get_by_label(f"Answer {slot}", exact=True)
    expect(box).to_be_visible()
    page.evaluate(PASTE, [f'[aria-label="Answer {slot}"]', text])


def by_hand(page: Page) -> None:
    """Chooses the mode for the cycle and opens the screen."""
    page.get_by_role("combobox", name="Model", exact=True).select_option("manual")
    page.get_by_role("button", name="Copy and paste…").click()
    expect(page.get_by_role("heading", name="Manual (copy and paste)")).to_be_visible()
