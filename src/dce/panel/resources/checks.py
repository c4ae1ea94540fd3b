"""The project's checks: what is configured or proposed, consent to the commands, running them, and what they found.

What must always hold: consent is for the commands that were shown, so that nobody agrees to what a changed file put in their place;
no text that is not a valid `.dce/checks.toml` replaces one.
"""

import asyncio
import shlex

import msgspec

from dce.panel.checking import WORKSPACE, Publish
from dce.panel.resources.review import BoardView, board_view
from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.wire.errors import DceError, ErrorBody
from dce.workspace.events import ChecksProgress
from dce.workspace.judging import checks_file
from dce.workspace.judging.behaving import compare_behaviour
from dce.workspace.judging.check_report import CheckReport, CheckRun
from dce.workspace.judging.checking import check_responses, check_workspace, commands_to_run, required_checks
from dce.workspace.judging.checks_file import Check, ChecksFile, Stage
from dce.workspace.judging.command_consent import CommandConsents, Commands
from dce.workspace.judging.lanes.lane import Kind
from dce.workspace.judging.proposing import propose
from dce.workspace.judging.report_keys import Current, Stale
from dce.workspace.record.check_reports import ReportKey
from dce.workspace.schema.reading import Reading
from dce.workspace.workspace import Workspace

MAX_LISTED = 100
"""How many names of each kind the view of a generation lists for one check of a response; the view of the response has all."""


class CommandsView(msgspec.Struct, frozen=True, kw_only=True):
    """What running the checks would do. `digest` stands for these commands in this kind of lane; `probes`: what else runs, to compare
    behaviour; `containment`: what holds them."""

    digest: str
    commands: tuple[str, ...]
    probes: str
    lane: Kind
    containment: str
    is_agreed: bool


class CommandsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks what a text would run as .dce/checks.toml."""

    text: str


class CommandsConsent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The digest of the commands that were shown to the person who consents. `text`: of this text, not of the saved file."""

    digest: str
    text: str | None = None


class CheckLine(msgspec.Struct, frozen=True, kw_only=True):
    """A check, its command as one would type it. `why`: what a proposed one was seen by."""

    name: str
    stage: Stage
    command: str
    cwd: str
    timeout_s: float
    why: str = ""


class ChecksFileView(msgspec.Struct, frozen=True, kw_only=True):
    """`.dce/checks.toml`, or what is proposed for it.

    `text`: the file's; `problem`: why it cannot be used. `found` and `proposed`: the proposals, and the file that they would make. `report`:
    what the checks say of the workspace as it is, if that is known of its present state; `failure`: why the last attempt came to nothing.
    """

    path: str
    exists: bool
    text: str
    problem: str
    checks: tuple[CheckLine, ...]
    found: tuple[CheckLine, ...]
    proposed: str
    report: CheckReport | None
    failure: ErrorBody | None
    is_running: bool


class ChecksText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new text of `.dce/checks.toml`. `seen`: the text that was edited, "" if there was no file."""

    text: str
    seen: str


class WorkspaceOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Runs the checks on the workspace as it is: the saved ones, or those of `text`. `is_fresh`: also where nothing has changed."""

    text: str | None = None
    is_fresh: bool = False


class WorkspaceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks say of the workspace as it is; None if they were stopped."""

    report: CheckReport | None


class ResponseChecks(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks found on a version of a response; None if they have not run on it. `stale`: what has changed since."""

    slot: int
    version: int
    stale: Stale
    report: CheckReport | None


class ChecksView(msgspec.Struct, frozen=True, kw_only=True):
    """The checks of a generation. `base`: what they say of the workspace without any response; `failure`: why the last run came to nothing.

    Reports are without output, and list at most MAX_LISTED names of a kind. `progress` is None unless checks run.
    """

    generation: int
    is_checking: bool
    progress: ChecksProgress | None
    failure: ErrorBody | None
    base: CheckReport | None
    responses: tuple[ResponseChecks, ...]


async def show_commands(call: Call) -> CommandsView:
    """The commands that running the checks would run, and whether the user has agreed to them; nothing runs."""
    here = call.panel.workspace
    return await commands_view(here, await commands_to_run(here))


async def show_commands_of(call: Call) -> CommandsView:
    """As `show_commands`, for a text that is not saved."""
    query: CommandsQuery = call.body
    here = call.panel.workspace
    file = await asyncio.to_thread(checks_file.parse, here.project, query.text)
    return await commands_view(here, await commands_to_run(here, file))


