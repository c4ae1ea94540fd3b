"""Watches what a running command uses, and kills it when that is too much.

Namespaces limit neither memory nor the number of processes nor the disk, and the kernel's own limits are for single processes and break
programs that reserve much and use little (Java, Go's race detector). So a thread adds up what the whole tree uses.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dce.workspace.judging.lanes.folders import LaneFolder
from dce.workspace.judging.lanes.lane import Limit
from dce.workspace.judging.lanes.processes import descendants, memory_bytes
from dce.workspace.judging.lanes.settings import Limits

INTERVAL_S = 0.05
"""How often memory and processes are added up: a program can take some 100 MB within it."""

DISK_INTERVAL_S = 0.25
"""How often the lane's folder is measured, at most; a large one is measured less often."""

DISK_SHARE = 20
"""How many times longer than a measurement takes the watch waits before the next one."""

MEMORY_SHARE = 20
"""The part of the machine's memory, one in so many, that no command may touch: some memory belongs to no process and is not added up."""

RESERVED_BYTES = 512 * 1024**2
"""Free space on the disk that no command may touch: the user's programs need it."""


class Watch:
    """The watch over one command, in a thread of its own: it must not wait for a busy pool."""

    def __init__(self, pid: int, limits: Limits, folder: LaneFolder, kill: Callable[[], None]) -> None:
        self._pid = pid
        self._limits = limits
        self._folder = folder
        self._kill = kill
        self._ended = threading.Event()
        self._next_measure = 0.0
        self.hit: Limit | None = None
        self._thread = threading.Thread(target=self._run, name="dce-lane-watch", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def stop(self) -> Limit | None:
        """Ends the watch. Returns the limit that was hit; a disk that was filled up to its limit counts, however fast it was."""
        self._ended.set()
        self._thread.join()
        if self.hit is None and self._folder.written_bytes() >= self._limits.disk_bytes:
            self.hit = "disk"
        return self.hit

    def _run(self) -> None:
        while self.hit is None and not self._ended.wait(INTERVAL_S):
            self.hit = self._exceeded()
        if self.hit is not None and not self._ended.is_set():
            self._kill()

    def _exceeded(self) -> Limit | None:
        pids = [self._pid, *descendants(self._pid)]
        if len(pids) > self._limits.processes:
            return "processes"
        if memory_bytes(pids, self._limits.memory_bytes) > self._limits.memory_bytes or is_memory_short():
            return "memory"
        return "disk" if self._is_disk_full() else None

    def _is_disk_full(self) -> bool:
        if free_bytes(self._folder.path) < RESERVED_BYTES:
            return True
        started = time.monotonic()
        if started < self._next_measure:
            return False
        size = self._folder.written_bytes()
        ended = time.monotonic()
        self._next_measure = ended + max(DISK_INTERVAL_S, DISK_SHARE * (ended - started))
        return size >= self._limits.disk_bytes


def free_bytes(folder: Path) -> int:
    """The free space on the disk of a folder; unlimited where the system does not say."""
    if not hasattr(os, "statvfs"):
        return 1 << 62
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def is_memory_short() -> bool:
    """Whether the machine is nearly out of memory; False where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return found["MemAvailable"] * MEMORY_SHARE < found["MemTotal"]
    except (OSError, ValueError, LookupError):
        return False
