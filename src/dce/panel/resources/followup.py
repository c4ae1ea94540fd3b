"""Follow-ups: making a new answer from one, and what was asked."""

import asyncio

import msgspec

from dce.panel.resources.generations import GenerationView, generation_view
from dce.panel.route import Call, Route
from dce.wire.errors import DceError
from dce.workspace.follow_up import MAX_ROUNDS, Ask
from dce.workspace.record.follow_ups import MadeFrom


class FollowUpRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to make from a response. `version`: the one that was read; if the response has a newer one, that is a conflict. `words`: the
    user's; `is_failing`: with the output of its failing checks, `rounds` times at most; `other`: the slot of an answer to fuse it with."""

    version: int
    words: str = ""
    is_failing: bool = False
    other: int | None = None
    rounds: int = 1


class FollowUpView(msgspec.Struct, frozen=True, kw_only=True):
    """Where a response comes from, and the message that was sent after that answer."""

    made_from: MadeFrom
    request: str


async def follow_up(call: Call) -> GenerationView:
    """Makes a new answer, in a further slot; responds as soon as that exists. Failing checks are run first unless their verdict holds.

    Raises consent_needed before the user has agreed to the host, or to the commands.
    """
    request: FollowUpRequest = call.body
    if not 1 <= request.rounds <= MAX_ROUNDS:
        raise DceError("invalid_input", f"rounds is {request.rounds}, but must be 1 to {MAX_ROUNDS}")
    generation = call.path["generation"]
    ask = Ask(
        slot=call.path["slot"],
        words=request.words,
        is_failing=request.is_failing,
        other=request.other,
        version=request.version,
    )
    await call.panel.follow_up(generation, ask, request.rounds)
    return await asyncio.to_thread(generation_view, call.panel, generation)


def show_follow_up(call: Call) -> FollowUpView:
    """What a follow-up was made from. Raises not_found for a response that is none."""
    generation, slot = call.path["generation"], call.path["slot"]
    store = call.panel.workspace.store
    store.responses.get(generation, slot)  # not_found lists the responses that exist
    found = store.follow_ups.find(generation, slot)
    if found is None:
        raise DceError("not_found", f"response {slot} of generation {generation} is not a follow-up")
    return FollowUpView(made_from=found.made_from, request=found.request)


_SLOT = "/api/generations/{generation:int}/slots/{slot:int}"

ROUTES: tuple[Route, ...] = (
    Route("POST", _SLOT + "/follow-up", follow_up, takes=FollowUpRequest, gives=GenerationView),
    Route("GET", _SLOT + "/follow-up", show_follow_up, gives=FollowUpView),
)
