"""Replaces the store with another file. The store is three files (`dce.db`, its log `-wal`, its index `-shm`), and they move together.

What must always hold: nothing is deleted, the old files are moved into a dated folder; a crash between two moves leaves a note that
prevents every command from opening half a store, or creating a fresh one, until `dce store recover` has finished the moves; nothing is
moved while another process has the store open, because that process would keep writing to the moved files.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.record.privacy import FOLDER_MODE

FOLDER = "set-aside"
"""Folder next to the store, with a subfolder for each replacement."""

NOTE = "replacing-store.json"

_PARTS = ("", "-wal", "-shm", "-journal")
_NEW = "new.db"
_FIRST_SHARED, _SHARED_BYTES = 0x40000002, 510
"""The bytes that SQLite locks for reading (`SHARED_FIRST` in its os.h): every open connection holds a lock there."""

OnStep = Callable[[str], None]


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """The folder in `set-aside` that is the target of the moves in progress."""

    folder: str


def check_not_half_replaced(store_path: Path) -> None:
    """Raises DceError store_unreadable if a replacement was interrupted."""
    if store_path.with_name(NOTE).exists():
        raise DceError(
            "store_unreadable",
            f"{store_path} cannot be used: the process that was replacing it did not finish",
            hint="`dce store recover` completes the replacement; nothing is lost.",
        )


def new_folder(store_path: Path, now: float) -> Path:
    """Creates a folder for the files to be set aside."""
    stem = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    folder, again = store_path.parent / FOLDER / stem, 1
    while folder.exists():
        again += 1
        folder = folder.with_name(f"{stem}-{again}")
    folder.parent.mkdir(FOLDER_MODE, exist_ok=True)
    folder.mkdir(FOLDER_MODE)
    return folder


def new_store(folder: Path) -> Path:
    """Where the new store file is prepared."""
    return folder / _NEW


def replace_store(store_path: Path, folder: Path, on_step: OnStep) -> None:
    """Sets the old files aside in `folder` and moves the file prepared there into place. The caller holds `exclusive_access`."""
    durable.sync_folder(folder)
    durable.sync_folder(folder.parent)
    durable.write(store_path.with_name(NOTE), msgspec.json.encode(_Note(folder=folder.name)))
    on_step("noted")
    finish_replacing(store_path, on_step)


def finish_replacing(store_path: Path, on_step: OnStep) -> Path | None:
    """Resumes an interrupted replacement; returns its folder, None if there is nothing to finish. May be repeated."""
    noted = store_path.with_name(NOTE)
    if not noted.exists():
        return None
    try:
        folder = store_path.parent / FOLDER / msgspec.json.decode(noted.read_bytes(), type=_Note).folder
    except msgspec.MsgspecError as error:
        raise DceError("store_unreadable", f"{noted} cannot be read: {error}", hint="Nothing was changed.") from error
    fresh = new_store(folder)
    if fresh.exists():  # otherwise it is already in place, and the file there must stay
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
def exclusive_access(store_path: Path) -> Iterator[None]:
    """Runs the block while no other process has the store open or can open it. Raises DceError workspace_locked."""
    try:
        descriptor = os.open(store_path, os.O_RDWR)
    except OSError:  # the file is missing, or the system itself refuses to move open files
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
            hint="Stop `dce panel` and every other dce command in this workspace, then try again.",
        ) from error
