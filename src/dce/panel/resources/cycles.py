"""Cycles: the list, one with its texts and generations, creating, editing and deleting, and the model card that one generates with."""

import msgspec

from dce.panel.limits import MAX_CYCLE_BODY_BYTES
from dce.panel.resources.generations import GenerationSummary, summary_of
from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.workspace.record.cycles import Cycle, CycleHead


class CycleNew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new cycle's texts."""

    title: str = ""
    context: str = ""
    ephemeral: str = ""


class CycleEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An edit of what was read at revision `rev`; if the cycle has another one by now, that is a conflict."""

    rev: int
    title: str
    context: str
    ephemeral: str


class CardChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model card that a cycle generates with; "" means the settings themselves."""

    card: str


class CycleView(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle as it is now, with its generations, the oldest first."""

    cycle: Cycle
    generations: tuple[GenerationSummary, ...]


class CyclesView(msgspec.Struct, frozen=True, kw_only=True):
    """All cycles, sorted by id, without their texts."""

    cycles: tuple[CycleHead, ...]


def list_cycles(call: Call) -> CyclesView:
    """All cycles."""
    return CyclesView(cycles=call.panel.workspace.cycles.heads())


def create_cycle(call: Call) -> CycleView:
    """Creates a cycle, which is the current one from then on."""
    new: CycleNew = call.body
    made = call.panel.workspace.cycles.create(new.title, new.context, new.ephemeral)
    return CycleView(cycle=made, generations=())


def show_cycle(call: Call) -> CycleView:
    """One cycle with its texts and generations."""
    return cycle_view(call.panel, call.path["cycle"])


def edit_cycle(call: Call) -> CycleView:
    """Saves an edit if it was made on the present revision."""
    edit: CycleEdit = call.body
    call.panel.workspace.cycles.edit(
        call.path["cycle"], edit.rev, title=edit.title, context=edit.context, ephemeral=edit.ephemeral
    )
    return cycle_view(call.panel, call.path["cycle"])


def delete_cycle(call: Call) -> CyclesView:
    """Hides a cycle. Its record stays in the store and its number is not used again. Cycle 0 cannot be deleted."""
    call.panel.workspace.cycles.delete(call.path["cycle"])
    return list_cycles(call)


def choose_card(call: Call) -> CycleView:
    """Sets the model card that a cycle generates with."""
    choice: CardChoice = call.body
    here, cycle = call.panel.workspace, call.path["cycle"]
    here.cycles.get(cycle)
    if choice.card and choice.card not in call.panel.tools.servers:
        call.panel.tools.cards.get(choice.card)  # not_found lists the cards that exist
    here.cycles.set_card(cycle, choice.card)
    return cycle_view(call.panel, cycle)


def cycle_view(panel: PanelRuntime, cycle_id: int) -> CycleView:
    """A cycle for a route that shows or changes it. Blocks. Raises DceError not_found."""
    here = panel.workspace
    cycle = here.cycles.get(cycle_id)
    generations = tuple(summary_of(panel, generation) for generation in here.store.generations.list(cycle_id))
    return CycleView(cycle=cycle, generations=generations)


_CYCLE = "/api/cycles/{cycle:int}"
_CHANGES = ("cycles",)
_SIZE = MAX_CYCLE_BODY_BYTES

ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/cycles", list_cycles, gives=CyclesView),
    Route(
        "POST",
        "/api/cycles",
        create_cycle,
        takes=CycleNew,
        gives=CycleView,
        changes=_CHANGES,
        max_body_bytes=_SIZE,
    ),
    Route("GET", _CYCLE, show_cycle, gives=CycleView),
    Route("PUT", _CYCLE, edit_cycle, takes=CycleEdit, gives=CycleView, changes=_CHANGES, max_body_bytes=_SIZE),
    Route("DELETE", _CYCLE, delete_cycle, gives=CyclesView, changes=_CHANGES),
    Route("PUT", _CYCLE + "/card", choose_card, takes=CardChoice, gives=CycleView, changes=_CHANGES),
)
