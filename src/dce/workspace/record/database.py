"""The SQLite file of one workspace: opening it safely, transactions, and the one seam where SQLite's errors become ours.

What must always hold: a file that cannot be read is refused and left as it is, never taken for an empty one; one connection, one
lock, short transactions; what a transaction wrote is on the disk when it returns (`synchronous=FULL`: saves are few, at most
one batch a second while responses stream, and a power cut must not take back what the user was told).
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.record.migrations import APPLICATION_ID, STEPS, migrate

BUSY_TIMEOUT_S = 10.0
"""How long a write waits for another process's: theirs take milliseconds, a backup perhaps seconds."""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class Database:
    """A connection that threads share. The classes of the record give it nouns; SQL stays in them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with _translated(path):
            if not path.exists():
                _create(path)
            self._db = _open(path)

    def close(self) -> None:
        """Closes the file; the last one to do so folds the write-ahead log back in."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def data_version(self) -> int:
        """A number that changes when another connection wrote."""
        return int(self.row("PRAGMA data_version")[0])

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all or nothing, durable when the block ends. One inside another belongs to the outer one."""
        with self._begun("BEGIN IMMEDIATE") as db:
            yield db

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads that see the same moment."""
        with self._begun("BEGIN"):
            yield

    @contextlib.contextmanager
    def _begun(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self.path):
            is_nested = self._db.in_transaction
            if is_nested:
                yield self._db
                return
            self._db.execute(begin)
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        with self._lock, _translated(self.path):
            return self._db.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first row, or None."""
        with self._lock, _translated(self.path):
            return self._db.execute(sql, parameters).fetchone()


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in _BUSY:  # the low byte: what is above it only tells kinds of the same
            raise DceError("workspace_locked", f"{path}: another process is writing for too long") from error
        raise _unreadable(path, str(error)) from error
    except sqlite3.IntegrityError:
        raise  # a fault of ours, not of the file
    except OverflowError:  # no row has a number of more than 64 bits
        raise DceError("not_found", "there is nothing with so large a number") from None
    except (sqlite3.DatabaseError, OSError) as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, why: str) -> DceError:
    copies = sorted(path.parent.glob("backups/dce-*.db"))
    hint = f"The newest backup is {copies[-1]}: move {path.name} aside, then `dce import` it." if copies else ""
    return DceError("store_unreadable", f"{path} cannot be used: {why}", hint=hint)


def _create(path: Path) -> None:
    """Makes the file whole under another name first, so that a crash here leaves none rather than a half one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        durable.creating(path) as fresh,
        contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as db,
    ):
        migrate(db)


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # Only reads until the file is known to be ours: nothing here changes a foreign one.
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION_ID:
            raise _unreadable(path, "it is not a store of DCE")
        if version > len(STEPS):
            raise DceError(
                "store_unreadable",
                f"{path} was written by a newer DCE (schema {version}, this one knows {len(STEPS)})",
                hint="Update DCE; nothing was changed.",
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db
