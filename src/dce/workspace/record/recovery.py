"""Repairs a damaged store: `dce store recover` and `dce store restore`.

What must always hold: nothing is destroyed, the old files are moved together into a dated folder; the new store is complete and on
disk before the first of them is moved; a crash at any point leaves either the old store or a state that a second `dce store recover`
completes.
"""

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.record.backups import Backups
from dce.workspace.record.condition import State, examine, problems_of
from dce.workspace.record.copies import Copies, copies_of, states_of
from dce.workspace.record.failures import UNREADABLE, failure_of
from dce.workspace.record.identity import identify
from dce.workspace.record.log_loss import log_loss
from dce.workspace.record.migrations import STEPS, migrate
from dce.workspace.record.privacy import mode_like
from dce.workspace.record.replacing import (
    OnStep,
    check_not_half_replaced,
    exclusive_access,
    finish_replacing,
    new_folder,
    new_store,
    replace_store,
)
from dce.workspace.record.salvage import copy_rows, repair_references
from dce.workspace.writer_lock import WriterLock


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a recovery. `state`: the diagnosis; `set_aside`: where the old files are ("" if nothing had to be done).

    `kept`: rows per table from the store itself; `from_backup`: rows that only `backup` still had; `damaged`: tables that could not be
    read to their end; `lost`: what could not be read of the write-ahead log, in words.
    """

    state: State
    set_aside: str
    kept: dict[str, int] = {}
    from_backup: dict[str, int] = {}
    backup: str = ""
    damaged: tuple[str, ...] = ()
    lost: str = ""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a restore: the backup that is now the store, and where the old files are."""

    backup: str
    set_aside: str


def recover(store_path: Path, clock: Callable[[], float] = time.time, on_step: OnStep = lambda _: None) -> Recovered:
    """Builds a new store from all that can be read, and sets the old files aside. Does nothing if the store is sound.

    Raises DceError workspace_locked while another process uses the store, write_failed, and not_found if there is nothing to recover.
    """
    with _locked(store_path, "store recover"):
        folder = finish_replacing(store_path, on_step)
        if folder is not None:
            return Recovered(state="half_replaced", set_aside=str(folder))
        before = states_of(store_path)
        found = examine(store_path)
        lost = log_loss(store_path)
        if found.state in ("sound", "none"):
            return Recovered(state=found.state, set_aside="")
        if found.state == "newer":
            raise DceError("store_unreadable", f"{store_path} was written by a newer DCE", hint=found.next)
        folder = new_folder(store_path, clock())
        try:
            recovered = _rebuild(store_path, found.state, new_store(folder))
            with exclusive_access(store_path):
                if states_of(store_path) != before:
                    raise DceError("workspace_locked", f"{store_path} was written to during the recovery")
                replace_store(store_path, folder, on_step)
        except BaseException:
            _drop_draft(store_path, folder)
            raise
        return msgspec.structs.replace(recovered, set_aside=str(folder), lost=lost.text() if lost else "")


def restore_backup(
    store_path: Path, name: str, clock: Callable[[], float] = time.time, on_step: OnStep = lambda _: None
) -> Restored:
    """Replaces the store with a backup, including its journal of acceptances, and sets the old files aside.

    Raises DceError not_found, store_unreadable if the backup is damaged or not a DCE store, workspace_locked, and write_failed.
    """
    backup = Backups(store_path).find(name)
    with _locked(store_path, "store restore"):
        check_not_half_replaced(store_path)
        folder = new_folder(store_path, clock())
        try:
            _prepare(backup, new_store(folder), mode_like(store_path))
            with exclusive_access(store_path):
                replace_store(store_path, folder, on_step)
        except BaseException:
            _drop_draft(store_path, folder)
            raise
    return Restored(backup=str(backup), set_aside=str(folder))


@contextlib.contextmanager
def _locked(store_path: Path, verb: str) -> Iterator[None]:
    """Runs the block while no other process writes. Translates errors of SQLite and the system.

    The lock of `exclusive_access` is tried here to fail early, and held only while files are moved: closing a file that was opened to read it
    drops the locks that the process holds on it.
    """
    try:
        with WriterLock(store_path.parent, lambda: None).hold(verb):
            with exclusive_access(store_path):
                pass
            yield
    except (*UNREADABLE, OSError) as error:
        raise failure_of(error, store_path, f"{store_path} cannot be replaced") from error


