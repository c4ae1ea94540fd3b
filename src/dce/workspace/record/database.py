"""The SQLite file of one workspace: opens it safely, runs transactions, and is the only place that translates SQLite's errors.

What must always hold: a file that cannot be read is refused and left unchanged, never treated as empty; one connection, one lock,
short transactions; a transaction's writes are on disk when it returns (`synchronous=FULL`: saves are rare, at most one batch per
second while responses stream, and a power cut must not lose what the user was told is saved).
"""

import contextlib
import errno
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.record.backups import Backups
from dce.workspace.record.failures import CHECK_HINT, failure_of, is_full, is_read_only
from dce.workspace.record.identity import has_foreign_log, identify, is_identified, sign
from dce.workspace.record.log_loss import log_loss
from dce.workspace.record.migrations import APPLICATION_ID, STEPS, migrate
from dce.workspace.record.privacy import make_private
from dce.workspace.record.replacing import check_not_half_replaced
from dce.workspace.record.write_ahead_log import log_path, log_size

BUSY_TIMEOUT_S = 10.0
"""How long a write waits for another process: its writes take milliseconds, a backup perhaps seconds."""


class Database:
    """A connection shared by threads. The classes of this package build on it and contain the SQL."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._read_only: DceError | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._sound_at: object = None
        with _translated(path, UnicodeDecodeError):
            _check_files(path)
            if not path.exists():
                _create(path)
            try:
                _check_writable(path)
                self._db = _open(path)
                make_private(path)
            except (sqlite3.Error, OSError) as error:
                if not path.is_file() or not (is_read_only(error) or is_full(error)):
                    raise
                self._read_only = failure_of(error, path)
                self._db, self._copy = _open_read_only(path)

    @property
    def is_read_only(self) -> bool:
        """Whether the store is read-only: the disk is full or refuses writes."""
        return self._read_only is not None

    def close(self) -> None:
        """Closes the file; the last connection to close merges the write-ahead log into it."""
        with self._lock:
            self._db.close()
            if self._copy is not None:
                self._copy.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def data_version(self) -> int:
        """A number that changes whenever another connection writes."""
        return int(self.row("PRAGMA data_version")[0])

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all or nothing, durable when the block ends. A nested transaction joins the outer one.

        Raises DceError write_failed if the store is read-only.
        """
        if self._read_only is not None:
            raise self._read_only
        with self._begun("BEGIN IMMEDIATE") as db:
            yield db

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """A read transaction: all reads in the block see the same state."""
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
            changes = self._db.total_changes
            try:
                yield self._db
                if self._db.total_changes != changes:
                    sign(self._db)
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

    def not_found(self, fact: str, hint: str = "") -> DceError:
        """The error for a missing row: not_found, but store_unreadable in a damaged store, where a missing row proves nothing."""
        try:
            problem = self._problem()
        except DceError as error:
            return error
        if problem:
            return _unreadable(self.path, f"{fact} in its readable part, but it is damaged ({problem})")
        return DceError("not_found", fact, hint=hint)

    def _problem(self) -> str:
        """The first problem found in the file; "" if it is sound. A sound file is not checked again until it changes."""
        state = [path.stat().st_mtime_ns for path in (self.path, log_path(self.path)) if path.exists()]
        if state == self._sound_at:
            return ""
        found = self.row("PRAGMA integrity_check(1)")[0]
        if found == "ok":
            broken = self.row("PRAGMA foreign_key_check")
            found = f"a row of {broken[0]} refers to a missing row of {broken[2]}" if broken else "ok"
        if found == "ok":
            self._sound_at = state
        return "" if found == "ok" else str(found).splitlines()[-1]


@contextlib.contextmanager
def _translated(path: Path, also: type[Exception] = OSError) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # a bug in DCE, not a problem of the file
    except OverflowError:  # row numbers have at most 64 bits
        raise DceError("not_found", "there is nothing with a number this large") from None
    except (sqlite3.DatabaseError, OSError, also) as error:
        raise failure_of(error, path) from error


def _unreadable(path: Path, why: str) -> DceError:
    return DceError("store_unreadable", f"{path} cannot be used: {why}", hint=CHECK_HINT)


