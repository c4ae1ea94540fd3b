"""A scratch copy of the workspace: its listed files, including binary ones, overlaid with the files of a response.

Invariants: the workspace is only read; nothing in the copy shares an inode with it or links into it; a response's paths are
checked as in the workspace.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.schema.reading import Reading
from dce.workspace.tree.current import look, with_executable
from dce.workspace.tree.files import list_files

MAX_COPY_BYTES = 2 * 1024**3
"""Largest workspace that is copied: two copies at once must fit on a developer's disk."""


class Scratch:
    """The folders of one copy: `root` is the copied workspace, `home` and `tmp` are for the processes that run in it."""

    def __init__(self, base: Path, name: str) -> None:
        self.base = base
        self.root = base / "workspace" / name
        self.home = base / "home"
        self.tmp = base / "tmp"

    def fill(self, project: Project, reading: Reading | None) -> None:
        """Copies the workspace and writes the response's files over it. Raises DceError invalid_input if it is too large."""
        for folder in (self.root, self.home, self.tmp):
            folder.mkdir(parents=True)
        size = 0
        for source, relative in _sources(project):
            size += _copy(project, source, self.root / relative)
            if size > MAX_COPY_BYTES:
                raise DceError(
                    "invalid_input",
                    f"the workspace is too large to copy for checks: over {MAX_COPY_BYTES >> 30} GiB",
                    hint="List large files in .gitignore; ignored files are not copied.",
                )
        if reading is not None:
            self._write(reading)

    def _write(self, reading: Reading) -> None:
        copy = Project(self.root)
        for block in reading.files:
            # Files that accept would refuse are left out here too; the board's flags say so.
            with contextlib.suppress(DceError):
                current = look(copy, block.path)
                if current.is_blocked:
                    continue
                source = look(copy, block.from_path) if block.from_path else current
                data = source.data if block.action in {"rename", "mode"} else source.form.bytes_to_write(block.content)
                if block.action == "delete" or data is None or block.from_path:
                    source.target.unlink(missing_ok=True)
                if block.action == "delete" or data is None:
                    continue
                current.target.parent.mkdir(parents=True, exist_ok=True)
                current.target.unlink(missing_ok=True)  # it may be read-only
                current.target.write_bytes(data)
                mode = source.mode if source.mode is not None else stat.S_IMODE(current.target.stat().st_mode)
                wanted = {"755": True, "644": False}.get(block.mode)
                current.target.chmod(with_executable(mode, wanted))

    def remove(self) -> None:
        """Deletes everything, including what a check made read-only. Whatever remains is left to the system's temporary-file cleanup.

        Only folders of the copy itself are unlocked: neither the folder that it is in, nor what a link leads to.
        """

        def unlock(_: object, name: str, __: object) -> None:
            path = Path(name)
            with contextlib.suppress(OSError):
                if path != self.base:
                    path.parent.chmod(0o700)
                is_folder = path.is_dir() and not path.is_symlink()
                if is_folder:
                    path.chmod(0o700)
                (os.rmdir if is_folder else os.unlink)(path)

        shutil.rmtree(self.base, onerror=unlock)
        shutil.rmtree(self.base, ignore_errors=True)


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
