"""A path of the workspace as it is now: its bytes, and why nothing can be written there.

What must always hold: nothing here writes; a path is looked at only after `Project.resolve` let it pass.
"""

import hashlib
import os
import stat
from pathlib import Path

import msgspec

from dce.workspace.project import Project
from dce.workspace.tree.file_form import is_text

MAX_READ_BYTES = 64 * 1024 * 1024
"""Largest workspace file read to compare with: no file of a prompt comes near, and a board must not fill the memory."""


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """A path of the workspace as it is now. `data` is None if there is no such file; `problem` says why nothing can be written there."""

    target: Path
    data: bytes | None = None
    mode: int | None = None
    problem: str = ""

    @property
    def sha256(self) -> str:
        """Of the bytes on disk; "" if there is no file."""
        return "" if self.data is None else hashlib.sha256(self.data).hexdigest()

    @property
    def is_blocked(self) -> bool:
        """Whether something other than a readable file stands there."""
        return self.data is None and bool(self.problem)


def look(project: Project, path: str) -> Current:
    """The file at `path` now. Raises DceError outside_workspace."""
    target = project.resolve(path)
    for folder in reversed(target.relative_to(project.root).parents):
        place = project.root / folder
        if place.exists() and not place.is_dir():
            return Current(target=target, problem=f"{folder.as_posix()} is a file, not a folder")
    try:
        status = target.lstat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            return Current(target=target, problem=f"it is {kind}")
        if status.st_size > MAX_READ_BYTES:
            return Current(target=target, problem=f"it is larger than {MAX_READ_BYTES:,} bytes")
        data = target.read_bytes()
    except FileNotFoundError:
        return Current(target=target)
    except OSError as error:
        return Current(target=target, problem=f"it cannot be read: {error.strerror}")
    problem = "" if is_text(data) else "it is not text now"
    return Current(target=target, data=data, mode=stat.S_IMODE(status.st_mode), problem=problem)


def is_stale(current: Current, shown_sha256: str | None) -> bool:
    """Whether a file is not what the prompt showed: edited, vanished, or there without having been shown."""
    if current.problem:
        return True
    return current.sha256 != (shown_sha256 or "")


def may_write(current: Current) -> bool:
    """Whether the file, if there is one, is not protected. Replacing goes by rename, which would not ask; nor does root."""
    if current.mode is None:
        return True
    return bool(current.mode & 0o222) and os.access(current.target, os.W_OK)