def _check_files(path: Path) -> None:
    """Refuses files that SQLite would destroy. SQLite replays a log into whatever database is next to it, and deletes a log next to an empty file.

    Checks names and sizes, and reads content only through SQLite: closing a file that we opened ourselves would drop the locks that
    other connections of this process hold on it.
    """
    check_not_half_replaced(path)
    logged = log_size(path)
    if logged and not path.exists():
        raise _unreadable(path, f"it is missing, but its write-ahead log ({logged:,} bytes) exists")
    if not path.is_file():
        return
    if path.stat().st_size == 0:
        beside = f", but its write-ahead log is {logged:,} bytes long" if logged else ""
        raise _unreadable(path, f"it is empty{beside}")
    application = _own_application(path) if logged else None
    if application not in (None, APPLICATION_ID):
        raise _unreadable(
            path, f"it is not a store of DCE, and there is a write-ahead log ({logged:,} bytes) next to it"
        )
    if lost := log_loss(path):
        raise DceError(
            "store_unreadable",
            f"{path} cannot be used: {lost.text()}",
            hint="Nothing was changed. `dce store recover` keeps all that can be read and sets the damaged files aside.",
        )
    if not logged:
        return
    if has_foreign_log(path):
        raise _unreadable(path, f"the write-ahead log next to it ({logged:,} bytes) is another store's")
    _check_schema(path)


def _check_schema(path: Path) -> None:
    """Raises sqlite3.Error if SQLite cannot use the tables: a connection that may write would still merge the log when it is closed."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as db:
            db.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.Error as error:
        if not (is_read_only(error) or is_full(error)):  # then nothing can be merged either
            raise


def _own_application(path: Path) -> int | None:
    """The application id of the file alone, without its log; 0 if it is not a database, None if unknown."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            return int(db.execute("PRAGMA application_id").fetchone()[0])
    except sqlite3.Error as error:
        # While a log is being merged, the file alone may be in an intermediate state, so other errors prove nothing.
        return 0 if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB else None


def _check_writable(path: Path) -> None:
    """Raises PermissionError before SQLite silently falls back to read-only mode."""
    for needed in (path, path.parent):
        if not os.access(needed, os.W_OK):
            raise PermissionError(errno.EACCES, "read-only", str(needed))


def _create(path: Path) -> None:
    """Creates the complete file under another name first, so that a crash leaves no file rather than a partial one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        durable.creating(path, durable.PRIVATE) as fresh,
        contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as db,
    ):
        migrate(db)
        identify(db)  # here, so that processes opening it at the same time need not


def _open_read_only(path: Path) -> tuple[sqlite3.Connection, "tempfile.TemporaryDirectory[str] | None"]:
    """A read-only connection. If the file alone is not the whole store, or needs migration, it is opened on a private copy."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    is_alone = not log_path(path).exists()  # nobody has it open: every connection has a log
    if is_alone:
        db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            if _check_ours(db, path) == len(STEPS):
                return db, None
        except BaseException:
            db.close()
            raise
        db.close()
    folder = tempfile.TemporaryDirectory(prefix="dce-store-")
    try:
        copy = Path(folder.name) / path.name
        for source in (path, log_path(path)):
            if source.exists():
                shutil.copyfile(source, copy.with_name(source.name))
        db = _open(copy)
        db.execute("PRAGMA query_only = ON")
    except BaseException:
        folder.cleanup()
        raise
    return db, folder


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # Read only until the file is known to be DCE's, so that another program's file is never changed.
        version = _check_ours(db, path)
        if version < len(STEPS):
            Backups(path).take()  # migration steps cannot be reverted
        db.execute("PRAGMA synchronous = FULL")
        if not is_identified(db):
            identify(db)  # before there can be a log
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA foreign_keys = ON")
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _check_ours(db: sqlite3.Connection, path: Path) -> int:
    """The schema version. Raises DceError store_unreadable for another program's database and for a newer version."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION_ID:
        raise _unreadable(path, "it is not a store of DCE")
    if version > len(STEPS):
        raise DceError(
            "store_unreadable",
            f"{path} was written by a newer DCE (schema {version}, this version reads up to {len(STEPS)})",
            hint="Update DCE; nothing was changed.",
        )
    return version
