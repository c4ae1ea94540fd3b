"""Every screen and dialog of the panel: the workspace that it needs, its address, and how to get there.

A workspace is prepared once and copied for each visit, so that no test sees what another did.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from playwright.sync_api import Browser, Page, expect

from dce.cli.panel import panel_tools
from dce.workspace.project import Project
from dce.workspace.settings import Settings, load_settings
from dce.workspace.workspace import Workspace
from tests.panel.rig import STUB, AnsweringProvider, Line, make_workspace
from tests.real.windows import NARROW, entered, generate, opened, tab, wait_for_end

SCRIPT = (Line(content=STUB.replace("Small", "Little")), Line(), Line(finish="length"), Line(content=None))
"""Four responses: another first line, what was asked for, a cut one, one in no known form."""

SECRET = 'API_TOKEN = "ghp_' + "a8Kd93jfLq02mZx7Vb5Tn1Ry6Wc4Ue0Hs2Gp" + '"\n'
CARD = '[cards.far]\nprovider = "openai"\nurl = "https://llm.example.org/v1"\nmodel = "big"\n'


def script() -> AnsweringProvider:
    """The four responses, at once."""
    return AnsweringProvider(SCRIPT)


class Stages:
    """Workspaces in a folder, by name. Each is prepared when it is first asked for."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._kept, self._used = folder / "kept", folder / "used"

    @contextmanager
    def window(self, name: str, **options: Any) -> Iterator[Page]:
        """A window over a fresh copy of the workspace, with the session's cookie: it is sent to a screen by `visit`."""
        if not (self._kept / name).exists():
            self._prepare(name)
        shutil.rmtree(self._used, ignore_errors=True)
        shutil.copytree(self._kept / name, self._used)
        with (
            self._workspace(self._used) as workspace,
            entered(self._browser, workspace, tools=panel_tools(workspace.project), **options) as (page, server),
        ):
            page.context.request.get(server.url)  # a cookie as by the link, without a page that nobody looks at
            yield page

    @staticmethod
    def _workspace(folder: Path) -> Workspace:
        """By its own settings, without this machine's, but answered by the script."""
        project = Project.init(folder)

        def settings_of(card: str) -> Settings:
            return load_settings(project, {"DCE_KEYRING": "0"}, card=card)

        return Workspace.open(project, settings_of(""), provider=script(), settings_of=settings_of)

    def _prepare(self, name: str) -> None:
        folder = self._kept / f"{name}.part"
        shutil.rmtree(folder, ignore_errors=True)
        STAGES[name](self, folder)
        folder.rename(self._kept / name)

    def new(self, folder: Path) -> None:
        """A project with one file, and nothing said yet."""
        folder.mkdir(parents=True)
        Project.init(folder)
        (folder / "words.py").write_text(STUB, encoding="utf-8")

    def fresh(self, folder: Path) -> None:
        """Before the first generation."""
        make_workspace(folder).close()

    def answered(self, folder: Path) -> None:
        """Four responses have come."""
        self.fresh(folder)
        with self._workspace(folder) as workspace, opened(self._browser, workspace) as page:
            generate(page, len(SCRIPT))
            wait_for_end(page)

    def unchecked(self, folder: Path) -> None:
        """There are no checks yet."""
        self.fresh(folder)
        (folder / ".dce" / "checks.toml").unlink()

    def recorded(self, folder: Path) -> None:
        """A response has a second version, and another is accepted."""
        self.answered(folder)
        with self._workspace(folder) as workspace, opened(self._browser, workspace) as page:
            page.get_by_role("button", name="Regenerate response 4", exact=True).click()
            page.get_by_role("button", name="Sure? Regenerate response 4").click()
            expect(page.locator(".board")).not_to_contain_text("no files found")
            wait_for_end(page)
            tab(page, 2).click()
            page.get_by_role("button", name="Accept 1 file…").click()
            page.get_by_role("button", name="Write 1 file").click()
            expect(page.get_by_text("is in the workspace.")).to_be_visible()

    def edited(self, folder: Path) -> None:
        """A file that responses change was edited since."""
        self.answered(folder)
        (folder / "words.py").write_text(STUB.replace("Small", "My"), encoding="utf-8")

    def remote(self, folder: Path) -> None:
        """The gateway is on another host that has not been agreed to, and a chosen file holds a secret."""
        self.fresh(folder)
        (folder / "words.py").write_text(SECRET, encoding="utf-8")
        (folder / ".dce" / "config.toml").write_text('url = "https://gateway.example.org"\n', encoding="utf-8")

    def carded(self, folder: Path) -> None:
        """With a model card."""
        self.fresh(folder)
        (folder / ".dce" / "config.toml").write_text(CARD, encoding="utf-8")


