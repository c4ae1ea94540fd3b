"""The record: every cycle at a glance, search, what came of one cycle, earlier versions of a response; deleting a cycle.

What must always hold: a list holds no text of a response, so that five hundred cycles open as quickly as five.
"""

import asyncio

import msgspec

from dce.panel import views
from dce.panel.route import Call, Route
from dce.panel.schemas import CyclesView, GenerationSummary, ReadingView
from dce.panel.session import Session
from dce.workspace.accepting.journal import Acceptance, acceptances
from dce.workspace.record.cycles import Cycle
from dce.workspace.record.history import MAX_HITS, HistoryRow, Hit, VersionRow, match_expression
from dce.workspace.record.responses import ACTIVE, Response


class HistoryView(msgspec.Struct, frozen=True, kw_only=True):
    """Every cycle that is not deleted, the newest first."""

    rows: tuple[HistoryRow, ...]


class SearchView(msgspec.Struct, frozen=True, kw_only=True):
    """Where the words stand, cycles first; at most `limit`."""

    hits: tuple[Hit, ...]
    limit: int


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a cycle: its generations, every version of their responses, and what was accepted when (newest first)."""

    cycle: Cycle
    generations: tuple[GenerationSummary, ...]
    versions: tuple[VersionRow, ...]
    acceptances: tuple[Acceptance, ...]


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a response whole. `reading` is None while it runs."""

    response: Response
    reading: ReadingView | None


async def history(call: Call) -> HistoryView:
    """Every cycle at a glance."""
    return HistoryView(rows=await asyncio.to_thread(call.session.workspace.store.history))


async def search(call: Call) -> SearchView:
    """Where words were said, in cycles and responses."""
    expression = match_expression(call.query.get("q", ""))
    hits = await asyncio.to_thread(call.session.workspace.store.search, expression, MAX_HITS)
    return SearchView(hits=hits, limit=MAX_HITS)


async def record(call: Call) -> RecordView:
    """What came of one cycle."""
    return await asyncio.to_thread(_record, call.session, call.path["cycle"])


def _record(session: Session, cycle_id: int) -> RecordView:
    here = session.workspace
    view = views.cycle_view(session, cycle_id)
    own = {generation.id for generation in view.generations}
    return RecordView(
        cycle=view.cycle,
        generations=view.generations,
        versions=here.store.versions_of_cycle(cycle_id),
        acceptances=tuple(one for one in acceptances(here, "applied", "restored") if one.generation in own),
    )


async def version(call: Call) -> VersionView:
    """One version of a response, also one that was regenerated since."""
    return await asyncio.to_thread(
        _version, call.session, *(call.path[name] for name in ("generation", "slot", "version"))
    )


def _version(session: Session, generation_id: int, slot: int, number: int) -> VersionView:
    here = session.workspace
    response = here.store.response(generation_id, slot, number)
    reading = None if response.status in ACTIVE else views.reading_view(here, generation_id, slot, number)
    return VersionView(response=response, reading=reading)


async def delete_cycle(call: Call) -> CyclesView:
    """Hides a cycle; its record stays in the store, its number is not used again. Cycle 0 stays."""
    cycles = call.session.workspace.cycles
    await asyncio.to_thread(cycles.delete, call.path["cycle"])
    call.session.changed("cycles")
    return CyclesView(cycles=await asyncio.to_thread(cycles.heads))


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/history", history, gives=HistoryView),
    Route("GET", "/api/history/search", search, gives=SearchView, query=("q",)),
    Route("GET", "/api/cycles/{cycle:int}/record", record, gives=RecordView),
    Route(
        "GET",
        "/api/generations/{generation:int}/slots/{slot:int}/versions/{version:int}",
        version,
        gives=VersionView,
    ),
    Route("DELETE", "/api/cycles/{cycle:int}", delete_cycle, gives=CyclesView),
)
