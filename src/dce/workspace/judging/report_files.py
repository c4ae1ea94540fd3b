"""The report files of a check: which its command wrote, and what they hold.

Invariants: a file that was there before the command ran and did not change is no report of it; nothing outside `root` is read,
through links or otherwise; what is read is bounded.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

MAX_REPORT_BYTES = 16 * 1024 * 1024
"""How much is read of the reports of one check: a test is some hundred bytes, a failing one some thousand."""

MAX_REPORT_FILES = 2_000
"""Maximum report files of one check: Maven and Gradle write one for each class."""

Stamp = tuple[int, int, int]
"""Inode, size and time of change of a file."""


def stamps(root: Path, cwd: str, pattern: str) -> dict[Path, Stamp]:
    """The files in `root` that `pattern` names below the folder `cwd`, and how to tell whether they change. No pattern names none."""
    if not pattern:
        return {}
    found: dict[Path, Stamp] = {}
    inside = os.path.realpath(root)
    for path in (root / cwd).glob(pattern):
        if len(found) >= MAX_REPORT_FILES:
            break
        try:
            status = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and Path(os.path.realpath(path)).is_relative_to(inside):
            found[path] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def written_since(root: Path, cwd: str, pattern: str, before: Mapping[Path, Stamp]) -> dict[str, bytes]:
    """The files of `stamps` that are new or changed, by path relative to `root`."""
    changed = [path for path, stamp in stamps(root, cwd, pattern).items() if before.get(path) != stamp]
    return {path.relative_to(root).as_posix(): data for path, data in read(changed).items()}


def read(paths: Iterable[Path]) -> dict[Path, bytes]:
    """The content of those files that exist, are regular and together not too large."""
    found: dict[Path, bytes] = {}
    room = MAX_REPORT_BYTES
    for path in sorted(paths):
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            continue
        with open(descriptor, "rb") as file:  # noqa: PTH123 - it is a descriptor
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > room:
                continue
            found[path] = file.read(room)
            room -= len(found[path])
    return found
