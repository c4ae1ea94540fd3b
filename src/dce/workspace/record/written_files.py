"""Files that DCE writes to a path chosen by the user (`--out F`, `export F`), and how they are distinguished from the user's own files.

What must always hold: a file is replaced only if it still has the content that DCE wrote, or on request (`--force`); nothing in `.dce`
or `.git` is ever replaced this way. DCE recognizes its own files by a hash, stored under the file's absolute path.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.project import STATE_DIR
from dce.workspace.record.meta import MetaStore

_KEY = "written:"
"""Key prefix in the meta table, followed by the file's path; the value is the hash of what was written."""

_CLOSED = frozenset({".git", STATE_DIR})


class WrittenFiles:
    """The files that DCE wrote for one workspace outside `.dce`."""

    def __init__(self, root: Path, store: MetaStore) -> None:
        self._root = root
        self._store = store

    @contextlib.contextmanager
    def draft(self, path: Path, *, is_forced: bool = False) -> Iterator[Path]:
        """An empty draft that the block fills and closes; it then replaces `path`, readable only by its owner.

        Raises DceError conflict for a file that DCE did not write or that was changed since (`is_forced` replaces it), and
        invalid_input if the file cannot be written.
        """
        place = Path(os.path.realpath(path.parent)) / path.name
        is_there = os.path.lexists(place)
        self._check(place, path, is_forced=is_forced)
        way = durable.replacing if is_there else durable.adding
        try:
            with way(place, durable.PRIVATE) as draft:
                yield draft
                sha256 = _sha256(draft)
        except FileExistsError as error:
            raise _not_ours(path, "appeared while it was being written") from error
        except OSError as error:
            raise DceError("invalid_input", f"{path} cannot be written: {error.strerror or error}") from error
        try:
            self._store.set(_KEY + str(place), sha256)
        except DceError as error:
            # The file is written, and a store that is read-only may be exported; without the note it is not replaced unasked.
            if error.code != "write_failed":
                raise

    def _check(self, place: Path, path: Path, *, is_forced: bool) -> None:
        if place.is_relative_to(self._root):
            closed = {part for part in place.relative_to(self._root).parts if part.casefold() in _CLOSED}
            if closed:
                raise DceError(
                    "invalid_input",
                    f"{path} cannot be written: DCE writes no such file into {closed.pop()}",
                    hint="Name another file.",
                )
        is_special = place.is_dir() or (
            place.exists() and not place.is_file()
        )  # `durable` refuses these and names the reason
        if is_forced or is_special or not os.path.lexists(place):
            return
        kept = self._store.get(_KEY + str(place))
        if kept is None:
            raise _not_ours(path, "is a file that DCE did not write")
        try:
            is_same = not place.is_symlink() and _sha256(place) == kept
        except OSError:  # an unreadable file is not known to be DCE's
            is_same = False
        if not is_same:
            raise _not_ours(path, "was changed since DCE wrote it")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_ours(path: Path, fact: str) -> DceError:
    return DceError(
        "conflict", f"{path} {fact}; nothing was written", hint="Name another file, or replace this one with --force."
    )
