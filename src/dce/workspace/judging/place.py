"""A folder of the workspace as the detectors of checks see it. It only reads."""

import re
from collections.abc import Sequence
from pathlib import Path

from dce.wire.errors import DceError
from dce.workspace.project import Project

MAX_PLACES = 4
"""Folders of one kind that are proposed where the root has none: a monorepo with more of them needs a choice."""

MAX_PLACES_LOOKED_AT = 200
"""How many such folders are looked at, to name those that are not proposed."""

MAX_READ_BYTES = 256 * 1024
"""How much is read of a file that describes the project."""

Command = tuple[str, ...]

Found = tuple[Command, str]
"""A command, and what speaks for it."""


def beginning(path: Path) -> str:
    """The beginning of a file; "" if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_READ_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


class Place:
    """One folder of the workspace as a detector sees it. `folder` is "" for the workspace itself."""

    def __init__(self, project: Project, names: Sequence[str], folder: str = "") -> None:
        self._project = project
        self.folder = folder
        prefix = f"{folder}/" if folder else ""
        self.names = frozenset(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def text(self, name: str) -> str:
        """The beginning of a listed file; "" if there is none."""
        if name not in self.names:
            return ""
        path = self._project.root / self.folder / name
        try:
            self._project.resolve(f"{self.folder}/{name}" if self.folder else name)
        except (OSError, DceError):
            return ""
        return beginning(path)

    def matching(self, pattern: str) -> list[str]:
        """The listed files whose path matches a regular expression, shallow ones first."""
        compiled = re.compile(pattern)
        return sorted((name for name in self.names if compiled.search(name)), key=lambda name: (name.count("/"), name))

    def first(self, *names: str) -> str:
        """The first of these files that is there; "" if none is."""
        return next((name for name in names if name in self.names), "")

    def is_installed(self, program: str) -> bool:
        """Whether npm has put a program into this folder's `node_modules`, which is not listed."""
        return (self._project.root / self.folder / "node_modules" / ".bin" / program).exists()
