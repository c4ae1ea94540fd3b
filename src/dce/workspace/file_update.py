"""Changes to the small files of a workspace that are read, edited and written back: configuration, named selections, keys, allow-list.

What must always hold: between the read and the write no other process (and no other thread) changes such a file, so that two edits made
at the same time are both in it. Writers wait for each other: an edit takes milliseconds. Edits do not nest.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dce.wire.errors import DceError

LOCK_FILE = "files.lock"
"""In `.dce/`: one lock for all these files. It is the operating system's, so it goes with the process that held it."""

WAIT_S = 10.0
"""Longest wait for another process's edit; one takes milliseconds, a slow disk perhaps seconds."""


@contextlib.contextmanager
def updating(state_dir: Path, wait_s: float = WAIT_S) -> Iterator[None]:
    """The only process that edits the files of this workspace while the block runs. Raises workspace_locked after `wait_s`."""
    import filelock  # noqa: PLC0415 - most verbs only read

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
        raise DceError(
            "invalid_input", f"{state_dir / LOCK_FILE} cannot be locked: {error.strerror or error}"
        ) from error
    try:
        yield
    finally:
        lock.release()
