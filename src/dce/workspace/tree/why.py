"""Explains why a file can or cannot go into a prompt, naming the rule and where it is defined."""

import re
from pathlib import PurePosixPath

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.tree.exclude import Excludes
from dce.workspace.tree.files import list_files, read_text
from dce.workspace.tree.git import git_output
from dce.workspace.tree.secret_names import touches_secrets

_RULE = re.compile(r"(?P<place>[^\n]*?:\d+):(?P<pattern>[^\t\n]+)\t")
"""The output of `git check-ignore`: "file:line:pattern<tab>path"."""

_SELECT_ANYWAY = "`dce select add {}` selects it anyway"


def why(project: Project, path: str) -> str:
    """Why a file is left out; "" if it can go in. Raises outside_workspace and not_found."""
    name = project.canonical(path)
    entries = {entry.path: entry for entry in list_files(project)}
    entry = entries.get(name)
    # `entries` includes paths that cannot be resolved, such as a link to outside the workspace.
    if entry is not None and entry.excluded:
        return entry.excluded
    if not project.resolve(path).exists():
        is_link = (project.root / name).is_symlink()
        raise DceError(
            "not_found",
            f"{name} is a broken link: its target does not exist."
            if is_link
            else f"There is no file {name} in the workspace.",
        )
    if project.resolve(path).is_dir():
        raise DceError("invalid_input", f"{name} is a folder: ask about one of its files.")
    if entry is None:
        above = next((str(folder) for folder in PurePosixPath(name).parents if str(folder) in entries), "")
        return (
            f"{above} is {entries[above].excluded}; {_SELECT_ANYWAY.format(name)}" if above else _ignored(project, name)
        )
    if excluded := Excludes.of(project).reason(name):
        return excluded
    try:
        read_text(project, name)
    except DceError as error:
        return error.message
    if touches_secrets(name):
        return (
            "its name suggests keys or passwords: it is selected only if named in full, and then reported as a finding"
        )
    return ""


def _ignored(project: Project, name: str) -> str:
    """The ignore rule that matches a file, with the file and line that define it."""
    found = _RULE.match(git_output(project.root, ["check-ignore", "--verbose", "--", name]))
    if found:
        return f"ignored by {found['pattern']!r} ({found['place']}); {_SELECT_ANYWAY.format(name)}"
    return f"ignored by a .gitignore; {_SELECT_ANYWAY.format(name)}"
