"""A walk through the controls of one screen: each is used from the screen as it is first seen, and what comes of it is watched.

Loading a page takes seconds, taking most effects back a moment. So after each control the walk undoes what it did (presses a toggle again,
closes a dialog, goes back, puts a field's text back) and goes on in the same page, but only if that then is what it was in every element,
attribute, text, value, focus, scroll position and stored item; else the page is loaded again, or the workspace copied anew.
"""

import re
from typing import Any, Literal

from playwright.sync_api import Locator, Page, Request

from tests.real.screens import Screen, visit
from tests.real.walk_scripts import DESCRIBE, FRAMES, REMEMBER, REST, WATCH

CONTROLS = (
    "button, a[href], input, select, textarea, summary,"
    "[role=tab], [role=treeitem], [role=checkbox], [role=row][tabindex], [role=option]"
)
WRITTEN = ("text", "search", "url", "password", "textarea")
TYPED = (*WRITTEN, "number", "range", "file")
"""What may reach the workspace some time after it is used."""

After = Literal["same", "page", "workspace"]
"""What there has to be before the next control: nothing, a fresh page, a fresh workspace."""


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

    @property
    def has_written(self) -> bool:
        """Whether the workspace may have changed."""
        return any(method != "GET" for method in self.methods)

    @property
    def has_only_put(self) -> bool:
        """Whether choosing again what was chosen before puts the workspace back: a mark, a rating, a selected file."""
        return set(self.methods) <= {"GET", "PUT"}

    def rest(self) -> None:
        """Waits until nothing is asked for and the page stays as it is; the test's own limit ends a wait for nothing."""
        self._page.evaluate(REST)
        while self._open:
            self._page.wait_for_timeout(20)  # lets Playwright tell what happened
            if not self._open:
                self._page.evaluate(REST)


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
        after: After = "page"
        is_fresh = True
        while after != "workspace":
            found = listed(page, traffic, self._screen, self._known, is_loaded=after == "same")
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
            after = self._use(page, traffic, found[self._at])

    def _use(self, page: Page, traffic: Traffic, control: dict[str, Any]) -> After:
        """Uses the control, and takes that back where it can."""
        place = page.locator(CONTROLS).nth(control["index"])
        place.evaluate("control => control.scrollIntoView({ block: 'center' })")  # from under what stays on top
        page.evaluate(FRAMES)  # a scroll is told of in the next one
        value = page.evaluate(REMEMBER, [CONTROLS, control["index"]])
        place.evaluate(WATCH)
        traffic.methods.clear()
        before, kind = page.url, kind_of(control)
        use(page, place, kind)
        if not has_effect(page, traffic, before):
            self.idle.append(f"{self._at}: {control['tag']} {control['label']!r}")
        self._at += 1
        self.used += 1
        if kind not in TYPED:
            traffic.rest()
        if is_undone(page, traffic, place, kind, value):
            return "same"
        return "workspace" if kind in TYPED or traffic.has_written else "page"


def kind_of(control: dict[str, Any]) -> str:
    """How it is used."""
    return str(control["type"] if control["tag"] == "input" else control["type"] or control["tag"])


def names_of(controls: list[dict[str, Any]]) -> list[str]:
    """What tells the controls of a screen from each other; times pass, so that digits do not."""
    return [f"{each['tag']} {re.sub('[0-9]+', '#', each['label'])}" for each in controls]


def listed(
    page: Page, traffic: Traffic, screen: Screen, known: list[dict[str, Any]], *, is_loaded: bool
) -> list[dict[str, Any]] | None:
    """The screen's controls once the page is at rest. None: they are not the known ones, and do not become so."""
    if not is_loaded:
        visit(page, screen)
    for _ in range(20):
        traffic.rest()
        found: list[dict[str, Any]] = page.evaluate(DESCRIBE, [CONTROLS, screen.own])
        if not known or names_of(found) == names_of(known):
            return found
        page.wait_for_timeout(50)
    return None


def use(page: Page, control: Locator, kind: str) -> None:
    """What a person does with a control of this kind."""
    if kind in WRITTEN:
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


def is_undone(page: Page, traffic: Traffic, control: Locator, kind: str, value: str) -> bool:
    """Takes a control's effect back, and says whether the page is as it was before."""
    for _ in range(3):
        if page.evaluate("window.wayBack === undefined"):  # another page
            return False
        way, index = page.evaluate("window.wayBack()")
        is_choice = way == "press" or (way == "value" and kind.startswith("select"))
        if traffic.has_written and not (is_choice and traffic.has_only_put):
            return False
        if way == "back":
            page.go_back()
        elif way == "escape":
            page.keyboard.press("Escape")
        elif way == "press":
            page.locator(CONTROLS).nth(index).click(timeout=5_000, force=True)
        elif way == "value" and kind.startswith("select"):
            control.select_option(value)
        elif way == "value" and kind in (*WRITTEN, "number"):
            control.fill(value)
        page.mouse.move(0, 0)
        traffic.rest()
        if is_as_before(page, traffic, tries=LATE_TRIES if way == "back" or is_choice else 1):
            return True
        if not way:
            return False
    return False


LATE_TRIES = 8
"""How often the page is looked at after what it shows was asked for again: a prompt's cost comes late."""


def is_as_before(page: Page, traffic: Traffic, tries: int) -> bool:
    """Whether the page comes to be what it was, and stays so when the focus has moved back."""
    for left in reversed(range(tries)):
        if page.evaluate("window.isAsBefore?.() ?? false"):
            before = len(traffic.methods)
            traffic.rest()  # what the focus does as it moves back
            if len(traffic.methods) == before and page.evaluate("window.isAsBefore?.() ?? false"):
                return True
        if left:
            page.wait_for_timeout(100)
    return False
