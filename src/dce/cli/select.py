"""`dce select`: the files that go into the prompt, and named sets of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from dce.cli.context import json_option, open_workspace, paths_from, read_text, workspace_option
from dce.cli.output import note, say, say_json
from dce.wire.errors import DceError
from dce.workspace.record.selected_files import Detail
from dce.workspace.tree.secret_names import touches_secrets

if TYPE_CHECKING:
    from dce.workspace.workspace import Workspace

MAX_LISTED = 20
"""How many paths the text output lists; `--json` and `dce select list` list all."""


MAX_SKIPPED = 5
"""How many skipped files the text output lists."""


@click.group(name="select")
def command() -> None:
    """Choose the files that go into the prompt.

    PATHs are files, folders (all the files in them) and globs such as 'src/**/*.py', relative to the current folder; `-` reads them
    from standard input, one per line.
    """


@command.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@json_option
@workspace_option
def add(paths: tuple[str, ...], is_json: bool, directory: Path) -> None:
    """Select files, folders and globs."""
    with open_workspace(directory) as workspace:
        match = workspace.selection.match(paths_from(workspace.project, directory, paths))
        added = workspace.selection.include(match)
        if is_json:
            say_json({"added": added, "paths": workspace.selection.paths(), "passed_over": match.passed_over})
            return
        _print_result(is_json, "added", added, workspace.selection.paths())
    for path, reason in list(match.passed_over.items())[:MAX_SKIPPED]:
        note(f"not selected: {path} ({reason})")
    if (more := len(match.passed_over) - MAX_SKIPPED) > 0:
        note(f"not selected: {more:,} more; `dce files` says why")


@command.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@json_option
@workspace_option
def rm(paths: tuple[str, ...], is_json: bool, directory: Path) -> None:
    """Remove files, folders and globs from the selection. The files themselves are kept."""
    with open_workspace(directory) as workspace:
        removed = workspace.selection.remove(paths_from(workspace.project, directory, paths))
        _print_result(is_json, "removed", removed, workspace.selection.paths())


@command.command(name="list")
@json_option
@workspace_option
def list_(is_json: bool, directory: Path) -> None:
    """Print the selected paths."""
    with open_workspace(directory) as workspace:
        paths, details = workspace.selection.paths(), workspace.selection.details()
        pages = workspace.selection.pages()
    if is_json:
        say_json({"paths": paths, "details": details, "pages": pages})
    else:
        for path in paths:
            say(path)


@command.command()
@json_option
@workspace_option
def clear(is_json: bool, directory: Path) -> None:
    """Clear the selection."""
    with open_workspace(directory) as workspace:
        before = workspace.selection.paths()
        workspace.selection.clear()
    _print_result(is_json, "removed", before, ())


@command.command()
@click.argument("name")
@json_option
@workspace_option
def save(name: str, is_json: bool, directory: Path) -> None:
    """Save the selection as the set NAME (in .dce/selections.toml, which can be committed)."""
    with open_workspace(directory) as workspace:
        workspace.selection.save(name)
        paths = workspace.selection.paths()
    if is_json:
        say_json({"name": name, "paths": paths})
    else:
        say(f"saved {_files(len(paths))} as {name}")


@command.command()
@click.argument("name")
@click.option("--merge", "is_merge", is_flag=True, help="Add the set to the selection instead of replacing it.")
@json_option
@workspace_option
def load(name: str, is_merge: bool, is_json: bool, directory: Path) -> None:
    """Load the set NAME as the selection. Its files that no longer exist are listed and left out."""
    with open_workspace(directory) as workspace:
        selection = workspace.selection
        missing = selection.merge(name) if is_merge else selection.load(name)
        paths = workspace.selection.paths()
    if is_json:
        say_json({"name": name, "paths": paths, "missing": missing})
        return
    for path in missing:
        note(f"no longer exists: {path}")
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


@command.command()
@click.argument("name")
@click.argument("other", required=False)
@json_option
@workspace_option
def diff(name: str, other: str | None, is_json: bool, directory: Path) -> None:
    """Compare the set NAME with the set OTHER, or with the selection."""
    with open_workspace(directory) as workspace:
        found = workspace.selection.difference(name, other)
    if is_json:
        say_json(found)
        return
    for mark, paths in (("-", found.only_first), ("+", found.only_second), (" ", found.both)):
        for path in paths:
            say(f"{mark} {path}")
    for path in found.shown_differently:
        say(f"~ {path}")
    note(f"- only in {name}, + only in {other or 'the selection'}, ~ shown differently")


@command.command()
@click.option(
    "--since-cycle", type=int, metavar="N", help="Compare with the last prompt sent in cycle N instead of git."
)
@click.option("--ref", default="HEAD", metavar="REF", help="Compare with this git commit (default: HEAD).")
@click.option("--replace", "is_replacing", is_flag=True, help="Make them the selection instead of adding them.")
@json_option
@workspace_option
def changed(since_cycle: int | None, ref: str, is_replacing: bool, is_json: bool, directory: Path) -> None:
    """Select what changed: uncommitted and untracked files, or what differs from a commit or from a cycle's prompt."""
    from dce.workspace.context.sources import changed_in_git, changed_since  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        if since_cycle is None:
            found = changed_in_git(workspace.project, ref)
        else:
            workspace.cycles.get(since_cycle)
            generation = workspace.store.generations.latest(since_cycle)
            if generation is None:
                raise DceError("not_found", f"no prompt of cycle {since_cycle} has been sent yet")
            manifest = workspace.store.prompts.get(generation.prompt_sha256).manifest
            found = changed_since(workspace.project, manifest, generation.created_at)
        _take(workspace, found, is_replacing=is_replacing, is_json=is_json)


