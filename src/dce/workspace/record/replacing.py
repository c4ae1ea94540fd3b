"""Puts another file in the store's place. The store is three files (`dce.db`, its log `-wal`, its index `-shm`), and they move together.

What must always hold: nothing is deleted, the old files go to a dated folder; a crash between two moves leaves a note that keeps every
verb from opening half a store, or from making a fresh one, until `dce store recover` has finished the moves; nothing moves while
another process has the store open, since it would go on writing into what was moved away.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from dce import durable
from dce.wire.errors import DceError

FOLDER = "set-aside"
"""Beside the store: a folder for each time that a store was replaced."""

NOTE = "replacing-store.json"

_PARTS = ("", "-wal", "-shm", "-journal")
_NEW = "new.db"
_FIRST_SHARED, _SHARED_BYTES = 0x40000002, 510
"""Where SQLite locks a database for reading (`SHARED_FIRST` of its os.h): every open connection holds a lock there."""

OnStep = Callable[[str], None]


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """Which folder of `set-aside` the moves under way are into."""

    folder: str


def check_not_half_replaced(store_path: Path) -> None:
    """Raises DceError store_unreadable if a replacement was cut short."""
    if store_path.with_name(NOTE).exists():
        raise DceError(
            "store_unreadable",
            f"{store_path} cannot be used: the process that was replacing it died in between",
            hint="`dce store recover` finishes it; nothing is lost.",
        )


def new_folder(store_path: Path, now: float) -> Path:
    """A folder for what will be set aside."""
    stem = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    folder, again = store_path.parent / FOLDER / stem, 1
    while folder.exists():
        again += 1
        folder = folder.with_name(f"{stem}-{again}")
    folder.mkdir(parents=True)
    return folder


def new_store(folder: Path) -> Path:
    """Where the file that will be the store is prepared."""
    return folder / _NEW


def replace_store(store_path: Path, folder: Path, on_step: OnStep) -> None:
    """Sets the old files aside in `folder` and puts its prepared file in their place. The caller has `alone_with` the store."""
    durable.sync_folder(folder)
    durable.sync_folder(folder.parent)
    durable.write(store_path.with_name(NOTE), msgspec.json.encode(_Note(folder=folder.name)))
    on_step("noted")
    finish_replacing(store_path, on_step)


def finish_replacing(store_path: Path, on_step: OnStep) -> Path | None:
    """Goes on where a replacement stopped; gives its folder. None if there is nothing to finish. May be repeated."""
    noted = store_path.with_name(NOTE)
    if not noted.exists():
        return None
    try:
        folder = store_path.parent / FOLDER / msgspec.json.decode(noted.read_bytes(), type=_Note).folder
    except msgspec.MsgspecError as error:
        raise DceError("store_unreadable", f"{noted} cannot be read: {error}", hint="Nothing was changed.") from error
    fresh = new_store(folder)
    if fresh.exists():  # otherwise it is in place already, and what stands there must stay
        for part in _PARTS:
            old = store_path.with_name(store_path.name + part)
            if old.exists() and not (folder / old.name).exists():
                old.rename(folder / old.name)
                on_step(f"moved {part}")
        durable.sync_folder(folder)
        fresh.rename(store_path)
        durable.sync_folder(store_path.parent)
        on_step("placed")
    noted.unlink()
    durable.sync_folder(store_path.parent)
    return folder


@contextlib.contextmanager
def alone_with(store_path: Path) -> Iterator[None]:
    """While no other process has the store open, and none can open it. Raises DceError workspace_locked."""
    try:
        descriptor = os.open(store_path, os.O_RDWR)
    except OSError:  # it is missing, or a system that does not let an open file be moved sees to it itself
        yield
        return
    try:
        _lock(descriptor, store_path)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, store_path: Path) -> None:
    try:
        import fcntl  # noqa: PLC0415 - Windows has none, and refuses to move open files by itself
    except ImportError:
        return
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_BYTES, _FIRST_SHARED)
    except OSError as error:
        raise DceError(
            "workspace_locked",
            f"another process has {store_path} open",
            hint="Stop `dce panel` and every other verb in this workspace, then try again.",
        ) from error
