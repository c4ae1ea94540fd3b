"""Reads SQLite's write-ahead log (`dce.db-wal`) without SQLite: its size, its condition and its pages.

What must always hold: nothing here opens the database or changes a file. SQLite replays a log when it opens the database, silently skips
everything after the first frame that it cannot use, and deletes the log when it closes the database. So whether a log is whole has to be
known before SQLite sees it.

Every frame carries a checksum that continues the one of the frame before. So a damaged frame makes SQLite drop all later frames, but each
of these can still be verified against the checksum stored in the frame before it.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = 0x377F0682
"""The last bit is the byte order of the words in the checksums: 0 little, 1 big."""
_VERSION = 3007000
_MIN_PAGE, _MAX_PAGE, _USUAL_PAGE = 512, 65536, 4096
_MAX_PAGE_NUMBER = 1 << 24
"""Largest page number believed, 64 GB: the bytes of a frame's header that are no header are nearly always larger."""
_MAX_CHECKPOINTS = 64
"""How many values of the header's checkpoint counter are tried to restore a lost header."""

Checksum = tuple[int, int]


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a log. `frames`: the frames of the log, without those left from before it was last reset; `committed`: those that
    SQLite will replay; `readable`: those whose checksum is right; `is_damaged`: SQLite would skip finished transactions."""

    page_size: int
    frames: int
    committed: int
    readable: int
    is_damaged: bool


class _Header(NamedTuple):
    page_size: int
    order: str
    salts: Checksum
    checksum: Checksum | None
    is_valid: bool


class _Frame(NamedTuple):
    """`is_own`: written since the log was last reset; `is_readable`: its own checksum is right; `is_chained`: and all before it are."""

    page: int
    is_commit: bool
    salts: Checksum
    content: bytes
    is_own: bool
    is_readable: bool
    is_chained: bool


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
    """The content of the log at `path`; None if it is missing or has no frame and no valid header."""
    header = _header(path)
    if header is None:
        return None
    frames = list(_frames(path, header))
    if not header.is_valid and not frames:
        return None
    committed = max((at for at, frame in enumerate(frames, 1) if frame.is_chained and frame.is_commit), default=0)
    rest = frames[sum(frame.is_chained for frame in frames) :]
    is_damaged = not header.is_valid or any(frame.is_own and frame.is_commit for frame in rest) or _has_garbage(rest)
    return Log(
        page_size=header.page_size,
        frames=len(frames) if is_damaged else sum(frame.is_own for frame in frames),
        committed=committed,
        readable=sum(frame.is_own and frame.is_readable for frame in frames),
        is_damaged=is_damaged,
    )


def log_salts(path: Path) -> Checksum | None:
    """The random numbers that tell this log from all others; None without a valid header."""
    header = _header(path)
    return header.salts if header and header.is_valid else None


def committed_pages(path: Path) -> dict[int, bytes]:
    """The pages of committed transactions by number, each in its last readable version."""
    header = _header(path)
    pages: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    for frame in _frames(path, header) if header else ():
        if frame.is_own and frame.is_readable:
            pending[frame.page] = frame.content
        if frame.is_own and frame.is_commit:
            pages |= pending
            pending = {}
    return pages


def checksum(content: bytes, order: str, seed: Checksum = (0, 0)) -> Checksum:
    """SQLite's checksum, continued from `seed`. `order` as in `struct`: "<", ">" or "=". Eight bytes are a step; a rest is ignored."""
    first, second = seed
    words = struct.unpack(f"{order}{len(content) // 8 * 2}I", content[: len(content) // 8 * 8])
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _header(path: Path) -> _Header | None:
    """The log's header, restored from its frames if it is damaged; None if the file is missing or too short for one."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
    except FileNotFoundError:
        return None
    if len(head) < _HEADER.size:
        return None
    magic, version, page_size, *_ = fields = _HEADER.unpack(head)
    order = ">" if magic & 1 else "<"
    is_size = _MIN_PAGE <= page_size <= _MAX_PAGE and page_size & (page_size - 1) == 0
    is_valid = magic & ~1 == _MAGIC and version == _VERSION and is_size
    if is_valid and checksum(head[:24], order) == fields[6:]:
        return _Header(page_size, order, (fields[4], fields[5]), (fields[6], fields[7]), is_valid=True)
    return _restored(path, page_size if is_size else _USUAL_PAGE)


def _restored(path: Path, page_size: int) -> _Header:
    """What the header must have been: the salts are those of most frames, the rest is tried until the first frame's checksum is right."""
    slots = list(_slots(path, page_size))
    salts = Counter((head[2], head[3]) for head, _, _ in slots if 0 < head[0] < _MAX_PAGE_NUMBER).most_common(1)
    found = salts[0][0] if salts else (0, 0)
    for magic in (_MAGIC, _MAGIC | 1) if slots else ():
        order = ">" if magic & 1 else "<"
        for number in range(_MAX_CHECKPOINTS):
            start = checksum(_HEADER.pack(magic, _VERSION, page_size, number, *found, 0, 0)[:24], order)
            head, raw, content = slots[0]
            # The first eight bytes rule out nearly every wrong header, but only the whole frame proves one.
            if checksum(raw[:8] + content, order, start) == head[4:6]:
                return _Header(page_size, order, found, start, is_valid=False)
    return _Header(page_size, _order_of(slots), found, None, is_valid=False)


def _order_of(slots: "list[tuple[tuple[int, ...], bytes, bytes]]") -> str:
    """The byte order by which the second frame continues the first."""
    for (before, _, _), (head, raw, content) in pairwise(slots):
        for order in "<>":
            if checksum(raw[:8] + content, order, (before[4], before[5])) == head[4:6]:
                return order
    return "<"


def _slots(path: Path, page_size: int) -> Iterator[tuple[tuple[int, ...], bytes, bytes]]:
    """The complete frames of the file, whatever is in them: header fields, the header's bytes, and the page."""
    with path.open("rb") as file:
        file.seek(_HEADER.size)
        while len(head := file.read(_FRAME.size)) == _FRAME.size and len(content := file.read(page_size)) == page_size:
            yield _FRAME.unpack(head), head, content


def _frames(path: Path, header: _Header) -> Iterator[_Frame]:
    before, is_chained = header.checksum, header.is_valid
    for (page, size_after, *rest), raw, content in _slots(path, header.page_size):
        salts, stored = (rest[0], rest[1]), (rest[2], rest[3])
        is_own = salts == header.salts
        is_readable = before is not None and page > 0 and checksum(raw[:8] + content, header.order, before) == stored
        is_chained = is_chained and is_own and is_readable
        yield _Frame(page, bool(size_after), salts, content, is_own, is_readable, is_chained)
        before = stored


def _has_garbage(rest: list[_Frame]) -> bool:
    """Whether there is something among the frames that SQLite will not replay which it never wrote.

    It leaves two kinds of them: older frames from before the log was reset, and own frames of a transaction that was not finished. An older
    one may follow a newer one that replaced its predecessor, so that its checksum cannot be verified; then the next one can be.
    """
    for at, frame in enumerate(rest):
        follows = rest[at + 1] if at + 1 < len(rest) else None
        is_confirmed = follows is not None and follows.salts == frame.salts and follows.is_readable
        is_possible = follows is None and 0 < frame.page < _MAX_PAGE_NUMBER
        if not (frame.is_own or frame.is_readable or is_confirmed or is_possible):
            return True
    return False
