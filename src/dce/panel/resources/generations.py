"""Generations: starting one, how far each of its responses is, stopping it, generating responses again."""

import asyncio
import time

import msgspec

from dce.panel.live import overlaid
from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.wire.asking import MAX_RESPONSES
from dce.wire.errors import DceError
from dce.workspace.events import SlotProgress
from dce.workspace.record.generations import Generation
from dce.workspace.record.responses import Response


class GenerationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A generation in a list."""

    id: int
    cycle: int
    n: int
    model: str
    created_at: float
    ended_at: float | None
    is_running: bool


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for `n` responses to a cycle's prompt."""

    cycle: int
    n: int


class SlotsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names responses of a generation."""

    slots: tuple[int, ...]


class GenerationView(msgspec.Struct, frozen=True, kw_only=True):
    """A generation and the progress of each response. `max_tokens` 0 means the backend's own limit."""

    id: int
    cycle: int
    n: int
    model: str
    schema: str
    max_tokens: int
    prompt_tokens: int
    created_at: float
    ended_at: float | None
    is_running: bool
    cursor: str
    slots: tuple[SlotProgress, ...]


async def generate(call: Call) -> GenerationView:
    """Sends the cycle's prompt for N responses; responds as soon as the generation has its id."""
    request: GenerateRequest = call.body
    if not 1 <= request.n <= MAX_RESPONSES:
        raise DceError("invalid_input", f"n is {request.n}, but must be 1 to {MAX_RESPONSES}")
    made = await call.panel.generate(request.cycle, request.n)
    return await asyncio.to_thread(generation_view, call.panel, made.id)


def show_generation(call: Call) -> GenerationView:
    """A generation and the progress of each response."""
    return generation_view(call.panel, call.path["generation"])


async def stop_generation(call: Call) -> GenerationView:
    """Stops every response that still runs; what arrived is kept."""
    return await stop(call.panel, call.path["generation"], None)


async def regenerate(call: Call) -> GenerationView:
    """Generates responses again from the same prompt, all at once; the old versions are kept."""
    request: SlotsRequest = call.body
    generation = await asyncio.to_thread(_with_slots, call.panel, call.path["generation"], request.slots)
    await call.panel.regenerate(generation, sorted(set(request.slots)))
    return await asyncio.to_thread(generation_view, call.panel, generation.id)


def _with_slots(panel: PanelRuntime, generation_id: int, slots: tuple[int, ...]) -> Generation:
    """The generation, if it has these responses."""
    store = panel.workspace.store
    generation = store.generations.get(generation_id)
    if not slots:
        raise DceError("invalid_input", "the request names no response to generate again")
    for slot in slots:
        store.responses.get(generation.id, slot)  # not_found lists the responses that exist
    return generation


async def stop(panel: PanelRuntime, generation_id: int, slot: int | None) -> GenerationView:
    """Stops one response, or with None all that still run, for the routes of both. Raises DceError not_found."""
    workspace = await asyncio.to_thread(panel.workspace.for_generation, generation_id)
    await workspace.generator.stop(generation_id, slot)
    return await asyncio.to_thread(generation_view, panel, generation_id)


def generation_view(panel: PanelRuntime, generation_id: int) -> GenerationView:
    """A generation for a route that shows or changes it. Blocks. Raises DceError not_found."""
    # Before the data: a window may then see an event twice (offsets tell), but never miss one.
    cursor = panel.log.cursor
    found = panel.workspace.store.generations.get(generation_id)
    responses = panel.workspace.store.responses.latest(generation_id)
    return GenerationView(
        id=found.id,
        cycle=found.cycle,
        n=found.n,
        model=found.model,
        schema=found.schema,
        max_tokens=found.max_tokens,
        prompt_tokens=found.prompt_tokens,
        created_at=found.created_at,
        ended_at=found.ended_at,
        is_running=panel.is_running(found.id),
        cursor=cursor,
        slots=tuple(progress_of(panel, response) for response in responses),
    )


def progress_of(panel: PanelRuntime, response: Response) -> SlotProgress:
    """How far a response is: as stored, or as last published if it runs in this process."""
    stored = SlotProgress.of(response, time.time())
    return overlaid(stored, panel.live.get(response.generation, response.slot))


def summary_of(panel: PanelRuntime, generation: Generation) -> GenerationSummary:
    """A generation as it stands in a list."""
    return GenerationSummary(
        id=generation.id,
        cycle=generation.cycle,
        n=generation.n,
        model=generation.model,
        created_at=generation.created_at,
        ended_at=generation.ended_at,
        is_running=panel.is_running(generation.id),
    )


_GENERATION = "/api/generations/{generation:int}"

ROUTES: tuple[Route, ...] = (
    Route("POST", "/api/generations", generate, takes=GenerateRequest, gives=GenerationView),
    Route("GET", _GENERATION, show_generation, gives=GenerationView),
    Route("POST", _GENERATION + "/stop", stop_generation, gives=GenerationView),
    Route("POST", _GENERATION + "/regenerate", regenerate, takes=SlotsRequest, gives=GenerationView),
)