def _rebuild(store_path: Path, state: State, fresh: Path) -> Recovered:
    """Builds a fresh store from what can be read of the old one, with gaps filled from the newest backup."""
    kept: dict[str, int] = {}
    from_backup: dict[str, int] = {}
    damaged: set[str] | None = None
    backup = ""
    with copies_of(store_path) as copies, _fresh(fresh, mode_like(store_path)) as db:
        for source, is_whole in _sources(copies, state):
            added, broken = copy_rows(source, db)
            kept = {table: kept.get(table, 0) + count for table, count in added.items()}
            if damaged is None:
                damaged = set(broken)
            elif is_whole:
                damaged &= set(broken)
            if state == "damaged_log" and not damaged:
                break  # an older reading would bring back what was deleted since
        if damaged or not kept or state in ("missing", "empty", "damaged"):
            backup, from_backup = _from_newest_backup(store_path, db)
        if not any(count for table, count in kept.items() if table != "meta") and not backup:
            raise DceError(
                "not_found",
                f"nothing of {store_path} can be read, and there is no backup",
                hint="Nothing was changed. To start over, move the whole .dce folder away and run `dce init`.",
            )
        repair_references(db)
    if problems := problems_of(fresh):
        raise DceError("store_unreadable", f"{store_path}: what was recovered is not sound: {problems[0]}")
    return Recovered(
        state=state,
        set_aside="",
        kept=kept,
        from_backup=from_backup,
        backup=backup,
        damaged=tuple(sorted(damaged or ())),
    )


def _sources(copies: Copies, state: State) -> Iterator[tuple[Path, bool]]:
    """The readings of a store that may contain data, best first, and whether a table read to its end there is known to be complete."""
    if state == "foreign_log":
        yield copies.without_log(), True
    elif state in ("damaged", "damaged_log"):
        if state == "damaged_log":
            yield copies.with_readable_log(), True
        yield copies.with_log(), False
        with contextlib.suppress(*UNREADABLE):
            yield copies.with_own_schema(), True
        if copies.has_log:
            yield copies.without_log(), False
        yield copies.rebuilt(), False
    elif copies.has_log:
        yield copies.rebuilt(), False


def _from_newest_backup(store_path: Path, db: sqlite3.Connection) -> tuple[str, dict[str, int]]:
    """Adds the rows that only a backup still has; returns the backup ("" if none can be read) and the added rows per table."""
    for path in Backups(store_path).list():
        with copies_of(path) as copies:
            if copies.is_ours() and not problems_of(copies.with_log()):
                added, _ = copy_rows(copies.with_log(), db)
                return str(path), added
    return "", {}


@contextlib.contextmanager
def _fresh(path: Path, mode: int) -> Iterator[sqlite3.Connection]:
    """An empty store at `path`, on disk when the block ends."""
    with durable.creating(path, mode) as draft, contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as db:
        migrate(db)
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("BEGIN")
        db.execute("DELETE FROM cycles")  # the project scope comes from the recovered rows
        yield db
        db.execute("COMMIT")
        identify(db, renew=True)


def _prepare(backup: Path, fresh: Path, mode: int) -> None:
    """Checks the backup and copies it to the new store."""
    with copies_of(backup) as copies:
        copy = copies.with_log()
        if not copies.is_ours():
            raise DceError("store_unreadable", f"{backup} is not a store of DCE", hint="Nothing was changed.")
        if problems := problems_of(copy):
            raise DceError(
                "store_unreadable",
                f"{backup} is damaged: {problems[0]}",
                hint="Nothing was changed. `dce store restore` lists the other backups.",
            )
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] > len(STEPS):
                raise DceError(
                    "store_unreadable", f"{backup} was written by a newer DCE", hint="Update DCE; nothing was changed."
                )
            db.execute("PRAGMA journal_mode = DELETE")  # merges its log
            identify(db, renew=True)
        with durable.creating(fresh, mode) as draft:
            shutil.copyfile(copy, draft)


def _drop_draft(store_path: Path, folder: Path) -> None:
    """Removes the folder after a failure, unless files were already being moved."""
    with contextlib.suppress(DceError, OSError):
        check_not_half_replaced(store_path)
        new_store(folder).unlink(missing_ok=True)
        folder.rmdir()
