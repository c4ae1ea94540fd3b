"""`dce files`: the workspace's files, the tokens of each, and why one is left out."""

import asyncio
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click
import msgspec

from dce.cli.context import json_option, open_workspace, paths_from, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import note, say, say_json
from dce.cli.tables import columns
from dce.cli.waiting import waited
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.context.tokens import Count
    from dce.workspace.workspace import Workspace


class FileRow(msgspec.Struct, frozen=True, kw_only=True):
    """One file. `tokens` is None for a file that cannot go into a prompt; `excluded` says why, "" if it can.

    `certainty` of its `encoding`: known, declared, guessed or doubtful; "" if the file was not read.
    """

    path: str
    size: int
    is_selected: bool
    tokens: int | None
    exact: bool
    excluded: str
    encoding: str
    certainty: str


class FolderRow(msgspec.Struct, frozen=True, kw_only=True):
    """A folder ("." is the workspace) and everything below it. Only files that can go into a prompt add tokens; `exact` if all counts are."""

    path: str
    files: int
    tokens: int
    selected_files: int
    selected_tokens: int
    exact: bool


@click.command(name="files")
@click.option(
    "--exact", "is_exact", is_flag=True, help="Have the gateway count every file, not only the selected ones."
)
@click.option("--folders", "is_by_folder", is_flag=True, help="Show totals by folder instead of files.")
@click.option("--why", metavar="PATH", help="Say why this file is left out, naming the rule; ends with 1 if it is.")
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context, /, is_exact: bool, is_by_folder: bool, why: str | None, is_json: bool, directory: Path
) -> None:
    """The workspace's files, their tokens, and why a file is left out.

    Selected files are marked *. If the gateway can be reached, their tokens are counted by the served model. Other files are not sent
    anywhere, so their tokens are estimates (≈) unless --exact is given.
    """
    with open_workspace(directory) as workspace:
        if why is not None:
            ctx.exit(_say_why(workspace, directory, why, is_json=is_json))
        rows = asyncio.run(_rows(workspace, is_exact))
    if is_json:
        say_json(_by_folder(rows) if is_by_folder else rows)
        return
    for line in _folder_lines(_by_folder(rows)) if is_by_folder else map(_line, rows):
        say(line)
    chosen = [row for row in rows if row.is_selected]
    total = sum(row.tokens or 0 for row in chosen)
    mark = "" if all(row.exact for row in chosen) else "≈"
    note(f"{len(rows)} file{'s' * (len(rows) != 1)}, {len(chosen)} selected with {mark}{total:,} tokens")


def _say_why(workspace: "Workspace", directory: Path, name: str, *, is_json: bool) -> Exit:
    from dce.workspace.tree.why import why  # noqa: PLC0415

    path = paths_from(workspace.project, directory, [name])[0]
    reason = why(workspace.project, path)
    if is_json:
        say_json({"path": path, "excluded": reason})
    else:
        say(f"{path}: {reason or 'can go into a prompt'}")
    return Exit.NO if reason else Exit.DONE


async def _rows(workspace: "Workspace", is_exact: bool) -> list[FileRow]:
    from dce.workspace.tree.extract import format_of  # noqa: PLC0415
    from dce.workspace.tree.files import list_files  # noqa: PLC0415
    from dce.workspace.tree.text_reader import TextReader  # noqa: PLC0415

    selected = set(workspace.selection.paths())
    entries = {entry.path: (entry.size, entry.excluded) for entry in list_files(workspace.project)}
    for path in selected - entries.keys():
        entries[path] = (0, "")  # selected although git ignores it, or deleted: reading it shows which
    pages = workspace.selection.pages()
    reader = TextReader(workspace.project)
    texts: dict[str, str] = {}
    encodings: dict[str, tuple[str, str]] = {}
    for path, (size, excluded) in entries.items():
        if excluded or (format_of(path) and path not in selected):
            continue  # a document is opened only when it is selected
        try:
            file = reader.read(path, pages.get(path, ""))
        except DceError as error:
            entries[path] = (size, "does not exist" if error.code == "not_found" else error.message)
            continue
        entries[path] = (file.size, "")
        texts[path] = file.text
        encodings[path] = (file.encoding, file.certainty)
    exact = set(texts) if is_exact else selected & set(texts)
    counts = await waited(_counts(workspace, texts, exact), "counting tokens")
    return [
        FileRow(
            path=path,
            size=size,
            is_selected=path in selected,
            tokens=counts[path].tokens if path in counts else None,
            exact=counts[path].exact if path in counts else False,
            excluded=excluded,
            encoding=encodings.get(path, ("", ""))[0],
            certainty=encodings.get(path, ("", ""))[1],
        )
        for path, (size, excluded) in sorted(entries.items())
    ]


async def _counts(workspace: "Workspace", texts: dict[str, str], exact: set[str]) -> dict[str, "Count"]:
    """Tokens of every text: counted by the served model for those in `exact`, if the gateway answers; otherwise estimated, nothing sent."""
    from dce.workspace.context.tokens import TokenCounter  # noqa: PLC0415

    try:
        # List the models first: a count depends on the model, and a gateway that is down is then asked once, not once per file.
        if exact:
            await workspace.provider.models()
    except DceError as error:
        note(f"tokens are estimates: {error.message}")
        exact = set()
    estimator = TokenCounter(workspace.store.token_counts, None)
    found: dict[str, Count] = {}
    for counter, paths in ((workspace.counter, sorted(exact)), (estimator, sorted(set(texts) - exact))):
        found |= zip(paths, await counter.count([texts[path] for path in paths]), strict=True)
    return found


def _by_folder(rows: list[FileRow]) -> list[FolderRow]:
    below: dict[str, list[FileRow]] = {".": []}
    for row in rows:
        for parent in PurePosixPath(row.path).parents:
            below.setdefault(str(parent), []).append(row)
    found = []
    for folder, held in sorted(below.items()):
        chosen = [row for row in held if row.is_selected]
        found.append(
            FolderRow(
                path=folder,
                files=len(held),
                tokens=sum(row.tokens or 0 for row in held),
                selected_files=len(chosen),
                selected_tokens=sum(row.tokens or 0 for row in chosen),
                exact=all(row.exact for row in held if row.tokens is not None),
            )
        )
    return found


def _folder_lines(rows: list[FolderRow]) -> list[str]:
    head = ("folder", "files", "tokens", "selected", "tokens")
    cells = [
        (
            row.path,
            f"{row.files:,}",
            f"{'' if row.exact else '≈'}{row.tokens:,}",
            f"{row.selected_files:,}",
            f"{'' if row.exact else '≈'}{row.selected_tokens:,}",
        )
        for row in rows
    ]
    return columns([head, *cells], right=(1, 2, 3, 4))


_CERTAINTY = {
    "declared": ", as declared",
    "guessed": ", guessed",
    "doubtful": "? in doubt: declare it (`encoding` in config.toml)",
}


def _line(row: FileRow) -> str:
    tokens = "-" if row.tokens is None else f"{'' if row.exact else '≈'}{row.tokens:,}"
    why = f"   left out: {row.excluded}" if row.excluded else ""
    if row.tokens is None and not why:
        why = "   a document: opened and counted when it is selected"
    if row.encoding not in {"", "utf-8"}:
        why = f"   {row.encoding}{_CERTAINTY.get(row.certainty, '')}"
    path = row.path.replace("\n", "\\n")  # one line per file
    return f"{'*' if row.is_selected else ' '} {tokens:>9}  {path}{why}"