STAGES: dict[str, Callable[[Stages, Path], None]] = {
    each.__name__: each
    for each in (
        Stages.new,
        Stages.fresh,
        Stages.answered,
        Stages.recorded,
        Stages.edited,
        Stages.remote,
        Stages.carded,
        Stages.unchecked,
    )
}


Step = Callable[[Page], None]


def shows(role: Any, name: str) -> Step:
    """The screen is there once this is."""

    def there(page: Page) -> None:
        expect(page.get_by_role(role, name=name, exact=True).first).to_be_visible()

    return there


def edit_words(page: Page) -> None:
    """Summary, plan and activity, to be put right."""
    page.get_by_role("button", name="Edit summary").click()
    expect(page.get_by_role("textbox", name="Summary", exact=True)).to_be_focused()


def diff_shown(page: Page) -> None:
    """Its editor is loaded when it is first wanted."""
    expect(page.locator(".cm-editor").first).to_be_visible()


def parts_shown(page: Page) -> None:
    """The parts that can be picked."""
    expect(page.get_by_label("words.py", exact=False).get_by_role("checkbox").first).to_be_visible()


def press(name: str) -> Step:
    """A dialog opens by this button."""

    def act(page: Page) -> None:
        page.get_by_role("button", name=name, exact=True).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()

    return act


def board_view(name: str) -> Step:
    """One of the board's views."""

    def act(page: Page) -> None:
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")

    return act


def open_keys(page: Page) -> None:
    """By its key."""
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def open_findings(page: Page) -> None:
    """The prompt's secrets."""
    page.get_by_role("button", name="Secrets (1)").click()
    expect(page.get_by_text("words.py, line 1")).to_be_visible()


def open_gate(page: Page) -> None:
    """Generate asks first."""
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.get_by_role("dialog", name="Before this is sent")).to_contain_text("words.py:1")


def pick(page: Page) -> None:
    """A file into the plan."""
    page.get_by_label("words.py", exact=False).get_by_role("checkbox").first.check()
    expect(page.get_by_text("Plan: 1 file")).to_be_visible()


def open_plan(page: Page) -> None:
    """The file was edited since: both sides are shown."""
    pick(page)
    page.get_by_role("button", name="Review and apply…").click()
    expect(page.get_by_text("choose one")).to_be_visible()
    expect(page.get_by_role("dialog").locator(".cm-editor")).to_be_visible()


def find_fault(page: Page) -> None:
    """Test, where nothing is."""
    page.get_by_label("Server URL").fill("http://127.0.0.1:9")
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.locator(".verdict")).to_contain_text("is at fault")


def copy(page: Page) -> None:
    """What can be said of the prompt is then shown."""
    page.get_by_role("button", name="Copy the prompt").click()
    expect(page.get_by_text("Copied: ").or_(page.get_by_label("Prompt to copy"))).to_be_visible()


class Screen(msgspec.Struct, frozen=True):
    """Where it is, when it is there, what is its own of the page (the rest is another screen's), and what is done to see it."""

    stage: str
    address: str
    there: Step
    own: str = "main"
    act: Step | None = None
    size: Any = None


