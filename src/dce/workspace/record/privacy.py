"""The permissions of the store's files, which hold the exact prompts and so the project's text.

What must always hold: other users can read none of these files. A group may if its members can write: someone shared the workspace so.
"""

import contextlib
from pathlib import Path

from dce import durable
from dce.workspace.record.write_ahead_log import log_path

FOLDER_MODE = 0o700
"""The mode of the folders with backups and with what was set aside."""

_GROUP_WRITES, _GROUP, _ALL = 0o020, 0o660, 0o777


def mode_like(store_path: Path) -> int:
    """The mode for a file that stands beside the store or replaces it."""
    try:
        return _private(store_path.stat().st_mode & _ALL)
    except OSError:
        return durable.PRIVATE


def make_private(store_path: Path) -> None:
    """Takes away what others, or a group that only reads, may do with a store of an earlier version."""
    for path in (store_path, log_path(store_path), store_path.with_name(store_path.name + "-shm")):
        with contextlib.suppress(OSError):  # it does not exist, or belongs to someone else
            mode = path.stat().st_mode & _ALL
            if mode & ~_private(mode):
                path.chmod(mode & _private(mode))


def _private(mode: int) -> int:
    return _GROUP if mode & _GROUP_WRITES else durable.PRIVATE
