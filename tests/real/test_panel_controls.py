"""No control without effect: every visible one of every screen is used, and something must come of it.

An effect is a change of the page (focus rings and hover do not count), of the address, of the place in view, of the clipboard, or a request to the panel. A control
that can do nothing just now must say so: disabled, or the present one of a choice.
"""

import msgspec
import pytest
from playwright.sync_api import Browser, Page

from tests.real.screens import ADDRESSED, DIALOGS, SCREENS, Stages, visit
from tests.real.walk import Traffic, Walk
from tests.real.walk_scripts import REST
from tests.real.windows import AXE, CODE_THEMES, NARROW, THEMES, WIDE, examine_in

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


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


@pytest.mark.parametrize("name", DIALOGS)
def test_every_dialog_is_accessible(stages: Stages, name: str) -> None:
    """axe finds nothing on any dialog in any theme, wide or narrow."""
    screen = SCREENS[name]
    with stages.window(screen.stage, bypass_csp=True) as page:
        visit(page, screen)
        page.add_script_tag(path=AXE)
        for width, size in (("wide", WIDE), ("narrow", NARROW)):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.evaluate(REST)
            examine_in(page, (*THEMES, *CODE_THEMES), f"dialog-{name}", width)


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
