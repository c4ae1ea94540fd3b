"""Rolling copies of the store, taken before what could harm it and once a day while it is used.

What must always hold: a copy is whole or is not there; the newest copies are kept, older ones go; a copy is read like any other
history (`dce import`), so getting one back is no separate path.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from dce import durable
from dce.wire.errors import DceError

FOLDER = "backups"

EVERY_S = 24 * 3600.0
"""A day between routine copies: what can be lost if the store itself is destroyed."""

KEEP = 5
"""Copies kept: a working week. Each is as large as the store was."""

_PATTERN = "dce-*.db"


class Backups:
    """The copies of one store, in `backups/` beside it."""

    def __init__(self, store_path: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = store_path.parent / FOLDER
        self._store_path = store_path
        self._clock = clock

    def list(self) -> tuple[Path, ...]:
        """The copies, newest first."""
        return tuple(sorted(self.folder.glob(_PATTERN), key=lambda path: path.name, reverse=True))

    def roll(self) -> Path | None:
        """Takes a copy if the newest is older than `EVERY_S` (by its name, whatever touched the file since)."""
        newest = self.list()[:1]
        if newest and newest[0].name >= self._name(self._clock() - EVERY_S):
            return None
        return self.take()

    def take(self) -> Path:
        """A copy of this moment, durable; the oldest beyond `KEEP` go. Writers go on meanwhile. Raises DceError store_unreadable."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / self._name(self._clock())
        try:
            with durable.replacing(path) as draft:
                _copy(self._store_path, draft)
        except (sqlite3.Error, OSError) as error:
            raise DceError("store_unreadable", f"no backup could be made of {self._store_path}: {error}") from error
        for old in self.list()[KEEP:]:
            old.unlink(missing_ok=True)
        return path

    @staticmethod
    def _name(when: float) -> str:
        """In UTC, so that names sort as time does."""
        return time.strftime("dce-%Y%m%dT%H%M%SZ.db", time.gmtime(when))


def _copy(source: Path, target: Path) -> None:
    """By SQLite itself: a plain copy of the file would miss the write-ahead log."""
    with (
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)
