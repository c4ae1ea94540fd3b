"""The folders that a lane writes to, outside the workspace. They are removed with the lane, or by the next lane if DCE was killed.

What must always hold: a folder in use is locked by its program, so that only folders of programs that have ended are swept.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from dce.workspace.judging.lanes.lane import LaidFile

PREFIX = "dce-lane-"

MIN_FILE_BYTES = 4096
"""What a file counts at least: empty ones fill a disk too, by their number."""

MAX_SWEPT = 50
"""Maximum left-over folders removed at once: a start must not take minutes."""


class LaneFolder:
    """One lane's folder: `tmp` and `home` are what its commands see as those, `layers` holds what is written elsewhere."""

    def __init__(self, place: Path) -> None:
        # It gets the name that `sweep` looks for only when it is locked.
        making = Path(os.path.realpath(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=place)))
        self._lock = FileLock(making / "lock", thread_local=False)
        self._lock.acquire(timeout=0)
        self.path = making.rename(making.with_name(making.name.removeprefix(".")))
        self.tmp = self.path / "tmp"
        self.var_tmp = self.path / "var-tmp"
        self.home = self.path / "home"
        for folder in (self.tmp, self.var_tmp, self.home):
            folder.mkdir()
        self._layers = 0
        self._made_bytes = 0

    def new_layer(self) -> tuple[Path, Path]:
        """The folder for a layer's files, and the working folder that an overlay needs beside it."""
        layer = self.path / "layers" / str(self._layers)
        self._layers += 1
        upper, work = layer / "files", layer / "work"
        upper.mkdir(parents=True)
        work.mkdir()
        return upper, work

    def made(self) -> None:
        """From now on, what is written counts."""
        self._made_bytes = self._size_bytes()

    def written_bytes(self) -> int:
        """What was written since it was made, as it takes room on the disk."""
        return self._size_bytes() - self._made_bytes

    def _size_bytes(self) -> int:
        return sum(max(getattr(status, "st_blocks", 0) * 512, MIN_FILE_BYTES) for status in _files(self.path))

    def remove(self) -> None:
        """Deletes everything, including what a command made read-only. Whatever remains is left to the next sweep."""
        self._lock.release()
        remove_tree(self.path)


def sweep(place: Path) -> None:
    """Removes lane folders of this user whose program has ended."""
    for folder in sorted(place.glob(f"{PREFIX}*"))[:MAX_SWEPT]:
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or _is_anothers(status) or not (folder / "lock").exists():
                continue
            lock = FileLock(folder / "lock", thread_local=False)
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=0)
                lock.release()
                remove_tree(folder)


def write_layer(root: Path, upper: Path, files: Iterable[LaidFile]) -> None:
    """Writes files into the upper layer of an overlay over `root`; a missing file becomes a whiteout. Folders keep their modes."""
    files = tuple(files)
    folders = {parent for file in files if file.data is not None for parent in Path(file.path).parents}
    for file in files:
        path = Path(file.path)
        (upper / path).parent.mkdir(parents=True, exist_ok=True)
        if file.data is not None:
            write_new(root, upper, file)
        elif path not in folders and os.path.lexists(root / path):
            os.mknod(upper / path, stat.S_IFCHR, os.makedev(0, 0))
    for folder in sorted({parent for file in files for parent in Path(file.path).parents}, reverse=True):
        if (root / folder).is_dir():
            shutil.copymode(root / folder, upper / folder)


def write_new(root: Path, folder: Path, file: LaidFile) -> None:
    """Writes a file that `folder` does not hold yet, later than the workspace's own by at least a second: Python and make take what they
    built from a file of that second for current."""
    target = folder / file.path
    target.write_bytes(file.data or b"")
    target.chmod(file.mode)
    with contextlib.suppress(OSError):
        before, now = (root / file.path).stat().st_mtime, target.stat().st_mtime
        if now < before + 1:
            os.utime(target, (before + 1, before + 1))


def clear(path: Path) -> None:
    """Removes whatever has this name, so that DCE can write there: a command may have left a link that leads out of the lane, or a folder.
    Not while a command runs."""
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)


def remove_tree(folder: Path) -> None:
    """Deletes a folder, including what is read-only in it or nested too deep for Python. Follows no link, and changes nothing beside it."""

    def unlock(_: object, path: str, __: object) -> None:
        inside = Path(path)
        if inside == folder or not inside.is_relative_to(folder):
            return
        with contextlib.suppress(OSError):
            inside.parent.chmod(0o700)
            is_folder = inside.is_dir() and not inside.is_symlink()
            if not inside.is_symlink():
                inside.chmod(0o700)
            (os.rmdir if is_folder else os.unlink)(path)

    for _ in range(2):
        with contextlib.suppress(RecursionError):
            shutil.rmtree(folder, onerror=unlock)
    if os.path.lexists(folder) and os.name == "posix":
        for command in (("chmod", "-R", "u+rwx"), ("rm", "-rf")):
            subprocess.run([*command, str(folder)], check=False, stdin=subprocess.DEVNULL, capture_output=True)


def _is_anothers(status: os.stat_result) -> bool:
    return hasattr(os, "geteuid") and status.st_uid != os.geteuid()


def _files(folder: Path) -> Iterable[os.stat_result]:
    waiting = [str(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    yield entry.stat(follow_symlinks=False)
