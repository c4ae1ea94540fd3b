"""A workspace's tree as a list of entries, by content, so that a node can say which files it lacks.

What must always hold: equal digests mean equal trees (names, kinds, modes, links, contents, and the times that compilers and caches
compare); nothing of `.dce` is in it; no entry leads out of the tree.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dce.wire.errors import DceError
from dce.workspace.project import STATE_DIR

MAX_ENTRIES = 1_000_000
"""Maximum files and folders of a tree that is sent: several installations of a large front-end's packages."""

MAX_TREE_BYTES = 16 * 1024**3
"""Maximum size of a tree that is sent: an environment with machine learning packages has half of it."""

FOLDER, FILE, LINK = "d", "f", "l"

_Stamp = tuple[int, int, int, int]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A file, folder or link. `path` is relative to the root; `content`: a file's digest, a link's target."""

    path: bytes
    kind: str
    mode: int
    content: bytes = b""
    size: int = 0
    mtime_ns: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """A whole tree, its entries in the order of their paths: a folder before what is in it."""

    entries: tuple[Entry, ...]
    root_mode: int = 0o755

    @property
    def digest(self) -> str:
        """What stands for the tree."""
        return hashlib.sha256(encoded(self)).hexdigest()

    @property
    def size(self) -> int:
        """The size of all files together, in bytes."""
        return sum(entry.size for entry in self.entries)


def encoded(manifest: Manifest) -> bytes:
    """The form in which it is sent."""
    return msgspec.msgpack.encode(manifest)


def decoded(data: bytes) -> Manifest:
    """The manifest in this form."""
    return msgspec.msgpack.decode(data, type=Manifest)


def place(root: bytes, path: bytes) -> Path:
    """Where an entry is below a root."""
    return Path(os.fsdecode(root), os.fsdecode(path))


class Walker:
    """Reads the tree of one workspace, again and again; a file is read only if it has changed since the last time."""

    def __init__(self, root: str) -> None:
        self.root = os.fsencode(root)
        self._known: dict[bytes, tuple[_Stamp, bytes]] = {}

    def manifest(self) -> Manifest:
        """The tree as it is now. Raises DceError invalid_input if it is too large to send."""
        entries: list[Entry] = []
        size = 0
        for entry in self._walk(b""):
            entries.append(entry)
            size += entry.size
            if size > MAX_TREE_BYTES or len(entries) > MAX_ENTRIES:
                raise DceError(
                    "invalid_input",
                    f"the workspace is too large to send to a cluster: over {MAX_TREE_BYTES >> 30} GiB or {MAX_ENTRIES:,} files",
                    hint="Remove build output from it, or take `on` out of [lane] in .dce/checks.toml.",
                )
        mode = place(self.root, b"").stat().st_mode & 0o777
        return Manifest(entries=tuple(sorted(entries, key=lambda entry: entry.path)), root_mode=mode)

    def _walk(self, top: bytes) -> Iterator[Entry]:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            with contextlib.suppress(OSError), os.scandir(self.root + b"/" + folder) as found:
                for item in found:
                    path = folder + b"/" + item.name if folder else item.name
                    if path == STATE_DIR.encode():
                        continue
                    with contextlib.suppress(OSError):  # deleted since it was listed, or unreadable
                        entry = self._entry(path, item)
                        if entry is not None:
                            yield entry
                            if entry.kind == FOLDER:
                                waiting.append(path)

    def _entry(self, path: bytes, item: os.DirEntry[bytes]) -> Entry | None:
        """The entry; None for what is no file, folder or link (sockets, pipes, devices)."""
        status = item.stat(follow_symlinks=False)
        mode = status.st_mode & 0o777
        if stat.S_ISLNK(status.st_mode):
            return Entry(path, LINK, 0o777, os.readlink(item.path))  # noqa: PTH115 - Path would change "./x" to "x"
        if stat.S_ISDIR(status.st_mode):
            return Entry(path, FOLDER, mode)
        if not stat.S_ISREG(status.st_mode):
            return None
        stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            with place(item.path, b"").open("rb") as file:
                known = (stamp, hashlib.file_digest(file, "sha256").digest())
            self._known[path] = known
        return Entry(path, FILE, mode, known[1], status.st_size, status.st_mtime_ns)
