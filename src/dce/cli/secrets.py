"""`dce secrets`: finds likely secrets in the files that would be sent, and keeps the list of allowed findings."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.context import json_option, open_workspace, paths_from, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import note, say, say_json
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.outbound.secrets import Finding
    from dce.workspace.workspace import Workspace


@click.group(name="secrets")
def command() -> None:
    """Find secrets before they are sent, and allow false findings.

    A prompt with a finding is not sent to another host: deselect the file, send placeholders (`--secrets placeholder`; the values
    are put back into the answers' files), or allow the finding here.
    """


@command.command()
@click.argument("paths", metavar="[PATH...]", nargs=-1)
@json_option
@workspace_option
@click.pass_context
def scan(ctx: click.Context, /, paths: tuple[str, ...], is_json: bool, directory: Path) -> None:
    """Scan the selected files, or those named (`.`: all). Ends with 1 if there is a finding that is not allowed.

    Scanning a folder includes its files for keys and passwords (`.env` and the like), which `dce select add FOLDER` leaves out, even
    if git ignores them.
    """
    from dce.workspace.outbound.allowlist import AllowList  # noqa: PLC0415
    from dce.workspace.outbound.secrets import scan as scan_text  # noqa: PLC0415
    from dce.workspace.outbound.sending import by_name  # noqa: PLC0415
    from dce.workspace.tree.files import read_text  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        project = workspace.project
        names = workspace.selection.paths()
        if paths:
            names = _named(workspace, paths_from(project, directory, paths))
        found: list[Finding] = list(by_name(names))
        for name in names:
            try:
                found += scan_text(read_text(project, name).text, name)
            except DceError as error:
                note(error.message)
        found = list(AllowList.of(project).unresolved(found))
    if is_json:
        say_json(found)
    else:
        for finding in found:
            say(finding_line(finding))
        note(f"{len(found)} possible secret{'s' * (len(found) != 1)} in {len(names)} file{'s' * (len(names) != 1)}")
    ctx.exit(Exit.NO if found else Exit.DONE)


def _named(workspace: "Workspace", patterns: list[str]) -> tuple[str, ...]:
    """The text files that the patterns match, including those that selecting a folder skips because of their names."""
    from dce.workspace.tree.secret_names import secret_files_below  # noqa: PLC0415

    kept = {path for pattern in patterns for path in secret_files_below(workspace.project, pattern)}
    try:
        match = workspace.selection.match(patterns)
    except DceError:
        if not kept:
            raise
        return tuple(sorted(kept))
    return tuple(sorted(kept.union(match.paths)))


@command.command()
@click.argument("entries", metavar="FINGERPRINT|PATTERN...", nargs=-1, required=True)
@click.option("--reason", default="", metavar="TEXT", help="The reason, written beside it as a comment.")
@json_option
@workspace_option
def allow(entries: tuple[str, ...], reason: str, is_json: bool, directory: Path) -> None:
    """Add findings (by fingerprint) or whole files (by a .gitignore pattern) to .dceallow."""
    from dce.workspace.outbound.allowlist import allow as allow_entries  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        added = allow_entries(workspace.project, entries, reason)
    if is_json:
        say_json({"added": added})
        return
    for entry in added:
        say(f"allowed {entry}")


def finding_line(finding: "Finding") -> str:
    """A finding as one line of text."""
    return f"{finding.path}:{finding.line}:{finding.column}  {finding.rule}  {finding.masked}  [{finding.fingerprint}]"
