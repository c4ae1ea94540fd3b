"""Where a node keeps the trees that were sent to it: files by content, and trees made of hard links to them.

What must always hold: a tree is complete, or not there under its name; a file is what its digest says; no tree changes after it is made
(lanes show them below a layer of their own); the folder is this user's alone. What nobody has used for a week is removed.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from filelock import FileLock

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.folders import remove_tree
from dce.workspace.judging.lanes.on_ray.manifest import FILE, FOLDER, Manifest

MAX_AGE_S = 7 * 86_400
"""How long a tree is kept after its last use: a project that nobody has checked for a week is sent anew."""

MAX_STORE_BYTES = 40 * 1024**3
"""How much all trees of a node may take together; over that, the ones that were not used for longest are removed."""

RECENT_S = 3_600
"""A tree that was used so recently is not removed for its size: lanes may show it."""

RESERVED_BYTES = 1024**3
"""Free space on the disk that no tree may take."""

_AS_SENT = ".600.0"
"""How the name of a file ends that no tree has yet: by its mode and time."""


class Piece(msgspec.Struct, frozen=True):
    """A part of a file that is sent. `is_last`: the file is whole then."""

    content: bytes
    offset: int
    data: bytes
    is_last: bool = True


class Trees:
    """The trees in one folder. Several processes may use it at once."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._files = place / "files"
        self._trees = place / "trees"
        place.mkdir(mode=0o700, exist_ok=True)
        status = place.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise DceError("write_failed", f"{place} belongs to another user", hint="Remove it on that machine.")
        place.chmod(0o700)
        for folder in (self._files, self._trees):
            folder.mkdir(exist_ok=True)
        self._mark = secrets.token_hex(8)
        self._incoming = place / f"incoming-{self._mark}"

    def find(self, digest: str) -> Path | None:
        """The tree, if it is here; it counts as used now."""
        tree = self._trees / digest
        if not tree.is_dir():
            return None
        self._used(digest).touch()
        return tree

    def lacking(self, manifest: Manifest) -> list[bytes]:
        """The contents that have to be sent for this tree."""
        known = self._index()
        wanted = {entry.content: entry.size for entry in manifest.entries if entry.kind == FILE}
        lacking = [content for content in wanted if content not in known]
        needed = sum(wanted[content] for content in lacking)
        if (free := shutil.disk_usage(self._place).free) < needed + RESERVED_BYTES:
            raise DceError(
                "write_failed",
                f"{self._place} has {free >> 20} MiB of free space, and the workspace's files need {needed >> 20} MiB",
                hint="Free space there, or start Ray there with TMPDIR set to another folder.",
            )
        return lacking

    def add(self, pieces: Iterable[Piece]) -> None:
        """Takes parts of files; those of one file come in order. Raises DceError if a file is not what its digest says."""
        self._incoming.mkdir(exist_ok=True)
        for piece in pieces:
            path = self._incoming / piece.content.hex()
            with path.open("ab" if piece.offset else "wb") as file:
                file.write(piece.data)
            if piece.is_last:
                self._keep(path, piece.content)

    def build(self, manifest: Manifest) -> Path:
        """Makes the tree, all of whose contents are here."""
        digest = manifest.digest
        with FileLock(self._place / "lock", thread_local=False):
            if (found := self.find(digest)) is not None:
                return found
            making = self._trees / f".{digest[:16]}-{self._mark}"
            making.mkdir(mode=0o700)
            try:
                self._fill(making, manifest)
                self._used(digest).touch()
                making.rename(self._trees / digest)
                shutil.rmtree(self._incoming, ignore_errors=True)
            except OSError:
                remove_tree(making)
                raise
        return self._trees / digest

    def sweep(self, now: float | None = None) -> None:
        """Removes what was not used for long, and what is too much."""
        now = time.time() if now is None else now
        with FileLock(self._place / "lock", thread_local=False):
            used = sorted((path for path in self._trees.glob("*.used")), key=lambda path: path.stat().st_mtime)
            for path in used:
                if now - path.stat().st_mtime > MAX_AGE_S:
                    self._remove(path)
            for path in used:
                if path.exists() and now - path.stat().st_mtime > RECENT_S and self._drop_unused(now) > MAX_STORE_BYTES:
                    self._remove(path)
            self._drop_unused(now)
            known = {path.with_suffix("").name for path in self._trees.glob("*.used")}
            for left in [*self._trees.iterdir(), *self._place.glob("incoming-*")]:
                is_left = left.suffix != ".used" and left.name not in known
                if is_left and left != self._incoming and now - left.stat().st_mtime > RECENT_S:
                    remove_tree(left)

    def _used(self, digest: str) -> Path:
        return self._trees / f"{digest}.used"

    def _remove(self, used: Path) -> None:
        remove_tree(used.with_suffix(""))
        used.unlink(missing_ok=True)

    def _drop_unused(self, now: float) -> int:
        """Removes files that are in no tree and were not just sent. Returns the size of the others."""
        size = 0
        for path in self._files.glob("*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                is_new = path.name.endswith(_AS_SENT) and now - status.st_ctime < RECENT_S
                if status.st_nlink == 1 and not is_new:
                    path.unlink()
                else:
                    size += status.st_size
        return size

    def _keep(self, path: Path, content: bytes) -> None:
        with path.open("rb") as file:
            came = hashlib.file_digest(file, "sha256").digest()
        if came != content:
            path.unlink()
            raise DceError(
                "conflict",
                "a file of the workspace changed while it was sent to the cluster",
                hint="Run the checks again when nothing writes to the workspace.",
            )
        target = self._files / content.hex()[:2] / f"{content.hex()}{_AS_SENT}"
        target.parent.mkdir(exist_ok=True)
        path.rename(target)

    def _variant(self, content: bytes, mode: int, mtime_ns: int) -> Path:
        """Where a file is with this content, mode and time: hard links share all three."""
        name = content.hex()
        return self._files / name[:2] / f"{name}.{mode:o}.{mtime_ns}"

    def _index(self) -> dict[bytes, Path]:
        """One file for each content that is here."""
        found: dict[bytes, Path] = {}
        with contextlib.suppress(FileNotFoundError):
            for folder in self._files.iterdir():
                for path in folder.iterdir():
                    found[bytes.fromhex(path.name.partition(".")[0])] = path
        return found

    def _fill(self, root: Path, manifest: Manifest) -> None:
        known = self._index()
        folders = []
        for entry in manifest.entries:
            path = root / os.fsdecode(entry.path)
            if entry.kind == FOLDER:
                path.mkdir(0o700)
                folders.append((path, entry.mode))
            elif entry.kind == FILE:
                file = self._variant(entry.content, entry.mode, entry.mtime_ns)
                self._provide(file, known.get(entry.content))
                known[entry.content] = file
                _link(file, path)
            else:
                path.symlink_to(os.fsdecode(entry.content))
        for path, mode in reversed(folders):
            path.chmod(mode)
        root.chmod(manifest.root_mode)

    def _provide(self, file: Path, same: Path | None) -> None:
        """Makes a file with another one's content and a mode and time of its own."""
        if file.exists():
            return
        if same is None:
            raise OSError(f"a file of the tree has not come: {file.name}")
        mode, mtime_ns = file.name.split(".")[1:]
        making = file.with_name(f"{file.name}-{self._mark}")
        if same.name.endswith(_AS_SENT) and same.stat().st_nlink == 1:
            same.rename(making)
        else:
            shutil.copyfile(same, making)
        making.chmod(int(mode, 8))
        os.utime(making, ns=(int(mtime_ns), int(mtime_ns)))
        making.rename(file)


def _link(file: Path, path: Path) -> None:
    try:
        path.hardlink_to(file)
    except OSError:  # a file can have only so many names
        shutil.copy2(file, path)
