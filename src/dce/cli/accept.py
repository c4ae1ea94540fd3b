"""`dce accept`: writes a response's files into the workspace, all or none; `dce restore` takes it back."""

from pathlib import Path

import click

from dce.cli.context import generation_of, generation_option, json_option, open_workspace, paths_from, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import say, say_json
from dce.cli.tables import write_lines


@click.command(name="accept")
@click.argument("slot", type=int)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show what would be written, and change nothing.")
@generation_option
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context,
    slot: int,
    paths: tuple[str, ...],
    dry_run: bool,
    generation_id: int | None,
    is_json: bool,
    directory: Path,
) -> None:
    """Write a response's files into the workspace.

    All its files, or only the PATHs. If one may not be written (it changed since the prompt was made, or lies outside), none is.
    `dce restore` puts everything back. With --dry-run, ends with 3 if something would be refused.
    """
    from dce.workspace.accept import accept  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        generation = generation_of(workspace, generation_id)
        names = paths_from(workspace.project, directory, paths)
        planned, acceptance = accept(workspace, generation.id, slot, names, dry_run=dry_run)
    if is_json:
        say_json({"dry_run": dry_run, "files": planned, "acceptance": acceptance})
    else:
        for line in write_lines(planned):
            say(line)
        if dry_run:
            say("nothing was written (--dry-run)")
        elif acceptance is None:
            say("nothing to write: every file already is so")
        else:
            say(f"accepted response {slot} of generation {generation.id}; `dce restore` puts it back")
    ctx.exit(Exit.REFUSED if any(write.refused for write in planned) else Exit.DONE)
