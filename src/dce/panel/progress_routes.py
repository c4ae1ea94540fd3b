"""The routes that set single responses going again: several anew, or one on from where it was cut."""

import asyncio

import msgspec

from dce.panel import schemas, views
from dce.panel.route import Call, Route
from dce.wire.errors import DceError

_GENERATION = "/api/generations/{generation:int}"
_SLOT = _GENERATION + "/slots/{slot:int}"


class SlotsOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which responses of a generation."""

    slots: tuple[int, ...]


async def regenerate(call: Call) -> schemas.GenerationView:
    """Has several responses written anew from the same prompt; the old versions are kept."""
    order: SlotsOrder = call.body
    session = call.session
    generation = await asyncio.to_thread(session.workspace.store.generations.get, call.path["generation"])
    if not order.slots:
        raise DceError("invalid_input", "no response is named")
    for slot in order.slots:
        await asyncio.to_thread(session.workspace.store.responses.get, generation.id, slot)
    await session.regenerate(generation, sorted(set(order.slots)))
    return await views.generation_view(session, generation.id)


async def go_on(call: Call) -> schemas.GenerationView:
    """Goes on with a response that was cut, as its next version."""
    session = call.session
    generation = await asyncio.to_thread(session.workspace.store.generations.get, call.path["generation"])
    await asyncio.to_thread(session.workspace.store.responses.get, generation.id, call.path["slot"])
    await session.go_on(generation, call.path["slot"])
    return await views.generation_view(session, generation.id)


ROUTES: tuple[Route, ...] = (
    Route("POST", _GENERATION + "/regenerate", regenerate, takes=SlotsOrder, gives=schemas.GenerationView),
    Route("POST", _SLOT + "/continue", go_on, gives=schemas.GenerationView),
)
