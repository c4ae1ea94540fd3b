"""No control without effect: every visible one of every screen is used, and something must come of it.

An effect is a change of the page (focus rings and hover do not count), of the address, of the place in view, of the clipboard, or a request to the panel. A control
that can do nothing just now must say so: disabled, or the present one of a choice.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.panel.rig import AnsweringProvider
from tests.real.windows import generate, opened, scripted, tab, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

CONTROLS = "button, a[href], input, select, textarea, summary, [role=tab], [role=checkbox], [role=row][tabindex], [role=option]"

WATCH = """
control => {
  window.effects = [];
  const note = what => window.effects.push(what);
  const idle = name => /^data-(focus|hover|press|react-aria|rac)/.test(name) || name === "tabindex" || name === "id";
  new MutationObserver(records => {
    for (const record of records) {
      if (record.type !== "attributes") note(record.type);
      else if (!idle(record.attributeName)) note("attribute " + record.attributeName);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  addEventListener("hashchange", () => note("address"));
  addEventListener("scroll", () => note("scroll"), { capture: true });
  addEventListener("focusin", event => { if (event.target !== control && !control.contains(event.target)) note("focus"); });
  const write = navigator.clipboard?.writeText?.bind(navigator.clipboard);
  if (write) navigator.clipboard.writeText = text => { note("clipboard"); return write(text); };
}
"""

DESCRIBE = """
([controls]) => [...document.querySelectorAll(controls)].map(each => {
  each.scrollIntoView({ block: "nearest" });
  const box = each.getBoundingClientRect();
  const style = getComputedStyle(each);
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  const isReached = top !== null && (each.contains(top) || [...(each.labels ?? [])].some(label => label.contains(top)));
  const isShown = isReached && style.visibility !== "hidden" && !each.closest("[inert], [aria-hidden=true]");
  const isIdle = each.disabled || each.closest("fieldset:disabled") !== null || each.readOnly
    || each.getAttribute("aria-disabled") === "true"
    || each.getAttribute("aria-current") !== null && each.getAttribute("aria-current") !== "false"
    || each.getAttribute("aria-selected") === "true" && each.getAttribute("role") === "tab"
    || each.getAttribute("aria-pressed") === "true" || each.getAttribute("role") === "radio" && each.ariaChecked === "true"
    || each.type === "radio" && each.checked;
  const label = each.getAttribute("aria-label") || each.labels?.[0]?.innerText || each.innerText || each.getAttribute("placeholder") || "";
  return { tag: each.tagName.toLowerCase(), type: each.type ?? "", label: label.trim().slice(0, 60), isShown, isIdle };
})
"""


def at_start(page: Page) -> None:
    """Before the first generation."""
    expect(page.get_by_role("button", name="Generate", exact=True)).to_be_visible()


def on_the_board(page: Page) -> None:
    """Ten responses have come."""
    at_start(page)
    board = page.get_by_role("tab", name="Board")
    expect(board.or_(page.locator(".first-steps"))).to_be_visible()
    if board.count() == 0:
        generate(page, 10)
    wait_for_end(page)
    page.get_by_role("tab", name="Board").click()


def at_a_response(page: Page) -> None:
    """One response in view."""
    on_the_board(page)
    tab(page, 1).click()
    expect(page.get_by_role("group", name="View")).to_be_visible()


def at_a_diff(page: Page) -> None:
    """Its diff."""
    at_a_response(page)
    page.get_by_role("button", name="Diff", exact=True).click()
    expect(page.locator(".cm-editor").first).to_be_visible()


def in_settings(page: Page) -> None:
    """The settings."""
    at_start(page)
    page.get_by_role("button", name="Settings", exact=True).or_(
        page.get_by_role("link", name="Settings", exact=True)
    ).click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def in_history(page: Page) -> None:
    """The history, with something in it."""
    on_the_board(page)
    page.get_by_role("button", name="History", exact=True).or_(
        page.get_by_role("link", name="History", exact=True)
    ).click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def in_help(page: Page) -> None:
    """The sheet of keys."""
    at_start(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def in_the_prompt(page: Page) -> None:
    """The prompt, before it is sent."""
    at_start(page)
    page.get_by_role("button", name="Preview prompt").click()
    expect(page.get_by_role("dialog")).to_be_visible()


SCREENS: dict[str, Callable[[Page], None]] = {
    "start": at_start,
    "board": on_the_board,
    "response": at_a_response,
    "diff": at_a_diff,
    "settings": in_settings,
    "history": in_history,
    "help": in_help,
    "prompt": in_the_prompt,
}


def use(page: Page, at: int, kind: str) -> None:
    """What a person does with a control of this kind."""
    control = page.locator(CONTROLS).nth(at)
    if kind in ("text", "search", "url", "password", "textarea"):
        control.press_sequentially("x")
    elif kind == "number":
        control.press("ArrowUp")
        control.press("ArrowDown")
    elif kind.startswith("select"):
        others = [
            option.get_attribute("value") for option in control.locator("option:not(:checked):not(:disabled)").all()
        ]
        if others:
            control.select_option(others[0])
    elif kind == "range":
        control.press("ArrowRight")
    elif kind == "file":
        control.set_input_files({"name": "x.json", "mimeType": "application/json", "buffer": b"{}"})
    else:
        control.click(timeout=5_000, force=True)  # its own label or mark may lie over it


def has_effect(page: Page, requests: list[str], before: str) -> bool:
    """Whether something comes of it, soon."""
    for _ in range(40):
        if page.evaluate("window.effects.length") or requests or page.url != before:
            return True
        page.wait_for_timeout(50)
    return False


def walk(page: Page, name: str, first: int, idle: list[str]) -> int | None:
    """Uses the controls from the `first` on, until one changes the workspace: the number of the next. None: that was the last."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.method))
    page.on("download", lambda download: requests.append("GET"))
    page.on("dialog", lambda dialog: dialog.accept())
    start, at = page.url, first
    while True:
        page.goto("about:blank")
        page.goto(start)
        SCREENS[name](page)
        page.wait_for_timeout(300)  # the page comes to rest
        found = page.evaluate(DESCRIBE, [CONTROLS])
        while at < len(found) and (not found[at]["isShown"] or found[at]["isIdle"]):
            at += 1
        if at >= len(found):
            return None
        each = found[at]
        control = page.locator(CONTROLS).nth(at)
        control.scroll_into_view_if_needed()
        page.wait_for_timeout(100)
        control.evaluate(WATCH)
        requests.clear()
        before = page.url
        use(page, at, each["type"] if each["tag"] == "input" else each["type"] or each["tag"])
        if not has_effect(page, requests, before):
            idle.append(f"{at}: {each['tag']} {each['label']!r}")
        page.wait_for_timeout(300)
        at += 1
        if any(method != "GET" for method in requests):
            return at


@pytest.mark.parametrize("name", SCREENS)
def test_every_control_does_something(browser: Browser, tmp_path: Path, name: str) -> None:
    """Each visible control that does not say it is idle changes the page, the address or the workspace."""
    idle: list[str] = []
    at: int | None = 0
    while at is not None:
        granted = ["clipboard-read", "clipboard-write"]
        with (
            scripted(tmp_path / f"from{at}", AnsweringProvider()) as workspace,
            opened(browser, workspace, permissions=granted) as page,
        ):
            at = walk(page, name, at, idle)
    assert not idle, f"controls of the screen {name} that do nothing: {idle}"
