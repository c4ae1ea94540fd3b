"""Serialises edits of a workspace's small files: configuration, named selections, keys, allow-list.

What must always hold: between the read and the write no other process (and no other thread) changes such a file, so that two
simultaneous edits both take effect. Writers wait for each other: an edit takes milliseconds. Edits do not nest.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dce.wire.errors import DceError

LOCK_FILE = "files.lock"
"""In `.dce/`: one lock for all these files. The operating system releases it when the process that holds it dies."""

WAIT_S = 10.0
"""Longest wait for another process's edit, which takes milliseconds, or seconds on a slow disk."""


@contextlib.contextmanager
def updating(state_dir: Path, wait_s: float = WAIT_S) -> Iterator[None]:
    """Locks the files of this workspace against other edits while the block runs. Raises workspace_locked after `wait_s`."""
    import filelock  # noqa: PLC0415 - most commands only read

    lock = filelock.FileLock(state_dir / LOCK_FILE, timeout=wait_s)
    try:
        lock.acquire(poll_interval=0.01)
    except filelock.Timeout as error:
        raise DceError(
            "workspace_locked",
            f"another process has been editing the files in {state_dir} for {wait_s:g} seconds",
            hint="Wait for it to end, then repeat. Nothing was changed.",
        ) from error
    except OSError as error:
        raise not_lockable(state_dir / LOCK_FILE, error) from error
    try:
        yield
    finally:
        lock.release()


def not_lockable(path: Path, error: OSError) -> DceError:
    """The error for a lock file that the system refuses: a read-only or full disk, or something else in its place."""
    return DceError(
        "write_failed",
        f"{path} cannot be locked: {error.strerror or error}",
        hint="Make the .dce folder and the files in it writable for this user, and its disk too, then try again. Nothing was changed.",
    )
