"""Pasted answers: text copied from a chat becomes a response like any other.

What must always hold: the prompt itself is never accepted as an answer; nothing is overwritten (a filled slot gets a new version); a
pasted answer belongs to the prompt in .dce/prompt.md as DCE wrote it; reading and storing run in threads, so that they never block
an event loop.
"""

import asyncio

from dce.wire.asking import MAX_RESPONSES
from dce.wire.errors import DceError
from dce.workspace.record.generations import Generation
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.responses import Response, Status, Tokens
from dce.workspace.schema.assembly import canonical
from dce.workspace.schema.reading import file_block
from dce.workspace.workspace import Workspace

PASTED = "pasted"
"""The finish_reason of a pasted response: the user vouches that it is complete."""

MAX_PASTED_CHARS = 20_000_000
"""Longest answer: far above what any model writes, far below what would stall the store."""

MIN_PART_CHARS = 400
"""A text of at least this length that occurs word for word in the prompt is part of the prompt, not an answer."""


async def paste(
    workspace: Workspace,
    slot: int | None,
    text: str,
    generation_id: int | None = None,
    *,
    cycle_id: int | None = None,
    prompt_sha256: str = "",
    as_path: str = "",
) -> Response:
    """Stores an answer in a slot and returns the response; starts a generation if there is none. Hold the writer lock.

    `generation_id` None: the current cycle's latest generation if it has the prompt in .dce/prompt.md (as `dce prompt` wrote it,
    whatever was edited since), otherwise a new one; `cycle_id` and `prompt_sha256` name another cycle and a stored prompt.
    `slot` None: the next empty one. `as_path`: the text is not an answer but the content of this file.
    Raises DceError invalid_input (empty, too long, the prompt itself, no such slot, no empty slot, an invalid path), conflict (the
    slot is being written), not_found.
    """
    if not text.strip() or len(text) > MAX_PASTED_CHARS:
        raise DceError(
            "invalid_input", f"an answer needs at least one word and can have at most {MAX_PASTED_CHARS:,} characters"
        )
    if generation_id is None:
        if cycle_id is None:
            cycle_id = (await asyncio.to_thread(workspace.cycles.current)).id
        prompt = await asyncio.to_thread(_carried, workspace, prompt_sha256)
        prompt = prompt or (await workspace.preparation.build(cycle_id)).prompt
        await asyncio.to_thread(_refuse_prompt, text, prompt.text)
        latest = await asyncio.to_thread(_latest_of, workspace, cycle_id, prompt)
        await asyncio.to_thread(_require_slot, workspace, latest, slot)
        generation = latest or await _begin(workspace, cycle_id, prompt)
    else:
        generation = await asyncio.to_thread(_of_generation, workspace, generation_id, text)
        await asyncio.to_thread(_require_slot, workspace, generation, slot)
    if as_path:
        text = await asyncio.to_thread(_as_file, workspace, generation, text, as_path)
    if slot is None:
        slot = await asyncio.to_thread(_next_empty, workspace, generation)
    [count] = await workspace.counter.count([text])
    response = Response(
        generation=generation.id,
        slot=slot,
        version=1,
        status=Status.COMPLETE,
        text=text,
        tokens=Tokens(answer=count.tokens, exact=count.exact),
        finish_reason=PASTED,
        ended_at=workspace.clock(),
    )
    return await asyncio.to_thread(workspace.store.responses.insert_ended, response)


def _require_slot(workspace: Workspace, generation: Generation | None, slot: int | None) -> None:
    """Refuses a slot that there cannot be: only follow-ups fill those beyond the responses that one request may ask for."""
    if slot is None or 1 <= slot <= MAX_RESPONSES:
        return
    if generation is None or slot not in workspace.store.responses.slots(generation.id):
        raise DceError("invalid_input", f"there is no slot {slot}; slots are numbered 1 to {MAX_RESPONSES}")