async def agree_to_commands(call: Call) -> CommandsView:
    """Agrees to the commands that were shown; the workspace remembers it."""
    request: CommandsConsent = call.body
    here = call.panel.workspace
    file = await asyncio.to_thread(_file, here, request.text)
    commands = await commands_to_run(here, file)
    if request.digest != commands.digest:
        raise DceError(
            "conflict", "the commands in .dce/checks.toml, or where they run, have changed since they were shown"
        )
    await asyncio.to_thread(CommandConsents(here.store.meta).give, commands)
    return await commands_view(here, commands)


async def commands_view(here: Workspace, commands: Commands) -> CommandsView:
    """The commands as they are shown, and whether the user has agreed to them."""
    is_agreed = await asyncio.to_thread(CommandConsents(here.store.meta).covers, commands)
    return CommandsView(
        digest=commands.digest,
        commands=commands.commands,
        probes=commands.probes,
        lane=commands.lane,
        containment=commands.containment(),
        is_agreed=is_agreed,
    )


def _file(here: Workspace, text: str | None) -> ChecksFile | None:
    return None if text is None else checks_file.parse(here.project, text)


def show_file(call: Call) -> ChecksFileView:
    """The checks of the workspace, or proposals if it has none."""
    return _file_view(call.panel)


def save_file(call: Call) -> ChecksFileView:
    """Saves an edited or proposed text; nothing runs."""
    order: ChecksText = call.body
    checks_file.write_text(call.panel.workspace.project, order.text, order.seen)
    return _file_view(call.panel)


def _file_view(panel: PanelRuntime) -> ChecksFileView:
    here = panel.workspace
    text, problem, file = "", "", ChecksFile()
    is_there = (here.project.state_dir / checks_file.CHECKS_FILE).exists()
    try:
        text = checks_file.read_text(here.project) or ""
        file = checks_file.parse(here.project, text) if text else file
    except DceError as error:
        problem = error.message
    proposals = () if file.check or problem else propose(here.project)
    key = Current(here.project).key(Reading()) if file.check else ReportKey()
    base = here.store.base_reports.find(key.checks, key.base, CheckReport) if key.base else None
    return ChecksFileView(
        path=f"{here.project.state_dir.name}/{checks_file.CHECKS_FILE}",
        exists=is_there,
        text=text,
        problem=problem,
        checks=tuple(_line(check) for check in file.check),
        found=tuple(_line(proposal.check, proposal.why) for proposal in proposals),
        proposed=checks_file.text_of([proposal.check for proposal in proposals]) if proposals else "",
        report=None if base is None else _whole(base),
        failure=panel.checking.failure(WORKSPACE),
        is_running=WORKSPACE in panel.checking,
    )


def _line(check: Check, why: str = "") -> CheckLine:
    return CheckLine(
        name=check.name,
        stage=check.stage,
        command=shlex.join(check.command),
        cwd=check.cwd,
        timeout_s=check.timeout_s,
        why=why,
    )


async def check_as_it_is(call: Call) -> WorkspaceReport:
    """Runs the checks on the workspace as it is; responds when they are done. Raises consent_needed as `run_checks`."""
    order: WorkspaceOrder = call.body
    panel = call.panel
    file = await asyncio.to_thread(_file, panel.workspace, order.text)
    report = await panel.checking.run(
        WORKSPACE, lambda _: check_workspace(panel.workspace, is_fresh=order.is_fresh, file=file)
    )
    return WorkspaceReport(report=None if report is None else _whole(report))


async def stop_as_it_is(call: Call) -> ChecksFileView:
    """Stops the checks on the workspace as it is."""
    await call.panel.checking.stop(WORKSPACE)
    return await asyncio.to_thread(_file_view, call.panel)


async def run_checks(call: Call) -> BoardView:
    """Runs the project's checks on every response that has ended (`fresh`: also where nothing has changed), then compares how those that
    pass behave; responds when all is done.

    Raises consent_needed before the user has agreed to the commands.
    """
    return await _run(call, None)


async def run_checks_on_one(call: Call) -> BoardView:
    """As `run_checks`, on one response."""
    return await _run(call, call.path["slot"])


