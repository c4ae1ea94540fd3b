"""The tree's table of files, kept current: listed once, changed by what the operating system reports, counted little by little.

What must always hold: a view holds everything that changed after the cursor it was asked for, or everything; an error while watching
is survived, and shows as `watch_problem` until everything is watched again and was listed anew; no view waits for a tokenizer; the
selection is counted before anything else, and a workspace of any size costs a bounded number of counts.
"""

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from dce.panel.file_state import FileState, FilesView
from dce.panel.limits import BATCH_BYTES, BATCH_FILES
from dce.panel.supervision import Sleep, Supervisor
from dce.panel.threads import to_the_end
from dce.wire.errors import DceError
from dce.workspace.context.selection import Selection
from dce.workspace.context.tokens import TokenCounter
from dce.workspace.project import Project
from dce.workspace.tree.files import FileEntry, read_text
from dce.workspace.tree.listing import Listing
from dce.workspace.tree.watch import changes

Watch = Callable[[Project, threading.Event], Iterator[frozenset[str]]]
"""As `tree.watch.changes`: blocks, says that it works by an empty set, ends when the event is set."""


class FileTable:
    """The files of one workspace. Lives in one event loop; disk and git are in threads."""

    def __init__(
        self,
        project: Project,
        counter: Callable[[], TokenCounter],
        selection: Selection,
        watch: Watch = changes,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._project = project
        self._counter = counter
        self._selection = selection
        self._watch = watch
        self._sleep = sleep
        self._listing: Listing | None = None
        self._state = FileState()
        self._run = secrets.token_hex(4)
        self._changing = asyncio.Lock()  # whoever replaces the state holds it
        self._stop = threading.Event()
        self._may_count = asyncio.Event()
        self._uncounted = asyncio.Event()
        self._is_counting = True
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._watching = Supervisor("watching the files")

    @property
    def watch_problem(self) -> str:
        """Why changes on the disk are not followed at the moment; "" while they are."""
        return self._watching.problem

    def start(self, notify: Callable[[str], None]) -> None:
        """Watches and counts from now on; `notify` is called with "files", "counts" or "watch"."""

        def on_change() -> None:
            self._may_count.set()  # also if nothing can be watched
            notify("watch")

        self._watching = Supervisor("watching the files", on_change, self._sleep)
        counting = Supervisor("counting tokens", sleep=self._sleep)
        self._tasks = (
            asyncio.create_task(self._watching.run(lambda: self._follow(notify))),
            asyncio.create_task(counting.run(lambda: self._keep_counting(notify, counting.works))),
        )

    async def close(self) -> None:
        """Ends both. A read that has begun is waited for."""
        self._stop.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def entries(self) -> dict[str, FileEntry]:
        """The files by path, as they are known now."""
        await self._ensure_listed()
        return await asyncio.to_thread(self._state.entries)

    async def view(self, since: str = "", *, is_fresh: bool = False) -> FilesView:
        """The table, or what changed in it after the cursor `since`. `is_fresh`: lists everything anew first."""
        if is_fresh and self._listing is not None:
            async with self._changing:
                await self._relist()
        await self._ensure_listed()
        is_counting = self._is_counting and bool(self._tasks)
        return await asyncio.to_thread(self._state.view, self._run, self._position(since), is_counting=is_counting)

    def recount(self) -> None:
        """The selection changed: what is newly in it is counted next."""
        self._uncounted.set()

    def _position(self, since: str) -> int:
        """The revision that a cursor names; 0 for another run's, a made-up one and one that is too old."""
        run, _, revision = since.partition(":")
        if run != self._run or not (revision.isascii() and revision.isdigit()):
            return 0
        at = int(revision)
        return at if self._state.known_from <= at <= self._state.revision else 0

    async def _ensure_listed(self) -> None:
        async with self._changing:
            if self._listing is None:
                await self._relist()

    async def _relist(self) -> bool:
        """Lists everything anew; whether that found anything new. Under the lock."""
        self._listing = listing = await to_the_end(lambda: Listing(self._project))
        return await self._change(lambda state: state.listed(listing))

    async def _change(self, work: Callable[[FileState], FileState]) -> bool:
        """Replaces the state; whether the new one is another. Under the lock. In a thread, for there may be a hundred thousand files."""
        before = self._state
        self._state = await to_the_end(lambda: work(before))
        if self._state is before:
            return False
        self._uncounted.set()
        return True

    async def _follow(self, notify: Callable[[str], None]) -> None:
        """One watch, until it fails or the table is closed."""
        batches = self._watch(self._project, self._stop)
        is_first = True
        while (paths := await to_the_end(lambda: next(batches, None))) is not None:
            if is_first:
                # Only now is the watch known to work: nobody reported what changed before.
                is_new = await self._first_listing()
                is_first = False
                self._may_count.set()
            else:
                is_new = bool(paths) and await self._update(paths)
            if is_new:
                notify("files")
            self._watching.works()
        if not self._stop.is_set():
            raise RuntimeError("the watch ended by itself")

    async def _first_listing(self) -> bool:
        """Lists everything once the watch works; whether that found anything new."""
        async with self._changing:
            # An edit of the same length meanwhile shows in no listing, so whatever was counted without a watch is counted again.
            had_counts = await self._change(lambda state: state.uncounted(state.files))
            return await self._relist() or had_counts

    async def _update(self, paths: frozenset[str]) -> bool:
        """Looks at paths that may have changed; whether a window would show anything new."""
        async with self._changing:
            listing = self._listing
            if listing is None:
                return False
            changed = await to_the_end(lambda: listing.update(paths))
            is_known = any(path in self._state.files for path in paths)
            is_new = await self._change(lambda state: state.uncounted(paths).listed(listing, changed))
            return is_new or is_known

    async def _keep_counting(self, notify: Callable[[str], None], works: Callable[[], None]) -> None:
        # A count made before anyone watches would have to be made again.
        await self._may_count.wait()
        await self._ensure_listed()
        while True:
            self._uncounted.clear()
            self._is_counting = True
            failed: set[str] = set()
            while batch := self._next_batch(await asyncio.to_thread(self._selection.paths), failed):
                await self._count(batch, failed)
                notify("counts")
            wanted = await asyncio.to_thread(self._state.affordable)
            while not self._uncounted.is_set() and (batch := self._next_batch(wanted, failed)):
                await self._count(batch, failed)
                notify("counts")
            works()
            if not self._uncounted.is_set():
                self._is_counting = False
                notify("counts")
                await self._uncounted.wait()

    def _next_batch(self, wanted: Iterable[str], failed: set[str]) -> Sequence[str]:
        """What to count now: those of `wanted` that are not counted, up to the size of a batch."""
        batch: list[str] = []
        size = 0
        for path in wanted:
            if not self._is_wanted(path, failed):
                continue
            size += self._state.files[path].entry.size
            if batch and (len(batch) >= BATCH_FILES or size > BATCH_BYTES):
                break
            batch.append(path)
        return batch

    def _is_wanted(self, path: str, failed: set[str]) -> bool:
        file = self._state.files.get(path)
        return file is not None and file.count is None and not file.entry.excluded and path not in failed

    async def _count(self, paths: Sequence[str], failed: set[str]) -> None:
        """Counts some files; those that cannot be read go to `failed`: the table or the prompt says why."""
        before = {path: self._state.files[path] for path in paths}
        texts = await asyncio.to_thread(self._read, paths)
        counts = dict(zip(texts, await self._counter().count(list(texts.values())), strict=True))
        counted = {path: (before[path], count) for path, count in counts.items()}
        async with self._changing:
            state = self._state
            self._state = await to_the_end(lambda: state.counted(counted))
        # Also those that were written meanwhile: the watch reports them, and then they are counted again.
        failed.update(path for path in paths if (file := self._state.files.get(path)) is None or file.count is None)

    def _read(self, paths: Sequence[str]) -> dict[str, str]:
        pages = self._selection.pages()
        texts = {}
        for path in paths:
            try:
                texts[path] = read_text(self._project, path, pages.get(path, "")).text
            except DceError:
                continue
        return texts
