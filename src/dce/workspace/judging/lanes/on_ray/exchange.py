"""Keeps a folder here and a folder on a node alike: what changed on either side since the last exchange, and how it is written.

What must always hold: what comes is written below the folder and nowhere else, through no link; only plain files travel; what travels at
once is bounded, the smallest files first, so that a report comes even if a build left gigabytes beside it.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

MAX_BYTES = 64 * 1024**2
"""How much of a folder travels at once: reports and results are read up to 16 MiB."""

MAX_FILES = 10_000
"""How many files travel at once."""

_Stamp = tuple[int, int, int, int]


class Sent(msgspec.Struct, frozen=True):
    """A file that travels. `path` is relative to the folder."""

    path: str
    data: bytes
    mode: int


class Changes(msgspec.Struct, frozen=True):
    """What changed in a folder: files that are new or changed, and those that are gone. `left_out`: how many files were too much."""

    files: tuple[Sent, ...] = ()
    gone: tuple[str, ...] = ()
    left_out: int = 0


class Mirror:
    """One side's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, _Stamp] = {}

    def note(self) -> None:
        """What is there now has not changed."""
        self._known = dict(_stamps(self._folder))

    def forget(self) -> None:
        """The other side has nothing: everything that is here has changed."""
        self._known = {}

    def changes(self, room: int = MAX_BYTES) -> Changes:
        """What changed since the last exchange, up to `room` bytes."""
        now = dict(_stamps(self._folder))
        changed = sorted((stamp[1], path) for path, stamp in now.items() if self._known.get(path) != stamp)
        gone = tuple(path for path in self._known if path not in now)
        files: list[Sent] = []
        for size, path in changed:
            room -= size
            if room < 0 or len(files) >= MAX_FILES:
                break
            if (sent := _read(self._folder, path, size)) is not None:
                files.append(sent)
        self._known = now
        return Changes(files=tuple(files), gone=gone, left_out=len(changed) - len(files))

    def apply(self, changes: Changes) -> None:
        """Writes what changed on the other side."""
        for path in changes.gone:
            if _is_inside(path) and (target := _below(self._folder, path, is_made=False)) is not None:
                with contextlib.suppress(OSError):
                    target.unlink()
                self._known.pop(path, None)
        for sent in changes.files:
            if _is_inside(sent.path) and (target := _below(self._folder, sent.path, is_made=True)) is not None:
                _write(target, sent)
                self._known[sent.path] = _stamp(target.lstat())


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, stat.S_IMODE(status.st_mode)


def _stamps(folder: Path) -> Iterator[tuple[str, _Stamp]]:
    """The plain files in a folder."""
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(folder / inner) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    path = f"{inner}/{entry.name}" if inner else entry.name
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(path)
                    elif stat.S_ISREG(status.st_mode):
                        yield path, _stamp(status)


def _read(folder: Path, path: str, size: int) -> Sent | None:
    """The file; None if it is gone or cannot be read."""
    with contextlib.suppress(OSError):
        handle = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            return Sent(path, file.read(size), stat.S_IMODE(os.fstat(handle).st_mode) & 0o777)
    return None


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path


def _below(folder: Path, path: str, *, is_made: bool) -> Path | None:
    """Where the file belongs. A link or file where a folder has to be gives way, or is left with what belongs below it."""
    place = folder
    for part in PurePosixPath(path).parts[:-1]:
        place = place / part
        if place.is_symlink() or not place.is_dir():
            if not is_made:
                return None
            with contextlib.suppress(OSError):
                place.unlink()
            place.mkdir()
    target = folder / path
    return None if target.is_dir() and not target.is_symlink() else target


def _write(target: Path, sent: Sent) -> None:
    """Writes a new file and puts it in its place: whatever has that name is replaced, not written through."""
    making = target.with_name(f".{secrets.token_hex(8)}")
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(sent.data)
    making.chmod(sent.mode)
    making.replace(target)
