"""No control without effect: every visible one of every screen is used, and something must come of it.

An effect is a change of the page (focus rings and hover do not count), of the address, of the place in view, of the clipboard, or a request to the panel. A control
that can do nothing just now must say so: disabled, or the present one of a choice.
"""

import re
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, Request

from tests.real.screens import ADDRESSED, DIALOGS, SCREENS, Screen, Stages, visit
from tests.real.windows import AXE, NARROW, WIDE, examine, wear

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

CONTROLS = (
    "button, a[href], input, select, textarea, summary,"
    "[role=tab], [role=treeitem], [role=checkbox], [role=row][tabindex], [role=option]"
)
TYPED = ("text", "search", "url", "password", "number", "textarea", "range", "file")
"""What may reach the workspace some time after it is used."""

REST = """
() => new Promise(resolve => {
  let since = performance.now();
  const watch = new MutationObserver(() => { since = performance.now(); });
  watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  const look = () => {
    if (performance.now() - since < 60) return requestAnimationFrame(look);
    watch.disconnect();
    resolve();
  };
  requestAnimationFrame(look);
})
"""

FRAMES = "() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))"

WATCH = """
control => {
  window.effects = [];
  const note = what => window.effects.push(what);
  const idle = name => /^data-(focus|hover|press|react-aria|rac)/.test(name) || name === "tabindex" || name === "id";
  new MutationObserver(records => {
    for (const record of records) {
      if (record.type !== "attributes") note(record.type);
      else if (!idle(record.attributeName) && record.target.getAttribute(record.attributeName) !== record.oldValue)
        note("attribute " + record.attributeName);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeOldValue: true });
  addEventListener("hashchange", () => note("address"));
  addEventListener("scroll", () => note("scroll"), { capture: true });
  addEventListener("focusin", event => { if (event.target !== control && !control.contains(event.target)) note("focus"); });
  const write = navigator.clipboard?.writeText?.bind(navigator.clipboard);
  if (write) navigator.clipboard.writeText = text => { note("clipboard"); return write(text); };
}
"""

DESCRIBE = """
([controls, own]) => [...document.querySelectorAll(controls)].map((each, index) => {
  each.scrollIntoView({ block: "nearest" });
  const box = each.getBoundingClientRect();
  const style = getComputedStyle(each);
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  const isReached = top !== null && (each.contains(top) || [...(each.labels ?? [])].some(label => label.contains(top)));
  const isShown = isReached && style.visibility !== "hidden" && !each.closest("[inert], [aria-hidden=true]");
  const isOwn = each.closest(own) !== null;
  const isIdle = each.disabled || each.closest("fieldset:disabled") !== null || each.readOnly
    || each.getAttribute("aria-disabled") === "true"
    || each.getAttribute("aria-current") !== null && each.getAttribute("aria-current") !== "false"
    || each.getAttribute("aria-selected") === "true" && each.getAttribute("role") === "tab"
    || each.getAttribute("aria-pressed") === "true" || each.getAttribute("role") === "radio" && each.ariaChecked === "true"
    || each.type === "radio" && each.checked;
  const label = each.getAttribute("aria-label") || each.labels?.[0]?.innerText || each.innerText || each.getAttribute("placeholder") || "";
  return { tag: each.tagName.toLowerCase(), type: each.type ?? "", label: label.trim().slice(0, 60), index, isShown, isIdle, isOwn };
}).filter(each => each.isOwn)
"""


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


class Traffic:
    """The requests of a window that are not the event stream."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._open: set[Request] = set()
        self.methods: list[str] = []
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)
        page.on("domcontentloaded", lambda _: self._open.clear())
        page.on("download", lambda _: self.methods.append("GET"))

    def _begin(self, request: Request) -> None:
        if "/api/events" not in request.url:
            self._open.add(request)
            self.methods.append(request.method)

    def _end(self, request: Request) -> None:
        self._open.discard(request)

    def rest(self) -> None:
        """Waits until nothing is asked for and the page stays as it is; the test's own limit ends a wait for nothing."""
        self._page.evaluate(REST)
        while self._open:
            self._page.wait_for_timeout(20)  # lets Playwright tell what happened
            if not self._open:
                self._page.evaluate(REST)


def has_effect(page: Page, traffic: Traffic, before: str) -> bool:
    """Whether something comes of it. Only a control that does nothing waits for long."""
    for _ in range(200):
        if (
            traffic.methods
            or page.url != before
            or page.evaluate("window.effects === undefined || window.effects.length")
        ):
            return True
        page.wait_for_timeout(50)
    return False


def kind_of(control: dict[str, Any]) -> str:
    """How it is used."""
    return str(control["type"] if control["tag"] == "input" else control["type"] or control["tag"])


def names_of(controls: list[dict[str, Any]]) -> list[str]:
    """What tells the controls of a screen from each other; times pass, so that digits do not."""
    return [f"{each['tag']} {re.sub('[0-9]+', '#', each['label'])}" for each in controls]


