"""`dce diff`: what a response changes, against the workspace as it is now or against another response."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from dce.cli.context import generation_of, generation_option, json_option, open_workspace, paths_from, workspace_option
from dce.cli.output import data, note, say_json, visible
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.project import Project
    from dce.workspace.schema.reading import Reading

_COLOURS = (("+++", None), ("---", None), ("@@", "cyan"), ("+", "green"), ("-", "red"))


class FileDiff(msgspec.Struct, frozen=True, kw_only=True):
    """One file's difference in the form that `git apply` and `patch` read; `refused` says why a file cannot be compared."""

    path: str
    diff: str
    refused: str = ""


@click.command(name="diff")
@click.argument("slot", type=int)
@click.argument("other", type=int, required=False)
@click.option("--path", "paths", multiple=True, metavar="PATH", help="Only this file; may be given several times.")
@generation_option
@json_option
@workspace_option
def command(
    slot: int,
    other: int | None,
    paths: tuple[str, ...],
    generation_id: int | None,
    is_json: bool,
    directory: Path,
) -> None:
    """A response against the workspace, or against response OTHER of the same generation.

    Reads: from the workspace (or from SLOT) to SLOT (or to OTHER). A file that only one of two responses holds is compared with the
    workspace's.
    """
    with open_workspace(directory) as workspace:
        generation = generation_of(workspace, generation_id)
        project = workspace.project
        first = _contents(project, workspace.reading(generation.id, slot))
        second = None if other is None else _contents(project, workspace.reading(generation.id, other))
        wanted = set(paths_from(project, directory, paths))
        names = sorted(first.keys() | (second or {}).keys())
        missing = wanted - set(names)
        if missing:
            held = ", ".join(names) or "none"
            raise DceError("not_found", f"no response holds {', '.join(sorted(missing))}", hint=f"Held: {held}.")
        diffs = [_diff(project, name, first, second) for name in names if not wanted or name in wanted]
    if is_json:
        say_json(diffs)
        return
    for found in diffs:
        if found.refused:
            note(f"{found.path}: {found.refused}")
        _print(found.diff)
    if not any(found.diff or found.refused for found in diffs):
        note("no difference")


def _contents(project: "Project", reading: "Reading") -> dict[str, str]:
    contents: dict[str, str] = {}
    for block in reading.files:
        try:
            contents[project.canonical(block.path)] = block.content
        except DceError:
            contents[block.path] = block.content
    return contents


def _diff(project: "Project", path: str, first: dict[str, str], second: dict[str, str] | None) -> FileDiff:
    from dce.workspace.compare import bytes_to_write, look, unified_diff  # noqa: PLC0415

    try:
        current = look(project, path)
    except DceError as error:
        return FileDiff(path=path, diff="", refused=error.message)
    if current.problem:
        return FileDiff(path=path, diff="", refused=current.problem)

    def after(contents: dict[str, str]) -> str:
        # What would be written, so that line ends of the file it replaces are no difference.
        return bytes_to_write(contents[path], current.data).decode("utf-8", "replace") if path in contents else now

    now = (current.data or b"").decode("utf-8", "replace")
    before = now if second is None else after(first)
    return FileDiff(path=path, diff=unified_diff(before, after(first if second is None else second), path))


def _print(diff: str) -> None:
    if not sys.stdout.isatty():
        data(diff)
        return
    for line in diff.splitlines():
        colour = next((colour for start, colour in _COLOURS if line.startswith(start)), None)
        click.secho(visible(line), fg=colour, bold=line.startswith(("+++", "---")))
