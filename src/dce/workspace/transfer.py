"""Exports and imports a workspace's history: picks the reader for a file and handles backup, lock and selection around it.

What must always hold: an import is fully checked, then stored in one transaction after a backup; the imported file is never changed
(databases are read from a copy); a file is imported twice only on explicit request.
"""

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from dce.wire.errors import DceError
from dce.workspace.context.selection import Selection
from dce.workspace.project import Project
from dce.workspace.record.archive import Checker, Header, Record, header_of, read_bundle, write_bundle
from dce.workspace.record.export import records_of
from dce.workspace.record.migrations import APPLICATION_ID
from dce.workspace.record.original_history import read_database, read_json
from dce.workspace.record.selected_files import SetFile
from dce.workspace.record.store import STORE_FILE, Store
from dce.workspace.tree.extract import format_of
from dce.workspace.workspace import Workspace

_SQLITE = b"SQLite format 3\x00"
_BUNDLE = b'{"type":"header"'

MAX_JSON_BYTES = 1024 * 1024 * 1024
"""Largest JSON history that is read into memory; the largest known one has a tenth of this."""

Records = Callable[[], Iterable[Record]]
"""Returns the records of a file from the beginning, on every call."""


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was imported. `cycles` maps cycle numbers in the file to numbers here; `sets`: imported named selections; `missing`:
    selected files that are not in this workspace.
    """

    name: str
    cycles: dict[int, int]
    generations: int
    responses: int
    selected: tuple[str, ...]
    sets: tuple[str, ...]
    missing: tuple[str, ...]
    backup: str


def export_history(
    workspace: Workspace, path: Path, only: Iterable[int] | None = None, *, is_forced: bool = False
) -> int:
    """Writes a bundle of all cycles (or of some) to `path` and returns its line count. It contains project texts, so only its owner may read it.

    Raises DceError not_found, invalid_input, and conflict for a file that DCE did not write, unless `is_forced`.
    """
    with workspace.written.draft(path, is_forced=is_forced) as draft:
        return export_bundle(workspace, draft, only)


def export_bundle(workspace: Workspace, draft: Path, only: Iterable[int] | None = None) -> int:
    """Writes the bundle into the caller's own file and returns its line count. Raises DceError not_found, OSError."""
    selection = workspace.selection
    header = header_of(selection.as_shown(), selection.sets_as_shown(), workspace.clock())
    return write_bundle(draft, records_of(workspace.store, header, only))


def import_history(workspace: Workspace, path: Path, *, again: bool = False) -> ImportReport:
    """Adds the history in `path` (a bundle, a DCE store, or the original tool's JSON or database) to this workspace's.

    Existing data is not changed, except that an empty project scope or selection is filled. Raises DceError invalid_input (not a
    complete history), conflict (this file was imported before), workspace_locked. After an error nothing has changed.
    """
    try:
        sha256 = _sha256(path)
        if workspace.store.imports.has(sha256) and not again:
            raise DceError("conflict", f"{path.name} was imported before", hint="Use --again to import it once more.")
        with _opened(path) as records:
            Checker().check_all(records())
            with workspace.writer_lock("import"):
                backup = workspace.backups.take()
                done = workspace.store.imports.take(path.name, sha256, records(), workspace.clock())
            header = next(iter(records()))
    except OSError as error:
        raise DceError("invalid_input", f"{path} cannot be read: {error.strerror or error}") from error
    header = header if isinstance(header, Header) else Header()
    selected, missing = _select(workspace, header.selected())
    sets = _keep_sets(workspace, header.named_sets())
    return ImportReport(
        name=done.name,
        cycles=done.cycles,
        generations=done.generations,
        responses=done.responses,
        selected=selected,
        sets=sets,
        missing=missing,
        backup=str(backup),
    )


def _select(workspace: Workspace, files: Iterable[SetFile]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """If nothing is selected yet, restores the bundle's selection with its levels of detail. Returns selected and missing paths."""
    if workspace.selection.paths():
        return (), ()
    wanted = tuple(files)
    missing = _add(workspace.selection, [file.path for file in wanted])
    selected = set(workspace.selection.paths())
    for file in wanted:
        if file.path not in selected:
            continue
        if file.show != "full":
            workspace.selection.show([file.path], file.show)
        if file.pages and format_of(file.path):
            workspace.selection.show_pages(file.path, file.pages)
    return tuple(sorted(selected)), tuple(sorted(missing))


def _add(selection: Selection, paths: Sequence[str]) -> set[str]:
    """Selects the paths that can be selected, in one step if all can, and returns the others."""
    try:
        selection.add(paths)
    except DceError:
        missing = set()
        for path in paths:
            try:
                selection.add([path])
            except DceError:  # not in this workspace, or not a file that may be selected
                missing.add(path)
        return missing
    return set()


def _keep_sets(workspace: Workspace, sets: Mapping[str, tuple[SetFile, ...]]) -> tuple[str, ...]:
    """Saves the named selections whose names are not taken here and returns their names."""
    fresh = tuple(name for name in sets if name not in workspace.selection.sets())
    for name in fresh:
        workspace.selection.save(name, sets[name])
    return fresh


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[Records]:
    """The records of a file of any supported kind. Raises DceError invalid_input."""
    with path.open("rb") as file:
        start = file.read(64)
        size = path.stat().st_size
    if start.startswith(_BUNDLE):
        yield lambda: read_bundle(path)
    elif start.startswith(_SQLITE):
        with tempfile.TemporaryDirectory(prefix="dce-import-") as folder:
            yield _of_database(_copied(path, Path(folder)), path.name)
    elif size > MAX_JSON_BYTES:
        raise DceError("invalid_input", f"{path.name} has {size:,} bytes; the limit is {MAX_JSON_BYTES:,}")
    else:
        found = read_json(path.read_bytes(), path.name)
        yield lambda: found


def _copied(path: Path, folder: Path) -> Path:
    """A copy that includes the write-ahead log: opening the original would change files next to it."""
    for suffix in ("", "-wal"):
        beside = path.with_name(path.name + suffix)
        if beside.is_file():
            shutil.copyfile(beside, folder / (STORE_FILE + suffix))
    return folder / STORE_FILE


def _of_database(copy: Path, name: str) -> Records:
    try:
        with closing(sqlite3.connect(copy)) as db:
            is_ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    except sqlite3.Error as error:
        raise DceError("invalid_input", f"{name} cannot be read: {error}", hint="Nothing was changed.") from error
    if not is_ours:
        found = read_database(copy, name)
        return lambda: found
    return lambda: _of_store(copy)


def _of_store(copy: Path) -> Iterator[Record]:
    with Store(copy) as store, tempfile.TemporaryDirectory(prefix="dce-import-") as nowhere:
        selection = Selection(Project(Path(nowhere)), store.meta)  # the selection does not depend on which files exist
        yield from records_of(store, header_of(selection.as_shown(), {}))