def _carried(workspace: Workspace, prompt_sha256: str) -> Prompt | None:
    """The prompt that the answer belongs to: the stored one named, or else the one in .dce/prompt.md."""
    return workspace.store.prompts.get(prompt_sha256) if prompt_sha256 else workspace.prompt_file.read()


def _of_generation(workspace: Workspace, generation_id: int, text: str) -> Generation:
    """The generation an answer is for. Raises invalid_input if `text` is its prompt."""
    generation = workspace.store.generations.get(generation_id)
    _refuse_prompt(text, workspace.store.prompts.get(generation.prompt_sha256).text)
    return generation


def _next_empty(workspace: Workspace, generation: Generation) -> int:
    filled = set(workspace.store.responses.slots(generation.id))
    slot = next((slot for slot in range(1, MAX_RESPONSES + 1) if slot not in filled), None)
    if slot is None:
        raise DceError(
            "invalid_input",
            f"all {MAX_RESPONSES} slots of generation {generation.id} are filled",
            hint="Name a slot to give it a new version: dce paste SLOT FILE.",
        )
    return slot


def _as_file(workspace: Workspace, generation: Generation, text: str, path: str) -> str:
    """An answer that consists of one file with this text, in a form that every reader understands."""
    path = canonical(path)
    if not path or any(char in path for char in '"<>\n\r'):
        raise DceError("invalid_input", f"{path!r} is not a valid path for a file in an answer")
    content = text if text.endswith("\n") else text + "\n"
    answer = f"<summary>\nPasted as {path}.\n</summary>\n\n"
    block = (
        file_block(path, content, generation.nonce) if generation.nonce else f'<file path="{path}">\n{content}</file>'
    )
    answer += f"{block}\n"
    files = workspace.read(generation.id, answer, is_cut=False).files
    if [file.path for file in files] != [path] or files[0].content.strip() not in text:
        raise DceError(
            "invalid_input",
            f"this text cannot be read back as one file {path}: it contains the tags that mark files",
            hint="Save it as the file yourself, or paste it without --as if it is an answer.",
        )
    return answer


async def _begin(workspace: Workspace, cycle_id: int, prompt: Prompt) -> Generation:
    """Starts a generation without responses, to paste into. Its prompt is written and stored like any other."""
    [count] = await workspace.counter.count([prompt.text])
    return await asyncio.to_thread(_keep_begun, workspace, cycle_id, prompt, count.tokens)


def _keep_begun(workspace: Workspace, cycle_id: int, prompt: Prompt, prompt_tokens: int) -> Generation:
    workspace.prompt_file.write(prompt)
    now = workspace.clock()
    workspace.store.prompts.put(prompt, None, now)
    return workspace.store.generations.insert(
        Generation(
            id=0,
            cycle=cycle_id,
            prompt_sha256=prompt.sha256,
            model=workspace.settings.model or "",
            n=0,
            schema=prompt.schema,
            nonce=prompt.nonce,
            max_tokens=0,
            created_at=now,
            prompt_tokens=prompt_tokens,
            card=workspace.settings.card,
        )
    )


def _latest_of(workspace: Workspace, cycle_id: int, prompt: Prompt) -> Generation | None:
    """The cycle's latest generation, if the prompt has not changed since it began."""
    latest = workspace.store.generations.latest(cycle_id)
    return latest if latest is not None and latest.prompt_sha256 == prompt.sha256 else None


def _refuse_prompt(text: str, prompt: str) -> None:
    """Raises invalid_input if the text is the prompt: copying from the wrong window is the usual mistake."""
    answer, asked = _words(text), _words(prompt)
    if asked and (asked in answer or (len(answer) >= MIN_PART_CHARS and answer in asked)):
        raise DceError(
            "invalid_input",
            "this text is the prompt or a part of it, not an answer",
            hint="Copy the model's reply, then paste again.",
        )


def _words(text: str) -> str:
    """The words of a text, independent of what a clipboard did to its line ends and spaces."""
    return " ".join(text.split())
