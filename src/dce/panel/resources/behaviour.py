"""How the responses of a generation behave, compared: what would run, consent to it, running it, and what came of it.

What must always hold: consent is for what was shown; nothing runs without it, with or without `.dce/checks.toml`.
"""

import asyncio

import msgspec

from dce.panel.resources.checks import CommandsView, commands_view
from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.wire.errors import DceError
from dce.workspace.judging.behaving import commands_to_compare, compare_behaviour, find_comparison
from dce.workspace.judging.behaviour_report import BehaviourReport
from dce.workspace.judging.command_consent import CommandConsents


class BehaviourView(msgspec.Struct, frozen=True, kw_only=True):
    """How the responses of a generation behave, compared. `report`: None until they are. `why_stale`: what has changed since, in words;
    "" if nothing has. `is_running`: checks or a comparison run now."""

    generation: int
    report: BehaviourReport | None
    why_stale: str
    is_running: bool


class BehaviourConsent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The digest of what was shown to the person who consents."""

    digest: str


def show_behaviour(call: Call) -> BehaviourView:
    """How the responses behave, compared: classes, one sentence, and the probes on which they differ."""
    return _view(call.panel, call.path["generation"])


async def compare(call: Call) -> BehaviourView:
    """Compares how the responses behave that pass the checks; without checks, all that could be read. Responds when it is done.

    Raises consent_needed before the user has agreed to what runs.
    """
    panel, generation = call.panel, call.path["generation"]
    await asyncio.to_thread(panel.workspace.store.generations.get, generation)
    await panel.checking.run(generation, lambda _: compare_behaviour(panel.workspace, generation))
    return await asyncio.to_thread(_view, panel, generation)


async def show_commands(call: Call) -> CommandsView:
    """What comparing behaviour would run, and whether the user has agreed to it; nothing runs."""
    return await commands_view(call.panel.workspace, await commands_to_compare(call.panel.workspace))


async def agree(call: Call) -> CommandsView:
    """Agrees to what was shown; the workspace remembers it."""
    request: BehaviourConsent = call.body
    here = call.panel.workspace
    commands = await commands_to_compare(here)
    if request.digest != commands.digest:
        raise DceError("conflict", "what comparing behaviour runs, or where, has changed since it was shown")
    await asyncio.to_thread(CommandConsents(here.store.meta).give, commands)
    return await commands_view(here, commands)


def _view(panel: PanelRuntime, generation: int) -> BehaviourView:
    found = find_comparison(panel.workspace, generation)
    return BehaviourView(
        generation=generation,
        report=found.report if found else None,
        why_stale=found.why_stale if found else "",
        is_running=generation in panel.checking,
    )


_BEHAVIOUR = "/api/generations/{generation:int}/behaviour"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/behaviour/commands", show_commands, gives=CommandsView),
    Route("POST", "/api/behaviour/consent", agree, takes=BehaviourConsent, gives=CommandsView),
    Route("GET", _BEHAVIOUR, show_behaviour, gives=BehaviourView),
    Route("POST", _BEHAVIOUR, compare, gives=BehaviourView),
)
