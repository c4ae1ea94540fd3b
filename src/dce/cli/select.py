"""`dce select`: the files that go into the prompt, and named sets of them."""

from pathlib import Path

import click

from dce.cli.context import json_option, open_workspace, paths_from, workspace_option
from dce.cli.output import note, say, say_json


@click.group(name="select")
def command() -> None:
    """Choose the files that go into the prompt.

    PATHs are files, folders (all the files in them) and globs such as 'src/**/*.py', taken from where you are; `-` reads them from
    standard input, a line each.
    """


@command.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@json_option
@workspace_option
def add(paths: tuple[str, ...], is_json: bool, directory: Path) -> None:
    """Select files, folders and globs."""
    with open_workspace(directory) as workspace:
        added = workspace.selection.add(paths_from(workspace.project, directory, paths))
        _tell(is_json, "added", added, workspace.selection.paths())


@command.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@json_option
@workspace_option
def rm(paths: tuple[str, ...], is_json: bool, directory: Path) -> None:
    """Take files, folders and globs out of the selection. The files themselves stay."""
    with open_workspace(directory) as workspace:
        removed = workspace.selection.remove(paths_from(workspace.project, directory, paths))
        _tell(is_json, "removed", removed, workspace.selection.paths())


@command.command(name="list")
@json_option
@workspace_option
def list_(is_json: bool, directory: Path) -> None:
    """Print the selected paths."""
    with open_workspace(directory) as workspace:
        paths = workspace.selection.paths()
    if is_json:
        say_json({"paths": paths})
    else:
        for path in paths:
            say(path)


@command.command()
@json_option
@workspace_option
def clear(is_json: bool, directory: Path) -> None:
    """Select nothing."""
    with open_workspace(directory) as workspace:
        before = workspace.selection.paths()
        workspace.selection.clear()
    _tell(is_json, "removed", before, ())


@command.command()
@click.argument("name")
@json_option
@workspace_option
def save(name: str, is_json: bool, directory: Path) -> None:
    """Keep the selection as the set NAME (in .dce/selections.toml, which can be committed)."""
    with open_workspace(directory) as workspace:
        workspace.selection.save(name)
        paths = workspace.selection.paths()
    if is_json:
        say_json({"name": name, "paths": paths})
    else:
        say(f"saved {_files(len(paths))} as {name}")


@command.command()
@click.argument("name")
@json_option
@workspace_option
def load(name: str, is_json: bool, directory: Path) -> None:
    """Make the set NAME the selection. Files of it that are gone are named and left out."""
    with open_workspace(directory) as workspace:
        missing = workspace.selection.load(name)
        paths = workspace.selection.paths()
    if is_json:
        say_json({"name": name, "paths": paths, "missing": missing})
        return
    for path in missing:
        note(f"gone: {path}")
    say(f"{_files(len(paths))} selected")


@command.command()
@json_option
@workspace_option
def sets(is_json: bool, directory: Path) -> None:
    """Print the named sets."""
    with open_workspace(directory) as workspace:
        named = workspace.selection.sets()
    if is_json:
        say_json(named)
        return
    for name, paths in named.items():
        say(f"{name}: {_files(len(paths))}")


def _tell(is_json: bool, verb: str, changed: tuple[str, ...], paths: tuple[str, ...]) -> None:
    if is_json:
        say_json({verb: changed, "paths": paths})
        return
    for path in changed:
        say(f"{verb} {path}")
    say(f"{_files(len(paths))} selected")


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"
