"""The table of files as it goes to a window: columns instead of rows, so that a hundred thousand files cost little."""

from collections.abc import Sequence

import msgspec

from dce.panel.limits import MAX_COUNTED_BYTES, MAX_COUNTED_FILES
from dce.workspace.context.tokens import Count
from dce.workspace.tree.extract import format_of
from dce.workspace.tree.files import FileEntry


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


def affordable(files: list[TrackedFile]) -> Sequence[str]:
    """The files that are counted without being selected: the smallest, within the limits."""
    usable = sorted(
        (file for file in files if not file.entry.excluded and not format_of(file.entry.path)),
        key=lambda file: file.entry.size,
    )
    size, wanted = 0, []
    for file in usable[:MAX_COUNTED_FILES]:
        size += file.entry.size
        if size > MAX_COUNTED_BYTES:
            break
        wanted.append(file.entry.path)
    return wanted


def files_view(
    files: list[TrackedFile], cursor: str, removed: tuple[str, ...], *, is_whole: bool, is_counting: bool
) -> FilesView:
    """The columns of some files. Sorts `files` in place."""
    files.sort(key=lambda file: file.entry.path)
    return FilesView(
        cursor=cursor,
        is_whole=is_whole,
        is_counting=is_counting,
        paths=tuple(file.entry.path for file in files),
        sizes=tuple(file.entry.size for file in files),
        tokens=tuple(None if file.count is None else file.count.tokens for file in files),
        exact="".join("1" if file.count is not None and file.count.exact else "0" for file in files),
        excluded={file.entry.path: file.entry.excluded for file in files if file.entry.excluded},
        documents=tuple(file.entry.path for file in files if format_of(file.entry.path)),
        removed=removed,
    )
