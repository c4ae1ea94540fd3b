"""`dce stats`: how often the user's pick was the board's first."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.context import json_option, open_workspace, workspace_option
from dce.cli.output import note, say, say_json
from dce.cli.tables import columns

if TYPE_CHECKING:
    from dce.workspace.judging.picked import Tally

ENOUGH = 20
"""Picks from which on a percentage is printed: with fewer, one more pick moves it by over five points."""


@click.command(name="stats")
@json_option
@workspace_option
def command(is_json: bool, directory: Path) -> None:
    """Show how often you accepted the response ranked first, and how often accepted ones passed their checks or were restored.

    A pick is a response that you accepted, as it stood on the board at that moment, counted once however often it was accepted. Picks made
    before DCE recorded them are not counted.
    """
    from dce.workspace.judging.picked import stats_of  # noqa: PLC0415 - `dce --help` starts without it

    with open_workspace(directory) as workspace:
        stats = stats_of(workspace.store.picks.all())
    if is_json:
        say_json(stats)
        return
    total = stats.total
    if not total.picks:
        note("nothing was accepted here yet, or only before DCE recorded picks")
        return
    say(f"picked: {total.picks} response{'s' * (total.picks != 1)}, {total.compared} of them from two or more")
    say(f"rank 1: {first_text(total)}" + (f" (a random pick: {total.by_chance:g})" if total.compared else ""))
    if total.compared:
        say("ranks:  " + ", ".join(f"{count} × rank {rank}" for rank, count in total.ranks.items()))
    say(
        f"checks: {total.passed} passed, {total.breaks_nothing} broke nothing, {total.failed} failed,"
        f" {total.unchecked} not checked"
    )
    say(f"restored: {total.restored} of {total.picks}")
    if len(stats.by_model) > 1:
        say()
        head = ("card", "model", "picked", "rank 1", "passed", "restored")
        for line in columns([head, *(_row(tally) for tally in stats.by_model)], right=(2, 3, 4, 5)):
            say(line)
    if total.compared < ENOUGH:
        note(f"fewer than {ENOUGH} picks to compare: take these as counts, not as rates")


def first_text(tally: "Tally") -> str:
    """`9 of 15`, with a percentage if there are enough."""
    text = f"{tally.first} of {tally.compared}"
    return f"{text}, {100 * tally.first / tally.compared:.0f} %" if tally.compared >= ENOUGH else text


def _row(tally: "Tally") -> tuple[str, ...]:
    return (
        tally.card or "-",
        tally.model or "-",
        str(tally.picks),
        first_text(tally),
        f"{tally.passed} of {tally.picks}",
        f"{tally.restored} of {tally.picks}",
    )
