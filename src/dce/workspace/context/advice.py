"""What to cut from a prompt that is too long: the fewest, least drastic changes to the selection that make it fit.

Pure. Savings are estimates; the token count of the resulting prompt decides.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from dce.workspace.context.detail import reduced
from dce.workspace.record.estimate import estimate
from dce.workspace.schema.reading import PromptFile

MIN_SAVED_SHARE = 0.5
"""An outline is proposed only if it saves at least half of the file's tokens."""

MAX_CUTS = 20
"""With more changes than this, no advice is given: the selection as a whole is wrong, and the caller says so."""


class FileCost(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a prompt and its tokens as shown; `detail` says how much of the file is shown."""

    path: str
    tokens: int
    exact: bool
    detail: str


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A change that saves about `saves` tokens: `outline` the file, or `remove` it from the selection."""

    path: str
    change: Literal["outline", "remove"]
    saves: int

    @property
    def command(self) -> str:
        """The command that makes the change."""
        return f"dce select show outline {self.path}" if self.change == "outline" else f"dce select rm {self.path}"


def cuts(files: Sequence[PromptFile], costs: Sequence[FileCost], over: int) -> tuple[Cut, ...]:
    """Changes that together save `over` tokens, largest file first; () if no cut is needed or the files alone cannot save that much.

    Files are outlined where that saves most of their tokens; if that is not enough, the largest files are removed.
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
    for _, cost in by_size:  # outlines are not enough: remove the largest files
        found = [cut for cut in found if cut.path != cost.path]
        found.append(Cut(path=cost.path, change="remove", saves=cost.tokens))
        if _saved(found) >= over:
            return _fewest(found, over) if len(found) > MAX_CUTS else tuple(sorted(found, key=lambda cut: -cut.saves))
    return ()


def _outline_saves(file: PromptFile, cost: FileCost) -> int:
    """Computed as a proportion, so that the estimator's error cancels out."""
    left = estimate(reduced(file.text, file.path, "outline")) / max(1, estimate(file.text))
    return int(cost.tokens * (1 - left))


def _saved(found: Sequence[Cut]) -> int:
    return sum(cut.saves for cut in found)


def _fewest(found: Sequence[Cut], over: int) -> tuple[Cut, ...]:
    """The largest changes that are enough together; () if that still takes more than `MAX_CUTS`."""
    chosen: list[Cut] = []
    for cut in sorted(found, key=lambda cut: -cut.saves):
        chosen.append(cut)
        if _saved(chosen) >= over:
            break
    return tuple(chosen) if len(chosen) <= MAX_CUTS else ()
