"""`dce import`: reads a history from a file."""

from pathlib import Path

import click

from dce.cli.context import json_option, open_workspace, workspace_option
from dce.cli.output import note, say, say_json


@click.command(name="import")
@click.argument("file", metavar="F", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--again", is_flag=True, help="Import even if this same file was imported before.")
@json_option
@workspace_option
def command(file: Path, again: bool, is_json: bool, directory: Path) -> None:
    """Add a history from a file to this workspace.

    Reads what `dce export` writes, a store or backup of DCE (.dce/dce.db, .dce/backups/*), and the original tool's
    dce_history.json, cycle exports and .vscode/dce.db. The whole file is checked before anything is imported; existing records do not
    change.
    """
    from dce.workspace.transfer import import_history  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        report = import_history(workspace, file, again=again)
    if is_json:
        say_json(report)
        return
    numbers = ", ".join(str(old) if old == new else f"{old} → {new}" for old, new in report.cycles.items())
    say(f"imported {report.responses} responses in {report.generations} generations; cycles: {numbers or 'none'}")
    if report.selected:
        say(f"selected {len(report.selected)} files, as in the imported history")
    if report.sets:
        say(f"selection sets: {', '.join(report.sets)}")
    if report.missing:
        note(f"not in this workspace: {', '.join(report.missing)}")
    note(f"backup from before the import: {report.backup}")
