"""The routes that look: each takes a snapshot of the workspace for a screen. Nothing here changes anything.

What must always hold: the cursor is taken before the data, so that an event can at most be seen twice (windows drop what they have
by its offset), never be missed.
"""

import asyncio
import time

from dce import __version__
from dce.panel import schemas
from dce.panel.live import overlaid
from dce.panel.route import Call
from dce.panel.session import Session
from dce.workspace.accepting.accept import restorable
from dce.workspace.events import SlotProgress
from dce.workspace.judging.board import board
from dce.workspace.judging.checks import load_checks
from dce.workspace.judging.compare import changes
from dce.workspace.preparing.prepared_prompt import PreparedPrompt
from dce.workspace.record.generations import Generation
from dce.workspace.record.responses import ACTIVE, Response
from dce.workspace.settings import MAX_RESPONSES
from dce.workspace.workspace import Workspace


async def health(call: Call) -> schemas.Health:  # noqa: ARG001 - every handler is given the call
    """Who answers on this port; public, so that a launcher can tell a panel from another server."""
    return schemas.Health(ok=True, service="dce-panel", version=__version__)


async def workspace(call: Call) -> schemas.WorkspaceView:
    """The snapshot that a window starts from."""
    session = call.session
    return await asyncio.to_thread(_workspace, session, session.log.cursor)


def _workspace(session: Session, cursor: str) -> schemas.WorkspaceView:
    here = session.workspace
    return schemas.WorkspaceView(
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
    )


def _summary(session: Session, generation: Generation) -> schemas.GenerationSummary:
    return schemas.GenerationSummary(
        id=generation.id,
        cycle=generation.cycle,
        n=generation.n,
        model=generation.model,
        created_at=generation.created_at,
        ended_at=generation.ended_at,
        is_running=session.is_running(generation.id),
    )


async def cycles(call: Call) -> schemas.CyclesView:
    """All cycles."""
    return schemas.CyclesView(cycles=await asyncio.to_thread(call.session.workspace.cycles.heads))


async def cycle(call: Call) -> schemas.CycleView:
    """One cycle with its texts and generations."""
    return await asyncio.to_thread(cycle_view, call.session, call.path["cycle"])


def cycle_view(session: Session, cycle_id: int) -> schemas.CycleView:
    """The same, for the routes that change one and answer with it. Blocks. Raises DceError not_found."""
    here = session.workspace
    found = here.cycles.get(cycle_id)
    generations = tuple(_summary(session, generation) for generation in here.store.generations(cycle_id))
    return schemas.CycleView(cycle=found, generations=generations)


async def prompt(call: Call) -> schemas.PromptView:
    """The exact prompt as it would be sent now, with its cost; `text=no` leaves the text out (a meter needs none)."""
    workspace = await asyncio.to_thread(call.session.workspace.for_cycle, call.path["cycle"])
    prepared = await workspace.build_prompt(call.path["cycle"])
    sections = (
        schemas.SectionView(name=section.name, start=section.start, end=section.end, count=count)
        for section, count in zip(prepared.prompt.sections, prepared.counts, strict=True)
    )
    is_refused = bool(prepared.findings) and not workspace.sending.is_local
    return schemas.PromptView(
        text="" if call.query.get("text") == "no" else prepared.prompt.text,
        sha256=prepared.prompt.sha256,
        sections=tuple(sections),
        files=await _prompt_files(workspace, prepared),
        findings=len(prepared.findings),
        is_blocked=prepared.is_over or is_refused,
        total=prepared.total,
        is_exact=prepared.is_exact,
        model=prepared.model,
        note=prepared.note,
        budget=prepared.budget,
        is_over=prepared.is_over,
        shared=await asyncio.to_thread(workspace.shared_tokens, prepared),
    )


