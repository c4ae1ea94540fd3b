"""Accepting: the parts of a response that can be picked, a preview of a plan, writing it into the workspace, and restoring."""

import msgspec

from dce.panel.route import Call, Route
from dce.wire.errors import DceError
from dce.workspace.accepting.accept import (
    Acceptance,
    Doubt,
    Options,
    PlannedWrite,
    accept,
    acceptances,
    doubts,
    redo,
    restore,
    slots_of,
    sources_of,
    standing,
)
from dce.workspace.accepting.picking import Clash, FilePlan, combine, hunks_of
from dce.workspace.judging.hunks import Hunk


class HunksView(msgspec.Struct, frozen=True, kw_only=True):
    """The hunks of a response's file against the file as it is now. `problem`: why the file can only be accepted whole, or not at all."""

    path: str
    hunks: tuple[Hunk, ...]
    problem: str


class PreviewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a plan."""

    generation: int
    plan: FilePlan


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """The file now, and as the plan would leave it. `before` None: it does not exist. `clashes`: the conflicts that a person decides."""

    path: str
    before: str | None
    after: str
    clashes: tuple[Clash, ...]
    problem: str


class AcceptRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which files of a response to write; no paths: all. `plans`: files combined from parts of several responses instead.

    `merge`: files edited since the prompt are merged where that causes no conflict. `confirmed`: the doubtful files (`is_blocked`) that
    the user wants written as they are. A dry run only reports what would happen.
    """

    generation: int
    slot: int
    paths: tuple[str, ...] = ()
    plans: tuple[FilePlan, ...] = ()
    merge: bool = False
    confirmed: tuple[str, ...] = ()
    dry_run: bool = False


class AcceptView(msgspec.Struct, frozen=True, kw_only=True):
    """What accepting did, or would do (then `acceptance` is None). `doubts`: what speaks against the responses as a whole."""

    writes: tuple[PlannedWrite, ...]
    acceptance: Acceptance | None
    doubts: tuple[Doubt, ...]


class RestoreRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which acceptance to undo; None: the last one of the current cycle. `redo`: write the files of a restored one again instead.

    `keep_edited`: files edited since then stay as they are, instead of stopping it.
    """

    acceptance: int | None = None
    redo: bool = False
    dry_run: bool = False
    keep_edited: bool = False


class RestoreView(msgspec.Struct, frozen=True, kw_only=True):
    """What restoring did, or would do, to each file of the acceptance.

    `is_last`: it is the last one of the current cycle. `committed`: the files that git's HEAD held as accepted before.
    """

    writes: tuple[PlannedWrite, ...]
    acceptance: Acceptance
    is_last: bool
    committed: tuple[str, ...]


class AcceptancesView(msgspec.Struct, frozen=True, kw_only=True):
    """All acceptances, restored ones too, the newest first."""

    acceptances: tuple[Acceptance, ...]


def show_hunks(call: Call) -> HunksView:
    """The hunks of one file of a response."""
    here, generation, slot = call.panel.workspace, call.path["generation"], call.path["slot"]
    path = call.query.get("path", "")
    here.store.responses.get(generation, slot)  # not_found lists the responses that exist
    sources = sources_of(here, generation, path)
    try:
        return HunksView(path=path, hunks=hunks_of(sources, slot), problem="")
    except DceError as error:
        if error.code != "invalid_input":
            raise
        return HunksView(path=path, hunks=(), problem=error.message)


def preview(call: Call) -> PreviewView:
    """One file as a plan would leave it; nothing is written."""
    request: PreviewRequest = call.body
    here = call.panel.workspace
    here.store.generations.get(request.generation)
    sources = sources_of(here, request.generation, request.plan.path)
    combined = combine(request.plan, sources)
    return PreviewView(
        path=request.plan.path,
        before=None if sources.current.data is None else sources.current.text,
        after=combined.text,
        clashes=combined.clashes,
        problem=combined.problem,
    )


def accept_files(call: Call) -> AcceptView:
    """Writes files of a response, or a plan with parts of several, into the workspace; a dry run reports what that would do."""
    request: AcceptRequest = call.body
    here, generation = call.panel.workspace, request.generation
    options = Options(merge=request.merge, plans=request.plans, confirmed=request.confirmed)
    found = doubts(here, generation, slots_of(request.slot, options))
    writes, acceptance = accept(here, generation, request.slot, request.paths, dry_run=request.dry_run, options=options)
    return AcceptView(writes=tuple(writes), acceptance=acceptance, doubts=found)


def restore_files(call: Call) -> RestoreView:
    """Restores exactly what an acceptance changed, or writes it again; a dry run reports what that would do."""
    request: RestoreRequest = call.body
    here = call.panel.workspace
    act = redo if request.redo else restore
    writes, acceptance = act(here, dry_run=True, acceptance_id=request.acceptance)
    [known] = standing(here, [acceptance])
    if not request.dry_run:
        writes, acceptance = act(here, acceptance_id=acceptance.id, keep_edited=request.keep_edited)
    return RestoreView(writes=tuple(writes), acceptance=acceptance, is_last=known.is_last, committed=known.committed)


def list_acceptances(call: Call) -> AcceptancesView:
    """What was accepted, when, from which response."""
    return AcceptancesView(acceptances=acceptances(call.panel.workspace))


_CHANGES = ("files", "cycles")

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/api/generations/{generation:int}/slots/{slot:int}/hunks",
        show_hunks,
        gives=HunksView,
        query=("path",),
    ),
    Route("POST", "/api/accept/preview", preview, takes=PreviewRequest, gives=PreviewView),
    Route("POST", "/api/accept", accept_files, takes=AcceptRequest, gives=AcceptView, changes=_CHANGES),
    Route("POST", "/api/restore", restore_files, takes=RestoreRequest, gives=RestoreView, changes=_CHANGES),
    Route("GET", "/api/acceptances", list_acceptances, gives=AcceptancesView),
)
