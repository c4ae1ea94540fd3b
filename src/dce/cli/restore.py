"""`dce restore`: puts back exactly what the last accept changed."""

from pathlib import Path

import click

from dce.cli.context import json_option, open_workspace, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import say, say_json
from dce.cli.tables import write_lines


@click.command(name="restore")
@click.option("--dry-run", is_flag=True, help="Show what would be put back, and change nothing.")
@click.option("--acceptance", "acceptance_id", type=int, metavar="ID", help="Another acceptance than the newest.")
@click.option("--keep-edited", is_flag=True, help="Leave files edited since as they are, and put the others back.")
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    dry_run: bool,
    acceptance_id: int | None,
    keep_edited: bool,
    is_json: bool,
    directory: Path,
) -> None:
    """Put back what the last accept changed: bytes, modes, and files that it made.

    A file edited since stops it, and nothing is changed, unless --keep-edited is given. With --dry-run, ends with 3 if it would be stopped.
    """
    from dce.workspace.accepting.accept import restore  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        planned, acceptance = restore(workspace, dry_run=dry_run, acceptance_id=acceptance_id, keep_edited=keep_edited)
    if is_json:
        say_json({"dry_run": dry_run, "files": planned, "acceptance": acceptance})
    else:
        for line in write_lines(planned):
            say(line)
        what = f"response {acceptance.slot} of generation {acceptance.generation}"
        kept = sum(bool(write.refused) for write in planned)
        but = f", but for {kept} file{'s' * (kept != 1)} edited since" if kept else ""
        say("nothing was changed (--dry-run)" if dry_run else f"put back what accepting {what} had changed{but}")
    is_stopped = any(write.refused for write in planned) and not keep_edited
    ctx.exit(Exit.REFUSED if is_stopped else Exit.DONE)
