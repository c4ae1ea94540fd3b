"""What to cut from a prompt that is too long: the fewest changes to the selection that make it fit, the mildest first.

Pure. What a change saves is an estimate: the prompt's own count decides afterwards.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from dce.workspace.context.detail import reduced
from dce.workspace.record.estimate import estimate
from dce.workspace.schema.reading import PromptFile

MIN_SAVED_SHARE = 0.5
"""An outline is worth proposing if it saves at least half of the file."""

MAX_CUTS = 20
"""More changes than this are no advice: the selection is wrong as a whole, and that is said instead."""


class FileCost(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a prompt and its tokens as shown, `detail` saying how much of it that is."""

    path: str
    tokens: int
    exact: bool
    detail: str


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A change that saves about so many tokens: `outline` the file, or `remove` it from the selection."""

    path: str
    change: Literal["outline", "remove"]
    saves: int

    @property
    def command(self) -> str:
        """How it is done."""
        return f"dce select show outline {self.path}" if self.change == "outline" else f"dce select rm {self.path}"


def cuts(files: Sequence[PromptFile], costs: Sequence[FileCost], over: int) -> tuple[Cut, ...]:
    """Changes that together save `over` tokens, largest file first; () if nothing must go or the files alone cannot save it.

    A file is outlined if that saves most of it; files that still have to go are the largest ones.
    """
    if over <= 0 or sum(cost.tokens for cost in costs) < over:
        return ()
    by_size = sorted(zip(files, costs, strict=True), key=lambda pair: (-pair[1].tokens, pair[1].path))
    found: list[Cut] = []
    for file, cost in by_size:
        saved = _outline_saves(file, cost) if cost.detail == "full" else 0
        if saved >= MIN_SAVED_SHARE * cost.tokens > 0:
            found.append(Cut(path=file.path, change="outline", saves=saved))
        if _saved(found) >= over:
            return tuple(found)
    for _, cost in by_size:  # outlines do not suffice: the largest go altogether
        found = [cut for cut in found if cut.path != cost.path]
        found.append(Cut(path=cost.path, change="remove", saves=cost.tokens))
        if _saved(found) >= over:
            return _fewest(found, over) if len(found) > MAX_CUTS else tuple(sorted(found, key=lambda cut: -cut.saves))
    return ()


def _outline_saves(file: PromptFile, cost: FileCost) -> int:
    """By proportion: an estimate's error is then the same on both sides."""
    left = estimate(reduced(file.text, file.path, "outline")) / max(1, estimate(file.text))
    return int(cost.tokens * (1 - left))


def _saved(found: Sequence[Cut]) -> int:
    return sum(cut.saves for cut in found)


def _fewest(found: Sequence[Cut], over: int) -> tuple[Cut, ...]:
    """The largest of many changes that still suffice; () if they are too many to be advice."""
    chosen: list[Cut] = []
    for cut in sorted(found, key=lambda cut: -cut.saves):
        chosen.append(cut)
        if _saved(chosen) >= over:
            break
    return tuple(chosen) if len(chosen) <= MAX_CUTS else ()
