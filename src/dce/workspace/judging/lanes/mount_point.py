"""Makes a path that does not exist on this machine one at which a lane can show a workspace."""

import os
from collections.abc import Iterable
from pathlib import Path

from dce.wire.errors import DceError

MAX_ENTRIES = 1_000
"""How many entries the folder may have in which the path is missing: each becomes a mount of its own."""

_OWN = frozenset(map(Path, ("/dev", "/proc")))
"""What a lane mounts anew."""


def base_mounts(root: Path, writable: Iterable[Path]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words for bubblewrap: those that show the whole system read-only, with a place for `root`, and those that close that place again
    when `root` is mounted. Below `writable` bubblewrap makes missing folders itself.

    Where the path begins to be missing, the folder is made anew in memory, with everything that it holds shown in it.
    """
    system = ("--ro-bind", "/", "/")
    if root.is_dir() or any(root.is_relative_to(folder) for folder in writable):
        return system, ()
    above = next(folder for folder in root.parents if folder.is_dir())
    with os.scandir(above) as entries:
        found = sorted(Path(entry.path) for entry in entries)
    if len(found) > MAX_ENTRIES:
        raise DceError(
            "write_failed",
            f"a lane cannot show {root} here: it does not exist, and {above} holds too much to be made anew",
            hint=f"Make an empty folder {root} on that machine.",
        )
    first = () if above == Path("/") else (*system, "--tmpfs", str(above))
    return (*first, *(word for path in found if path not in _OWN for word in _shown(path))), (
        "--remount-ro",
        str(above),
    )


def _shown(path: Path) -> tuple[str, ...]:
    if path.is_symlink():
        return ("--symlink", str(path.readlink()), str(path))
    return ("--ro-bind-try", str(path), str(path))
