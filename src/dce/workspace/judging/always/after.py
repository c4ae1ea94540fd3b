"""The workspace as it would be with an answer: its files over those on disk. Only looks; nothing is written or run."""

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import PurePosixPath

from dce.workspace.judging.lanes.answer import files_of
from dce.workspace.judging.lanes.lane import LaidFile
from dce.workspace.project import Project
from dce.workspace.schema.reading import Reading
from dce.workspace.tree.files import listed_names

MAX_READ_BYTES = 1 << 20
"""How much of a file on disk is read to see what it defines."""

_BUILT_FROM = (
    ".c",
    ".cc",
    ".cpp",
    ".h",
    ".rs",
    ".pyx",
    ".pxd",
    ".pyi",
    ".proto",
    ".thrift",
    ".f90",
    ".f",
    ".so",
    ".pyd",
    ".i",
    ".toml",
)
"""Sources and stubs of modules that are not written in Python."""


class After:
    """What is where, once the answer is in the workspace."""

    def __init__(self, project: Project, reading: Reading) -> None:
        self.project = project
        self._laid = {file.path: file for file in files_of(project, reading)}
        self._folders = {str(parent) for file in self.written for parent in PurePosixPath(file.path).parents}

    @property
    def written(self) -> tuple[LaidFile, ...]:
        """The files that the answer writes."""
        return tuple(file for file in self._laid.values() if file.data is not None)

    def is_file(self, path: str) -> bool:
        """Whether there is a file, ignored ones included."""
        if path in self._laid:
            return self._laid[path].data is not None
        return (self.project.root / path).is_file()

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder."""
        return path in self._folders or (self.project.root / path).is_dir()

    def text(self, path: str) -> str:
        """The beginning of a file's text; "" if there is none."""
        if path in self._laid:
            return (self._laid[path].data or b"")[:MAX_READ_BYTES].decode("utf-8", "replace")
        try:
            with (self.project.root / path).open("rb") as file:
                return file.read(MAX_READ_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def names(self, folder: str) -> Iterable[str]:
        """What is on disk in a folder outside the answer's control, such as site-packages."""
        try:
            return os.listdir(self.project.root / folder)  # noqa: PTH208 - names only
        except OSError:
            return ()

    @cached_property
    def foreign_stems(self) -> frozenset[str]:
        """The names of files in other languages than Python: what a module may be built from."""
        paths = (*listed_names(self.project), *(file.path for file in self.written))
        names = (path.rpartition("/")[2] for path in paths if path.endswith(_BUILT_FROM))
        return frozenset(name.split(".")[0] for name in names)

    @cached_property
    def stems(self) -> frozenset[str]:
        """The names that any file or folder of the workspace has, without suffixes."""
        found = set()
        for path in (*listed_names(self.project), *(file.path for file in self.written)):
            *folders, name = path.split("/")
            found.update(folders)
            found.add(name.split(".")[0])
        return frozenset(found)
