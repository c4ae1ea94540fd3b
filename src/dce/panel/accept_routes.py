"""The routes of accepting: what can be picked of a response, a plan of many parts looked at and written, what was written, and the
way back."""

import asyncio

import msgspec

from dce.panel.route import Call, Route
from dce.panel.schemas import AcceptOrder, AcceptView, RestoreOrder, RestoreView
from dce.panel.session import Session
from dce.wire.errors import DceError
from dce.workspace.accepting.accept import Options, accept, acceptances, redo, restore, sources_of, standing
from dce.workspace.accepting.journal import Acceptance
from dce.workspace.accepting.picking import Clash, FilePlan, combine, hunks_of
from dce.workspace.judging.hunks import Hunk
from dce.workspace.workspace import Workspace

_SLOT = "/api/generations/{generation:int}/slots/{slot:int}"


class HunksView(msgspec.Struct, frozen=True, kw_only=True):
    """What can be picked of a file of a response, against the file now; `problem` says why it can only be taken whole, or not at all."""

    path: str
    hunks: tuple[Hunk, ...]
    problem: str


class PreviewOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of a plan to look at."""

    generation: int
    plan: FilePlan


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """The file now and as the plan would leave it; `clashes` are the places that a person decides. `before` None: there is none."""

    path: str
    before: str | None
    after: str
    clashes: tuple[Clash, ...]
    problem: str


class AcceptancesView(msgspec.Struct, frozen=True, kw_only=True):
    """What was ever written, the newest first, taken back or not."""

    acceptances: tuple[Acceptance, ...]


async def hunks(call: Call) -> HunksView:
    """What can be picked of one file of a response."""
    here, path = call.session.workspace, call.query.get("path", "")
    return await asyncio.to_thread(_hunks, here, call.path["generation"], call.path["slot"], path)


def _hunks(here: Workspace, generation: int, slot: int, path: str) -> HunksView:
    here.store.response(generation, slot)  # not_found names what there is
    sources = sources_of(here, generation, path)
    try:
        return HunksView(path=path, hunks=hunks_of(sources, slot), problem="")
    except DceError as error:
        if error.code != "invalid_input":
            raise
        return HunksView(path=path, hunks=(), problem=error.message)


async def preview(call: Call) -> PreviewView:
    """One file as a plan would leave it."""
    order: PreviewOrder = call.body
    return await asyncio.to_thread(_preview, call.session.workspace, order)


def _preview(here: Workspace, order: PreviewOrder) -> PreviewView:
    here.store.get_generation(order.generation)
    sources = sources_of(here, order.generation, order.plan.path)
    combined = combine(order.plan, sources)
    return PreviewView(
        path=order.plan.path,
        before=None if sources.current.data is None else sources.current.text,
        after=combined.text,
        clashes=combined.clashes,
        problem=combined.problem,
    )


async def accept_files(call: Call) -> AcceptView:
    """Writes files of a response, or a plan of parts of several, into the workspace, or says what that would do."""
    order: AcceptOrder = call.body
    where, options = call.session.workspace, Options(merge=order.merge, plans=order.plans)
    planned, acceptance = await asyncio.to_thread(
        accept, where, order.generation, order.slot, order.paths, dry_run=order.dry_run, options=options
    )
    if not order.dry_run:
        _tell_files(call.session)
    return AcceptView(writes=tuple(planned), acceptance=acceptance)


async def restore_files(call: Call) -> RestoreView:
    """Puts back exactly what an acceptance changed, or makes it again, or says what that would do."""
    order: RestoreOrder = call.body
    view = await asyncio.to_thread(_restore, call.session.workspace, order)
    if not order.dry_run:
        _tell_files(call.session)
    return view


def _restore(here: Workspace, order: RestoreOrder) -> RestoreView:
    act = redo if order.redo else restore
    planned, acceptance = act(here, dry_run=True, acceptance_id=order.acceptance)
    [known] = standing(here, [acceptance])
    if not order.dry_run:
        planned, acceptance = act(here, acceptance_id=acceptance.id, keep_edited=order.keep_edited)
    return RestoreView(writes=tuple(planned), acceptance=acceptance, is_last=known.is_last, committed=known.committed)


def _tell_files(session: Session) -> None:
    for what in ("files", "cycles"):
        session.changed(what)


async def written(call: Call) -> AcceptancesView:
    """What was written, when, from which response."""
    return AcceptancesView(acceptances=await asyncio.to_thread(acceptances, call.session.workspace))


ROUTES: tuple[Route, ...] = (
    Route("GET", _SLOT + "/hunks", hunks, gives=HunksView, query=("path",)),
    Route("POST", "/api/accept/preview", preview, takes=PreviewOrder, gives=PreviewView),
    Route("POST", "/api/accept", accept_files, takes=AcceptOrder, gives=AcceptView),
    Route("POST", "/api/restore", restore_files, takes=RestoreOrder, gives=RestoreView),
    Route("GET", "/api/acceptances", written, gives=AcceptancesView),
)
