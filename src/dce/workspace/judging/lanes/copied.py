"""The copy lane: a plain copy of the workspace's listed files, for systems without namespaces.

What must always hold: the workspace is only read; nothing in the copy shares an inode with it, and only what `link` names leads into
it. This isolates against accidents and is not a sandbox: a command runs with the rights of the user who runs DCE.
"""

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.command import Spawn, execute
from dce.workspace.judging.lanes.environment import (
    Variables,
    added_folders,
    find_python,
    lane_variables,
    search_path,
)
from dce.workspace.judging.lanes.folders import LaneFolder, write_new
from dce.workspace.judging.lanes.lane import Ended, Kind, LaidFile, RunOptions
from dce.workspace.judging.lanes.processes import GroupProcesses
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.judging.lanes.toolchains import tool_folders
from dce.workspace.project import Project
from dce.workspace.tree.files import list_files

MAX_COPY_BYTES = 2 * 1024**3
"""Largest workspace that is copied: two copies at once must fit on a developer's disk."""

_MARK = "LANE_MARK"
"""The variable by which processes that left their group are found."""


class CopyLane:
    """One copy. `fill` makes it, outside an event loop; then commands can run."""

    kind: Kind = "copy"
    node = ""

    def __init__(
        self, project: Project, settings: LaneSettings, folder: LaneFolder, environ: Mapping[str, str], home: Path
    ) -> None:
        self._project = project
        self._settings = settings
        self._folder = folder
        self._environ = environ
        self._home = home
        self._python = find_python(environ, project.root)
        self._python_path: tuple[Path, ...] = ()
        self.root = folder.path / "workspace" / (project.root.name or "workspace")
        self.tmp = self.written_tmp = folder.tmp
        self.written_root = self.root

    def fill(self, files: Iterable[LaidFile]) -> None:
        """Copies the workspace, links and copies what the settings name, and lays `files` over it. Raises DceError invalid_input if the
        workspace is too large."""
        self.root.mkdir(parents=True)
        size = 0
        for source, relative in _sources(self._project):
            size += _copy(self._project, source, self.root / relative)
            if size > MAX_COPY_BYTES:
                raise DceError(
                    "invalid_input",
                    f"the workspace is too large to copy for checks: over {MAX_COPY_BYTES >> 30} GiB",
                    hint="List large files in .gitignore; ignored files are not copied.",
                )
        for name in (*self._settings.copy, *self._settings.link):
            self._add(name, is_link=name in self._settings.link)
        for shown in tool_folders(self._home, self._environ):
            with contextlib.suppress(ValueError, FileExistsError):
                _link(self._folder.home / shown.path.relative_to(self._home), shown.path)
        for file in files:
            self._lay(file)
        self._python_path = self._search_path()

    async def run(self, command: Sequence[str], options: RunOptions) -> Ended:
        """See `Lane.run`."""
        mark = secrets.token_hex(16)
        words = (self._python.program, *command[1:]) if command[0] == "python" else tuple(command)
        named = (*self._settings.env, *options.env)
        home = self._home if "HOME" in named else self._folder.home
        own = Variables(home=home, tmp=self._folder.tmp, python=self._python, python_path=self._python_path)
        return await execute(
            Spawn(
                command=words,
                name=command[0],
                folder=self._folder,
                root=self.root,
                cwd=options.cwd,
                variables={**lane_variables(self._environ, named, own), **options.variables, _MARK: mark},
                timeout_s=options.timeout_s,
                limits=self._settings.limits(),
                processes=GroupProcesses(f"{_MARK}={mark}"),
            )
        )

    def _search_path(self) -> tuple[Path, ...]:
        """The copy's folders first: otherwise an editable install would test the code in the workspace."""
        folders = [self.root, self.root / "src"]
        for entry in (*added_folders(self._python), *search_path(self._environ)):
            real, root = Path(os.path.realpath(entry)), self._project.root
            folders.append(self.root / real.relative_to(root) if real.is_relative_to(root) else real)
        return tuple(folder for folder in folders if folder.is_dir())

    def _add(self, name: str, *, is_link: bool) -> None:
        """A path that `link` or `copy` names. One in the home appears in the copy's home; an absolute one is reachable anyway."""
        source = self._home / name[2:] if name.startswith("~/") else self._project.root / name
        target = self._folder.home / name[2:] if name.startswith("~/") else self.root / name
        target = Path(os.path.normpath(target))
        is_ours = any(target.is_relative_to(folder) for folder in (self._folder.home, self.root.parent))
        if not source.exists() or os.path.lexists(target) or not is_ours:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_link and source.is_dir():
            self._link_entries(source, target)
        elif is_link:
            target.symlink_to(source)
        elif source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target)

    def _link_entries(self, source: Path, target: Path) -> None:
        """Links the entries of a folder. A package that is a link into the workspace (a workspace of npm's) leads into the copy."""
        target.mkdir()
        for entry in source.iterdir():
            real = Path(os.path.realpath(entry))
            if entry.is_symlink() and real.is_relative_to(self._project.root):
                real = self.root / real.relative_to(self._project.root)
            if entry.name.startswith("@") and entry.is_dir() and not entry.is_symlink():
                self._link_entries(entry, target / entry.name)
            else:
                (target / entry.name).symlink_to(real)

    def _lay(self, file: LaidFile) -> None:
        target = self.root / file.path
        if not Path(os.path.realpath(target)).is_relative_to(self.root):
            raise DceError("outside_workspace", f"{file.path!r} leads out of the copy: `link` names a folder above it.")
        target.unlink(missing_ok=True)  # it may be read-only
        if file.data is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_new(self._project.root, self.root, file)


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)


def _sources(project: Project) -> Iterator[tuple[Path, str]]:
    for entry in list_files(project):
        yield project.root / entry.path, entry.path


def _copy(project: Project, source: Path, target: Path) -> int:
    """Copies one file with its mode and returns its size. Links into the workspace stay links; other kinds are left out."""
    try:
        status = source.lstat()
        if stat.S_ISLNK(status.st_mode):
            real = Path(os.path.realpath(source))
            if real.is_relative_to(project.root):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(os.path.relpath(real, source.parent))
        elif stat.S_ISREG(status.st_mode):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target, follow_symlinks=False)
            return status.st_size
    except (FileNotFoundError, PermissionError):
        pass  # deleted since it was listed, or unreadable: the check fails if it needs the file
    return 0
