"""Diagnoses a store and says what to do about it: `dce store check`.

What must always hold: the diagnosis changes nothing (everything is read from a copy); the three files are judged together.
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Literal

import msgspec

from dce.workspace.record.backups import Backup, Backups
from dce.workspace.record.copies import Copies, copies_of
from dce.workspace.record.failures import UNREADABLE
from dce.workspace.record.identity import has_foreign_log
from dce.workspace.record.log_loss import LogLoss, log_loss
from dce.workspace.record.migrations import STEPS
from dce.workspace.record.replacing import NOTE
from dce.workspace.record.write_ahead_log import Log, log_path, read_log

State = Literal[
    "sound", "none", "missing", "empty", "foreign", "newer", "foreign_log", "damaged_log", "damaged", "half_replaced"
]

TABLES = ("cycles", "prompts", "generations", "responses", "check_reports", "judgements", "acceptances", "blobs")
"""The tables whose rows `check` counts."""

_MAX_PROBLEMS = 20

_NEXT: dict[State, str] = {
    "sound": "",
    "none": "There is no store yet: the first command that needs one creates it.",
    "missing": "`dce store recover` recovers the content of the write-ahead log and the newest backup.",
    "empty": "`dce store recover` recovers the content of the write-ahead log and the newest backup.",
    "foreign": "This file is not DCE's. `dce store recover` sets it aside and recovers the newest backup.",
    "newer": "Update DCE: a newer version wrote this store.",
    "foreign_log": "The write-ahead log is another store's. `dce store recover` sets it aside and keeps the file.",
    "damaged_log": "`dce store recover` keeps everything that can be read and sets the damaged log aside.",
    "damaged": "`dce store recover` keeps everything that can be read.",
    "half_replaced": "`dce store recover` completes the interrupted replacement.",
}

_RESTORE = " `dce store restore` goes back to a backup."


class StoreFile(msgspec.Struct, frozen=True, kw_only=True):
    """One of the store's files."""

    name: str
    size: int


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """The report of `dce store check`. `counts`: rows per table, None for a table that cannot be read to its end."""

    path: str
    state: State
    files: tuple[StoreFile, ...]
    log: Log | None
    schema: int | None
    counts: dict[str, int | None]
    problems: tuple[str, ...]
    backups: tuple[Backup, ...]
    next: str


def examine(store_path: Path) -> Condition:
    """Diagnoses a store that may be damaged. Raises OSError if it cannot be copied, and DceError workspace_locked."""
    with copies_of(store_path) as copies:
        log = read_log(log_path(copies.with_log()))
        lost = log_loss(store_path)
        state = _state(store_path, copies, lost)
        found = copies.with_log() if state in ("sound", "damaged", "newer") else None
        if state == "damaged_log":
            found = copies.with_readable_log()
        if state == "foreign_log":
            found = copies.without_log()
        problems = problems_of(found) if found else ()
        backups = Backups(store_path).details()
        return Condition(
            path=str(store_path),
            state=state,
            files=tuple(
                StoreFile(name=path.name, size=path.stat().st_size)
                for path in sorted(store_path.parent.glob(f"{store_path.name}*"))
                if path.is_file()
            ),
            log=log,
            schema=_number(found, "PRAGMA user_version") if found else None,
            counts={table: _number(found, f"SELECT count(*) FROM {table}") for table in TABLES} if found else {},  # noqa: S608
            problems=(*((lost.text(),) if lost else ()), *problems),
            backups=backups,
            next=_NEXT[state] + (_RESTORE if backups and state == "damaged" else ""),
        )


def _state(store_path: Path, copies: Copies, lost: LogLoss | None) -> State:
    if store_path.with_name(NOTE).exists():
        return "half_replaced"
    if not copies.has_file:
        if store_path.exists():
            return "empty" if store_path.is_file() else "foreign"
        return "missing" if copies.has_log else "none"
    if not copies.is_ours():
        # A torn first page leaves no valid database header; another program's database is sound.
        return "foreign" if copies.is_database() and not problems_of(copies.without_log()) else "damaged"
    if copies.has_log and has_foreign_log(copies.with_log()):
        return "foreign_log"
    if lost:
        return "damaged_log"
    if problems_of(copies.with_log()):
        return "foreign_log" if copies.has_log and not problems_of(copies.without_log()) else "damaged"
    return "newer" if (_number(copies.with_log(), "PRAGMA user_version") or 0) > len(STEPS) else "sound"


def problems_of(path: Path) -> tuple[str, ...]:
    """What is wrong with a database: SQLite's own findings, and rows that refer to missing rows. Opens the file, so pass a copy."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            found = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({_MAX_PROBLEMS})")]
            found = [] if found == ["ok"] else found
            broken = db.execute("PRAGMA foreign_key_check").fetchmany(_MAX_PROBLEMS)
            found += [f"a row of {row[0]} refers to a missing row of {row[2]}" for row in broken]
            return tuple(found)
    except UNREADABLE as error:
        return (str(error),)


def _number(path: Path, query: str) -> int | None:
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            return int(db.execute(query).fetchone()[0])
    except UNREADABLE:
        return None
