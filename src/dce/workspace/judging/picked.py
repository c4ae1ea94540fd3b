"""What the user picked, compared with what the board ranked first. The counting is pure.

What must always hold: a pick with nothing to choose from does not count as a success of the rank; a missing fact is counted as missing.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.board import BoardRow, board
from dce.workspace.judging.opened import Workspace
from dce.workspace.record.picks import Pick, Picked, Verdict
from dce.workspace.record.responses import Response


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Picks of one card and model (both "" in the total). `compared`: picks from two or more responses whose rank is known; `first`: how many
    of those were rank 1; `by_chance`: how many rank 1 a random pick would have met; `ranks`: rank → picks. The next four add up to `picks`.
    `restored`: picks of which nothing is in force any more."""

    card: str = ""
    model: str = ""
    picks: int
    compared: int
    first: int
    by_chance: float
    ranks: dict[int, int]
    passed: int
    breaks_nothing: int
    failed: int
    unchecked: int
    restored: int


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """All picks, and those of each card and model, most picks first."""

    total: Tally
    by_model: tuple[Tally, ...]


def pick_of(workspace: Workspace, response: Response) -> Pick:
    """Where a response stands now. A board that cannot be made must not keep the user from accepting: then the rank is 0, unknown."""
    try:
        rows = board(workspace, response.generation)
    except DceError:
        rows = []
    row = next((row for row in rows if row.slot == response.slot), None)
    return Pick(rank=row.rank if row else 0, answers=len(rows), verdict=_verdict(row))


def stats_of(picked: Iterable[Picked]) -> Stats:
    """The counts."""
    found = tuple(picked)
    kinds = Counter((each.card, each.model) for each in found)
    return Stats(
        total=_tally(found),
        by_model=tuple(
            msgspec.structs.replace(
                _tally([each for each in found if (each.card, each.model) == (card, model)]), card=card, model=model
            )
            for card, model in sorted(kinds, key=lambda kind: (-kinds[kind], kind))
        ),
    )


def _tally(picked: Iterable[Picked]) -> Tally:
    found = tuple(picked)
    compared = [each.pick for each in found if each.pick.rank and each.pick.answers > 1]
    verdicts = Counter(each.pick.verdict for each in found)
    ranks = Counter(pick.rank for pick in compared)
    return Tally(
        picks=len(found),
        compared=len(compared),
        first=ranks[1],
        by_chance=round(sum(1 / pick.answers for pick in compared), 2),
        ranks=dict(sorted(ranks.items())),
        passed=verdicts["passed"],
        breaks_nothing=verdicts["breaks_nothing"],
        failed=verdicts["failed"],
        unchecked=verdicts["unchecked"],
        restored=sum(each.is_restored for each in found),
    )


def _verdict(row: BoardRow | None) -> Verdict:
    checks = row.checks if row else None
    if checks is None or checks.stale:
        return "unchecked"
    # A test that fails now and then says nothing about the response.
    if checks.failed <= len(checks.flaky) and not checks.new_failures:
        return "passed"
    return "breaks_nothing" if checks.fails_anyway else "failed"
