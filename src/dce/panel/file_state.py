"""The table of files at one moment: every change makes a new state, so that threads read one while the next is being made.

What must always hold: a state is never changed; a file's revision is the state's in which it last changed, so that what changed after
a cursor can be told from the states alone.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dce.panel.limits import MAX_COUNTED_BYTES, MAX_COUNTED_FILES, MAX_REMOVED_PATHS
from dce.workspace.context.tokens import Count
from dce.workspace.tree.extract import format_of
from dce.workspace.tree.files import FileEntry
from dce.workspace.tree.listing import Listing


class FilesView(msgspec.Struct, frozen=True, kw_only=True):
    """The files as columns, sorted by path, so that a hundred thousand of them cost little; only what changed if `is_whole` is false.

    `tokens` are None where nothing was counted (the window estimates from `sizes`, in bytes); `exact` holds a character a file, `1` if
    the tokenizer itself counted. `excluded`: why a file cannot go into a prompt. `documents`: files whose text is extracted. `removed`:
    files that are gone since the cursor.
    """

    cursor: str
    is_whole: bool
    is_counting: bool
    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    tokens: tuple[int | None, ...]
    exact: str
    excluded: dict[str, str]
    documents: tuple[str, ...]
    removed: tuple[str, ...]


class TrackedFile(msgspec.Struct, frozen=True):
    """One file: what it is, what it costs (None: not counted), and the revision in which that last changed."""

    entry: FileEntry
    count: Count | None
    revision: int


class FileState(msgspec.Struct, frozen=True, kw_only=True):
    """The files by path, those that are gone by the revision in which they went, and from which cursor on that is complete."""

    files: Mapping[str, TrackedFile] = {}
    removed: Mapping[str, int] = {}
    revision: int = 0
    known_from: int = 0

    def listed(self, listing: Listing, paths: Iterable[str] | None = None) -> "FileState":
        """With what the listing has at these paths (None: everywhere). The same state if that is nothing new."""
        revision = self.revision + 1
        files, removed = dict(self.files), dict(self.removed)
        is_new = False
        for path in self.files.keys() | listing.paths() if paths is None else paths:
            entry, file = listing.get(path), files.get(path)
            if entry is None:
                if files.pop(path, None):
                    removed[path] = revision
                    is_new = True
            elif file is None or file.entry != entry:
                removed.pop(path, None)
                files[path] = TrackedFile(entry, None, revision)
                is_new = True
        if not is_new:
            return self
        is_forgotten = len(removed) > MAX_REMOVED_PATHS
        return FileState(
            files=files,
            removed={} if is_forgotten else removed,
            revision=revision,
            known_from=revision if is_forgotten else self.known_from,
        )

    def uncounted(self, paths: Iterable[str]) -> "FileState":
        """Without the counts of these files: one that was written may have another count even at the same size."""
        counted = [path for path in paths if path in self.files and self.files[path].count is not None]
        return self._with({path: (self.files[path], None) for path in counted})

    def counted(self, counts: Mapping[str, tuple[TrackedFile, Count]]) -> "FileState":
        """With the counts of files that are still those that were counted; a file written meanwhile is another."""
        return self._with({path: pair for path, pair in counts.items() if self.files.get(path) is pair[0]})

    def _with(self, counts: Mapping[str, tuple[TrackedFile, Count | None]]) -> "FileState":
        if not counts:
            return self
        revision = self.revision + 1
        new = {path: TrackedFile(file.entry, count, revision) for path, (file, count) in counts.items()}
        return msgspec.structs.replace(self, files={**self.files, **new}, revision=revision)

    def entries(self) -> dict[str, FileEntry]:
        """The files as the listing has them."""
        return {path: file.entry for path, file in self.files.items()}

    def affordable(self) -> Sequence[str]:
        """The files that are counted without being selected: the smallest, within the limits."""
        usable = sorted(
            (file for file in self.files.values() if not file.entry.excluded and not format_of(file.entry.path)),
            key=lambda file: file.entry.size,
        )
        size, wanted = 0, []
        for file in usable[:MAX_COUNTED_FILES]:
            size += file.entry.size
            if size > MAX_COUNTED_BYTES:
                break
            wanted.append(file.entry.path)
        return wanted

    def view(self, run: str, since: int, *, is_counting: bool) -> FilesView:
        """What changed after a revision, as columns; 0: everything. `run` names this table in the cursor."""
        files = sorted(
            (file for file in self.files.values() if file.revision > since), key=lambda file: file.entry.path
        )
        return FilesView(
            cursor=f"{run}:{self.revision}",
            is_whole=since == 0,
            is_counting=is_counting,
            paths=tuple(file.entry.path for file in files),
            sizes=tuple(file.entry.size for file in files),
            tokens=tuple(None if file.count is None else file.count.tokens for file in files),
            exact="".join("1" if file.count is not None and file.count.exact else "0" for file in files),
            excluded={file.entry.path: file.entry.excluded for file in files if file.entry.excluded},
            documents=tuple(file.entry.path for file in files if format_of(file.entry.path)),
            removed=tuple(path for path, revision in self.removed.items() if since and revision > since),
        )
