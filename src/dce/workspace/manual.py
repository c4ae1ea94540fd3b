"""Answers carried by hand: a text from a chat becomes a response like any other.

What must always hold: the prompt itself is never taken for an answer; what was there stays (a slot that is filled gets a new version); the
prompt that a pasted answer belongs to is the one in prompt.md, as it was written; reading and storing happen in threads, so that no
event loop waits for them.
"""

import asyncio

from dce.wire.asking import MAX_RESPONSES
from dce.wire.errors import DceError
from dce.workspace.record.generations import Generation
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.responses import Response, Status, Tokens
from dce.workspace.workspace import Workspace

PASTED = "pasted"
"""The finish_reason of a response that came by hand: whoever pasted it said that it is whole."""

MAX_PASTED_CHARS = 20_000_000
"""Longest answer: far above what any model writes, far below what would stall the store."""

MIN_PART_CHARS = 400
"""From this length on, a text that stands in the prompt word for word is a part of it and no answer."""


async def paste(
    workspace: Workspace,
    slot: int,
    text: str,
    generation_id: int | None = None,
    *,
    cycle_id: int | None = None,
    prompt_sha256: str = "",
) -> Response:
    """Puts an answer into a slot and gives the response; without a generation to put it in, one is begun. Hold the writer lock.

    `generation_id` None: the current cycle's latest generation if it is of the prompt in prompt.md (as `dce prompt` wrote it, whatever was edited since), else a new one;
    `cycle_id` and `prompt_sha256` name another cycle, and a stored prompt that was carried. Raises DceError
    invalid_input (empty, too long, the prompt itself, no such slot), conflict (the slot is being written), not_found.
    """
    if not 1 <= slot <= MAX_RESPONSES:
        raise DceError("invalid_input", f"there is no slot {slot}; they are 1 to {MAX_RESPONSES}")
    if not text.strip() or len(text) > MAX_PASTED_CHARS:
        raise DceError(
            "invalid_input", f"an answer needs at least one word, and has at most {MAX_PASTED_CHARS:,} characters"
        )
    if generation_id is None:
        if cycle_id is None:
            cycle_id = (await asyncio.to_thread(workspace.cycles.current)).id
        prompt = await asyncio.to_thread(_carried, workspace, prompt_sha256)
        prompt = prompt or (await workspace.preparation.build(cycle_id)).prompt
        await asyncio.to_thread(_refuse_prompt, text, prompt.text)
        latest = await asyncio.to_thread(_latest_of, workspace, cycle_id, prompt)
        generation = latest or await _begin(workspace, cycle_id, prompt)
    else:
        generation = await asyncio.to_thread(_of_generation, workspace, generation_id, text)
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


def _carried(workspace: Workspace, prompt_sha256: str) -> Prompt | None:
    """The prompt that was carried: the stored one that is named, else the one in prompt.md."""
    return workspace.store.prompts.get(prompt_sha256) if prompt_sha256 else workspace.prompt_file.read()


def _of_generation(workspace: Workspace, generation_id: int, text: str) -> Generation:
    """The generation an answer is for, which `text` is not the prompt of."""
    generation = workspace.store.generations.get(generation_id)
    _refuse_prompt(text, workspace.store.prompts.get(generation.prompt_sha256).text)
    return generation


async def _begin(workspace: Workspace, cycle_id: int, prompt: Prompt) -> Generation:
    """A generation without responses, to paste into. The prompt is written and kept as it is for any other."""
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
    """Copying the wrong window is the mistake of everybody who pastes."""
    answer, asked = _words(text), _words(prompt)
    if asked and (asked in answer or (len(answer) >= MIN_PART_CHARS and answer in asked)):
        raise DceError(
            "invalid_input",
            "this is the prompt, or a part of it, and not an answer to it",
            hint="Copy the model's reply, then paste again.",
        )


def _words(text: str) -> str:
    """A text as it is whatever a clipboard did to its line ends and spaces."""
    return " ".join(text.split())