async def _prompt_files(here: Workspace, prepared: PreparedPrompt) -> tuple[schemas.PromptFileView, ...]:
    counts = await here.counter.count([file.text for file in prepared.files])
    text, nonce = prepared.prompt.text, prepared.prompt.nonce
    found, at = [], next((section.start for section in prepared.prompt.sections if section.name == "M7"), 0)
    for file, count in zip(prepared.files, counts, strict=True):
        start = text.find(f'path="{file.path}" nonce="{nonce}"', at)
        start = text.rfind("<", at, start) if start >= 0 else -1
        at = max(at, start)
        found.append(schemas.PromptFileView(path=file.path, detail=file.detail, start=start, count=count))
    return tuple(found)


async def generation(call: Call) -> schemas.GenerationView:
    """A generation and where each slot stands."""
    return await generation_view(call.session, call.path["generation"])


async def generation_view(session: Session, generation_id: int) -> schemas.GenerationView:
    """The same, for the routes that change one and answer with it."""
    return await asyncio.to_thread(_generation, session, generation_id, session.log.cursor)


def _generation(session: Session, generation_id: int, cursor: str) -> schemas.GenerationView:
    found = session.workspace.store.get_generation(generation_id)
    responses = session.workspace.store.responses(generation_id)
    return schemas.GenerationView(
        id=found.id,
        cycle=found.cycle,
        n=found.n,
        model=found.model,
        schema=found.schema,
        max_tokens=found.max_tokens,
        prompt_tokens=found.prompt_tokens,
        created_at=found.created_at,
        ended_at=found.ended_at,
        is_running=session.is_running(found.id),
        cursor=cursor,
        slots=tuple(_progress(session, response) for response in responses),
    )


def _progress(session: Session, response: Response) -> SlotProgress:
    stored = SlotProgress.of(response, time.time())
    return overlaid(stored, session.live.get(response.generation, response.slot))


async def slot(call: Call) -> schemas.SlotView:
    """One response whole: raw, and taken apart once it has ended."""
    session, cursor = call.session, call.session.log.cursor
    return await asyncio.to_thread(_slot, session, call.path["generation"], call.path["slot"], cursor)


def _slot(session: Session, generation_id: int, slot_number: int, cursor: str) -> schemas.SlotView:
    live = session.live.get(generation_id, slot_number)
    # The store after the live text: what ends in between is then whole in the store.
    thinking, text = (live.thinking, live.text) if live else ("", "")
    response = session.workspace.store.response(generation_id, slot_number)
    is_live = response.status in ACTIVE and live is not None and live.version == response.version
    return schemas.SlotView(
        progress=_progress(session, response),
        thinking=thinking if is_live else response.thinking,
        text=text if is_live else response.text,
        reading=None if response.status in ACTIVE else reading_view(session.workspace, generation_id, slot_number),
        cursor=cursor,
    )


def reading_view(
    here: Workspace, generation_id: int, slot_number: int, version: int | None = None
) -> schemas.ReadingView:
    """An answer taken apart, with what each of its files would change now; version None is the latest. Blocks."""
    reading = here.reading(generation_id, slot_number, version)
    manifest = here.store.get_prompt(here.store.get_generation(generation_id).prompt_sha256).manifest
    blocks = (
        schemas.BlockView(
            path=block.path,
            content=block.content,
            status=block.status,
            change=change.change,
            added=change.added,
            removed=change.removed,
            flags=change.flags,
        )
        for block, change in zip(reading.files, changes(here.project, reading, manifest), strict=True)
    )
    return schemas.ReadingView(
        summary=reading.summary,
        plan=reading.plan,
        activity=reading.activity,
        parse=reading.parse,
        flags=reading.flags,
        notes=reading.notes,
        files=tuple(blocks),
    )


async def board_view(call: Call) -> schemas.BoardView:
    """The ranked table of a generation."""
    session, generation_id = call.session, call.path["generation"]
    rows = await asyncio.to_thread(board, session.workspace, generation_id)
    judgements = await asyncio.to_thread(session.workspace.store.judgements, generation_id)
    return schemas.BoardView(
        generation=generation_id,
        rows=tuple(rows),
        judgements=judgements,
        is_checking=generation_id in session.checking,
    )
