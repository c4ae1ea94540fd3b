"""The prompt of a cycle: a preview with its cost, the difference from the last one sent, and writing it out to be copied.

What must always hold: the text given to be copied is the text that stands in .dce/prompt.md afterwards, so that a pasted answer belongs to it.
"""

import asyncio

import msgspec

from dce.panel.route import Call, Route
from dce.workspace.context.tokens import Count
from dce.workspace.preparing.prepared_prompt import PreparedPrompt
from dce.workspace.record.generations import Generation
from dce.workspace.record.prompts import FILES_SECTION
from dce.workspace.workspace import Workspace


class SectionView(msgspec.Struct, frozen=True, kw_only=True):
    """A section of the prompt: its place in the text (code points) and its tokens."""

    name: str
    start: int
    end: int
    count: Count


class PromptFileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file as the prompt shows it, and its cost. `start`: where its block begins in the text (code points); -1: not found."""

    path: str
    detail: str
    start: int
    count: Count


class PromptView(msgspec.Struct, frozen=True, kw_only=True):
    """The exact prompt as it would be sent now. `budget`: tokens that the model has for it; None if unknown, for the reason in `note`.

    `findings`: possible secrets in it that nobody has decided about; `is_blocked`: it cannot be sent, because of them or its length.
    `shared`: about how many tokens at its beginning equal those of the last prompt sent, which the server may have cached; None if none
    was sent.
    """

    text: str
    sha256: str
    sections: tuple[SectionView, ...]
    files: tuple[PromptFileView, ...]
    findings: int
    is_blocked: bool
    total: int
    is_exact: bool
    model: str
    note: str
    budget: int | None
    is_over: bool
    shared: int | None


class PromptChange(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt as it would be sent now, and the last one sent, in `generation`; 0: none was sent, and `before` is empty."""

    generation: int
    before: str
    after: str


class PromptText(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt as it was written to `path`, and its tokens."""

    text: str
    sha256: str
    path: str
    tokens: int
    is_exact: bool


async def show_prompt(call: Call) -> PromptView:
    """The exact prompt as it would be sent now, with its cost; `text=no` leaves out the text (a meter needs none)."""
    here = await asyncio.to_thread(call.panel.workspace.for_cycle, call.path["cycle"])
    prepared = await here.preparation.build(call.path["cycle"])
    counts = await here.counter.count([file.text for file in prepared.files])
    return await asyncio.to_thread(_prompt_view, here, prepared, counts, call.query.get("text") != "no")


def _prompt_view(here: Workspace, prepared: PreparedPrompt, counts: list[Count], with_text: bool) -> PromptView:
    sections = (
        SectionView(name=section.name, start=section.start, end=section.end, count=count)
        for section, count in zip(prepared.prompt.sections, prepared.counts, strict=True)
    )
    is_refused = bool(prepared.findings) and here.sending.holds_back
    return PromptView(
        text=prepared.prompt.text if with_text else "",
        sha256=prepared.prompt.sha256,
        sections=tuple(sections),
        files=_prompt_files(prepared, counts),
        findings=len(prepared.findings),
        is_blocked=prepared.is_over or is_refused,
        total=prepared.total,
        is_exact=prepared.is_exact,
        model=prepared.model,
        note=prepared.note,
        budget=prepared.budget,
        is_over=prepared.is_over,
        shared=here.preparation.shared_tokens(prepared),
    )


def _prompt_files(prepared: PreparedPrompt, counts: list[Count]) -> tuple[PromptFileView, ...]:
    text, nonce = prepared.prompt.text, prepared.prompt.nonce
    files, at = [], prepared.prompt.start_of(FILES_SECTION) or 0
    for file, count in zip(prepared.files, counts, strict=True):
        start = text.find(f'path="{file.path}" nonce="{nonce}"', at)
        start = text.rfind("<", at, start) if start >= 0 else -1
        at = max(at, start)
        files.append(PromptFileView(path=file.path, detail=file.detail, start=start, count=count))
    return tuple(files)


async def write_prompt(call: Call) -> PromptText:
    """Writes the cycle's prompt to .dce/prompt.md and returns it to be copied. Raises secrets_found while anything in it is undecided: what is
    pasted elsewhere has left this machine.
    """
    here = await asyncio.to_thread(call.panel.workspace.for_cycle, call.path["cycle"])
    prepared = await here.preparation.build(call.path["cycle"])
    here.sending.check_copy(prepared.findings)

    def write() -> PromptText:
        here.store.prompts.put(prepared.prompt, prepared.grammar, here.clock())
        return PromptText(
            text=prepared.prompt.text,
            sha256=prepared.prompt.sha256,
            path=here.project.relative(here.prompt_file.write(prepared.prompt)),
            tokens=prepared.total,
            is_exact=prepared.is_exact,
        )

    return await asyncio.to_thread(write)


async def show_prompt_change(call: Call) -> PromptChange:
    """The prompt as it would be sent now, and the last one sent: of this cycle, or else of any."""
    cycle_id = call.path["cycle"]
    here = await asyncio.to_thread(call.panel.workspace.for_cycle, cycle_id)
    prepared = await here.preparation.build(cycle_id)
    last, before = await asyncio.to_thread(_last_prompt, here, cycle_id, prepared.prompt.nonce)
    return PromptChange(generation=last.id if last else 0, before=before, after=prepared.prompt.text)


def _last_prompt(here: Workspace, cycle_id: int, nonce: str) -> tuple[Generation | None, str]:
    """The last generation and its prompt with `nonce` in place of its own, which alone would differ in hundreds of lines."""
    last = here.store.generations.latest(cycle_id) or here.store.generations.latest()
    if last is None:
        return None, ""
    prompt = here.store.prompts.get(last.prompt_sha256)
    return last, prompt.text.replace(f'nonce="{prompt.nonce}"', f'nonce="{nonce}"')


_PROMPT = "/api/cycles/{cycle:int}/prompt"

ROUTES: tuple[Route, ...] = (
    Route("GET", _PROMPT, show_prompt, gives=PromptView, query=("text",)),
    Route("POST", _PROMPT, write_prompt, gives=PromptText, changes=("files",)),
    Route("GET", _PROMPT + "/change", show_prompt_change, gives=PromptChange),
)
