"""The tree's table of files, kept up to date: listed once, changed by what the operating system tells, counted little by little.

What must always hold: a view says everything that changed after the cursor it was asked for, or everything; no look at it waits for a
tokenizer; the selection is counted before anything else, and a workspace of any size costs a bounded number of counts.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence

import msgspec

from dce.panel.context_schemas import FilesView
from dce.wire.errors import DceError
from dce.workspace.context.selection import Selection
from dce.workspace.context.tokens import Count, TokenCounter
from dce.workspace.project import Project
from dce.workspace.tree.extract import format_of
from dce.workspace.tree.files import FileEntry, read_text
from dce.workspace.tree.listing import Listing
from dce.workspace.tree.watch import changes

logger = logging.getLogger(__name__)

MAX_COUNTED_FILES = 2_000
MAX_COUNTED_BYTES = 8_000_000
"""Unselected files are read and counted up to these, smallest first; beyond, windows guess from the size, and show it as a guess."""

BATCH_FILES = 100
BATCH_BYTES = 500_000
"""How much is counted at a time: what a tokenizer on the same machine takes well under a second for."""

MAX_REMOVED = 10_000
"""Removed paths remembered for windows that ask for changes only; older cursors get everything."""


class Row(msgspec.Struct, frozen=True):
    """One file: what it is, what it costs (None: not counted), and the revision in which that last changed."""

    entry: FileEntry
    count: Count | None
    revision: int


class FileTable:
    """The files of one workspace. Lives in one event loop; disk and git are in threads."""

    def __init__(self, project: Project, counter: Callable[[], TokenCounter], selection: Selection) -> None:
        self._project = project
        self._counter = counter
        self._selection = selection
        self._listing: Listing | None = None
        self._rows: dict[str, Row] = {}
        self._removed: dict[str, int] = {}
        self._run = secrets.token_hex(4)
        self._revision = 0
        self._known_from = 0
        self._lock = asyncio.Lock()
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        self._is_counting = True
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    def start(self, changed: Callable[[str], None]) -> None:
        """Watches and counts from now on; `changed` is told "files" or "counts"."""
        self._tasks = (
            asyncio.create_task(self._watch(changed)),
            asyncio.create_task(self._count_on(changed)),
        )

    async def close(self) -> None:
        """Ends both. Whatever is being read meanwhile is waited for."""
        self._stop.set()
        if self._tasks:
            self._tasks[1].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def entries(self) -> dict[str, FileEntry]:
        """The files by path, as they are known now."""
        await self._ready()
        return {path: row.entry for path, row in self._rows.items()}

    async def view(self, since: str = "", *, is_fresh: bool = False) -> FilesView:
        """The table, or what changed in it after the cursor `since`. `is_fresh`: list everything anew first."""
        if is_fresh and self._listing is not None:
            async with self._lock:
                listing = await asyncio.to_thread(Listing, self._project)
                self._listing = listing
                self._take(listing, set(self._rows) | set(listing.paths()))
        await self._ready()
        at = self._position(since)
        rows = [row for row in self._rows.values() if row.revision > at] if at else list(self._rows.values())
        cursor = f"{self._run}:{self._revision}"
        removed = tuple(path for path, revision in self._removed.items() if at and revision > at)
        return await asyncio.to_thread(
            _view, rows, cursor, removed, is_whole=at == 0, is_counting=self._is_counting and bool(self._tasks)
        )

    def recount(self) -> None:
        """The selection changed: what is newly in it is counted next."""
        self._news.set()

    def _position(self, since: str) -> int:
        """The revision that a cursor names; 0 for another run's, a made-up one and one that is too old."""
        run, _, revision = since.partition(":")
        if run != self._run or not (revision.isascii() and revision.isdigit()):
            return 0
        at = int(revision)
        return at if self._known_from <= at <= self._revision else 0

    async def _ready(self) -> None:
        async with self._lock:
            if self._listing is None:
                listing = await asyncio.to_thread(Listing, self._project)
                self._listing = listing
                self._take(listing, listing.paths())

    def _take(self, listing: Listing, told: Iterable[str]) -> bool:
        """Takes over what the listing says of these paths; whether that is anything new."""
        revision = self._revision + 1
        is_new = False
        for path in told:
            entry, row = listing.get(path), self._rows.get(path)
            if entry is None:
                if self._rows.pop(path, None):
                    self._removed[path] = revision
                    is_new = True
            elif row is None or row.entry != entry:
                self._removed.pop(path, None)
                self._rows[path] = Row(entry, None, revision)
                is_new = True
        if is_new:
            self._revision = revision
            self._news.set()
        if len(self._removed) > MAX_REMOVED:
            self._removed.clear()
            self._known_from = self._revision
        return is_new

    async def _watch(self, changed: Callable[[str], None]) -> None:
        try:
            await self._ready()
            changed("counts")
            async for paths in changes(self._project, self._stop):
                async with self._lock:
                    if self._listing is None:
                        continue
                    told = await asyncio.to_thread(self._listing.update, paths)
                    touched = {path for path in paths if path in self._rows}
                    self._recount(touched)
                    is_new = self._take(self._listing, told)
                if is_new or touched:
                    changed("files")
        except (DceError, OSError, RuntimeError) as error:
            logger.warning("the workspace cannot be watched: %s", error)

    def _recount(self, paths: Iterable[str]) -> None:
        """Files that were written may have another count even at the same size."""
        revision = self._revision + 1
        for path in paths:
            row = self._rows[path]
            if row.count is not None:
                self._rows[path] = Row(row.entry, None, revision)
                self._revision = revision
                self._news.set()

    async def _count_on(self, changed: Callable[[str], None]) -> None:
        await self._ready()
        while True:
            self._news.clear()
            self._is_counting = True
            failed: set[str] = set()
            while batch := self._first(await asyncio.to_thread(self._selection.paths), failed):
                await self._count(batch, failed)
                changed("counts")
            # A copy: rows may change while a thread sorts a hundred thousand of them.
            wanted = await asyncio.to_thread(_affordable, list(self._rows.values()))
            while not self._news.is_set() and (batch := self._first(wanted, failed)):
                await self._count(batch, failed)
                changed("counts")
            if not self._news.is_set():
                self._is_counting = False
                changed("counts")
                await self._news.wait()

    def _first(self, wanted: Iterable[str], failed: set[str]) -> Sequence[str]:
        """What to count now: those of `wanted` that are not counted, up to what is counted at a time."""
        batch: list[str] = []
        size = 0
        for path in wanted:
            if not self._is_wanted(path, failed):
                continue
            size += self._rows[path].entry.size
            if batch and (len(batch) >= BATCH_FILES or size > BATCH_BYTES):
                break
            batch.append(path)
        return batch

    def _is_wanted(self, path: str, failed: set[str]) -> bool:
        row = self._rows.get(path)
        return row is not None and row.count is None and not row.entry.excluded and path not in failed

    async def _count(self, paths: Sequence[str], failed: set[str]) -> None:
        """Counts some files; those that cannot be read go to `failed`, their rows say why or the prompt does."""
        before = {path: self._rows[path] for path in paths}
        texts = await asyncio.to_thread(self._read, paths)
        failed.update(set(paths) - set(texts))
        counts = dict(zip(texts, await self._counter().count(list(texts.values())), strict=True))
        revision = self._revision + 1
        for path, count in counts.items():
            if self._rows.get(path) is before[path]:
                self._rows[path] = Row(before[path].entry, count, revision)
                self._revision = revision
            else:
                failed.add(path)  # written meanwhile: its turn comes with the news of that

    def _read(self, paths: Sequence[str]) -> dict[str, str]:
        pages = self._selection.pages()
        texts = {}
        for path in paths:
            try:
                texts[path] = read_text(self._project, path, pages.get(path, "")).text
            except DceError:
                continue
        return texts


def _affordable(rows: list[Row]) -> Sequence[str]:
    """The files that are counted without being selected: the smallest, within the limits."""
    usable = sorted(
        (row for row in rows if not row.entry.excluded and not format_of(row.entry.path)),
        key=lambda row: row.entry.size,
    )
    size, wanted = 0, []
    for row in usable[:MAX_COUNTED_FILES]:
        size += row.entry.size
        if size > MAX_COUNTED_BYTES:
            break
        wanted.append(row.entry.path)
    return wanted


def _view(rows: list[Row], cursor: str, removed: tuple[str, ...], *, is_whole: bool, is_counting: bool) -> FilesView:
    rows.sort(key=lambda row: row.entry.path)
    return FilesView(
        cursor=cursor,
        is_whole=is_whole,
        is_counting=is_counting,
        paths=tuple(row.entry.path for row in rows),
        sizes=tuple(row.entry.size for row in rows),
        tokens=tuple(None if row.count is None else row.count.tokens for row in rows),
        exact="".join("1" if row.count is not None and row.count.exact else "0" for row in rows),
        excluded={row.entry.path: row.entry.excluded for row in rows if row.entry.excluded},
        documents=tuple(row.entry.path for row in rows if format_of(row.entry.path)),
        removed=removed,
    )
