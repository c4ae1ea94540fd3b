"""The conversation that a response belongs to: the generation's prompt alone, or the answers and messages that led to a follow-up.

What must always hold: every version of a slot gets the same messages; the prompt and the answer come first and unchanged, so that a
server's prefix cache has them already.
"""

from collections.abc import Sequence

from dce.workspace.generating.provider_events import Turn
from dce.workspace.record.follow_ups import FollowUp
from dce.workspace.record.responses import Response
from dce.workspace.record.store import Store

Turns = tuple[Turn, ...]


def turns_before(store: Store, generation_id: int, slot: int) -> Turns:
    """The messages after the prompt that lead to a slot; () for one that was asked with the others. Raises DceError not_found."""
    found = store.follow_ups.find(generation_id, slot)
    return turns_of(store, found) if found is not None else ()


def turns_of(store: Store, follow_up: FollowUp) -> Turns:
    """The messages after the prompt that lead to a follow-up, stored or not. Raises DceError not_found."""
    earlier = store.responses.get(follow_up.generation, follow_up.from_slot, follow_up.from_version)
    return (
        *turns_before(store, earlier.generation, earlier.slot),
        Turn(role="assistant", text=earlier.text),
        Turn(role="user", text=follow_up.request),
    )


def by_conversation(
    store: Store, generation_id: int, responses: Sequence[Response]
) -> list[tuple[Turns, list[Response]]]:
    """The responses, grouped by what is sent for them: one request has one conversation."""
    groups: dict[Turns, list[Response]] = {}
    for response in responses:
        groups.setdefault(turns_before(store, generation_id, response.slot), []).append(response)
    return list(groups.items())


def first_slot(store: Store, generation_id: int, slot: int) -> int:
    """The slot at the beginning of a chain of follow-ups, whose sampling the whole chain keeps."""
    while (found := store.follow_ups.find(generation_id, slot)) is not None:
        slot = found.from_slot
    return slot
