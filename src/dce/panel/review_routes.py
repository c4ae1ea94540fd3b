"""The routes of judging: where responses agree, what a person thinks of one, one put right by hand, two texts of a file."""

import asyncio
from typing import Literal

import msgspec

from dce.panel import schemas, views
from dce.panel.route import Call, Route
from dce.wire.errors import DceError
from dce.workspace.correct import Words, correct, correct_words, take_back
from dce.workspace.judging.agreement import Agreement, agreement
from dce.workspace.record.records_judging import Judgement, Mark
from dce.workspace.tree.current import look
from dce.workspace.tree.file_form import text_of
from dce.workspace.workspace import Workspace

_GENERATION = "/api/generations/{generation:int}"
_SLOT = _GENERATION + "/slots/{slot:int}"


class JudgementOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to think of a response from now on. `version`: which one was looked at; another one is a conflict."""

    version: int
    mark: Mark = ""
    rating: int = 0
    note: str = ""


class Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A response's text as a person put it right, or just its `words` beside the files, and the version that it was made of.

    With neither, what was put right is taken back.
    """

    version: int
    text: str | None = None
    words: Words | None = None


class BaseOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the next cycle starts from what this response says."""

    is_base: bool


class DiffView(msgspec.Struct, frozen=True, kw_only=True):
    """Two texts of one file; None: there is no such file on that side. `before_kind` and `slot` say what `before` is of."""

    path: str
    before: str | None
    after: str | None
    before_kind: Literal["workspace", "prompt", "response"]
    before_slot: int
    after_slot: int


async def agree(call: Call) -> Agreement:
    """Files by responses, and how alike any two are."""
    return await asyncio.to_thread(agreement, call.session.workspace, call.path["generation"])


async def judge(call: Call) -> Judgement:
    """Keeps a mark, a rating and a note."""
    order: JudgementOrder = call.body
    here = call.session.workspace

    def keep() -> Judgement:
        _check_version(here, call.path["generation"], call.path["slot"], order.version)
        judgement = Judgement(
            generation=call.path["generation"],
            slot=call.path["slot"],
            version=order.version,
            mark=order.mark,
            rating=order.rating,
            note=order.note,
        )
        here.store.put_judgement(judgement, here.clock())
        return judgement

    kept = await asyncio.to_thread(keep)
    call.session.changed("judgements")
    return kept


def _check_version(here: Workspace, generation: int, slot: int, version: int) -> None:
    latest = here.store.response(generation, slot).version
    if version != latest:
        raise DceError(
            "conflict", f"response {slot} has a newer version, {latest}", hint="Look at that one, then decide again."
        )


async def put_right(call: Call) -> schemas.GenerationView:
    """Keeps a corrected text, or other words, as the next version, or takes that back; every version stays."""
    order: Correction = call.body
    generation, slot = call.path["generation"], call.path["slot"]
    here = await asyncio.to_thread(call.session.workspace.for_generation, generation)
    await asyncio.to_thread(_check_version, here, generation, slot, order.version)
    with here.writer_lock("panel"):
        if order.words is not None:
            await correct_words(here, generation, slot, order.words)
        elif order.text is not None:
            await correct(here, generation, slot, order.text)
        else:
            await take_back(here, generation, slot)
    call.session.changed("generations")
    return await views.generation_view(call.session, generation)


async def choose(call: Call) -> schemas.CycleView:
    """Makes a response the one that the next cycle starts from, or takes that back; writes no file."""
    order: BaseOrder = call.body
    here, generation, slot = call.session.workspace, call.path["generation"], call.path["slot"]

    def keep() -> schemas.CycleView:
        here.store.response(generation, slot)
        cycle = here.store.get_generation(generation).cycle
        here.cycles.choose(cycle, generation if order.is_base else None, slot if order.is_base else None)
        return views.cycle_view(call.session, cycle)

    view = await asyncio.to_thread(keep)
    call.session.changed("cycles")
    return view


async def diff(call: Call) -> DiffView:
    """Both texts of a file: of the workspace, the prompt or another response (`against`), and of this response."""
    path, against = call.query.get("path", ""), call.query.get("against", "workspace")
    if against not in {"workspace", "prompt"} and not (against.isascii() and against.isdigit()):
        raise DceError("invalid_input", f"against must be `workspace`, `prompt` or a slot number, not {against!r}")
    here = call.session.workspace
    return await asyncio.to_thread(_diff, here, call.path["generation"], call.path["slot"], path, against)


def _diff(here: Workspace, generation: int, slot: int, path: str, against: str) -> DiffView:
    after = _content(here, generation, slot, path)
    kind: Literal["workspace", "prompt", "response"] = "response"
    if against == "workspace":
        kind, current = "workspace", look(here.project, path)
        before = None if current.data is None else text_of(current.data)
    elif against == "prompt":
        kind, before = "prompt", here.shown(generation)(path)
    else:
        before = _content(here, generation, int(against), path)
    if before is None and after is None:
        raise DceError("not_found", f"neither response {slot} nor what it is compared with has a file {path!r}")
    return DiffView(
        path=path,
        before=before,
        after=after,
        before_kind=kind,
        before_slot=int(against) if kind == "response" else 0,
        after_slot=slot,
    )


def _content(here: Workspace, generation: int, slot: int, path: str) -> str | None:
    here.store.response(generation, slot)  # not_found names what there is
    files = here.reading(generation, slot).files
    return next((block.content for block in reversed(files) if block.path == path), None)


ROUTES: tuple[Route, ...] = (
    Route("GET", _GENERATION + "/agreement", agree, gives=Agreement),
    Route("PUT", _SLOT + "/judgement", judge, takes=JudgementOrder, gives=Judgement),
    Route("POST", _SLOT + "/correction", put_right, takes=Correction, gives=schemas.GenerationView),
    Route("PUT", _SLOT + "/base", choose, takes=BaseOrder, gives=schemas.CycleView),
    Route("GET", _SLOT + "/diff", diff, gives=DiffView, query=("path", "against")),
)