def listed(page: Page, traffic: Traffic, screen: Screen, known: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The screen's controls once the page is at rest. None: they are not the known ones, and do not become so."""
    visit(page, screen)
    for _ in range(20):
        traffic.rest()
        found: list[dict[str, Any]] = page.evaluate(DESCRIBE, [CONTROLS, screen.own])
        if not known or names_of(found) == names_of(known):
            return found
        page.wait_for_timeout(50)
    return None


class Walk:
    """Through the controls of one screen, over as many copies of its workspace as they change."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._known: list[dict[str, Any]] = []
        self._at = 0
        self.used = 0
        self.idle: list[str] = []
        self.is_over = False

    def go(self, page: Page) -> None:
        """Uses the next controls, until one changes the workspace or what the browser keeps."""
        traffic = Traffic(page)
        page.on("dialog", lambda dialog: dialog.accept())
        is_fresh = True
        while True:
            found = listed(page, traffic, self._screen, self._known)
            if found is None:
                assert not is_fresh, f"the screen is not as it was: {names_of(self._known)}"
                return
            self._known = self._known or found
            while self._at < len(found) and (not found[self._at]["isShown"] or found[self._at]["isIdle"]):
                self._at += 1
            if self._at >= len(found):
                self.is_over = True
                return
            is_fresh = False
            if self._use(page, traffic, found[self._at]):
                return

    def _use(self, page: Page, traffic: Traffic, control: dict[str, Any]) -> bool:
        """Uses the control. True: the workspace may have changed."""
        place = page.locator(CONTROLS).nth(control["index"])
        place.evaluate("control => control.scrollIntoView({ block: 'center' })")  # from under what stays on top
        page.evaluate(FRAMES)  # a scroll is told of in the next one
        place.evaluate(WATCH)
        traffic.methods.clear()
        before, kind = page.url, kind_of(control)
        use(page, control["index"], kind)
        if not has_effect(page, traffic, before):
            self.idle.append(f"{self._at}: {control['tag']} {control['label']!r}")
        if kind not in TYPED:
            traffic.rest()
        self._at += 1
        self.used += 1
        return kind in TYPED or any(method != "GET" for method in traffic.methods)


@pytest.fixture(scope="module")
def stages(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    return Stages(browser, tmp_path_factory.mktemp("stages"))


@pytest.mark.parametrize("name", SCREENS)
def test_every_control_does_something(stages: Stages, name: str) -> None:
    """Each visible control that does not say it is idle changes the page, the address or the workspace."""
    screen = SCREENS[name]
    walk = Walk(screen)
    while not walk.is_over:
        with stages.window(screen.stage, permissions=["clipboard-read", "clipboard-write"]) as page:
            walk.go(page)
    assert walk.used > 0
    assert not walk.idle, f"controls of the screen {name} that do nothing: {walk.idle}"


def add_dead_button(page: Page) -> None:
    """A button that nothing listens to."""
    page.evaluate(
        "document.querySelector('main').prepend("
        "Object.assign(document.createElement('button'), { textContent: 'Dead', id: 'dead' }))"
    )


def test_a_control_without_effect_is_found(stages: Stages) -> None:
    """The walk says which control it is, and that of no other."""
    screen = msgspec.structs.replace(SCREENS["start"], own="#dead, .top button", act=add_dead_button)
    walk = Walk(screen)
    while not walk.is_over:
        with stages.window(screen.stage) as page:
            walk.go(page)
    assert len(walk.idle) == 1
    assert "'Dead'" in walk.idle[0]


@pytest.mark.parametrize("theme", ["light", "dark", "contrast", "code-light", "code-dark"])
@pytest.mark.parametrize("name", DIALOGS)
def test_every_dialog_is_accessible(stages: Stages, name: str, theme: str) -> None:
    """axe finds nothing on any dialog in any light, wide or narrow."""
    screen = SCREENS[name]
    with stages.window(screen.stage, bypass_csp=True) as page:
        visit(page, screen)
        wear(page, theme)
        page.add_script_tag(path=AXE)
        for width, size in (("wide", WIDE), ("narrow", NARROW)):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.evaluate(REST)
            examine(page, f"dialog-{name}-{theme}-{width}")


SHOWN = """
() => [...document.querySelectorAll("main, [role=dialog]")].map(each => [
  each.innerText,
  ...[...each.querySelectorAll("input, select, textarea, [aria-selected], [aria-pressed], [aria-expanded], [aria-current]")].map(
    one => [one.value, one.checked, one.ariaSelected, one.ariaPressed, one.ariaExpanded, one.getAttribute("aria-current")].join(" ")
  ),
])
"""


@pytest.mark.parametrize("name", ADDRESSED)
def test_a_reload_shows_the_same(stages: Stages, name: str) -> None:
    """The address says where a window is: reloaded there, every screen says the same in every word, field and choice."""
    screen = SCREENS[name]
    with stages.window(screen.stage) as page:
        traffic = Traffic(page)
        visit(page, screen)
        traffic.rest()
        before, address = page.evaluate(SHOWN), page.url
        page.reload()
        screen.there(page)
        for _ in range(200):  # the meter comes late
            if page.evaluate(SHOWN) == before:
                break
            page.wait_for_timeout(50)
        assert page.evaluate(SHOWN) == before
        assert page.url == address
