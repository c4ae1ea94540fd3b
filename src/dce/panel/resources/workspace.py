"""The workspace: the snapshot that a window starts from. Also who answers on this port."""

import msgspec

from dce import __version__
from dce.panel.route import Call, Route
from dce.wire.asking import MAX_RESPONSES
from dce.workspace.accepting.accept import Acceptance, restorable
from dce.workspace.judging.checks_file import load_checks
from dce.workspace.record.cycles import CycleHead


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers on this port."""

    ok: bool
    service: str
    version: str


class WorkspaceView(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot that a window starts from; events after `cursor` keep it current. `restorable`: what restore would put back.

    `cycles` contain no texts, so that hundreds of them cost no more than a screen. `watch_problems`: why changes made outside this
    panel do not reach it at the moment; empty while everything is watched.
    """

    name: str
    root: str
    url: str
    model: str | None
    n: int
    max_n: int
    version: str
    cursor: str
    cycles: tuple[CycleHead, ...]
    selection: tuple[str, ...]
    checks: tuple[str, ...]
    restorable: Acceptance | None
    watch_problems: tuple[str, ...]


def show_health(call: Call) -> Health:  # noqa: ARG001 - every handler gets the call
    """Says who answers on this port. Public, so that a launcher can tell a panel from another server."""
    return Health(ok=True, service="dce-panel", version=__version__)


def show_workspace(call: Call) -> WorkspaceView:
    """The snapshot that a window starts from."""
    here = call.panel.workspace
    # Before the data: a window may then see an event twice (offsets and revisions tell), but never miss one.
    cursor = call.panel.log.cursor
    return WorkspaceView(
        name=here.project.root.name,
        root=str(here.project.root),
        url=here.settings.url,
        model=here.settings.model,
        n=here.settings.n,
        max_n=MAX_RESPONSES,
        version=__version__,
        cursor=cursor,
        cycles=here.cycles.heads(),
        selection=here.selection.paths(),
        checks=tuple(check.name for check in load_checks(here.project)),
        restorable=restorable(here),
        watch_problems=call.panel.watch_problems,
    )


ROUTES: tuple[Route, ...] = (
    Route("GET", "/healthz", show_health, gives=Health, is_public=True),
    Route("GET", "/api/workspace", show_workspace, gives=WorkspaceView),
)