async def _run(call: Call, slot: int | None) -> BoardView:
    panel, generation = call.panel, call.path["generation"]
    is_fresh = call.query.get("fresh", "") == "yes"
    await asyncio.to_thread(_check_checkable, panel.workspace, generation)
    slots = None if slot is None else (slot,)

    async def judge(publish: Publish) -> None:
        await check_responses(panel.workspace, generation, slots, on_event=publish, is_fresh=is_fresh)
        if slots is None:
            await compare_behaviour(panel.workspace, generation, is_fresh=is_fresh)

    await panel.checking.run(generation, judge)
    return await asyncio.to_thread(board_view, panel, generation)


async def stop_checks(call: Call) -> BoardView:
    """Stops the checks of a generation; verdicts that are there stay."""
    panel, generation = call.panel, call.path["generation"]
    await panel.checking.stop(generation)
    return await asyncio.to_thread(board_view, panel, generation)


def show_checks(call: Call) -> ChecksView:
    """What the checks found on the responses of a generation, side by side."""
    panel, generation = call.panel, call.path["generation"]
    here = panel.workspace
    here.store.generations.get(generation)
    keyed = here.store.check_reports.keyed(generation, CheckReport)
    current = Current(here.project)
    found, base = [], None
    for response in here.responses(generation):
        report, key = keyed.get(response.slot, (None, ReportKey()))
        stale: Stale = ""
        if report is not None:
            stale = current.why_stale(key, here.reading(generation, response.slot))
            base = base or here.store.base_reports.find(key.checks, key.base, CheckReport)
        found.append(
            ResponseChecks(
                slot=response.slot,
                version=response.version,
                stale=stale,
                report=None if report is None else _short(report),
            )
        )
    return ChecksView(
        generation=generation,
        is_checking=generation in panel.checking,
        progress=panel.checking.progress(generation),
        failure=panel.checking.failure(generation),
        base=None if base is None else _short(base),
        responses=tuple(found),
    )


def show_response_checks(call: Call) -> ResponseChecks:
    """What the checks found on one response, with their output."""
    here, generation, slot = call.panel.workspace, call.path["generation"], call.path["slot"]
    response = here.store.responses.get(generation, slot)
    report, key = here.store.check_reports.keyed(generation, CheckReport).get(slot, (None, ReportKey()))
    stale: Stale = "" if report is None else Current(here.project).why_stale(key, here.reading(generation, slot))
    return ResponseChecks(slot=slot, version=response.version, stale=stale, report=report)


def _whole(report: CheckReport) -> CheckReport:
    """The report on the workspace, without the names of all its tests: there can be 50,000."""
    return msgspec.structs.replace(report, runs=tuple(msgspec.structs.replace(run, tests=()) for run in report.runs))


def _short(report: CheckReport) -> CheckReport:
    return msgspec.structs.replace(report, runs=tuple(_short_run(run) for run in report.runs))


def _short_run(run: CheckRun) -> CheckRun:
    return msgspec.structs.replace(
        run,
        output="",
        tests=(),
        failures=run.failures[:MAX_LISTED],
        newly_failing=run.newly_failing[:MAX_LISTED],
        newly_passing=run.newly_passing[:MAX_LISTED],
        missing=run.missing[:MAX_LISTED],
        flaky=run.flaky[:MAX_LISTED],
    )


def _check_checkable(here: Workspace, generation: int) -> None:
    here.store.generations.get(generation)
    required_checks(here.project)


_GENERATION = "/api/generations/{generation:int}"
_SLOT = _GENERATION + "/slots/{slot:int}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/checks", show_commands, gives=CommandsView),
    Route("POST", "/api/checks/commands", show_commands_of, takes=CommandsQuery, gives=CommandsView),
    Route("POST", "/api/checks/consent", agree_to_commands, takes=CommandsConsent, gives=CommandsView),
    Route("GET", "/api/checks/file", show_file, gives=ChecksFileView),
    Route("PUT", "/api/checks/file", save_file, takes=ChecksText, gives=ChecksFileView, changes=("checks",)),
    Route("POST", "/api/checks/workspace", check_as_it_is, takes=WorkspaceOrder, gives=WorkspaceReport),
    Route("POST", "/api/checks/workspace/stop", stop_as_it_is, gives=ChecksFileView),
    Route("GET", _GENERATION + "/checks", show_checks, gives=ChecksView),
    Route("POST", _GENERATION + "/checks", run_checks, gives=BoardView, query=("fresh",)),
    Route("POST", _GENERATION + "/checks/stop", stop_checks, gives=BoardView),
    Route("GET", _SLOT + "/checks", show_response_checks, gives=ResponseChecks),
    Route("POST", _SLOT + "/checks", run_checks_on_one, gives=BoardView, query=("fresh",)),
)
