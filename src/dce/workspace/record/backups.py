"""Rolling backups of the store, taken before risky operations and once a day while the store is in use.

What must always hold: a backup is complete or does not exist, and never replaces another; every backup carries its number and the
time it was taken, and these decide which backups are the newest ones to keep (file names and the clock can both mislead: setting the
clock back must not make the latest backup look like the oldest); a backup is a single file, so it never needs a write-ahead log.
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
from dce.workspace.record.failures import UNREADABLE, failure_of
from dce.workspace.record.identity import LABEL, named_value
from dce.workspace.record.privacy import FOLDER_MODE, make_private, mode_like

FOLDER = "backups"

EVERY_S = 24 * 3600.0
"""Interval of routine backups, one day: the most that can be lost if the store is destroyed."""

KEEP = 5
"""Backups kept: a working week. Each is as large as the store was at the time."""

_PATTERN = "dce-*.db"


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """The label stored in a backup. Backups are numbered in the order in which they were taken."""

    number: int = 0
    taken_at: float = 0.0


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as listed. Number 0: taken before backups were numbered, or unreadable."""

    path: str
    number: int
    taken_at: float
    size: int


class Backups:
    """The backups of one store, in `backups/` next to it."""

    def __init__(self, store_path: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = store_path.parent / FOLDER
        self._store_path = store_path
        self._clock = clock

    def list(self) -> tuple[Path, ...]:
        """The backups, newest first."""
        return tuple(Path(backup.path) for backup in self.details())

    def details(self) -> tuple[Backup, ...]:
        """The backups with their labels and sizes, newest first."""
        found = []
        for path in self.folder.glob(_PATTERN):
            with contextlib.suppress(FileNotFoundError):  # another process has just removed it
                label, size = label_of(path), path.stat().st_size
                taken_at = label.taken_at or _time_in(path.name)
                found.append(Backup(path=str(path), number=label.number, taken_at=taken_at, size=size))
        return tuple(sorted(found, key=lambda backup: (backup.number, backup.taken_at, backup.path), reverse=True))

    def roll(self) -> Path | None:
        """Takes a backup if the newest is older than `EVERY_S`, or dated in the future, which means that the clock was set back."""
        newest = self.details()[:1]
        if newest and 0 <= self._clock() - newest[0].taken_at < EVERY_S:
            return None
        return self.take()

    def take(self) -> Path:
        """Takes a durable backup of the present state and deletes the oldest beyond `KEEP`. Writers are not blocked.

        Raises DceError store_unreadable, or write_failed if the disk is full or the folder is read-only.
        """
        now = self._clock()
        try:
            self.folder.mkdir(FOLDER_MODE, exist_ok=True)
            existing = self.details()
            path = self._free_path(now)
            with durable.replacing(path, mode_like(self._store_path)) as draft:
                number = 1 + max((backup.number for backup in existing), default=0)
                _copy(self._store_path, draft, Label(number=number, taken_at=now))
            for one in existing:
                make_private(Path(one.path))
            for old in self.list()[KEEP:]:
                old.unlink(missing_ok=True)
        except (*UNREADABLE, OSError) as error:
            raise failure_of(error, self._store_path, f"no backup could be made of {self._store_path}") from error
        return path

    def find(self, name: str) -> Path:
        """The backup with this name, or the file at this path. Raises DceError not_found."""
        for path in (self.folder / name, Path(name)):
            if path.is_file():
                return path
        raise DceError("not_found", f"there is no backup {name}", hint="`dce store restore` lists them.")

    def _free_path(self, when: float) -> Path:
        """A path named by the time in UTC. A second backup in the same second, or after the clock was set back, must not overwrite another."""
        stem = time.strftime("dce-%Y%m%dT%H%M%SZ", time.gmtime(when))
        path, again = self.folder / f"{stem}.db", 1
        while path.exists():
            again += 1
            path = self.folder / f"{stem}-{again}.db"
        return path


def label_of(path: Path) -> Label:
    """The label of a backup; an empty one if it has none or cannot be read. Leaves no file next to it."""
    try:
        return msgspec.json.decode(named_value(path, LABEL, is_alone=True) or "{}", type=Label)
    except msgspec.MsgspecError:
        return Label()


def _time_in(name: str) -> float:
    """The time in the name of a backup without a label; 0 if there is none."""
    try:
        return float(calendar.timegm(time.strptime(name[4:20], "%Y%m%dT%H%M%SZ")))
    except ValueError:
        return 0.0


def _copy(source: Path, target: Path, label: Label) -> None:
    """Copies through SQLite: a plain copy of the file would miss the write-ahead log."""
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
