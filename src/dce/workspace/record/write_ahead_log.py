"""Reads SQLite's write-ahead log (`dce.db-wal`) without SQLite: its size and its pages.

What must always hold: nothing here opens the database or changes a file. SQLite replays a log when it opens the database, and deletes a
log next to an empty database, so reporting on a log and saving its content require reading the raw file.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = frozenset({0x377F0682, 0x377F0683})
_MIN_PAGE, _MAX_PAGE = 512, 65536


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a log: the number of complete frames, how many belong to committed transactions, and the page size."""

    page_size: int
    frames: int
    committed: int


class _Frame(NamedTuple):
    page: int
    is_commit: bool
    content: bytes


def log_path(store_path: Path) -> Path:
    """Where SQLite keeps the log of a database."""
    return store_path.with_name(store_path.name + "-wal")


def log_size(store_path: Path) -> int:
    """The size of the log in bytes; 0 if there is none."""
    try:
        return log_path(store_path).stat().st_size
    except FileNotFoundError:
        return 0


def read_log(path: Path) -> Log | None:
    """The content of the log at `path`; None if it is missing, empty, or not a log."""
    page_size = _page_size(path)
    if not page_size:
        return None
    frames = committed = 0
    for frames, frame in enumerate(_frames(path), 1):
        committed = frames if frame.is_commit else committed
    return Log(page_size=page_size, frames=frames, committed=committed)


def committed_pages(path: Path) -> dict[int, bytes]:
    """The pages of committed transactions by number, each in its last version."""
    pages: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    for frame in _frames(path):
        pending[frame.page] = frame.content
        if frame.is_commit:
            pages |= pending
            pending = {}
    return pages


def _page_size(path: Path) -> int:
    """The page size in the log's header; 0 if this is not a log."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
    except FileNotFoundError:
        return 0
    if len(head) < _HEADER.size:
        return 0
    magic, _, page_size, *_ = _HEADER.unpack(head)
    is_size = _MIN_PAGE <= page_size <= _MAX_PAGE and page_size & (page_size - 1) == 0
    return page_size if magic in _MAGIC and is_size else 0


def _frames(path: Path) -> Iterator[_Frame]:
    """The frames written since the log was last reset; older frames after them have a different salt."""
    page_size = _page_size(path)
    if not page_size:
        return
    with path.open("rb") as file:
        salt = _HEADER.unpack(file.read(_HEADER.size))[4:6]
        while len(head := file.read(_FRAME.size)) == _FRAME.size:
            page, size_after, *rest = _FRAME.unpack(head)
            content = file.read(page_size)
            if tuple(rest[:2]) != salt or len(content) < page_size:
                return
            yield _Frame(page, bool(size_after), content)
