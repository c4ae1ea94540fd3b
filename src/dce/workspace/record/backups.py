"""Rolling copies of the store, taken before what could harm it and once a day while it is used.

What must always hold: a copy is whole or is not there, and never takes another's place; every copy carries its number and the time
it was taken, and by those the newest are kept (a file's name and the clock may both mislead: a clock that was set back must not make the
latest copy look like the oldest); a copy is one file, so it never needs a write-ahead log.
"""

import calendar
import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.record.failures import failure_of
from dce.workspace.record.identity import LABEL, named_value

FOLDER = "backups"

EVERY_S = 24 * 3600.0
"""A day between routine copies: what can be lost if the store itself is destroyed."""

KEEP = 5
"""Copies kept: a working week. Each is as large as the store was."""

_PATTERN = "dce-*.db"


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy says of itself: copies are counted in the order in which they were taken."""

    number: int = 0
    taken_at: float = 0.0


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A copy as it is listed. Number 0: taken before copies were numbered, or unreadable."""

    path: str
    number: int
    taken_at: float
    size: int


class Backups:
    """The copies of one store, in `backups/` beside it."""

    def __init__(self, store_path: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = store_path.parent / FOLDER
        self._store_path = store_path
        self._clock = clock

    def list(self) -> tuple[Path, ...]:
        """The copies, newest first."""
        return tuple(Path(backup.path) for backup in self.details())

    def details(self) -> tuple[Backup, ...]:
        """The copies with what they say of themselves, newest first."""
        found = []
        for path in self.folder.glob(_PATTERN):
            with contextlib.suppress(FileNotFoundError):  # another process has just removed it
                label, size = label_of(path), path.stat().st_size
                taken_at = label.taken_at or _time_in(path.name)
                found.append(Backup(path=str(path), number=label.number, taken_at=taken_at, size=size))
        return tuple(sorted(found, key=lambda backup: (backup.number, backup.taken_at, backup.path), reverse=True))

    def roll(self) -> Path | None:
        """Takes a copy if the newest is older than `EVERY_S`, or from a time that has not come yet: then the clock was set back."""
        newest = self.details()[:1]
        if newest and 0 <= self._clock() - newest[0].taken_at < EVERY_S:
            return None
        return self.take()

    def take(self) -> Path:
        """A copy of this moment, durable; the oldest beyond `KEEP` go. Writers go on meanwhile.

        Raises DceError store_unreadable, or write_failed if there is no room for it or the folder is read-only.
        """
        now = self._clock()
        try:
            self.folder.mkdir(exist_ok=True)
            there = self.details()
            path = self._free_path(now)
            with durable.replacing(path) as draft:
                number = 1 + max((backup.number for backup in there), default=0)
                _copy(self._store_path, draft, Label(number=number, taken_at=now))
            for old in self.list()[KEEP:]:
                old.unlink(missing_ok=True)
        except (sqlite3.Error, OSError) as error:
            raise failure_of(error, self._store_path, f"no backup could be made of {self._store_path}") from error
        return path

    def find(self, name: str) -> Path:
        """The copy of this name, or the file at this path. Raises DceError not_found."""
        for path in (self.folder / name, Path(name)):
            if path.is_file():
                return path
        raise DceError("not_found", f"there is no backup {name}", hint="`dce store restore` lists them.")

    def _free_path(self, when: float) -> Path:
        """Named by the time in UTC. Two copies in one second, or a clock that was set back, must not overwrite an earlier one."""
        stem = time.strftime("dce-%Y%m%dT%H%M%SZ", time.gmtime(when))
        path, again = self.folder / f"{stem}.db", 1
        while path.exists():
            again += 1
            path = self.folder / f"{stem}-{again}.db"
        return path


def label_of(path: Path) -> Label:
    """What a copy says of itself; an empty label where it says nothing, or cannot be read. Leaves no file beside it."""
    try:
        return msgspec.json.decode(named_value(path, LABEL, is_alone=True) or "{}", type=Label)
    except msgspec.MsgspecError:
        return Label()


def _time_in(name: str) -> float:
    """The time in the name of a copy that carries no label; 0 if there is none."""
    try:
        return float(calendar.timegm(time.strptime(name[4:20], "%Y%m%dT%H%M%SZ")))
    except ValueError:
        return 0.0


def _copy(source: Path, target: Path, label: Label) -> None:
    """By SQLite itself: a plain copy of the file would miss the write-ahead log."""
    with (
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode = DELETE")
        has_meta = writing.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone()
        if has_meta:
            text = msgspec.json.encode(label).decode()
            writing.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (LABEL, text))
