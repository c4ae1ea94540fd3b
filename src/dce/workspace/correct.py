"""A response that a person put right by hand: a new version, the model's own words stay.

What must always hold: nothing that a model wrote is changed; a corrected version says that it is one; a correction of the words beside
the files leaves every file as it was read; reading and storing happen in threads, so that no event loop waits for them.
"""

import asyncio
import json
from collections.abc import Iterator

import msgspec

from dce.wire.errors import DceError
from dce.workspace.manual import MAX_PASTED_CHARS
from dce.workspace.record.responses import ACTIVE, Response, Status, Tokens
from dce.workspace.schema.reading import Reading
from dce.workspace.workspace import Workspace

CORRECTED = "corrected"
"""The finish_reason of a version that a person wrote: they say that it is whole."""


async def correct(workspace: Workspace, generation_id: int, slot: int, text: str) -> Response:
    """Keeps `text` as the next version of a response; gives that. Hold the writer lock.

    Raises DceError not_found, conflict (it still runs), invalid_input (nothing changed, empty, too long).
    """
    earlier = await asyncio.to_thread(_ended, workspace, generation_id, slot)
    _check_size(text)
    if text == earlier.text:
        raise DceError("invalid_input", "nothing was changed: this is the text as it is")
    whole = msgspec.structs.replace(earlier, status=Status.COMPLETE, error=None)
    return await _keep(workspace, whole, text)


def _ended(workspace: Workspace, generation_id: int, slot: int) -> Response:
    response = workspace.store.responses.get(generation_id, slot)
    if response.status in ACTIVE:
        raise DceError("conflict", f"response {slot} of generation {generation_id} is still {response.status}")
    return response


def _check_size(text: str) -> None:
    if not text.strip() or len(text) > MAX_PASTED_CHARS:
        raise DceError(
            "invalid_input", f"an answer needs at least one word, and has at most {MAX_PASTED_CHARS:,} characters"
        )


async def _keep(workspace: Workspace, earlier: Response, text: str) -> Response:
    [count] = await workspace.counter.count([text])
    version = msgspec.structs.replace(
        earlier,
        text=text,
        tokens=Tokens(thinking=earlier.tokens.thinking, answer=count.tokens, exact=count.exact),
        finish_reason=CORRECTED,
        ended_at=workspace.clock(),
    )
    return await asyncio.to_thread(workspace.store.responses.insert_ended, version)


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an answer says beside its files."""

    summary: str
    plan: str = ""
    activity: str = ""


PARTS = Words.__struct_fields__
MAX_PLACES = 20
"""In how many places of an answer a part's text is looked for; a word that stands in more of them is put right in the raw text."""


async def correct_words(workspace: Workspace, generation_id: int, slot: int, words: Words) -> Response:
    """Keeps the answer with other words beside the same files, as its next version; gives that. Hold the writer lock.

    One that was cut stays cut. Raises DceError as `correct` does, and invalid_input if the answer's form has no place for them.
    """
    earlier = await asyncio.to_thread(_ended, workspace, generation_id, slot)
    text = await asyncio.to_thread(_with_words, workspace, earlier, words)
    _check_size(text)
    if text == earlier.text:
        raise DceError("invalid_input", "nothing was changed: these are the words as they are")
    return await _keep(workspace, earlier, text)


def _with_words(workspace: Workspace, earlier: Response, words: Words) -> str:
    """The answer's text with other words in it: reads the answer anew for every place where they may stand."""
    text, is_cut = earlier.text, earlier.status is not Status.COMPLETE
    before = workspace.read(earlier.generation, text, is_cut)
    wanted = {part: getattr(words, part).strip() for part in PARTS}
    for part in PARTS:
        have = getattr(before, part)
        if wanted[part] == have:
            continue
        target = msgspec.structs.replace(before, **{part: wanted[part]})
        readings = (
            (changed, workspace.read(earlier.generation, changed, is_cut))
            for changed in _with_part(text, part, have, wanted[part])
        )
        found = next(((changed, reading) for changed, reading in readings if _says(reading, target)), None)
        if found is None:
            raise DceError(
                "invalid_input",
                f"this answer's form has no place for that {part}",
                hint="Edit the raw text instead.",
            )
        text, before = found
    return text


async def take_back(workspace: Workspace, generation_id: int, slot: int) -> Response:
    """The model's own words again, as the next version: what was put right stays as an earlier one. Hold the writer lock.

    Raises DceError not_found, invalid_input (the latest version was not put right by hand).
    """
    return await asyncio.to_thread(_take_back, workspace, generation_id, slot)


def _take_back(workspace: Workspace, generation_id: int, slot: int) -> Response:
    versions = workspace.store.responses.versions(generation_id, slot)
    own = next((each for each in reversed(versions) if each.finish_reason != CORRECTED), None)
    if own is None or workspace.store.responses.get(generation_id, slot).finish_reason != CORRECTED:
        raise DceError("invalid_input", f"response {slot} of generation {generation_id} was not edited by hand")
    return workspace.store.responses.insert_ended(own)


def _says(reading: Reading, target: Reading) -> bool:
    return reading.files == target.files and all(getattr(reading, part) == getattr(target, part) for part in PARTS)


def _with_part(text: str, part: str, have: str, wanted: str) -> Iterator[str]:
    """The answer with one part's text changed, in every way that may be right; which one is, reading it tells."""
    if have == "":
        yield f"<{part}>\n{wanted}\n</{part}>\n\n{text}"
        return
    for old, new in ((have, wanted), *((_escaped(have, form), _escaped(wanted, form)) for form in (False, True))):
        at = text.find(old)
        for _ in range(MAX_PLACES):
            if at < 0:
                break
            yield text[:at] + new + text[at + len(old) :]
            at = text.find(old, at + 1)


def _escaped(text: str, is_ascii: bool) -> str:
    """As it stands in JSON."""
    return json.dumps(text, ensure_ascii=is_ascii)[1:-1]
