"""Keeps the state of the workspace before an acceptance, so that it can be restored exactly; the only code that writes its files.

Invariants: before the first file changes, every pre-image (bytes and mode) and the list of files to be written are durable in
the store; a file is replaced whole, by a rename, and only if its content is still the expected one (one with several names is written
in place, with both its contents in the store); an acceptance interrupted by a crash or an error is undone. In a git repository, the baseline is also committed under a private ref; HEAD, the index and
branches do not change.

    planned ──▶ applied ──▶ planned ──▶ restored ──▶ planned ──▶ applied
       ├───────────────────────┴───────────────────────┴──▶ restored   finished, or undone again, by `recover`
       └──────────────────────────────────────────────────▶ undone     never applied: undone by `recover` or after an error

`planned` means that some files may be written and others not, so the pre-images are authoritative. In this state, a row that has
been in force before has a `restored_at`.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.accepting.git_baseline import keep_in_git
from dce.workspace.accepting.journal import (
    Acceptance,
    AcceptedFile,
    Change,
    Content,
    Journal,
    PlannedWrite,
    acceptance_of,
    as_json,
    before_of,
    journal_of,
    sha256_of,
    stands,
)
from dce.workspace.accepting.overwrite import is_half_written
from dce.workspace.accepting.replace import (
    Move,
    OnStep,
    carry_out,
    look_at,
    missing_folders,
    no_step,
    temporary_of,
)
from dce.workspace.file_update import not_lockable
from dce.workspace.judging.compare import count_lines
from dce.workspace.judging.opened import Workspace
from dce.workspace.record.acceptances import AcceptanceRow
from dce.workspace.record.picks import Pick
from dce.workspace.record.responses import Response
from dce.workspace.tree.current import Current, with_executable

LOCK_FILE = "accept.lock"


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be written: its new bytes (None: it is deleted), and its present bytes and mode (None: it does not exist).

    `executable`, `from_path`, `slot` and `also` as in `AcceptedFile`. `in_place`: it has other names (hard links), which change with it.
    """

    path: str
    data: bytes | None
    before: bytes | None
    mode: int | None
    slot: int = 0
    also: tuple[int, ...] = ()
    from_path: str = ""
    executable: bool | None = None
    in_place: bool = False


def apply(
    workspace: Workspace,
    response: Response,
    writes: Sequence[Write],
    on_step: OnStep = no_step,
    pick: Pick | None = None,
) -> Acceptance:
    """Writes all files or none, and records it in the journal, with the `pick`. The caller holds the writer lock.

    Raises DceError stale_file if a file changes during the write, write_failed if a write fails; the workspace is then as before.
    """
    project, store = workspace.project, workspace.store
    written = [write.data for write in writes if write.in_place and write.data is not None]
    store.blobs.put_all([*(write.before for write in writes if write.before is not None), *written])
    files = tuple(_accepted(write) for write in writes)
    made = missing_folders(project, [write.path for write in writes if write.data is not None])
    journal = Journal(files=files, created_folders=made)
    row = store.acceptances.insert(
        response.generation, response.slot, response.version, as_json(journal), workspace.clock(), pick
    )
    moves = [
        Move(
            number=number,
            path=write.path,
            expected_sha256=file.before_sha256 or "",
            data=write.data,
            mode=write.mode,
            executable=write.executable,
            in_place=write.in_place,
        )
        for number, (write, file) in enumerate(zip(writes, files, strict=True))
    ]
    try:
        on_step("planned")
        kept = keep_in_git(project.root, row.id, [write.path for write in writes if write.before is not None])
        carry_out(project, row.id, moves, on_step)
        journal = msgspec.structs.replace(journal, git=kept)
        row = store.acceptances.set(row.id, "applied", files=as_json(journal))
    except BaseException as error:
        _undo_after(workspace, row, error)
        if isinstance(error, OSError):
            raise write_failed(error) from error
        raise
    on_step("applied")
    return acceptance_of(store, row)


def _accepted(write: Write) -> AcceptedFile:
    return AcceptedFile(
        path=write.path,
        before_sha256=None if write.before is None else sha256_of(write.before),
        after_sha256=None if write.data is None else sha256_of(write.data),
        mode=write.mode,
        slot=write.slot,
        also=write.also,
        from_path=write.from_path,
        executable=write.executable,
        in_place=write.in_place,
    )


def recover(workspace: Workspace) -> list[PlannedWrite]:
    """Undoes acceptances and finishes restores that a crash interrupted. Returns what was done to each file; `refused`: edited
    since and left alone.

    Does nothing while another process holds the writer lock: that process is alive and does this itself.
    """
    if not workspace.store.acceptances.list("planned"):
        return []
    try:
        with changing(workspace, "recover") as recovered:
            return recovered
    except DceError as error:
        if error.code == "workspace_locked":
            return []
        raise


