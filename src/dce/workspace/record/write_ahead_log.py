"""SQLite's write-ahead log (`dce.db-wal`), read without SQLite: how much it holds, and its pages.

What must always hold: nothing here opens the database or changes a file. Opening a log through SQLite replays it, and beside an empty
database SQLite deletes it; to report on a log, and to save what it holds, it has to be read as it lies.
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
    """What a log holds: complete frames, those of finished transactions among them, and the size of a page."""

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
    """The bytes of the log; 0 where there is none."""
    try:
        return log_path(store_path).stat().st_size
    except FileNotFoundError:
        return 0


def read_log(path: Path) -> Log | None:
    """What the log at `path` holds; None if it is missing, empty, or no log."""
    page_size = _page_size(path)
    if not page_size:
        return None
    frames = committed = 0
    for frames, frame in enumerate(_frames(path), 1):
        committed = frames if frame.is_commit else committed
    return Log(page_size=page_size, frames=frames, committed=committed)


def committed_pages(path: Path) -> dict[int, bytes]:
    """The pages of finished transactions by number, each as it was written last."""
    pages: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    for frame in _frames(path):
        pending[frame.page] = frame.content
        if frame.is_commit:
            pages |= pending
            pending = {}
    return pages


def _page_size(path: Path) -> int:
    """The page size that the log's header names; 0 for what is no log."""
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
    """The frames written since the log last began anew; older ones behind them carry another salt."""
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
