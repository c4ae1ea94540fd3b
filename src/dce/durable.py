"""Writes files so that a crash, a full disk or a power cut leaves the old content or the new, never half of either.

What must always hold: the draft has a name of its own in its target's folder and is gone when anything fails; the target changes
by one rename; when a call returns, content and name are on the disk. A link in the target's place is replaced and never followed:
a shared workspace can bring one that leads outside. A folder, a pipe or a device is refused. Errors are OSError: only the caller
knows what was being written.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

PRIVATE = 0o600
"""The mode of a file that only its owner may read."""

_USUAL = 0o666
"""What a new file asks for; the process's umask takes its share."""

_PERMISSIONS = 0o777
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM})
"""How systems say that they cannot sync a folder: Windows does not open one, some network and FUSE file systems refuse."""


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Puts `content` in place of whatever `path` holds. `mode` as in `replacing`."""
    with replacing(path, mode) as draft:
        draft.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[Path]:
    """An empty draft for the block to fill and close; after the block it takes the place of `path`.

    `mode` None keeps permissions and owner of the file that is replaced, as far as the process may, and means the process's default
    where there is none. A mode that is given keeps nothing: what is private goes to no former owner.
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
    """As `replacing`, for a file that must be made once: if several processes make it at the same time, the first one's stays."""
    with contextlib.suppress(FileExistsError), adding(path, mode) as draft:
        yield draft


@contextlib.contextmanager
def adding(path: Path, mode: int | None = None) -> Iterator[Path]:
    """As `replacing`, for a name that must be free: raises FileExistsError if there is a file when the draft is done."""
    with _draft(path, mode) as draft:
        yield draft
        _finish(draft, mode, like=None)
        try:
            os.link(draft, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: between look and rename another process may still come
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            draft.replace(path)
    sync_folder(path.parent)


def write_new(path: Path, content: bytes, mode: int | None, *, like: Path) -> None:
    """Writes a file that is not there yet, owned as `like` is where the process may say so; `mode` None: the process's default.

    Its content is on the disk when this returns, its name only after `sync_folder`. Raises FileExistsError.
    """
    with os.fdopen(_create(path, mode), "wb") as file:
        file.write(content)
    _finish(path, mode, like=like)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system can."""
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
        with contextlib.suppress(OSError):  # must not hide why the block failed
            draft.unlink(missing_ok=True)


def _create(path: Path, mode: int | None) -> int:
    """Opens a new file, closed to others until it has its own mode: the file it replaces may be private."""
    return os.open(path, _NEW, _USUAL if mode is None else PRIVATE)


def _check_target(path: Path) -> None:
    """Raises OSError for what a rename would destroy although nobody writes files over it, also at the end of a link (`/dev/stdout`)."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def _mode_of(path: Path) -> int | None:
    """The permissions of a file; None where there is none, and for a link, whose own mean nothing."""
    try:
        found = path.lstat().st_mode
    except FileNotFoundError:
        return None
    return found & _PERMISSIONS if stat.S_ISREG(found) else None


def _finish(path: Path, mode: int | None, like: Path | None) -> None:
    """Owner, mode and content to the disk."""
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))  # Windows syncs only what may be written
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
    """Where root works in someone's folder, the file stays theirs."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        owner, now = like.stat(), path.stat()
        if (owner.st_uid, owner.st_gid) != (now.st_uid, now.st_gid):
            os.chown(path, owner.st_uid, owner.st_gid)


def _take_attributes(path: Path, like: Path) -> None:
    """Extended attributes and the access list (Linux keeps it as one); those that this process may not set are left out."""
    if not hasattr(os, "listxattr") or not like.is_file():
        return
    with contextlib.suppress(OSError):  # a file system without them
        wanted = {name: os.getxattr(like, name) for name in os.listxattr(like)}
        for name in set(os.listxattr(path)) - set(wanted):  # such as an access list by the folder's default
            with contextlib.suppress(OSError):
                os.removexattr(path, name)
        for name, value in wanted.items():
            with contextlib.suppress(OSError):
                os.setxattr(path, name, value)