@contextlib.contextmanager
def changing(workspace: Workspace, verb: str) -> Iterator[list[PlannedWrite]]:
    """The lock to hold while files change. Recovers first, and yields what that did. Raises DceError workspace_locked.

    The writer lock excludes other processes, but one process may hold it several times (a panel accepts while it generates).
    This lock opens its file afresh each time, so it also excludes other threads of this process.
    """
    import filelock  # noqa: PLC0415 - most verbs only read

    with workspace.writer_lock(verb):
        lock = filelock.FileLock(workspace.project.state_dir / LOCK_FILE, timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise DceError(
                "workspace_locked",
                "another accept or restore is running in this workspace",
                hint="Wait for it to finish, then try again.",
            ) from error
        except OSError as error:
            raise not_lockable(Path(lock.lock_file), error) from error
        try:
            yield recover_locked(workspace)
        finally:
            lock.release()


def recover_locked(workspace: Workspace) -> list[PlannedWrite]:
    """As `recover`, for a caller who holds the writer lock."""
    done: list[PlannedWrite] = []
    for row in workspace.store.acceptances.list("planned"):
        done += _recovered(workspace, row)
        try:
            move_files(workspace, row, before_of, no_step)
        except OSError as error:
            raise write_failed(error, is_half=True) from error
        remove_folders(workspace, row)
        _end(workspace, row)
        choose_again(workspace, row)
    return done


def _recovered(workspace: Workspace, row: AcceptanceRow) -> list[PlannedWrite]:
    """What recovering does to each file; a file edited since is `refused` and left alone."""
    done = []
    for file in journal_of(row).files:
        current = look_at(workspace.project, file.path)
        place = _place_of(workspace, current, file)
        if current is None or place == "edited":
            done.append(PlannedWrite(path=file.path, change="modified", refused="edited since", code="stale_file"))
        elif place == "before":
            done.append(PlannedWrite(path=file.path, change="same"))
        else:
            before = None if file.before_sha256 is None else workspace.store.blobs.get(file.before_sha256)
            added, removed = count_lines(current.text, current.form.text_written(before or b""))
            change: Change = "deleted" if before is None else "modified"
            done.append(PlannedWrite(path=file.path, change=change, added=added, removed=removed))
    return done


def _end(workspace: Workspace, row: AcceptanceRow) -> None:
    """Sets the final state of a row whose files were put back: restored if it has been in force, else undone."""
    was_in_force = row.restored_at is not None
    workspace.store.acceptances.set(row.id, "restored" if was_in_force else "undone", restored_at=row.restored_at)


def move_files(
    workspace: Workspace, row: AcceptanceRow, side: Callable[[AcceptedFile], Content], on_step: OnStep
) -> None:
    """Brings every file of an acceptance to one side (`before_of`, `after_of`), except files edited since. Idempotent.

    Also removes temporary files that a crash left behind.
    """
    project, journal = workspace.project, journal_of(row)
    wanted = "before" if side is before_of else "after"
    moves = []
    for number, file in enumerate(journal.files):
        current = look_at(project, file.path)
        if current is None:
            continue
        temporary_of(current.target, row.id, number).unlink(missing_ok=True)
        place = _place_of(workspace, current, file)
        if place in {"edited", wanted}:
            continue
        sha256, mode, executable = side(file)
        if current.mode not in {None, file.mode, with_executable(file.mode, file.executable)}:
            mode, executable = current.mode, None  # set by the user's own `chmod`, not by the acceptance
        moves.append(
            Move(
                number=number,
                path=file.path,
                expected_sha256=current.sha256,
                data=None if sha256 is None else workspace.store.blobs.get(sha256),
                mode=mode,
                executable=executable,
                in_place=current.inode is not None and _contents(workspace, file) is not None,
            )
        )
    carry_out(project, row.id, moves, on_step)


def _place_of(
    workspace: Workspace, current: Current | None, file: AcceptedFile
) -> Literal["before", "after", "edited", "half"]:
    """As `stands`; `half` for a file that was being written in place when the work stopped."""
    place = stands(current, file)
    if place != "edited" or current is None or current.data is None or not (file.in_place or current.inode):
        return place
    both = _contents(workspace, file)
    return "half" if both and is_half_written(current.data, *both) else "edited"


def _contents(workspace: Workspace, file: AcceptedFile) -> tuple[bytes, bytes] | None:
    """The file before and after, if it existed in both states and the store has both: only then can it be written in place."""
    if file.before_sha256 is None or file.after_sha256 is None:
        return None
    try:
        return workspace.store.blobs.get(file.before_sha256), workspace.store.blobs.get(file.after_sha256)
    except DceError:
        return None


def remove_folders(workspace: Workspace, row: AcceptanceRow) -> None:
    """Removes the folders that an acceptance created, if they are empty again."""
    for folder in reversed(journal_of(row).created_folders):
        path = workspace.project.root / folder
        if look_at(workspace.project, folder) is not None:
            with contextlib.suppress(OSError):  # not empty: it contains other files now
                path.rmdir()
                durable.sync_folder(path.parent)


def _undo_after(workspace: Workspace, row: AcceptanceRow, error: BaseException) -> None:
    """Undoes a failed acceptance. If that fails too, it stays `planned` and `recover` tries again."""
    try:
        move_files(workspace, row, before_of, no_step)
        remove_folders(workspace, row)
    except (OSError, DceError) as second:
        error.add_note(f"taking it back failed too ({second}); the next accept or restore tries again")
        if isinstance(error, OSError):
            raise write_failed(error, is_half=True) from error
        return
    workspace.store.acceptances.set(row.id, "undone")


def choose_again(workspace: Workspace, row: AcceptanceRow) -> None:
    """Sets the cycle's choice to the newest acceptance of that cycle still in force, or to none."""
    store = workspace.store
    cycle = store.generations.get(row.generation).cycle
    generation = slot = None
    for other in store.acceptances.list("applied"):
        if store.generations.get(other.generation).cycle == cycle:
            generation, slot = other.generation, other.slot
            break
    with contextlib.suppress(DceError):  # the cycle was deleted meanwhile
        store.cycles.choose(cycle, generation, slot, at=workspace.clock())


def write_failed(error: OSError, *, is_half: bool = False) -> DceError:
    fact = f"{error.filename or 'a file'} cannot be written: {error.strerror or error}"
    if is_half:
        return DceError(
            "write_failed",
            f"{fact}; some files are written and others are not",
            hint="Free disk space or correct the permissions; the next accept or restore puts the files back first.",
        )
    return DceError("write_failed", f"{fact}; the workspace is as it was")
