"""`dce history`: lists the cycles, or searches them and their responses."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.context import json_option, open_workspace, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import note, say, say_json
from dce.cli.tables import columns
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.record.history import HistoryRow, Hit

DEFAULT_HITS = 20


@click.command(name="history")
@click.argument("query", metavar="[QUERY]...", nargs=-1)
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    default=DEFAULT_HITS,
    show_default=True,
    help="How many matches to show at most.",
)
@json_option
@workspace_option
@click.pass_context
def command(ctx: click.Context, /, query: tuple[str, ...], limit: int, is_json: bool, directory: Path) -> None:
    """List every cycle, or search the cycles and responses.

    With a QUERY: the cycles and responses that contain all its words (or words that begin with them), newest first. Ends with 1 if
    there are none.
    """
    from dce.workspace.record.history import match_expression  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        rows = () if query else workspace.store.history.cycles()
        hits = workspace.store.history.search(match_expression(" ".join(query)), limit) if query else ()
    if is_json:
        say_json(hits if query else rows)
        ctx.exit(Exit.DONE if hits or not query else Exit.NO)
    if query and not hits:
        hint = "One text must contain all the words, or words that begin with them: try fewer or shorter words."
        raise DceError("not_found", f"nothing in the history matches {' '.join(query)!r}", hint=hint)
    for line in _hit_lines(hits) if query else _cycle_lines(rows):
        say(line)
    if len(hits) == limit:
        note(f"only the first {limit} matches; --limit N shows more")


def _cycle_lines(rows: tuple["HistoryRow", ...]) -> list[str]:
    return columns(
        [
            (
                str(row.id),
                time.strftime("%Y-%m-%d %H:%M", time.localtime(row.created_at)),
                " ".join(f"{count} {status}" for status, count in row.statuses.items()) or "-",
                f"chosen: {row.chosen_slot}" if row.chosen_slot else "",
                row.title or ("the project's scope" if row.id == 0 else "(no title)"),
            )
            for row in rows
        ],
        right=(0,),
    )


def _hit_lines(hits: tuple["Hit", ...]) -> list[str]:
    return [f"{_place(hit)}\n    {' '.join(hit.excerpt.split())}" for hit in hits]


def _place(hit: "Hit") -> str:
    title = f" · {hit.title}" if hit.title else ""
    if hit.kind == "cycle":
        return f"cycle {hit.cycle}{title}"
    return f"cycle {hit.cycle}{title} · generation {hit.generation} · response {hit.slot} v{hit.version}"