GENERATE, RECORD = shows("button", "Generate"), shows("button", "Delete this cycle")
BOARD, ACCEPT = shows("button", "Similarity"), shows("button", "Accept 1 file…")
PROMPT = shows("region", "Prompt text")
PANEL, DIALOG = "main [role=tabpanel]", "[role=dialog]"
SCREENS: dict[str, Screen] = {
    "new": Screen("new", "#c0", shows("heading", "Start here"), "main, .steps"),
    "start": Screen("fresh", "#c1", GENERATE, "body"),
    "start-narrow": Screen("fresh", "#c1", GENERATE, size=NARROW),
    "board": Screen("recorded", "#c1/g1", BOARD, ".responses, .steps"),
    "folded": Screen("recorded", "#c1/g1", BOARD, ".cycle"),
    "board-narrow": Screen("recorded", "#c1/g1", BOARD, ".responses", size=NARROW),
    "response": Screen("answered", "#c1/g1/r2", ACCEPT, PANEL),
    "words": Screen("answered", "#c1/g1/r2", ACCEPT, PANEL, edit_words),
    "cut": Screen("answered", "#c1/g1/r3", shows("group", "View"), PANEL),
    "unreadable": Screen("answered", "#c1/g1/r4", shows("button", "Show the raw text"), PANEL),
    "raw": Screen("answered", "#c1/g1/r2/raw", shows("button", "Fix answer"), PANEL),
    "diff": Screen("answered", "#c1/g1/r2/diff", diff_shown, PANEL),
    "response-checks": Screen("answered", "#c1/g1/r2/checks", shows("group", "View"), PANEL),
    "board-checks": Screen("answered", "#c1/g1", BOARD, PANEL, board_view("Checks")),
    "behaviour": Screen("answered", "#c1/g1", BOARD, PANEL, board_view("Behaviour")),
    "pick": Screen("answered", "#c1/g1/r2/pick", parts_shown, f"{PANEL}, .plan-bar", pick),
    "settings": Screen("carded", "#c1!settings", shows("button", "New card"), "main, .top"),
    "doctor": Screen("carded", "#c1!settings", shows("button", "New card"), "main section:first-of-type", find_fault),
    "card-new": Screen("carded", "#c1!settings/new", shows("heading", "New card")),
    "card": Screen("carded", "#c1!settings/card/far", shows("heading", "Edit the card far")),
    "history": Screen("recorded", "#c1/g1!history", shows("list", "Cycles")),
    "found": Screen("recorded", "#c1/g1!history/find/words", shows("list", "Search cycles and responses")),
    "record": Screen("recorded", "#c1/g1!history/1", RECORD),
    "version": Screen("recorded", "#c1/g1!history/1/1/4/1", shows("region", "Response text")),
    "checks": Screen("answered", "#c1!checks", shows("heading", "Commands")),
    "proposals": Screen("unchecked", "#c1!checks", shows("button", "Use these checks")),
    "manual": Screen("fresh", "#c1!manual", shows("button", "Copy the prompt"), "main", copy),
    "manual-answer": Screen("answered", "#c1/g1!manual/slot/2", shows("button", "Open the board")),
    "help": Screen("fresh", "#c1", GENERATE, DIALOG, open_keys),
    "prompt": Screen("fresh", "#c1!prompt", PROMPT, DIALOG),
    "findings": Screen("remote", "#c1!prompt", PROMPT, DIALOG, open_findings),
    "gate": Screen("remote", "#c1", GENERATE, DIALOG, open_gate),
    "plan": Screen("edited", "#c1/g1/r1/pick", parts_shown, DIALOG, open_plan),
    "accept": Screen("answered", "#c1/g1/r2", ACCEPT, DIALOG, press("Accept 1 file…")),
    "restore": Screen("recorded", "#c1/g1", BOARD, DIALOG, press("Restore…")),
    "delete": Screen("recorded", "#c1/g1!history/1", RECORD, DIALOG, press("Delete this cycle")),
    "finder": Screen("fresh", "#c1", GENERATE, DIALOG, press("Add files from git or a trace")),
}
DIALOGS = [name for name, screen in SCREENS.items() if screen.own == DIALOG]
ADDRESSED = [name for name, screen in SCREENS.items() if screen.act is None]


def visit(page: Page, screen: Screen) -> None:
    """Comes to the screen by its address, and does what shows it."""
    if screen.size:
        page.set_viewport_size(screen.size)
    page.goto("/icon.svg")  # of the panel, and not its page
    page.evaluate("sessionStorage.clear()")  # what an earlier visit left half written
    address = f"/{screen.address}"
    if "!" in screen.address:
        page.goto(address)
    else:
        with page.expect_response(
            lambda response: response.url.endswith("/prompt?text=no")
        ):  # the meter's, which is late
            page.goto(address)
    expect(page.get_by_text("Live", exact=True)).to_be_attached()
    screen.there(page)
    if screen.act is not None:
        screen.act(page)
