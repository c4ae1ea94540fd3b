"""A response that a person put right by hand: a new version, the model's own words stay.

What must always hold: nothing that a model wrote is changed; a corrected version says that it is one.
"""

from typing import TYPE_CHECKING

import msgspec

from dce.wire.errors import DceError
from dce.workspace.generating.response import ACTIVE, Response, Status, Tokens
from dce.workspace.manual import MAX_PASTED_CHARS

if TYPE_CHECKING:
    from dce.workspace.workspace import Workspace

CORRECTED = "corrected"
"""The finish_reason of a version that a person wrote: they say that it is whole."""


async def correct(workspace: "Workspace", generation_id: int, slot: int, text: str) -> Response:
    """Keeps `text` as the next version of a response; gives that. Hold the writer lock.

    Raises DceError not_found, conflict (it still runs), invalid_input (nothing changed, empty, too long).
    """
    earlier = workspace.store.response(generation_id, slot)
    if earlier.status in ACTIVE:
        raise DceError("conflict", f"response {slot} of generation {generation_id} is still {earlier.status}")
    if not text.strip() or len(text) > MAX_PASTED_CHARS:
        raise DceError("invalid_input", f"an answer has a word at least, and at most {MAX_PASTED_CHARS:,} characters")
    if text == earlier.text:
        raise DceError("invalid_input", "nothing was changed: this is the text as it is")
    [count] = await workspace.counter.count([text])
    return workspace.store.insert_pasted(
        msgspec.structs.replace(
            earlier,
            status=Status.COMPLETE,
            text=text,
            tokens=Tokens(thinking=earlier.tokens.thinking, answer=count.tokens, exact=count.exact),
            finish_reason=CORRECTED,
            error=None,
            ended_at=workspace.clock(),
        )
    )
