"""Named values of a workspace that need no table of their own."""

from collections.abc import Mapping
from typing import Protocol

from dce.workspace.record.database import Database


class MetaStore(Protocol):
    """Named values, as those who keep a few need them."""

    def get(self, key: str) -> str | None:
        """The value under `key`, None if there is none."""

    def set(self, key: str, value: str) -> None:
        """Keeps `value` durably."""


class Meta:
    """The named values of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        """A named value."""
        row = self._database.row("SELECT value FROM meta WHERE key = ?", (key,))
        return row[0] if row else None

    def set(self, key: str, value: str) -> None:
        """Sets a named value; durable when this returns."""
        self.set_all({key: value})

    def under(self, prefix: str) -> dict[str, str]:
        """The named values whose names begin so."""
        query = "SELECT key, value FROM meta WHERE key >= ? AND key < ?"
        return dict(self._database.rows(query, (prefix, f"{prefix}\U0010ffff")))

    def set_all(self, values: Mapping[str, str]) -> None:
        """Sets named values, all or none; durable when this returns."""
        with self._database.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", list(values.items()))

    def take_under(self, prefix: str) -> dict[str, str]:
        """The named values whose names begin so, which are gone then."""
        found = self.under(prefix)
        if found:
            with self._database.transaction() as db:
                db.executemany("DELETE FROM meta WHERE key = ?", [(key,) for key in found])
        return found
