"""Named values of a workspace that need no table of their own."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from dce.workspace.record.database import Database


class MetaStore(Protocol):
    """The interface for code that stores a few named values."""

    def get(self, key: str) -> str | None:
        """The value under `key`, None if there is none."""

    def set(self, key: str, value: str) -> None:
        """Stores `value` durably."""

    def updating(self) -> AbstractContextManager[object]:
        """Makes a read and the write that depends on it atomic: other processes and threads wait. Keep the block short."""


class Meta:
    """The named values of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        """A named value; None if there is none."""
        row = self._database.row("SELECT value FROM meta WHERE key = ?", (key,))
        return row[0] if row else None

    def set(self, key: str, value: str) -> None:
        """Sets a named value; durable when this returns."""
        self.set_all({key: value})

    def under(self, prefix: str) -> dict[str, str]:
        """The values whose names begin with `prefix`."""
        query = "SELECT key, value FROM meta WHERE key >= ? AND key < ?"
        return dict(self._database.rows(query, (prefix, f"{prefix}\U0010ffff")))

    def set_all(self, values: Mapping[str, str]) -> None:
        """Sets named values, all or none; durable when this returns."""
        with self._database.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", list(values.items()))

    def updating(self) -> AbstractContextManager[object]:
        """See `MetaStore.updating`."""
        return self._database.transaction()

    def take_under(self, prefix: str) -> dict[str, str]:
        """Removes and returns the values whose names begin with `prefix`."""
        # Called every second while something runs. Usually there is nothing, so take no lock.
        if not self.under(prefix):
            return {}
        with self._database.transaction() as db:
            found = self.under(prefix)
            db.executemany("DELETE FROM meta WHERE key = ?", [(key,) for key in found])
        return found
