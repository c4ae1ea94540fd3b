"""Responses: one as it is, an earlier version, stopping and continuing one, editing one by hand, pasting an answer as one."""

import asyncio

import msgspec

from dce.panel.limits import MAX_ANSWER_BODY_BYTES
from dce.panel.resources.generations import GenerationView, generation_view, progress_of, stop
from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.panel.threads import held
from dce.wire.errors import DceError
from dce.workspace.correct import Words, correct, correct_words, revert_edit
from dce.workspace.events import SlotProgress
from dce.workspace.judging.compare import Change, changes
from dce.workspace.manual import paste
from dce.workspace.record.generations import Generation
from dce.workspace.record.responses import ACTIVE, Response
from dce.workspace.schema.reading import BlockStatus, Parse
from dce.workspace.workspace import Workspace


class BlockView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an answer. `change` and the counts are against the workspace as it is now.

    `written_path`: the path as the answer has it, where that was read as another; else "".
    """

    path: str
    written_path: str
    content: str
    status: BlockStatus
    change: Change | None
    added: int
    removed: int
    flags: tuple[str, ...]


class ReadingView(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, parsed."""

    summary: str
    plan: str
    activity: str
    parse: Parse
    flags: tuple[str, ...]
    notes: tuple[str, ...]
    files: tuple[BlockView, ...]


class SlotView(msgspec.Struct, frozen=True, kw_only=True):
    """One response in full. `reading` is None while it runs."""

    progress: SlotProgress
    thinking: str
    text: str
    reading: ReadingView | None
    cursor: str


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a response in full. `reading` is None while it runs."""

    response: Response
    reading: ReadingView | None


class Correction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A response as a person edited it: its whole `text`, or only the `words` outside its files. `version`: the version that was edited;
    if the response has a newer one, that is a conflict. With neither text nor words, the last edit is reverted."""

    version: int
    text: str | None = None
    words: Words | None = None


class PastedAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer for a slot of `generation`. None: the generation of the cycle with the prompt that was copied (`prompt`, its sha256; ""
    the one in .dce/prompt.md), which is begun if there is none."""

    slot: int
    text: str
    generation: int | None = None
    prompt: str = ""


def show_response(call: Call) -> SlotView:
    """One response in full: raw, and parsed once it has ended."""
    panel, generation, slot = call.panel, call.path["generation"], call.path["slot"]
    cursor = panel.log.cursor
    live = panel.live.get(generation, slot)
    # The store is read after the live text: a response that ends in between is then complete in the store.
    thinking, text = (live.thinking, live.text) if live else ("", "")
    response = panel.workspace.store.responses.get(generation, slot)
    is_live = response.status in ACTIVE and live is not None and live.version == response.version
    return SlotView(
        progress=progress_of(panel, response),
        thinking=thinking if is_live else response.thinking,
        text=text if is_live else response.text,
        reading=_reading_unless_running(panel.workspace, response),
        cursor=cursor,
    )


def show_version(call: Call) -> VersionView:
    """One version of a response, also one that was replaced since."""
    here = call.panel.workspace
    response = here.store.responses.get(call.path["generation"], call.path["slot"], call.path["version"])
    return VersionView(response=response, reading=_reading_unless_running(here, response))


def _reading_unless_running(here: Workspace, response: Response) -> ReadingView | None:
    """An answer parsed, with what each of its files would change now."""
    if response.status in ACTIVE:
        return None
    reading = here.reading(response.generation, response.slot, response.version)
    manifest = here.store.prompts.get(here.store.generations.get(response.generation).prompt_sha256).manifest
    blocks = (
        BlockView(
            path=block.path,
            written_path=block.written_path,
            content=block.content,
            status=block.status,
            change=change.change,
            added=change.added,
            removed=change.removed,
            flags=change.flags,
        )
        for block, change in zip(reading.files, changes(here.project, reading, manifest), strict=True)
    )
    return ReadingView(
        summary=reading.summary,
        plan=reading.plan,
        activity=reading.activity,
        parse=reading.parse,
        flags=reading.flags,
        notes=reading.notes,
        files=tuple(blocks),
    )


async def stop_response(call: Call) -> GenerationView:
    """Stops one response; what arrived is kept."""
    return await stop(call.panel, call.path["generation"], call.path["slot"])


async def continue_response(call: Call) -> GenerationView:
    """Continues a response that was cut off, as its next version."""
    generation = await asyncio.to_thread(_generation_of, call.panel, call.path["generation"], call.path["slot"])
    await call.panel.continue_response(generation, call.path["slot"])
    return await asyncio.to_thread(generation_view, call.panel, generation.id)


def _generation_of(panel: PanelRuntime, generation_id: int, slot: int) -> Generation:
    """The generation, if it has this response."""
    generation = panel.workspace.store.generations.get(generation_id)
    panel.workspace.store.responses.get(generation_id, slot)  # not_found lists the responses that exist
    return generation


async def correct_response(call: Call) -> GenerationView:
    """Saves an edited text, or edited words, as the next version; or reverts the last edit. Every version stays."""
    request: Correction = call.body
    generation, slot = call.path["generation"], call.path["slot"]
    here = await asyncio.to_thread(call.panel.workspace.for_generation, generation)
    await asyncio.to_thread(check_latest, here, generation, slot, request.version)
    async with held(here.writer_lock("panel")):
        if request.words is not None:
            await correct_words(here, generation, slot, request.words)
        elif request.text is not None:
            await correct(here, generation, slot, request.text)
        else:
            await revert_edit(here, generation, slot)
    return await asyncio.to_thread(generation_view, call.panel, generation)


def check_latest(here: Workspace, generation: int, slot: int, version: int) -> None:
    """Raises DceError conflict unless `version` is the latest of the response. Blocks."""
    latest = here.store.responses.get(generation, slot).version
    if version != latest:
        raise DceError(
            "conflict", f"response {slot} has a newer version, {latest}", hint="Read that version, then decide again."
        )


async def paste_answer(call: Call) -> GenerationView:
    """Puts an answer into a slot; what was there stays as an earlier version. The prompt itself is refused."""
    pasted: PastedAnswer = call.body
    cycle = call.path["cycle"]
    here = await asyncio.to_thread(call.panel.workspace.for_cycle, cycle)
    if pasted.generation is not None:
        await asyncio.to_thread(_check_cycle, here, pasted.generation, cycle)
    async with held(here.writer_lock("panel")):
        response = await paste(
            here, pasted.slot, pasted.text, pasted.generation, cycle_id=cycle, prompt_sha256=pasted.prompt
        )
    return await asyncio.to_thread(generation_view, call.panel, response.generation)


def _check_cycle(here: Workspace, generation_id: int, cycle: int) -> None:
    generation = here.store.generations.get(generation_id)
    if generation.cycle != cycle:
        fact = f"generation {generation.id} belongs to cycle {generation.cycle}, not to cycle {cycle}"
        raise DceError("invalid_input", fact)


_SLOT = "/api/generations/{generation:int}/slots/{slot:int}"
_CHANGES = ("generations",)

ROUTES: tuple[Route, ...] = (
    Route("GET", _SLOT, show_response, gives=SlotView),
    Route("GET", _SLOT + "/versions/{version:int}", show_version, gives=VersionView),
    Route("POST", _SLOT + "/stop", stop_response, gives=GenerationView),
    Route("POST", _SLOT + "/continue", continue_response, gives=GenerationView),
    Route(
        "POST",
        _SLOT + "/correction",
        correct_response,
        takes=Correction,
        gives=GenerationView,
        changes=_CHANGES,
        max_body_bytes=MAX_ANSWER_BODY_BYTES,
    ),
    Route(
        "POST",
        "/api/cycles/{cycle:int}/answers",
        paste_answer,
        takes=PastedAnswer,
        gives=GenerationView,
        changes=_CHANGES,
        max_body_bytes=MAX_ANSWER_BODY_BYTES,
    ),
)
