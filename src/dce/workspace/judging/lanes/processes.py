"""The processes of a running command, as `/proc` shows them; where there is none, nothing is known of them."""

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

KILL_S = 10.0
"""How long killed processes may take to end. The kernel ends them at once unless they are inside a device."""

_PROC = Path("/proc")

MAX_LISTED = 20_000
"""How many processes of a tree are listed: a fork bomb must not keep the watch from its work."""


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for task in (_PROC / str(pid) / "task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


def descendants(pid: int) -> list[int]:
    """All processes below one, and below those."""
    found: list[int] = []
    waiting = [pid]
    while waiting and len(found) < MAX_LISTED:
        below = children(waiting.pop())
        found += below
        waiting += below
    return found


def memory_bytes(pids: Iterable[int], limit: int) -> int:
    """The memory that processes hold together. What they share is counted once as soon as the plain sum is over `limit`: that costs
    more to find out."""
    pids = list(pids)
    total = sum(_resident(pid) for pid in pids)
    return total if total <= limit else sum(_proportional(pid) for pid in pids)


def marked(mark: str) -> list[int]:
    """The processes of this user that have `mark` (`NAME=value`) among the variables that they started with."""
    found, wanted = [], b"\0" + mark.encode() + b"\0"
    with contextlib.suppress(OSError):
        for entry in _PROC.iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if wanted in b"\0" + (entry / "environ").read_bytes():
                        found.append(int(entry.name))
    return found


def kill(pids: Iterable[int]) -> None:
    """Kills processes; those that have ended are passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _proportional(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return _resident(pid)


class Processes(Protocol):
    """All processes of one command, from its start until none is left."""

    @property
    def passed_fds(self) -> tuple[int, ...]:
        """Descriptors that the command's wrapper inherits."""

    @property
    def lifeline(self) -> str:
        """The descriptor, in the command, whose other end closes when DCE ends; "" if the command ends with DCE anyway."""

    def started(self, pid: int) -> None:
        """Takes note of the process that was started. May block for as long as it takes to start."""

    def kill(self) -> None:
        """Kills all of them, and returns when none is left that can be found, or after `KILL_S`."""

    def close(self) -> None:
        """Releases what this object holds."""


class NamespaceProcesses:
    """The processes of a namespace: when its first one ends, the kernel ends all others, whatever they did to get away."""

    lifeline = ""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._pidfd = -1
        self._pid = 0

    @property
    def passed_fds(self) -> tuple[int, ...]:
        """Where bwrap writes the process id of the namespace's first process (`--info-fd`)."""
        return (self._write,)

    def started(self, pid: int) -> None:
        """Opens the first process, so that its number can mean no other."""
        self._pid = pid
        self._close_write()
        text = b""
        while block := os.read(self._read, 4096):
            text += block
        with contextlib.suppress(ValueError, KeyError, OSError):
            self._pidfd = os.pidfd_open(json.loads(text)["child-pid"])

    def kill(self) -> None:
        """Ends the namespace."""
        if self._pidfd < 0:
            kill([self._pid] if self._pid else [])
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.poll(KILL_S * 1000)

    def close(self) -> None:
        """Releases the descriptors."""
        self._close_write()
        for descriptor in (self._read, self._pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self._read = self._pidfd = -1

    def _close_write(self) -> None:
        if self._write >= 0:
            os.close(self._write)
        self._write = -1


class GroupProcesses:
    """The processes of a group, and those that left it but kept the mark among their variables."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._pid = 0
        self._fds = list(os.pipe()) if os.name == "posix" else []

    @property
    def passed_fds(self) -> tuple[int, ...]:
        """The lifeline's end in the command."""
        return tuple(self._fds[:1])

    @property
    def lifeline(self) -> str:
        """See `Processes.lifeline`."""
        return str(self._fds[0]) if self._fds else ""

    def started(self, pid: int) -> None:
        """Takes note of the group's leader."""
        self._pid = pid

    def kill(self) -> None:
        """Kills the group, then whatever bears the mark until nothing does."""
        if not self._pid:
            return
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
        else:
            kill([self._pid])
        deadline = time.monotonic() + KILL_S
        while (left := marked(self._mark)) and time.monotonic() < deadline:
            kill(left)
            time.sleep(0.01)

    def close(self) -> None:
        """Releases the lifeline."""
        while self._fds:
            os.close(self._fds.pop())
