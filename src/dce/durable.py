"""Writes files so that a crash, a full disk or a power cut leaves the old content or the new, never half of either.

Invariants: the draft has a unique name in its target's folder and is removed on any failure; the target changes by one rename;
when a call returns, content and name are on disk. A link at the target is replaced and never followed: a shared workspace may
contain one that leads outside. A folder, a pipe or a device is refused. Errors are OSError: only the caller knows what was being
written.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

PRIVATE = 0o600
"""The mode of a file that only its owner may read and write."""

_USUAL = 0o666
"""The mode requested for a new file, before the process's umask."""

_PERMISSIONS = 0o777
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM})
"""Errors that mean a folder cannot be synced: Windows does not open folders, and some network and FUSE file systems refuse."""


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replaces the content of `path`, or creates the file. `mode` as in `replacing`."""
    with replacing(path, mode) as draft:
        draft.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[Path]:
    """Yields an empty draft for the block to fill and close; after the block it replaces `path`.

    `mode` None keeps permissions and owner of the replaced file, as far as the process may; for a new file it means the process's
    default. With a given mode nothing is kept, so that private content is not given to the previous owner.
    """
    _check_target(path)
    kept = _mode_of(path) if mode is None else None
    with _draft(path, mode if kept is None else kept) as draft:
        yield draft
        _finish(draft, mode if kept is None else kept, like=None if kept is None else path)
        draft.replace(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def creating(path: Path, mode: int | None = None) -> Iterator[Path]:
    """As `replacing`, for a file that must be created only once: if several processes create it at the same time, the first wins."""
    with contextlib.suppress(FileExistsError), adding(path, mode) as draft:
        yield draft


@contextlib.contextmanager
def adding(path: Path, mode: int | None = None) -> Iterator[Path]:
    """As `replacing`, for a name that must be free: raises FileExistsError if the file exists when the draft is done."""
    with _draft(path, mode) as draft:
        yield draft
        _finish(draft, mode, like=None)
        try:
            os.link(draft, path)
        except FileExistsError:
            raise
        except (
            OSError
        ):  # a file system without hard links: another process may still create it between check and rename
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            draft.replace(path)
    sync_folder(path.parent)


def write_new(path: Path, content: bytes, mode: int | None, *, like: Path) -> None:
    """Creates a file with the owner of `like`, where the process may set it; `mode` None: the process's default.

    The content is on disk when this returns, the name only after `sync_folder`. Raises FileExistsError.
    """
    with os.fdopen(_create(path, mode), "wb") as file:
        file.write(content)
    _finish(path, mode, like=like)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system supports it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


@contextlib.contextmanager
def _draft(path: Path, mode: int | None) -> Iterator[Path]:
    draft = path.with_name(f".dce-{secrets.token_hex(8)}.tmp")  # a name derived from a long one could be too long
    try:
        os.close(_create(draft, mode))
        yield draft
    finally:
        with contextlib.suppress(OSError):  # must not mask the block's own error
            draft.unlink(missing_ok=True)


def _create(path: Path, mode: int | None) -> int:
    """Opens a new file, private until it gets its final mode: the file it replaces may be private."""
    return os.open(path, _NEW, _USUAL if mode is None else PRIVATE)


def _check_target(path: Path) -> None:
    """Raises OSError if `path` is, or links to, something a rename must not replace: a folder, a pipe, a device (`/dev/stdout`)."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def _mode_of(path: Path) -> int | None:
    """The permissions of a regular file; None if there is none. A link gives None too: its own permissions mean nothing."""
    try:
        found = path.lstat().st_mode
    except FileNotFoundError:
        return None
    return found & _PERMISSIONS if stat.S_ISREG(found) else None


def _finish(path: Path, mode: int | None, like: Path | None) -> None:
    """Sets owner and mode, and syncs the file to disk."""
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))  # Windows syncs only files opened for writing
    try:
        if like is not None:
            _take_owner(path, like)
        if mode is not None:
            path.chmod(mode)  # after chown, which clears set-id bits
        if like is not None:
            _take_attributes(path, like)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_owner(path: Path, like: Path) -> None:
    """When root works in a user's folder, the file stays the user's."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        owner, now = like.stat(), path.stat()
        if (owner.st_uid, owner.st_gid) != (now.st_uid, now.st_gid):
            os.chown(path, owner.st_uid, owner.st_gid)


def _take_attributes(path: Path, like: Path) -> None:
    """Copies extended attributes, including the ACL (on Linux it is one); those that this process may not set are left out."""
    if not hasattr(os, "listxattr") or not like.is_file():
        return
    with contextlib.suppress(OSError):  # a file system without them
        wanted = {name: os.getxattr(like, name) for name in os.listxattr(like)}
        for name in set(os.listxattr(path)) - set(wanted):  # such as an ACL inherited from the folder's default
            with contextlib.suppress(OSError):
                os.removexattr(path, name)
        for name, value in wanted.items():
            with contextlib.suppress(OSError):
                os.setxattr(path, name, value)
