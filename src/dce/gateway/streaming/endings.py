"""Frames that end a choice, held back until nothing can follow them. Pure.

Some servers send a finish_reason with every chunk, or text after it. A client takes a finish_reason as the end, so the gateway passes the
last one on: at the end of the backend's stream, or when the choice has been silent for `SETTLE_S`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from dce.wire.chat import chunk_of
from dce.wire.finish import reason_of

SETTLE_S = 3.0
"""How long a choice is silent after its finish_reason before that is the end: the stream's own end usually comes within milliseconds."""


class _Ending:
    """The last frame with a finish_reason of one choice."""

    def __init__(self, frame: dict[str, Any], reason: str, seen: object) -> None:
        self.frame = frame
        self.reason = reason
        self.seen = seen
        self.has_gone_on = False


class Endings:
    """The held frames of one backend request, by choice."""

    def __init__(self) -> None:
        self._held: dict[int, _Ending] = {}

    def __bool__(self) -> bool:
        return bool(self._held)

    def hold(self, index: int, frame: dict[str, Any], seen: object) -> None:
        """Holds a frame that ends its only choice. `seen`: the last frame that was passed on before it."""
        reason = reason_of(frame["choices"][0].get("finish_reason")) or ""
        self._held[index] = _Ending(frame, reason, seen)

    def go_on(self, index: int) -> dict[str, Any] | None:
        """More of this choice arrived: what the held frame says, without its reason, which is kept."""
        ending = self._held.get(index)
        if ending is None:
            return None
        frame, choice = ending.frame, ending.frame["choices"][0]
        ending.has_gone_on = True
        ending.frame = {**frame, "choices": [{"index": index, "delta": {}, "finish_reason": ending.reason}]}
        said = chunk_of(frame).choices[0]
        is_empty = not (said.text or said.thinking or said.tools or said.error)
        return None if is_empty else {**frame, "choices": [{**choice, "finish_reason": None}]}

    def take(self, only: int | None = None, *, is_orderly: bool = False) -> Iterator[tuple[int, dict[str, Any], str]]:
        """The choices (None: all) that are whole: index, frame and reason. Unless the stream ended in order, not those that had gone on
        after their reason."""
        for index, ending in list(self._held.items()):
            if only not in (None, index):
                continue
            if is_orderly or not ending.has_gone_on:
                del self._held[index]
                yield index, ending.frame, ending.reason

    def settle(self, seen: Callable[[int], object]) -> Iterator[tuple[int, dict[str, Any], str]]:
        """Like `take`, for the choices that were silent since the last call. `seen`: the last frame passed on of a choice."""
        for index, ending in list(self._held.items()):
            if ending.seen is seen(index):
                del self._held[index]
                yield index, ending.frame, ending.reason
            else:
                ending.seen = seen(index)
