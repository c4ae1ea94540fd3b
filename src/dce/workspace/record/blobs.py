"""Content-addressed bytes: pre-images of files, and pictures attached to prompts."""

import hashlib
from collections.abc import Iterable

from dce.workspace.record.database import Database


class Blobs:
    """The blobs of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, content: bytes) -> str:
        """Stores bytes; returns their SHA-256, the key for `get`."""
        return self.put_all([content])[0]

    def put_all(self, contents: Iterable[bytes]) -> list[str]:
        """Like `put`, for several in one durable transaction."""
        keyed = [(hashlib.sha256(content).hexdigest(), content) for content in contents]
        with self._database.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO blobs (sha256, bytes) VALUES (?, ?)", keyed)
        return [sha256 for sha256, _ in keyed]

    def get(self, sha256: str) -> bytes:
        """The bytes with this SHA-256. Raises DceError not_found."""
        row = self._database.row("SELECT bytes FROM blobs WHERE sha256 = ?", (sha256,))
        if row is None:
            raise self._database.not_found(f"there is no blob {sha256}")
        return bytes(row[0])
