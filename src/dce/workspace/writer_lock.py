"""The lock that lets one process at a time change a workspace: generate, accept, restore.

What must always hold: the operating system releases the lock when its holder dies, however it died; within one process the lock is
counted and shared, so that a panel can accept while it generates; nothing ever waits for it.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dce.wire.errors import DceError
from dce.workspace.file_update import not_lockable

if TYPE_CHECKING:
    import filelock

LOCK_FILE = "lock"
HOLDER_FILE = "lock.json"


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lock, for the error that others get."""

    pid: int
    verb: str


class WriterLock:
    """The lock of one workspace. `on_first` runs whenever this process acquires it, to settle what a dead holder left."""

    def __init__(self, state_dir: Path, on_first: Callable[[], object]) -> None:
        self._holder_path = state_dir / HOLDER_FILE
        self._path = state_dir / LOCK_FILE
        self._file: filelock.BaseFileLock | None = None
        self._on_first = on_first
        self._count = 0
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def hold(self, verb: str) -> Iterator[None]:
        """Raises DceError workspace_locked, naming process and verb, if another process holds it."""
        self._enter(verb)
        try:
            yield
        finally:
            self._leave()

    def _enter(self, verb: str) -> None:
        with self._guard:
            if self._count == 0:
                self._acquire(verb)
            self._count += 1

    def _leave(self) -> None:
        with self._guard:
            self._count -= 1
            if self._count == 0:
                self._release()

    def _acquire(self, verb: str) -> None:
        import filelock  # noqa: PLC0415 - most commands only read

        if self._file is None:
            self._file = filelock.FileLock(self._path, timeout=0, thread_local=False)
        try:
            self._file.acquire()
        except filelock.Timeout as error:
            raise self._locked() from error
        except OSError as error:
            raise not_lockable(self._path, error) from error
        try:
            self._note_holder(verb)
            self._on_first()
        except BaseException:
            self._release()
            raise

    def _note_holder(self, verb: str) -> None:
        try:
            self._holder_path.write_bytes(msgspec.json.encode(Holder(pid=os.getpid(), verb=verb)))
        except OSError as error:
            raise not_lockable(self._holder_path, error) from error

    def _release(self) -> None:
        with contextlib.suppress(OSError):  # a folder that became read-only must not keep the lock itself
            self._holder_path.unlink(missing_ok=True)
        if self._file is not None:
            self._file.release()

    def _locked(self) -> DceError:
        try:
            holder = msgspec.json.decode(self._holder_path.read_bytes(), type=Holder)
        except (OSError, msgspec.MsgspecError):
            return DceError("workspace_locked", "another process is changing this workspace")
        return DceError("workspace_locked", f"process {holder.pid} is changing this workspace (dce {holder.verb})")
