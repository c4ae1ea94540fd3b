"""The history: every cycle at a glance, a search over all of them, and what came of one.

What must always hold: a list contains no text of a response, so that five hundred cycles open as quickly as five.
"""

import msgspec

from dce.panel.resources.cycles import cycle_view
from dce.panel.resources.generations import GenerationSummary
from dce.panel.route import Call, Route
from dce.workspace.accepting.journal import Acceptance, acceptances
from dce.workspace.record.cycles import Cycle
from dce.workspace.record.history import MAX_HITS, HistoryRow, Hit, VersionRow, match_expression


class HistoryView(msgspec.Struct, frozen=True, kw_only=True):
    """Every cycle that is not deleted, the newest first."""

    rows: tuple[HistoryRow, ...]


class SearchView(msgspec.Struct, frozen=True, kw_only=True):
    """Where the words occur, cycles first; at most `limit`."""

    hits: tuple[Hit, ...]
    limit: int


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a cycle: its generations, every version of their responses, and what was accepted when (the newest first)."""

    cycle: Cycle
    generations: tuple[GenerationSummary, ...]
    versions: tuple[VersionRow, ...]
    acceptances: tuple[Acceptance, ...]


def show_history(call: Call) -> HistoryView:
    """Every cycle at a glance."""
    return HistoryView(rows=call.panel.workspace.store.history.cycles())


def search(call: Call) -> SearchView:
    """Where words (`q`) occur in cycles and responses."""
    expression = match_expression(call.query.get("q", ""))
    return SearchView(hits=call.panel.workspace.store.history.search(expression, MAX_HITS), limit=MAX_HITS)


def show_record(call: Call) -> RecordView:
    """What came of one cycle."""
    here, cycle_id = call.panel.workspace, call.path["cycle"]
    view = cycle_view(call.panel, cycle_id)
    own = {generation.id for generation in view.generations}
    return RecordView(
        cycle=view.cycle,
        generations=view.generations,
        versions=here.store.history.versions_of_cycle(cycle_id),
        acceptances=tuple(one for one in acceptances(here, "applied", "restored") if one.generation in own),
    )


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/history", show_history, gives=HistoryView),
    Route("GET", "/api/history/search", search, gives=SearchView, query=("q",)),
    Route("GET", "/api/cycles/{cycle:int}/record", show_record, gives=RecordView),
)
