"""Classifies store failures by SQLite's error code: busy, disk full, read-only, or damaged.

What must always hold: only a damaged file is called unreadable. A full disk or a missing permission harms nothing that was saved, and
telling the user to repair the store in that case would cause damage.
"""

import errno
import sqlite3
from pathlib import Path

from dce.wire.errors import DceError

CHECK_HINT = "Nothing was changed. `dce store check` shows the state of the store and what to do."

FULL_HINT = "Free disk space, then try again. What was saved before is intact: do not move or delete the store's files."
READ_ONLY_HINT = (
    "Correct the permissions of the .dce folder and the files in it, or make its file system writable, then try again. "
    "The store is intact and can be read."
)

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file raises: where SQLite quotes bytes of the file that are not UTF-8, Python cannot build the error."""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_READ_ONLY = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH})
_WRITE_ERRORS = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_DELETE,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)
"""Write errors for reasons other than ENOSPC, which SQLite reports itself: a quota, a file size limit."""
_OS_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_OS_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def is_read_only(error: BaseException) -> bool:
    """Whether the file system refuses writes."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _READ_ONLY  # the low byte; the higher bytes are subtypes
    return isinstance(error, OSError) and error.errno in _OS_READ_ONLY


def is_full(error: BaseException) -> bool:
    """Whether the disk is full."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0)
        return code & 0xFF == sqlite3.SQLITE_FULL or code in _WRITE_ERRORS
    return isinstance(error, OSError) and error.errno in _OS_FULL


def failure_of(error: Exception, path: Path, fact: str = "") -> DceError:
    """The DceError for what SQLite or the system reported about the store at `path`."""
    fact = fact or f"{path} cannot be used"
    if isinstance(error, UnicodeDecodeError):
        return DceError("store_unreadable", f"{fact}: what should be text in it is not text", hint=CHECK_HINT)
    if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY:
        return DceError("workspace_locked", f"{path}: another process has been writing for too long")
    if is_full(error):
        return DceError("write_failed", f"{fact}: there is no space left on its disk ({error})", hint=FULL_HINT)
    if is_read_only(error) and not _is_no_file(path):  # a path that is not a file cannot be opened either
        return DceError("write_failed", f"{fact}: it may not be written ({error})", hint=READ_ONLY_HINT)
    return DceError("store_unreadable", f"{fact}: {error}", hint=CHECK_HINT)


def _is_no_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_file()
    except OSError:  # no permission for its folder
        return False
