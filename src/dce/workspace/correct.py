"""Corrects a response by hand: the correction is a new version, and the model's own text is kept.

What must always hold: nothing that a model wrote is changed; a corrected version is marked as one; an edit of the summary, plan or
activity leaves every parsed file unchanged; parsing and storing run in threads, so that they never block an event loop.
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
"""The finish_reason of a version edited by a person, who vouches that it is complete."""


async def correct(workspace: Workspace, generation_id: int, slot: int, text: str) -> Response:
    """Stores `text` as the next version of a response and returns it. Hold the writer lock.

    Raises DceError not_found, conflict (still running), invalid_input (nothing changed, empty, too long).
    """
    earlier = await asyncio.to_thread(_ended, workspace, generation_id, slot)
    _check_size(text)
    if text == earlier.text:
        raise DceError("invalid_input", "nothing was changed: the text is the same as before")
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
            "invalid_input", f"an answer needs at least one word and can have at most {MAX_PASTED_CHARS:,} characters"
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
    """The texts of an answer outside its files."""

    summary: str
    plan: str = ""
    activity: str = ""


PARTS = Words.__struct_fields__
MAX_PLACES = 20
"""Maximum occurrences of a part's text that are tried. A text that occurs more often has to be edited in the raw answer."""


async def correct_words(workspace: Workspace, generation_id: int, slot: int, words: Words) -> Response:
    """Stores the answer with other texts and the same files as its next version and returns it. Hold the writer lock.

    A cut answer stays cut. Raises DceError like `correct`, and invalid_input if the answer's form has no place for the texts.
    """
    earlier = await asyncio.to_thread(_ended, workspace, generation_id, slot)
    text = await asyncio.to_thread(_with_words, workspace, earlier, words)
    _check_size(text)
    if text == earlier.text:
        raise DceError("invalid_input", "nothing was changed: the texts are the same as before")
    return await _keep(workspace, earlier, text)


def _with_words(workspace: Workspace, earlier: Response, words: Words) -> str:
    """The answer with its texts replaced. Every candidate position is tried, and the answer is parsed again for each."""
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
                f"this answer's format has no place for that {part}",
                hint="Edit the raw text instead.",
            )
        text, before = found
    return text


async def revert_edit(workspace: Workspace, generation_id: int, slot: int) -> Response:
    """Restores the model's own text as the next version; the corrected one stays as an earlier version. Hold the writer lock.

    Raises DceError not_found, invalid_input (the latest version was not edited by hand).
    """
    return await asyncio.to_thread(_revert_edit, workspace, generation_id, slot)


def _revert_edit(workspace: Workspace, generation_id: int, slot: int) -> Response:
    versions = workspace.store.responses.versions(generation_id, slot)
    own = next((each for each in reversed(versions) if each.finish_reason != CORRECTED), None)
    if own is None or workspace.store.responses.get(generation_id, slot).finish_reason != CORRECTED:
        raise DceError("invalid_input", f"response {slot} of generation {generation_id} was not edited by hand")
    return workspace.store.responses.insert_ended(own)


def _says(reading: Reading, target: Reading) -> bool:
    return reading.files == target.files and all(getattr(reading, part) == getattr(target, part) for part in PARTS)


def _with_part(text: str, part: str, have: str, wanted: str) -> Iterator[str]:
    """Candidates for the answer with one part's text changed. The caller parses each to find the right one."""
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
    """The text as escaped in a JSON string."""
    return json.dumps(text, ensure_ascii=is_ascii)[1:-1]