@command.command(name="from")
@click.argument("source", metavar="[F]", default="-")
@click.option("--replace", "is_replacing", is_flag=True, help="Make them the selection instead of adding them.")
@json_option
@workspace_option
def from_(source: str, is_replacing: bool, is_json: bool, directory: Path) -> None:
    """Select the files named in a stack trace, a diff or compiler output, read from F or standard input."""
    from dce.workspace.context.sources import named_in  # noqa: PLC0415
    from dce.workspace.tree.files import list_files  # noqa: PLC0415

    text = read_text(source)
    with open_workspace(directory) as workspace:
        found = named_in(text, list_files(workspace.project))
        if not found:
            raise DceError("not_found", "the text names no file in the workspace")
        _take(workspace, found, is_replacing=is_replacing, is_json=is_json)


@command.command()
@click.argument("detail", type=click.Choice(("full", "outline", "head-tail", "path")))
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@json_option
@workspace_option
def show(detail: str, paths: tuple[str, ...], is_json: bool, directory: Path) -> None:
    """Show less of selected files: their outline, head and tail, or path only. Answers cannot rewrite them then."""
    with open_workspace(directory) as workspace:
        changed = workspace.selection.show(
            paths_from(workspace.project, directory, paths), msgspec.convert(detail, Detail)
        )
        details = workspace.selection.details()
    if is_json:
        say_json({"changed": changed, "details": details})
        return
    for path in changed:
        say(f"{detail} {path}")


@command.command()
@click.argument("numbers", metavar="1-3,7|all")
@click.argument("path", metavar="PATH")
@json_option
@workspace_option
def pages(numbers: str, path: str, is_json: bool, directory: Path) -> None:
    """Show only some pages, sheets or slides of a selected document."""
    with open_workspace(directory) as workspace:
        workspace.selection.show_pages(paths_from(workspace.project, directory, [path])[0], numbers)
        found = workspace.selection.pages()
    if is_json:
        say_json({"pages": found})
        return
    for name, shown in found.items():
        say(f"{shown} {name}")


def _take(workspace: "Workspace", found: tuple[str, ...], *, is_replacing: bool, is_json: bool) -> None:
    """Selects files that were found, not named by the user; skips those whose names suggest keys or passwords."""
    before = workspace.selection.paths()
    safe = {path for path in found if path in before or not touches_secrets(path)}
    for path in sorted(set(found) - safe):
        note(f"not selected: {path} (its name suggests that it contains keys or passwords)")
    workspace.selection.replace(safe if is_replacing else safe | set(before))
    _print_result(is_json, "added", tuple(sorted(safe - set(before))), workspace.selection.paths())


def _print_result(is_json: bool, verb: str, changed: tuple[str, ...], paths: tuple[str, ...]) -> None:
    if is_json:
        say_json({verb: changed, "paths": paths})
        return
    for path in changed[:MAX_LISTED]:
        say(f"{verb} {path}")
    if len(changed) > MAX_LISTED:
        say(f"{verb} {len(changed) - MAX_LISTED:,} more")
    say(f"{_files(len(paths))} selected")


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"
