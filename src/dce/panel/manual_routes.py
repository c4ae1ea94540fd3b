"""Answers by hand: the prompt to copy, and a pasted answer as a response like any other.

What must always hold: the text that is given to be copied is the one that stands in prompt.md afterwards, so that what is pasted
belongs to it.
"""

import asyncio

import msgspec

from dce.panel import views
from dce.panel.route import Call, Route
from dce.panel.schemas import GenerationView
from dce.wire.errors import DceError
from dce.workspace.manual import paste


class PromptText(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt as it was written to `path`, and its tokens."""

    text: str
    sha256: str
    path: str
    tokens: int
    is_exact: bool


class Pasted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer for a slot. `generation` None: the cycle's one of the prompt that was copied (`prompt`, its sha256; "" the one in
    prompt.md), begun if there is none."""

    slot: int
    text: str
    generation: int | None = None
    prompt: str = ""


async def write_prompt(call: Call) -> PromptText:
    """Writes the cycle's prompt to prompt.md and gives it to be copied."""
    here = await asyncio.to_thread(call.session.workspace.for_cycle, call.path["cycle"])
    prepared = await here.preparation.build(call.path["cycle"])

    def write() -> str:
        here.store.put_prompt(prepared.prompt, prepared.grammar, here.clock())
        return here.project.relative(here.prompt_file.write(prepared.prompt))

    path = await asyncio.to_thread(write)
    call.session.changed("files")
    return PromptText(
        text=prepared.prompt.text,
        sha256=prepared.prompt.sha256,
        path=path,
        tokens=prepared.total,
        is_exact=prepared.is_exact,
    )


async def paste_answer(call: Call) -> GenerationView:
    """Puts an answer into a slot; what was there stays as an earlier version. The prompt itself is refused."""
    pasted: Pasted = call.body
    session, cycle = call.session, call.path["cycle"]
    here = await asyncio.to_thread(session.workspace.for_cycle, cycle)
    if pasted.generation is not None:
        generation = await asyncio.to_thread(here.store.get_generation, pasted.generation)
        if generation.cycle != cycle:
            raise DceError(
                "invalid_input", f"generation {generation.id} is of cycle {generation.cycle}, not of {cycle}"
            )
    with here.writer_lock("panel"):
        response = await paste(
            here, pasted.slot, pasted.text, pasted.generation, cycle_id=cycle, prompt_sha256=pasted.prompt
        )
    session.changed("generations")
    return await views.generation_view(session, response.generation)


ROUTES: tuple[Route, ...] = (
    Route("POST", "/api/cycles/{cycle:int}/prompt", write_prompt, gives=PromptText),
    Route("POST", "/api/cycles/{cycle:int}/answers", paste_answer, takes=Pasted, gives=GenerationView),
)
