"""Judging the responses of a generation: the board, the project's checks, agreement, a person's judgement, diffs, the base of the next cycle.

What must always hold: consent is for the commands that were shown, so that nobody agrees to what a changed file put in their place.
"""

import asyncio
from typing import Literal

import msgspec

from dce.panel.resources.cycles import CycleView, cycle_view
from dce.panel.resources.responses import check_latest
from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.wire.errors import DceError
from dce.workspace.judging.agreement import Agreement, agreement
from dce.workspace.judging.behaving import commands_to_compare, compare_behaviour, find_comparison
from dce.workspace.judging.behaviour_report import BehaviourReport
from dce.workspace.judging.board import BoardRow, board
from dce.workspace.judging.checking import check_responses, commands_to_run, required_checks
from dce.workspace.judging.command_consent import CommandConsents, Commands
from dce.workspace.judging.lanes.lane import Kind
from dce.workspace.record.judgements import Judgement, JudgementChange, Mark
from dce.workspace.schema.reading import Action, FileBlock
from dce.workspace.tree.current import look
from dce.workspace.workspace import Workspace


class BoardView(msgspec.Struct, frozen=True, kw_only=True):
    """The ranked table. `judgements`: a person's judgements of some of the responses."""

    generation: int
    rows: tuple[BoardRow, ...]
    judgements: tuple[Judgement, ...]
    is_checking: bool


class CommandsView(msgspec.Struct, frozen=True, kw_only=True):
    """What running the checks would do. `digest` stands for these commands in this kind of lane; `probes`: what else runs, to compare
    behaviour; `containment`: what holds them."""

    digest: str
    commands: tuple[str, ...]
    probes: str
    lane: Kind
    containment: str
    is_agreed: bool


class CommandsConsent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The digest of the commands that were shown to the person who consents."""

    digest: str


class JudgementRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes a person's judgement of a response; a part that is absent or null stays as it is. `version`: the version that was judged; if
    the response has a newer one, that is a conflict."""

    version: int
    mark: Mark | None = None
    rating: int | None = None
    note: str | None = None


class BaseRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the next cycle starts from this response."""

    is_base: bool


class DiffView(msgspec.Struct, frozen=True, kw_only=True):
    """Two texts of one file; None: that side has no such file. `before_kind` and `before_slot` say where `before` is from.

    `action`: what the response does to the file, as in `FileBlock`; `from_path`: its name until then, if it is renamed.
    """

    path: str
    before: str | None
    after: str | None
    before_kind: Literal["workspace", "prompt", "response"]
    before_slot: int
    after_slot: int
    action: Action
    from_path: str


def show_board(call: Call) -> BoardView:
    """The ranked table of a generation."""
    return _board_view(call.panel, call.path["generation"])


def _board_view(panel: PanelRuntime, generation: int) -> BoardView:
    return BoardView(
        generation=generation,
        rows=tuple(board(panel.workspace, generation)),
        judgements=panel.workspace.store.judgements.latest(generation),
        is_checking=generation in panel.checking,
    )


class BehaviourView(msgspec.Struct, frozen=True, kw_only=True):
    """How the responses of a generation behave, compared. `report`: None until they are. `why_stale`: what has changed since, in words;
    "" if nothing has."""

    generation: int
    report: BehaviourReport | None
    why_stale: str
    is_running: bool


def show_behaviour(call: Call) -> BehaviourView:
    """How the responses behave, compared: classes, one sentence, and the probes on which they differ."""
    return _behaviour_view(call.panel, call.path["generation"])


def _behaviour_view(panel: PanelRuntime, generation: int) -> BehaviourView:
    found = find_comparison(panel.workspace, generation)
    return BehaviourView(
        generation=generation,
        report=found.report if found else None,
        why_stale=found.why_stale if found else "",
        is_running=generation in panel.checking,
    )


async def compare(call: Call) -> BehaviourView:
    """Compares how the responses behave that pass the checks; without checks, all that could be read. Responds when it is done.

    Raises consent_needed before the user has agreed to what runs.
    """
    panel, generation = call.panel, call.path["generation"]
    if generation in panel.checking:
        raise DceError("conflict", f"the checks of generation {generation} are already running")
    panel.checking.add(generation)
    panel.notify("checks")
    try:
        await compare_behaviour(panel.workspace, generation)
    finally:
        panel.checking.discard(generation)
        panel.notify("checks")
    return await asyncio.to_thread(_behaviour_view, panel, generation)


async def show_commands_to_compare(call: Call) -> CommandsView:
    """What comparing behaviour would run, checks or not, and whether the user has agreed to it; nothing runs."""
    return await _commands_view(call.panel.workspace, await commands_to_compare(call.panel.workspace))


async def show_commands(call: Call) -> CommandsView:
    """The commands that running the checks would run, and whether the user has agreed to them; nothing runs."""
    return await _commands_view(call.panel.workspace, await commands_to_run(call.panel.workspace))


async def agree_to_commands(call: Call) -> CommandsView:
    """Agrees to the commands that were shown; the workspace remembers it."""
    request: CommandsConsent = call.body
    here = call.panel.workspace
    commands = await commands_to_compare(here)
    if request.digest != commands.digest:
        raise DceError(
            "conflict", "the commands in .dce/checks.toml, or where they run, have changed since they were shown"
        )
    await asyncio.to_thread(CommandConsents(here.store.meta).give, commands)
    return await _commands_view(here, commands)


async def _commands_view(here: Workspace, commands: Commands) -> CommandsView:
    is_agreed = await asyncio.to_thread(CommandConsents(here.store.meta).covers, commands)
    return CommandsView(
        digest=commands.digest,
        commands=commands.commands,
        probes=commands.probes,
        lane=commands.lane,
        containment=commands.containment(),
        is_agreed=is_agreed,
    )


async def run_checks(call: Call) -> BoardView:
    """Runs the project's checks on every response that has ended, then compares those that pass; responds when all is done.

    Raises consent_needed before the user has agreed to the commands.
    """
    panel, generation = call.panel, call.path["generation"]
    await asyncio.to_thread(_check_checkable, panel.workspace, generation)
    if generation in panel.checking:
        raise DceError("conflict", f"the checks of generation {generation} are already running")
    panel.checking.add(generation)
    panel.notify("checks")
    try:
        await check_responses(panel.workspace, generation, on_event=panel.publish)
        await compare_behaviour(panel.workspace, generation)
    finally:
        panel.checking.discard(generation)
        panel.notify("checks")
    return await asyncio.to_thread(_board_view, panel, generation)


def _check_checkable(here: Workspace, generation: int) -> None:
    here.store.generations.get(generation)
    required_checks(here.project)


def show_agreement(call: Call) -> Agreement:
    """Which responses change which files, and how similar any two are."""
    return agreement(call.panel.workspace, call.path["generation"])


def judge(call: Call) -> Judgement:
    """Saves what changes of a mark, a rating and a note."""
    request: JudgementRequest = call.body
    here, generation, slot = call.panel.workspace, call.path["generation"], call.path["slot"]
    check_latest(here, generation, slot, request.version)
    change = JudgementChange(mark=request.mark, rating=request.rating, note=request.note)
    return here.store.judgements.edit(generation, slot, request.version, change, here.clock())


def set_base(call: Call) -> CycleView:
    """Makes a response the one that the next cycle starts from, or undoes that; writes no file."""
    request: BaseRequest = call.body
    here, generation, slot = call.panel.workspace, call.path["generation"], call.path["slot"]
    here.store.responses.get(generation, slot)  # not_found lists the responses that exist
    cycle = here.store.generations.get(generation).cycle
    here.cycles.choose(cycle, generation if request.is_base else None, slot if request.is_base else None)
    return cycle_view(call.panel, cycle)


def show_diff(call: Call) -> DiffView:
    """Both texts of a file: of the workspace, the prompt or another response (`against`), and of this response."""
    here, generation, slot = call.panel.workspace, call.path["generation"], call.path["slot"]
    path, against = call.query.get("path", ""), call.query.get("against", "workspace")
    if against not in {"workspace", "prompt"} and not (against.isascii() and against.isdigit()):
        raise DceError("invalid_input", f"against is {against!r}, but must be `workspace`, `prompt` or a slot number")
    block = _block(here, generation, slot, path)
    source = block.from_path if block is not None and block.from_path else path
    after = _text(here, block)
    kind: Literal["workspace", "prompt", "response"] = "response"
    if against == "workspace":
        kind, current = "workspace", look(here.project, source)
        before = None if current.data is None else current.text
    elif against == "prompt":
        kind, before = "prompt", here.shown(generation)(source)
    else:
        before = _text(here, _block(here, generation, int(against), path))
    if before is None and after is None:
        raise DceError("not_found", f"neither response {slot} nor what it is compared with has a file {path!r}")
    return DiffView(
        path=path,
        before=before,
        after=after,
        before_kind=kind,
        before_slot=int(against) if kind == "response" else 0,
        after_slot=slot,
        action="write" if block is None else block.action,
        from_path="" if block is None else block.from_path,
    )


def _block(here: Workspace, generation: int, slot: int, path: str) -> FileBlock | None:
    here.store.responses.get(generation, slot)  # not_found lists the responses that exist
    files = here.reading(generation, slot).files
    return next((block for block in reversed(files) if block.path == path), None)


def _text(here: Workspace, block: FileBlock | None) -> str | None:
    """The text of a file after a response; a rename and a new mode leave it as it is now."""
    if block is None or block.action in {"write", "delete"}:
        return None if block is None else block.content
    return look(here.project, block.from_path or block.path).text


_GENERATION = "/api/generations/{generation:int}"
_SLOT = _GENERATION + "/slots/{slot:int}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/checks", show_commands, gives=CommandsView),
    Route("POST", "/api/checks/consent", agree_to_commands, takes=CommandsConsent, gives=CommandsView),
    Route("GET", _GENERATION + "/board", show_board, gives=BoardView),
    Route("GET", "/api/behaviour/commands", show_commands_to_compare, gives=CommandsView),
    Route("GET", _GENERATION + "/behaviour", show_behaviour, gives=BehaviourView),
    Route("POST", _GENERATION + "/behaviour", compare, gives=BehaviourView),
    Route("POST", _GENERATION + "/checks", run_checks, gives=BoardView),
    Route("GET", _GENERATION + "/agreement", show_agreement, gives=Agreement),
    Route("PUT", _SLOT + "/judgement", judge, takes=JudgementRequest, gives=Judgement, changes=("judgements",)),
    Route("PUT", _SLOT + "/base", set_base, takes=BaseRequest, gives=CycleView, changes=("cycles",)),
    Route("GET", _SLOT + "/diff", show_diff, gives=DiffView, query=("path", "against")),
)
