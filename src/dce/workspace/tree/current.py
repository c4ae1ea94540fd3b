"""A path of the workspace as it is now: its bytes, and why nothing can be written there.

What must always hold: nothing here writes; a path is looked at only after `Project.resolve` let it pass.
"""

import hashlib
import os
import stat
from functools import cached_property
from pathlib import Path
from typing import overload

import msgspec

from dce.workspace.project import Project
from dce.workspace.tree.file_form import FileForm, form_of

MAX_READ_BYTES = 64 * 1024 * 1024
"""Largest workspace file read to compare with: no file of a prompt comes near, and a board must not fill the memory."""

MAX_KEPT_BYTES = 64 * 1024 * 1024
"""Files that are kept to be looked at again, together; beyond it a file is read each time."""


class Current(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A path of the workspace as it is now. `data` is None if there is no such file; `obstacle` says what stands there instead of a file that can be read."""

    target: Path
    data: bytes | None = None
    mode: int | None = None
    obstacle: str = ""

    @cached_property
    def form(self) -> FileForm:
        """Its text and form, taken from the bytes once."""
        return form_of(self.data)

    @property
    def text(self) -> str:
        """Its text; "" if there is no file."""
        return self.form.text

    @property
    def problem(self) -> str:
        """Why nothing can be written there; "" if something can."""
        return self.obstacle or ("" if self.form.is_text else "it is not text now")

    @cached_property
    def sha256(self) -> str:
        """Of the bytes on disk; "" if there is no file."""
        return "" if self.data is None else hashlib.sha256(self.data).hexdigest()

    @property
    def is_blocked(self) -> bool:
        """Whether something other than a readable file stands there."""
        return self.data is None and bool(self.obstacle)


class CurrentFiles:
    """The files as they are now, each looked at once: several answers that are compared or planned together meet the same files."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._found: dict[str, Current] = {}
        self._kept_bytes = 0

    def at(self, path: str) -> Current:
        """The file at `path`. Raises DceError outside_workspace."""
        if path in self._found:
            return self._found[path]
        current = look(self._project, path)
        size = len(current.data or b"")
        if self._kept_bytes + size <= MAX_KEPT_BYTES:
            self._found[path] = current
            self._kept_bytes += size
        return current


def look(project: Project, path: str) -> Current:
    """The file at `path` now. Raises DceError outside_workspace."""
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
    return Current(target=target, data=data, mode=stat.S_IMODE(status.st_mode))


def is_stale(current: Current, shown_sha256: str | None) -> bool:
    """Whether a file is not what the prompt showed: edited, vanished, or there without having been shown."""
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
    """The mode that lets whoever may read a file run it too, or nobody; `executable` None: as it is."""
    if mode is None or executable is None:
        return mode
    return mode | (mode & 0o444) >> 2 if executable else mode & ~0o111


def may_write(current: Current) -> bool:
    """Whether the file, if there is one, is not protected. Replacing goes by rename, which would not ask; nor does root."""
    if current.mode is None:
        return True
    return bool(current.mode & 0o222) and os.access(current.target, os.W_OK)
