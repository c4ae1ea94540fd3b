"""`dce diff`: what a response changes, against the workspace as it is now or against another response."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from dce.cli.context import generation_of, generation_option, json_option, open_workspace, paths_from, workspace_option
from dce.cli.output import data, note, say_json, visible
from dce.wire.errors import DceError
from dce.workspace.judging.hunks import Hunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from dce.workspace.project import Project
    from dce.workspace.schema.reading import Reading

_COLOURS = (("+++", None), ("---", None), ("@@", "cyan"), ("+", "green"), ("-", "red"))


class FileDiff(msgspec.Struct, frozen=True, kw_only=True):
    """One file's diff in the format that `git apply` and `patch` read; `refused` says why a file cannot be compared.

    `hunks` are its hunks, numbered as `dce accept --hunk` expects. `from_path`: the file that is renamed to this one.
    """

    path: str
    diff: str
    refused: str = ""
    hunks: tuple[Hunk, ...] = ()
    from_path: str = ""


@click.command(name="diff")
@click.argument("slot", type=int)
@click.argument("other", type=int, required=False)
@click.option("--path", "paths", multiple=True, metavar="PATH", help="Only this file (may be repeated).")
@click.option("--hunks", "is_numbered", is_flag=True, help="Number hunks and changed lines, for `dce accept --hunk`.")
@click.option(
    "--merge", is_flag=True, help="Show what `dce accept --merge` would write: edits made since the prompt are kept."
)
@generation_option
@json_option
@workspace_option
def command(
    slot: int,
    other: int | None,
    paths: tuple[str, ...],
    is_numbered: bool,
    merge: bool,
    generation_id: int | None,
    is_json: bool,
    directory: Path,
) -> None:
    """A response against the workspace, or against response OTHER of the same generation.

    The diff goes from the workspace to SLOT, or from SLOT to OTHER. A file that only one of two responses contains is compared with the
    workspace's.
    """
    with open_workspace(directory) as workspace:
        generation = generation_of(workspace, generation_id)
        project = workspace.project
        first = _contents(project, workspace.reading(generation.id, slot))
        second = None if other is None else _contents(project, workspace.reading(generation.id, other))
        renames = _renames(project, workspace.reading(generation.id, slot)) if other is None else {}
        wanted = set(paths_from(project, directory, paths))
        names = sorted(first.keys() | (second or {}).keys())
        missing = wanted - set(names)
        if missing:
            held = ", ".join(names) or "none"
            raise DceError("not_found", f"no response contains {', '.join(sorted(missing))}", hint=f"Files: {held}.")
        shown = workspace.shown(generation.id) if merge else None
        diffs = [_diff(project, name, first, second, shown) for name in names if not wanted or name in wanted]
        diffs = [
            _renamed(project, found, renames[found.path], first[found.path]) if found.path in renames else found
            for found in diffs
        ]
    if is_json:
        say_json(diffs)
        return
    for found in diffs:
        if found.refused:
            note(f"{found.path}: {found.refused}")
        _print(_numbered(found) if is_numbered else found.diff)
    if not any(found.diff or found.refused for found in diffs):
        note("no difference" if names else "no response here contains files: `dce show SLOT` shows its text")


def _contents(project: "Project", reading: "Reading") -> dict[str, str]:
    """The texts that a response writes. Files that it deletes, or whose mode alone changes, are left out."""
    from dce.workspace.tree.current import look  # noqa: PLC0415

    contents: dict[str, str] = {}
    for block in reading.files:
        if block.action != "write" or block.from_path:
            what = {"delete": "deleted", "mode": f"mode {block.mode}"}.get(
                block.action, f"renamed from {block.from_path}"
            )
            note(f"{block.path}: {what}")
        if block.action == "mode":
            continue
        if block.action == "rename":
            with contextlib.suppress(DceError):
                contents[project.canonical(block.path)] = look(project, block.from_path).text
            continue
        try:
            contents[project.canonical(block.path)] = block.content
        except DceError:
            contents[block.path] = block.content
    return contents


def _renames(project: "Project", reading: "Reading") -> dict[str, str]:
    """The files that a response renames: new name → old name."""
    found = {}
    for block in reading.files:
        with contextlib.suppress(DceError):
            if block.from_path:
                found[project.canonical(block.path)] = project.canonical(block.from_path)
    return found


def _renamed(project: "Project", found: FileDiff, old: str, content: str) -> FileDiff:
    """The diff of a renamed file against its old name, as git writes it."""
    from dce.workspace.judging.compare import unified_diff  # noqa: PLC0415
    from dce.workspace.tree.current import look  # noqa: PLC0415

    source = look(project, old)
    if found.refused or source.data is None or source.problem:
        return FileDiff(
            path=found.path, diff="", refused=found.refused or f"{old}: {source.problem or 'not there'}", from_path=old
        )
    after = source.form.text_written(source.form.bytes_to_write(content))
    lines = unified_diff(source.text, after, found.path).replace(f"--- a/{found.path}\n", f"--- a/{old}\n", 1)
    head = f"diff --git a/{old} b/{found.path}\n"
    if not lines:
        head += "similarity index 100%\n"
    return FileDiff(path=found.path, diff=f"{head}rename from {old}\nrename to {found.path}\n{lines}", from_path=old)


def _diff(
    project: "Project",
    path: str,
    first: dict[str, str],
    second: dict[str, str] | None,
    shown: "Callable[[str], str | None] | None",
) -> FileDiff:
    from dce.workspace.accepting.merge import merge3  # noqa: PLC0415
    from dce.workspace.judging.compare import unified_diff  # noqa: PLC0415
    from dce.workspace.judging.hunks import hunks  # noqa: PLC0415
    from dce.workspace.tree.current import look  # noqa: PLC0415
    from dce.workspace.tree.encodings import UTF8  # noqa: PLC0415

    try:
        current = look(project, path)
    except DceError as error:
        return FileDiff(path=path, diff="", refused=error.message)
    if current.problem:
        return FileDiff(path=path, diff="", refused=current.problem)

    def after(contents: dict[str, str]) -> str:
        # What would be written: it takes on the line endings of the file it replaces, so these are no difference.
        if path not in contents:
            return now
        content, base = contents[path], shown(path) if shown is not None else None
        if base is not None and current.data is not None:
            merge = merge3(base, now, content)
            if merge.conflicts:
                raise DceError(
                    "conflict", f"conflicts with edits made since, at line {', '.join(map(str, merge.conflicts))}"
                )
            content = merge.text
        return current.form.text_written(current.form.bytes_to_write(content))

    now = current.text
    try:
        before = now if second is None else after(first)
        other = after(first if second is None else second)
    except DceError as error:
        return FileDiff(path=path, diff="", refused=error.message)
    diff = unified_diff(before, other, path)
    if diff and (current.form.mark or current.form.encoding != UTF8):
        name = "UTF-8 with a byte-order mark" if current.form.encoding == UTF8 else current.form.encoding
        note(f"{path} is {name}, and its diff is printed as UTF-8: `git apply` may refuse it, `dce accept` does not")
    return FileDiff(path=path, diff=diff, hunks=tuple(hunks(before, other)))


def _numbered(found: FileDiff) -> str:
    """The hunks and their changed lines, each with its number."""
    rows = [f"--- {found.path}\n"] if found.hunks else []
    for hunk in found.hunks:
        rows.append(f"@@ hunk {hunk.number}: line {hunk.old_start}, +{hunk.added} -{hunk.removed} @@\n")
        for line in hunk.lines:
            number = str(line.number) if line.number else ""
            rows.append(f"{line.sign}{number:>4}  {line.text.rstrip(chr(10))}\n")
    return "".join(rows)


def _print(diff: str) -> None:
    if not sys.stdout.isatty():
        data(diff)
        return
    for line in diff.splitlines():
        colour = next((colour for start, colour in _COLOURS if line.startswith(start)), None)
        click.secho(visible(line), fg=colour, bold=line.startswith(("+++", "---")))
