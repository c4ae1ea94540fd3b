"""The routes that do something. Each says what changed to every window, after it is durable.

Order of the answer and of events is free: windows apply both by id, revision and offset.
"""

import asyncio

from dce.panel import schemas, views
from dce.panel.route import Call
from dce.wire.asking import MAX_RESPONSES
from dce.wire.errors import DceError
from dce.workspace.judging.board import check_responses
from dce.workspace.judging.checks import load_checks


async def select(call: Call) -> schemas.SelectionChange:
    """Makes these paths the selection."""
    change: schemas.SelectionChange = call.body
    selection = call.session.workspace.selection
    entries = await call.session.files.entries()
    await asyncio.to_thread(selection.replace, change.paths, entries, change.seen)
    call.session.files.recount()
    call.session.changed("selection")
    return schemas.SelectionChange(paths=await asyncio.to_thread(selection.paths))


async def create_cycle(call: Call) -> schemas.CycleView:
    """A new cycle, the current one from now on."""
    new: schemas.CycleNew = call.body
    cycles = call.session.workspace.cycles
    made = await asyncio.to_thread(cycles.create, new.title, new.context, new.ephemeral)
    call.session.changed("cycles")
    return schemas.CycleView(cycle=made, generations=())


async def edit_cycle(call: Call) -> schemas.CycleView:
    """Keeps an edit, if the revision it was made on is still the present one."""
    edit: schemas.CycleEdit = call.body

    def keep() -> schemas.CycleView:
        call.session.workspace.cycles.edit(
            call.path["cycle"], edit.rev, title=edit.title, context=edit.context, ephemeral=edit.ephemeral
        )
        return views.cycle_view(call.session, call.path["cycle"])

    view = await asyncio.to_thread(keep)
    call.session.changed("cycles")
    return view


async def generate(call: Call) -> schemas.GenerationView:
    """Sends the cycle's prompt for N responses; answers as soon as the generation has its id."""
    order: schemas.GenerationOrder = call.body
    if not 1 <= order.n <= MAX_RESPONSES:
        raise DceError("invalid_input", f"n is {order.n}, must be 1 to {MAX_RESPONSES}")
    made = await call.session.generate(order.cycle, order.n)
    return await views.generation_view(call.session, made.id)


async def regenerate(call: Call) -> schemas.GenerationView:
    """Has one response written anew from the same prompt; the old version is kept."""
    session, slot = call.session, call.path["slot"]
    generation = await asyncio.to_thread(session.workspace.store.get_generation, call.path["generation"])
    await asyncio.to_thread(session.workspace.store.response, generation.id, slot)
    await session.regenerate(generation, [slot])
    return await views.generation_view(session, generation.id)


async def stop(call: Call) -> schemas.GenerationView:
    """Stops one response; what it wrote is kept."""
    session, generation_id, slot = call.session, call.path["generation"], call.path["slot"]
    await asyncio.to_thread(session.workspace.store.response, generation_id, slot)
    workspace = await asyncio.to_thread(session.workspace.for_generation, generation_id)
    await workspace.generator.stop(generation_id, slot)
    return await views.generation_view(session, generation_id)


async def stop_all(call: Call) -> schemas.GenerationView:
    """Stops every response that still runs."""
    session, generation_id = call.session, call.path["generation"]
    await asyncio.to_thread(session.workspace.store.get_generation, generation_id)
    workspace = await asyncio.to_thread(session.workspace.for_generation, generation_id)
    await workspace.generator.stop(generation_id)
    return await views.generation_view(session, generation_id)


async def run_checks(call: Call) -> schemas.BoardView:
    """Runs the project's checks on every response that ended, one after another; answers when all are done."""
    session, generation_id = call.session, call.path["generation"]
    project = session.workspace.project
    await asyncio.to_thread(session.workspace.store.get_generation, generation_id)
    if not await asyncio.to_thread(load_checks, project):
        raise DceError("not_found", "this workspace has no checks", hint="Describe them in .dce/checks.toml.")
    if generation_id in session.checking:
        raise DceError("conflict", f"the checks of generation {generation_id} are running already")
    session.checking.add(generation_id)
    session.changed("checks")
    try:
        await check_responses(session.workspace, generation_id, on_event=session.tell)
    finally:
        session.checking.discard(generation_id)
        session.changed("checks")
    return await views.board_view(call)
