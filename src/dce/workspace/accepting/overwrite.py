"""Writes a file that has several names (hard links) in place, so that it stays one file under all of them.

What must always hold: both contents are in the store before the first byte is written; wherever writing stops, `is_half_written`
recognises the result, so that it is put back and not taken for an edit of the user's.
"""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from dce.wire.errors import DceError

PIECE_BYTES = 4096
"""How much is written at once: the unit in which systems keep and store files, so that no more than one is ever mixed."""

_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def overwrite(path: Path, data: bytes, expected_sha256: str, mode: int | None, on_piece: Callable[[], None]) -> None:
    """Replaces the content of a regular file, which must be the expected one; on disk when this returns. `mode` None: it stays.

    Raises OSError, and DceError stale_file if the content is another one.
    """
    with os.fdopen(os.open(path, _FLAGS), "r+b", buffering=0) as file:
        before = _all_of(file.fileno())
        if hashlib.sha256(before).hexdigest() != expected_sha256:
            raise DceError("stale_file", f"{path.name} changed while files were being replaced")
        file.seek(0)
        for at in range(0, len(data), PIECE_BYTES):
            if data[at : at + PIECE_BYTES] == before[at : at + PIECE_BYTES]:
                file.seek(at + PIECE_BYTES)
                continue
            _write_all(file.fileno(), data[at : at + PIECE_BYTES])
            on_piece()
        os.ftruncate(file.fileno(), len(data))
        if mode is not None and mode != stat.S_IMODE(os.fstat(file.fileno()).st_mode):
            os.chmod(path, mode)  # noqa: PTH101 - by name, because Windows has no fchmod
        os.fsync(file.fileno())


def is_half_written(now: bytes, one: bytes, other: bytes) -> bool:
    """Whether a content can result from writing one of two over the other and stopping: piece by piece, it is of either.

    A piece may also begin as one and go on as the other. After a power failure, later pieces may be on disk and earlier ones not, and
    where the file had grown there may be zeros.
    """
    if not min(len(one), len(other)) <= len(now) <= max(len(one), len(other)):
        return False
    for at in range(0, len(now), PIECE_BYTES):
        piece = now[at : at + PIECE_BYTES]
        first, second = (side[at : at + PIECE_BYTES].ljust(len(piece), b"\0") for side in (one, other))
        if not (_is_mixed(piece, first, second) or _is_mixed(piece, second, first)):
            return False
    return True


def _is_mixed(piece: bytes, new: bytes, old: bytes) -> bool:
    """Whether a piece begins as the new one and goes on as the old one, either part perhaps empty."""
    same = next((at for at, (a, b) in enumerate(zip(piece, new, strict=False)) if a != b), len(piece))
    return piece[same:] == old[same : len(piece)]


def _all_of(descriptor: int) -> bytes:
    content = b""
    while piece := os.read(descriptor, 1 << 20):
        content += piece
    return content


def _write_all(descriptor: int, piece: bytes) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]
