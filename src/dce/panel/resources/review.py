"""Judging the responses of a generation: the board, agreement, a person's judgement, diffs, the base of the next cycle."""

from typing import Literal

import msgspec

from dce.panel.resources.cycles import CycleView, cycle_view
from dce.panel.resources.responses import check_latest
from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.wire.errors import DceError
from dce.workspace.judging.agreement import Agreement, agreement
from dce.workspace.judging.board import BoardRow, board
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
    return board_view(call.panel, call.path["generation"])


def board_view(panel: PanelRuntime, generation: int) -> BoardView:
    """The ranked table, for the routes that show or change it. Blocks."""
    return BoardView(
        generation=generation,
        rows=tuple(board(panel.workspace, generation)),
        judgements=panel.workspace.store.judgements.latest(generation),
        is_checking=generation in panel.checking,
    )


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
    Route("GET", _GENERATION + "/board", show_board, gives=BoardView),
    Route("GET", _GENERATION + "/agreement", show_agreement, gives=Agreement),
    Route("PUT", _SLOT + "/judgement", judge, takes=JudgementRequest, gives=Judgement, changes=("judgements",)),
    Route("PUT", _SLOT + "/base", set_base, takes=BaseRequest, gives=CycleView, changes=("cycles",)),
    Route("GET", _SLOT + "/diff", show_diff, gives=DiffView, query=("path", "against")),
)
