"""Identifies a store by a random id, so that a write-ahead log of another store can be recognized.

What must always hold: a backup keeps its store's id and also carries a label; a file that becomes a store (a fresh one, a restored
backup, a recovered one) gets a new id before it can have a log. So if the id differs between the file alone and the file with its log,
the log belongs to another store. SQLite itself would replay it.
"""

import contextlib
import secrets
import sqlite3
from pathlib import Path

from dce.workspace.record.failures import UNREADABLE

LABEL = "backup"
"""Key in `meta` of a backup's label; a store in use has none."""

_ID = "store_id"
_ID_LENGTH = 32


def identify(db: sqlite3.Connection, *, renew: bool = False) -> None:
    """Gives a store a new id if it has none or is a backup put into use, or always with `renew`. `db` must not be in a transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        found = {row[0] for row in db.execute("SELECT key FROM meta WHERE key IN (?, ?)", (LABEL, _ID))}
        if renew or found != {_ID}:
            db.execute("DELETE FROM meta WHERE key = ?", (LABEL,))
            db.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_ID, secrets.token_hex(_ID_LENGTH // 2))
            )
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def is_identified(db: sqlite3.Connection) -> bool:
    """Whether the store has an id and is not a backup, so that opening it need not write."""
    found = db.execute("SELECT key FROM meta WHERE key IN (?, ?)", (LABEL, _ID)).fetchall()
    return found == [(_ID,)]


def sign(db: sqlite3.Connection) -> None:
    """Increments a counter next to the id, so that the log always contains the page with the id: a log itself does not name its file.

    The counter has to change, because SQLite does not write unchanged pages.
    """
    db.execute(
        "UPDATE meta SET value = substr(value, 1, ?1) || ' ' || (CAST(substr(value, ?1 + 1) AS INTEGER) + 1) WHERE key = ?2",
        (_ID_LENGTH, _ID),
    )


def has_foreign_log(path: Path) -> bool:
    """Whether the log next to the file belongs to another store, as far as can be determined. Changes neither file."""
    if named_value(path, LABEL, is_alone=True):
        return True  # the file was copied there: a store that has written a log has no label
    alone, both = (named_value(path, _ID, is_alone=is_alone) for is_alone in (True, False))
    return alone is not None and both is not None and alone[:_ID_LENGTH] != both[:_ID_LENGTH]


def named_value(path: Path, key: str, *, is_alone: bool) -> str | None:
    """A named value of a store, read without its log (leaving no files next to it) or with it; None if it cannot be read."""
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_alone else ''}"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return str(row[0]) if row else None
    except UNREADABLE:
        return None
