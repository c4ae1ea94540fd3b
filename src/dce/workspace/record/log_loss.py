"""Finds out, before SQLite opens a store, whether SQLite would drop finished transactions that its write-ahead log held.

What must always hold: nothing is changed; a store that another connection has open is not judged, because SQLite then goes by the shared
index and the files may be halfway through a write. The log's own frames are judged by `write_ahead_log`. How many frames there must be is
in the index (`dce.db-shm`) that a killed process leaves: it names the last finished frame and how many are already in the database.
"""

import struct
import subprocess
import sys
from pathlib import Path

import msgspec

from dce.workspace.record.write_ahead_log import checksum, log_path, log_salts, log_size, read_log

_PROBE = """
import struct, sys
store, index = sys.argv[1:]
try:
    import fcntl
    linux = sys.platform.startswith("linux")
    form, kind = ("hhqqi", 0) if linux else ("qqihh", 3)
    lock = (fcntl.F_WRLCK, 0, 0x40000002, 510, 0) if linux else (0x40000002, 510, 0, fcntl.F_WRLCK, 0)
    with open(store, "rb") as file:
        found = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(form + "0q", *lock))
    if struct.unpack(form + "0q", found)[kind] != fcntl.F_UNLCK:
        sys.exit("open")
except ImportError:
    import os
    try:
        os.rename(store, store)
    except PermissionError:
        sys.exit("open")
except FileNotFoundError:
    pass
try:
    with open(index, "rb") as file:
        sys.stdout.write(file.read(100).hex())
except FileNotFoundError:
    pass
"""
"""Runs in a process of its own: one that closes a file which it opened itself loses the locks that SQLite holds on it in that process.

It asks for the lock that every open connection holds (`SHARED_FIRST` in SQLite's os.h) without taking it, and reads the index."""

_DEADLINE_S = 10.0
_INDEX = struct.Struct("=3I2BH4I8s2I")
"""SQLite's `WalIndexHdr`; it is stored twice, and the number of frames in the database follows."""


class LogLoss(msgspec.Struct, frozen=True, kw_only=True):
    """What SQLite would drop: `frames` there were, `readable` of them can be read."""

    frames: int
    readable: int
    is_missing: bool = False

    def text(self) -> str:
        """The fact in words."""
        state = "missing" if self.is_missing else "damaged"
        return f"the write-ahead log is {state}: {self.readable:,} of {self.frames:,} frames can be read"


def log_loss(store_path: Path) -> LogLoss | None:
    """What would be lost if SQLite opened the store now; None if nothing, or if another connection has it open."""
    index_path = store_path.with_name(store_path.name + "-shm")
    if not log_size(store_path) and not index_path.exists():
        return None
    index = _index_of_closed(store_path, index_path)
    if index is None:
        return None
    found = _compared(store_path, index)
    # A process may have opened the store since: then what was read may have been halfway through a write.
    return found if found and _index_of_closed(store_path, index_path) is not None else None


def _compared(store_path: Path, index: bytes) -> LogLoss | None:
    path = log_path(store_path)
    log = read_log(path)
    frames, committed, readable = (log.frames, log.committed, log.readable) if log else (0, 0, 0)
    expected = _expected(index, log_salts(path))
    if (log is not None and log.is_damaged) or expected > committed:
        return LogLoss(frames=max(frames, expected), readable=readable, is_missing=not log_size(store_path))
    return None


def _index_of_closed(store_path: Path, index_path: Path) -> bytes | None:
    """The beginning of the index; None if another connection has the store open."""
    command = [sys.executable, "-I", "-S", "-c", _PROBE, str(store_path.resolve()), str(index_path.resolve())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):  # such as a user who may not run this Python: the frames alone decide
        return b""
    if done.returncode and done.stderr.strip() == "open":
        return None
    return bytes.fromhex(done.stdout) if not done.returncode else b""


def _expected(index: bytes, salts: tuple[int, int] | None) -> int:
    """How many frames of finished transactions the log must have; 0 if the index does not say so, or is that of another log."""
    size = _INDEX.size
    if len(index) < 2 * size + 4 or index[:size] != index[size : 2 * size]:
        return 0
    _, _, _, is_init, _, _, last, *_, index_salts, first, second = _INDEX.unpack(index[:size])
    if not is_init or checksum(index[: size - 8], "=") != (first, second):
        return 0
    if salts is not None and struct.pack(">2I", *salts) != index_salts:
        return 0
    in_database = int(struct.unpack("=I", index[2 * size : 2 * size + 4])[0])
    return int(last) if last > in_database else 0
