"""`dce accept`: writes a response's files into the workspace, all or none; `dce restore` undoes it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dce.cli.context import generation_of, generation_option, json_option, open_workspace, paths_from, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import note, say, say_json
from dce.cli.tables import write_lines

if TYPE_CHECKING:
    from dce.workspace.accepting.accept import Part
    from dce.workspace.project import Project


@click.command(name="accept")
@click.argument("slot", type=int)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--merge", is_flag=True, help="Merge into files edited since the prompt, where nothing conflicts.")
@click.option(
    "--hunk", "hunks", multiple=True, metavar="N[:LINES]", help="Only this part of the one PATH: 2, or 2:1-3,5."
)
@click.option(
    "--also",
    "also",
    multiple=True,
    metavar="SLOT[:PATH]",
    help="Also accept files of another response, in the same step.",
)
@click.option("--force", is_flag=True, help="Also write files that leave text out or had to be guessed.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and change nothing.")
@generation_option
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    slot: int,
    paths: tuple[str, ...],
    dry_run: bool,
    generation_id: int | None,
    is_json: bool,
    directory: Path,
    **how: Any,
) -> None:
    """Write a response's files into the workspace.

    Writes all its files, or only the PATHs. If one is refused (it changed since the prompt was made, or is outside the workspace),
    none is written. With --merge, edits made since are kept and the response's changes added, unless they touch the same lines.
    --hunk (may be repeated) selects parts by the numbers that `dce diff SLOT --hunks` prints. --also adds another response's files;
    a file in which the two responses differ is refused. A file that leaves text out, or whose limits or meaning had to be guessed,
    is refused without --force; other doubts, such as failing checks, are printed as warnings. Deletions, renames and modes are
    included. `dce restore` undoes everything at once. With --dry-run, ends with 3 if something would be refused.
    """
    from dce.workspace.accepting.accept import Options, accept, doubts, slots_of  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        generation = generation_of(workspace, generation_id)
        names = paths_from(workspace.project, directory, paths)
        parts = _parts(workspace.project, directory, how["also"])
        options = Options(merge=how["merge"], hunks=how["hunks"], also=parts, force=how["force"])
        found = doubts(workspace, generation.id, slots_of(slot, options))
        if not is_json:
            for doubt in found:
                note(f"warning: response {doubt.slot}: {doubt.text} ({doubt.flag})")
        planned, acceptance = accept(workspace, generation.id, slot, names, dry_run=dry_run, options=options)
    if is_json:
        say_json({"dry_run": dry_run, "files": planned, "acceptance": acceptance, "doubts": found})
    else:
        for line in write_lines(planned):
            say(line)
        if dry_run:
            say("nothing was written (--dry-run)")
        elif acceptance is None:
            say("nothing to write: every file already has this content")
        else:
            say(f"accepted response {slot} of generation {generation.id}; `dce restore` undoes it")
            if acceptance.git.ref:
                say(f"previous state in git: {acceptance.git.ref}")
            elif acceptance.git.problem:
                say(f"note: {acceptance.git.problem}")
    ctx.exit(Exit.REFUSED if any(write.refused for write in planned) else Exit.DONE)


def _parts(project: "Project", directory: Path, also: tuple[str, ...]) -> tuple["Part", ...]:
    """Parses `3` or `3:src/a.py` into parts; several entries for one slot become one part."""
    from dce.workspace.accepting.accept import Part  # noqa: PLC0415

    paths: dict[int, list[str]] = {}
    for text in also:
        number, _, path = text.partition(":")
        if not (number.isascii() and number.isdigit()):
            raise click.BadParameter(f"{text!r} is not SLOT or SLOT:PATH", param_hint="--also")
        paths.setdefault(int(number), []).extend(paths_from(project, directory, [path]) if path else [])
    return tuple(Part(slot=slot, paths=tuple(names)) for slot, names in paths.items())
