"""The current state of a path in the workspace: its bytes, and anything that prevents writing there.

What must always hold: nothing here writes; a path is read only after `Project.resolve` has accepted it.
"""

import hashlib
import os
import stat
from functools import cached_property
from pathlib import Path
from typing import overload

import msgspec

from dce.workspace.project import Project
from dce.workspace.tree.declared import NOTHING, Declarations, Declared
from dce.workspace.tree.encodings import is_plain
from dce.workspace.tree.file_form import FileForm, form_of
from dce.workspace.tree.git import left_out_names

MAX_READ_BYTES = 64 * 1024 * 1024
"""Largest workspace file read for comparison. No file in a prompt comes near it, and comparing answers must not exhaust memory."""

MAX_KEPT_BYTES = 64 * 1024 * 1024
"""Total size of the files kept in memory; beyond it, a file is read again each time."""

LEFT_OUT = "git tracks it, and the sparse checkout leaves it out"
"""The obstacle at a path whose file exists only in git's index. It is not new: a text written there would replace that one."""


class Current(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The current state of a path. `data` is None if there is no readable file; `obstacle` says what is there instead, if anything.

    `named`: the encoding that the workspace declares for the file. `inode`: device and number of a file that
    has other names too (hard links); None for any other.
    """

    target: Path
    data: bytes | None = None
    mode: int | None = None
    obstacle: str = ""
    named: Declared = NOTHING
    inode: tuple[int, int] | None = None

    @cached_property
    def form(self) -> FileForm:
        """Its text and form, computed from the bytes once."""
        return form_of(self.data, self.named)

    @property
    def text(self) -> str:
        """Its text; "" if there is no file."""
        return self.form.text

    @property
    def problem(self) -> str:
        """Why nothing can be written there; "" if writing is possible."""
        return self.obstacle or ("" if self.form.is_text else "it is not text now")

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the bytes on disk; "" if there is no file."""
        return "" if self.data is None else hashlib.sha256(self.data).hexdigest()

    @property
    def is_blocked(self) -> bool:
        """Whether something other than a readable file is at the path."""
        return self.data is None and bool(self.obstacle)


class CurrentFiles:
    """The current files, each read once, so that answers compared or planned together see the same state."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._found: dict[str, Current] = {}
        self._kept_bytes = 0
        self._declarations: Declarations | None = None
        self._left_out: frozenset[str] | None = None

    def at(self, path: str) -> Current:
        """The file at `path`. Raises DceError outside_workspace."""
        if path in self._found:
            return self._found[path]
        self._declarations = self._declarations or Declarations(self._project)
        current = look(self._project, path, self._declarations)
        if current.data is None and not current.obstacle and self._is_left_out(current.target):
            current = Current(target=current.target, obstacle=LEFT_OUT)
        size = len(current.data or b"")
        if self._kept_bytes + size <= MAX_KEPT_BYTES:
            self._found[path] = current
            self._kept_bytes += size
        return current

    def _is_left_out(self, target: Path) -> bool:
        if self._left_out is None:
            self._left_out = left_out_names(self._project.root)
        return self._project.relative(target) in self._left_out


def look(project: Project, path: str, declarations: Declarations | None = None) -> Current:
    """The current state of `path`. `declarations`: those of the workspace, for a caller with many files.

    Raises DceError outside_workspace.
    """
    target = project.resolve(path)
    for folder in reversed(target.relative_to(project.root).parents):
        place = project.root / folder
        if place.exists() and not place.is_dir():
            return Current(target=target, obstacle=f"{folder.as_posix()} is a file, not a folder")
    try:
        status = target.lstat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            return Current(target=target, obstacle=f"it is {kind}")
        if status.st_size > MAX_READ_BYTES:
            return Current(target=target, obstacle=f"it is larger than {MAX_READ_BYTES:,} bytes")
        data = target.read_bytes()
    except FileNotFoundError:
        return Current(target=target)
    except OSError as error:
        return Current(target=target, obstacle=f"it cannot be read: {error.strerror}")
    named = NOTHING if is_plain(data) else (declarations or Declarations(project)).of(project.relative(target))
    inode = (status.st_dev, status.st_ino) if status.st_nlink > 1 else None
    return Current(target=target, data=data, mode=stat.S_IMODE(status.st_mode), named=named, inode=inode)


def is_stale(current: Current, shown_sha256: str | None) -> bool:
    """Whether a file differs from what the prompt showed: edited, deleted, or present but not shown."""
    if current.problem:
        return True
    return current.sha256 != (shown_sha256 or "")


def is_executable(mode: int | None) -> bool:
    """Whether the owner may run a file of this mode."""
    return bool((mode or 0) & stat.S_IXUSR)


@overload
def with_executable(mode: int, executable: bool | None) -> int: ...
@overload
def with_executable(mode: None, executable: bool | None) -> None: ...
@overload
def with_executable(mode: int | None, executable: bool | None) -> int | None: ...
def with_executable(mode: int | None, executable: bool | None) -> int | None:
    """`mode` made executable for everyone who may read the file, or for nobody; unchanged if `executable` is None."""
    if mode is None or executable is None:
        return mode
    return mode | (mode & 0o444) >> 2 if executable else mode & ~0o111


def may_write(current: Current) -> bool:
    """Whether the file, if any, is writable. A replacing rename does not check the file's own mode, and root bypasses it."""
    if current.mode is None:
        return True
    return bool(current.mode & 0o222) and os.access(current.target, os.W_OK)


def read_only_folder(target: Path) -> Path | None:
    """The folder that keeps files from being created, replaced or deleted at a path; None if nothing does, as far as permissions tell."""
    folder = next(folder for folder in target.parents if folder.exists())
    return None if os.access(folder, os.W_OK | os.X_OK) else folder
