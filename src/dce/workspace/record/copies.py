"""Private copies of the store's files, so that a damaged store can be examined and read without changing it."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dce.wire.errors import DceError
from dce.workspace.record.migrations import APPLICATION_ID, migrate
from dce.workspace.record.write_ahead_log import committed_pages, log_path

_MAGIC = b"SQLite format 3\x00"
_APPLICATION_AT, _PAGES_AT, _COUNTER_AT, _VALID_FOR_AT = 68, 28, 24, 92
"""Offsets in the header of an SQLite database."""

_PAGE_SIZE = 4096
"""SQLite's page size in every store: DCE never sets another."""

_LEAF = 13
"""The first byte of a table's page that has no children."""

_ATTEMPTS = 5
"""Attempts to copy the files while another process writes."""


class Copies:
    """The ways to read one store: the file with its log, the file alone, and the log without the file."""

    def __init__(self, store_path: Path, folder: Path) -> None:
        self._folder = folder
        self._path = _copied(store_path, folder / "both")
        self.has_log = log_path(self._path).exists() and log_path(self._path).stat().st_size > 0
        self.has_file = self._path.exists() and self._path.stat().st_size > 0
        if self.has_file:
            _drop_part_of_a_page(self._path)

    def is_ours(self) -> bool:
        """Whether the file's own header names DCE as the application."""
        head = self._head()
        return head[:16] == _MAGIC and head[_APPLICATION_AT:][:4] == APPLICATION_ID.to_bytes(4, "big")

    def is_database(self) -> bool:
        """Whether the file begins with SQLite's magic bytes."""
        return self._head()[:16] == _MAGIC

    def with_log(self) -> Path:
        """File and log, as SQLite reads them together."""
        return self._path

    def without_log(self) -> Path:
        """The file without its log."""
        path = self._folder / "alone" / self._path.name
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(self._path, path)
        return path

    def with_readable_log(self) -> Path:
        """The file with every readable frame of the log, also those after a damaged one, which SQLite would skip."""
        pages = self._logged_pages()
        return self._laid_out("readable", pages, pages[1])

    def with_own_schema(self) -> Path:
        """File and log with the texts of DCE's schema written over the store's own: it may have a table elsewhere than a fresh store.

        Raises sqlite3.Error if the schema's rows cannot be read.
        """
        path = self._laid_out("schema", pages := self._logged_pages(), pages[1])
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
            migrate(fresh)
            wanted = fresh.execute("SELECT rowid, type, name, tbl_name, sql FROM sqlite_schema").fetchall()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.text_factory = bytes
            db.execute("PRAGMA writable_schema = ON")  # reads past a text that is no SQL
            own = dict(db.execute("SELECT name, rowid FROM sqlite_schema").fetchall())
            for rowid, kind, name, table, text in wanted:
                db.execute(
                    "UPDATE sqlite_schema SET type = ?, name = ?, tbl_name = ?, sql = ? WHERE rowid = ?",
                    (kind, name, table, text, own.get(name.encode(), rowid)),
                )
        return path

    def rebuilt(self) -> Path:
        """A readable database where the schema is lost: the pages of file and log, laid over those of a fresh store.

        A store's tables begin on the same pages as those of a fresh store, so the pages of the schema can be taken from the fresh one.
        """
        path = self._folder / "fresh" / self._path.name
        path.parent.mkdir(exist_ok=True)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            migrate(db)
            db.execute("DELETE FROM cycles")  # nothing of a fresh store must pass for a recovered row
        fresh = dict(enumerate(_split(path.read_bytes(), _PAGE_SIZE), 1))
        schema = {number: fresh[number] for number in _schema_pages(fresh)}
        return self._laid_out("grafted", fresh | self._logged_pages() | schema, fresh[1])

    def _logged_pages(self) -> dict[int, bytes]:
        own = dict(enumerate(_split(self._path.read_bytes(), _PAGE_SIZE), 1)) if self.has_file else {}
        logged = committed_pages(log_path(self._path))
        return own | {number: page for number, page in logged.items() if len(page) == _PAGE_SIZE}

    def _laid_out(self, name: str, pages: dict[int, bytes], first_page: bytes) -> Path:
        """A database of these pages that needs no log."""
        path = self._folder / name / self._path.name
        path.parent.mkdir(exist_ok=True)
        first = bytearray(first_page)
        first[_PAGES_AT : _PAGES_AT + 4] = max(pages).to_bytes(4, "big")
        first[_VALID_FOR_AT : _VALID_FOR_AT + 4] = first[_COUNTER_AT : _COUNTER_AT + 4]
        first[18:20] = b"\x01\x01"
        with path.open("wb") as file:
            file.write(first)
            file.writelines(pages.get(at, bytes(_PAGE_SIZE)) for at in range(2, max(pages) + 1))
        return path

    def _head(self) -> bytes:
        if not self.has_file:
            return b""
        with self._path.open("rb") as file:
            return file.read(100)


@contextlib.contextmanager
def copies_of(store_path: Path) -> Iterator[Copies]:
    """Copies in a private temporary folder, deleted after the block."""
    with tempfile.TemporaryDirectory(prefix="dce-store-") as folder:
        yield Copies(store_path, Path(folder))


def states_of(store_path: Path) -> list[tuple[int, int] | None]:
    """Modification times and sizes of file and log; equal as long as nobody writes."""
    parts = (store_path, log_path(store_path))
    return [(part.stat().st_mtime_ns, part.stat().st_size) if part.is_file() else None for part in parts]


def _copied(store_path: Path, folder: Path) -> Path:
    """A consistent copy of file and log; copied again if either changed meanwhile. Raises DceError workspace_locked."""
    folder.mkdir()
    for _ in range(_ATTEMPTS):
        before = states_of(store_path)
        for part in (store_path, log_path(store_path)):
            (folder / part.name).unlink(missing_ok=True)
            if part.is_file():
                shutil.copyfile(part, folder / part.name)
        if states_of(store_path) == before:
            return folder / store_path.name
    raise DceError("workspace_locked", f"{store_path} is being written to continuously")


def _drop_part_of_a_page(path: Path) -> None:
    """Shortens a copy to whole pages. SQLite reads what is missing of a page as zeros, and would give rows with zeros in their text."""
    size = path.stat().st_size
    if size > _PAGE_SIZE:
        os.truncate(path, size - size % _PAGE_SIZE)


def _schema_pages(pages: dict[int, bytes]) -> list[int]:
    """The first page, and the leaves of the schema's table if it has outgrown that page."""
    first = pages[1]
    if first[100] == _LEAF:
        return [1]
    cells = int.from_bytes(first[103:105], "big")
    starts = [int.from_bytes(first[at : at + 2], "big") for at in range(112, 112 + 2 * cells, 2)]
    return [1, int.from_bytes(first[108:112], "big"), *(int.from_bytes(first[at : at + 4], "big") for at in starts)]


def _split(content: bytes, page_size: int) -> list[bytes]:
    pages = [content[at : at + page_size] for at in range(0, len(content), page_size)]
    return [page.ljust(page_size, b"\0") for page in pages]
