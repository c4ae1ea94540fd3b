"""`dce init`: makes a folder a workspace."""

from pathlib import Path

import click

from dce.cli.context import json_option, open_workspace, read_text, workspace_option
from dce.cli.output import note, say, say_json
from dce.wire.errors import DceError
from dce.workspace.project import STATE_DIR, Project


@click.command(name="init")
@click.argument("folder", required=False, default="", metavar="[DIR]", type=click.Path(file_okay=False))
@click.option("--scope", metavar="F", help="A file with the project's scope (cycle 0); `-` is standard input.")
@json_option
@workspace_option
def command(folder: str, scope: str | None, is_json: bool, directory: Path) -> None:
    """Make a folder a workspace.

    DIR is created if it does not exist; the default is the current folder. Adds .dce/ with its own .gitignore and changes nothing
    else; running it again changes nothing. With --scope, the text becomes the project's scope, which opens every prompt.
    """
    text = None if scope is None else read_text(scope)
    directory = directory / folder
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DceError("invalid_input", f"cannot create the folder {directory}: {error.strerror}") from None
    outer = _outer(directory)
    is_new = not (directory / STATE_DIR).is_dir()
    project = Project.init(directory)
    with open_workspace(project.root) as workspace:
        if text is not None:
            workspace.cycles.edit(0, context=text)
    if is_json:
        say_json({"root": str(project.root), "is_new": is_new, "has_scope": text is not None})
        return
    if outer:
        note(f"note: {outer} is a workspace too; in this folder DCE uses the new one")
    say(f"{'made' if is_new else 'already'} a workspace: {project.root}")
    if text is not None:
        say(f"project scope: {len(text):,} characters, in cycle 0")
    say("  next: dce select add PATH…; dce cycle new --title … --context F; dce prompt; dce generate")


def _outer(directory: Path) -> Path | None:
    try:
        found = Project.find(directory.resolve().parent)
    except DceError:
        return None
    return found.root
