"""What the workspace was before an acceptance, kept so that it can be put back exactly; and the only code that writes its files.

What must always hold: before the first file changes, every pre-image (bytes and mode) and the list of files to come are durable
in the store; a file is replaced whole, by a rename, and only if it still holds what it is believed to hold; an acceptance that
did not reach its end, in a crash or an error, is taken back. In a repository a copy goes under a ref of its own; HEAD, index and
branches stay as they are.

    planned ──▶ applied ──▶ planned ──▶ restored        `planned` means: files may be in between, so the pre-images count.
       └───────────────────────┴──────▶ undone          taken back by `recover` or after an error
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.accepting.git_baseline import GitBaseline, keep_in_git
from dce.workspace.accepting.replace import (
    Move,
    OnStep,
    carry_out,
    look_at,
    missing_folders,
    no_step,
    temporary_of,
)
from dce.workspace.judging.compare import count_lines
from dce.workspace.judging.opened import Workspace
from dce.workspace.record.acceptances import AcceptanceRow, State
from dce.workspace.record.responses import Response
from dce.workspace.record.store import Store
from dce.workspace.tree.current import Current
from dce.workspace.tree.file_form import text_of

LOCK_FILE = "accept.lock"


class PlannedWrite(msgspec.Struct, frozen=True, kw_only=True):
    """What happens, or would happen, to one file, in lines. `refused` says why it may not be written, `code` as which error.

    `merged`: the file was edited since the prompt, and the answer's changes are merged into it. `slot`: another response it is from.
    `flags`: runs_by_itself, sets_policy (`tree/effects.py`), of a file that changes.
    `written_path`: the path as the answer has it, where that was read as another. `doubts`: flags of what the file may hold wrongly.
    """

    path: str
    change: Literal["new", "modified", "deleted", "same"]
    added: int = 0
    removed: int = 0
    refused: str = ""
    code: str = ""
    merged: bool = False
    slot: int = 0
    flags: tuple[str, ...] = ()
    written_path: str = ""
    doubts: tuple[str, ...] = ()


class AcceptedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an acceptance. `before_sha256` and `mode` (permission bits) are None for a file it created.

    `slot`: the response it is from, if another than the acceptance's; else 0. `also`: further responses of which it has parts.
    """

    path: str
    before_sha256: str | None
    after_sha256: str
    mode: int | None
    slot: int = 0
    also: tuple[int, ...] = ()


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """A response's files in the workspace. `restored_at` is None while they are in force. `git`: where git has the baseline too."""

    id: int
    generation: int
    slot: int
    version: int
    created_at: float
    restored_at: float | None
    files: tuple[AcceptedFile, ...]
    git: GitBaseline = GitBaseline()


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be written: its bytes, and the bytes and mode it has now (None: there is none)."""

    path: str
    data: bytes
    before: bytes | None
    mode: int | None
    slot: int = 0
    also: tuple[int, ...] = ()


class _Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What the store keeps of an acceptance. `created_folders` are those it makes, outermost first."""

    files: tuple[AcceptedFile, ...]
    created_folders: tuple[str, ...]
    git: GitBaseline = GitBaseline()


def acceptances(workspace: Workspace, *states: State) -> tuple[Acceptance, ...]:
    """Acceptances, newest first; without `states` those that are in force or were taken back on purpose."""
    rows = workspace.store.acceptances.list(*(states or ("applied", "restored")))
    return tuple(_acceptance(row) for row in rows)


def apply(workspace: Workspace, response: Response, writes: Sequence[Write], on_step: OnStep = no_step) -> Acceptance:
    """Writes all files or none, and journals it. The caller holds the writer lock.

    Raises DceError stale_file if a file changes under our hands, write_failed if the disk refuses; the workspace is then as before.
    """
    project, store = workspace.project, workspace.store
    store.blobs.put_all(write.before for write in writes if write.before is not None)
    files = tuple(
        AcceptedFile(
            path=write.path,
            before_sha256=None if write.before is None else _sha256(write.before),
            after_sha256=_sha256(write.data),
            mode=write.mode,
            slot=write.slot,
            also=write.also,
        )
        for write in writes
    )
    journal = _Journal(files=files, created_folders=missing_folders(project, [write.path for write in writes]))
    row = store.acceptances.insert(
        response.generation, response.slot, response.version, msgspec.json.encode(journal).decode(), workspace.clock()
    )
    moves = [
        Move(
            number=number,
            path=write.path,
            expected_sha256=file.before_sha256 or "",
            data=write.data,
            mode=write.mode,
        )
        for number, (write, file) in enumerate(zip(writes, files, strict=True))
    ]
    try:
        on_step("planned")
        kept = keep_in_git(project.root, row.id, [write.path for write in writes if write.before is not None])
        carry_out(project, row.id, moves, on_step)
        journal = msgspec.structs.replace(journal, git=kept)
        row = store.acceptances.set(row.id, "applied", files=msgspec.json.encode(journal).decode())
    except BaseException as error:
        _undo_after(workspace, row, error)
        if isinstance(error, OSError):
            raise _write_failed(error) from error
        raise
    on_step("applied")
    return _acceptance(row)


def restore(
    workspace: Workspace,
    dry_run: bool = False,
    acceptance_id: int | None = None,
    keep_edited: bool = False,
    on_step: OnStep = no_step,
) -> tuple[list[PlannedWrite], Acceptance]:
    """Takes back the newest acceptance in force (or the one named): bytes, modes, created files and folders.

    Raises DceError not_found if there is none, stale_file naming every file edited since; then nothing is changed. A dry run
    marks such files `refused` instead; with `keep_edited` they are left as they are, and the others are put back.
    """
    if dry_run:
        row = _in_force(workspace.store, acceptance_id)
        return _plan_back(workspace, row), _acceptance(row)
    with changing(workspace, "restore"):
        row = _in_force(workspace.store, acceptance_id)
        planned = _plan_back(workspace, row)
        edited = [write.path for write in planned if write.refused]
        if edited and (not keep_edited or len(edited) == len(planned)):
            raise DceError(
                "stale_file",
                f"nothing was restored: edited since acceptance {row.id}: {', '.join(edited)}",
                hint="`dce restore --keep-edited` puts the others back; to undo all, move those edits elsewhere first.",
            )
        # From here on a crash is finished by `recover`, which takes back what is `planned`.
        workspace.store.acceptances.set(row.id, "planned")
        on_step("planned")
        try:
            _take_back(workspace, row, on_step)
        except OSError as error:
            raise _write_failed(error, is_half=True) from error
        row = workspace.store.acceptances.set(row.id, "restored", restored_at=workspace.clock())
        _choose_again(workspace, row)
        on_step("restored")
        return planned, _acceptance(row)


def recover(workspace: Workspace) -> list[PlannedWrite]:
    """Takes back acceptances and restores that a crash cut short. What was done, file by file; `refused`: edited since, left alone.

    Does nothing while another process holds the writer lock: that one is alive and will see to it.
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
    """Held while files change; begins by recovering, and gives what that did. Raises DceError workspace_locked.

    The writer lock keeps other processes out, but a process may hold it several times over (a panel accepts while it generates).
    So this one, which opens its file anew each time, also keeps this process's other threads out.
    """
    import filelock  # noqa: PLC0415 - most verbs only read

    with workspace.writer_lock(verb):
        lock = filelock.FileLock(workspace.project.state_dir / LOCK_FILE, timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise DceError("workspace_locked", "another accept or restore is at work in this workspace") from error
        try:
            yield recover_locked(workspace)
        finally:
            lock.release()


def recover_locked(workspace: Workspace) -> list[PlannedWrite]:
    """As `recover`, for a caller who holds the writer lock."""
    done: list[PlannedWrite] = []
    for row in workspace.store.acceptances.list("planned"):
        done += _plan_back(workspace, row)
        try:
            _take_back(workspace, row, no_step)
        except OSError as error:
            raise _write_failed(error, is_half=True) from error
        workspace.store.acceptances.set(row.id, "undone")
        _choose_again(workspace, row)
    return done


def _in_force(store: Store, acceptance_id: int | None) -> AcceptanceRow:
    """The acceptance to take back."""
    applied = store.acceptances.list("applied")
    if acceptance_id is None and applied:
        return applied[0]
    for row in applied:
        if row.id == acceptance_id:
            return row
    if acceptance_id is None:
        hint = "Nothing was accepted yet, or all of it was put back already."
        raise DceError("not_found", "there is nothing to restore: no acceptance is in force", hint=hint)
    ids = ", ".join(str(row.id) for row in applied) or "none"
    raise DceError("not_found", f"acceptance {acceptance_id} is not in force", hint=f"In force: {ids}.")


def _plan_back(workspace: Workspace, row: AcceptanceRow) -> list[PlannedWrite]:
    """What taking back would do to each file; files that are neither as accepted nor as before are `refused`."""
    planned = []
    for file in _journal(row).files:
        current = look_at(workspace.project, file.path)
        if current is None or not _is_ours(current, file):
            planned.append(PlannedWrite(path=file.path, change="modified", refused="edited since", code="stale_file"))
            continue
        before = None if file.before_sha256 is None else workspace.store.blobs.get(file.before_sha256)
        is_back = current.sha256 == (file.before_sha256 or "")
        added, removed = count_lines(current.text, text_of(before))
        change: Literal["deleted", "modified", "same"] = "modified"
        if is_back:
            change = "same"
        elif before is None:
            change = "deleted"
        planned.append(PlannedWrite(path=file.path, change=change, added=added, removed=removed))
    return planned


def _take_back(workspace: Workspace, row: AcceptanceRow, on_step: OnStep) -> None:
    """Puts back what is as accepted, leaves what someone edited, removes our temporary files and empty folders. May be repeated."""
    project, journal = workspace.project, _journal(row)
    moves = []
    for number, file in enumerate(journal.files):
        current = look_at(project, file.path)
        if current is None:
            continue
        temporary_of(current.target, row.id, number).unlink(missing_ok=True)
        if current.sha256 == file.after_sha256:
            before = None if file.before_sha256 is None else workspace.store.blobs.get(file.before_sha256)
            # The mode as it is now: accepting kept it, so another one is the user's own `chmod`.
            mode = file.mode if current.mode is None else current.mode
            moves.append(Move(number=number, path=file.path, expected_sha256=file.after_sha256, data=before, mode=mode))
    carry_out(project, row.id, moves, on_step)
    for folder in reversed(journal.created_folders):
        path = project.root / folder
        if look_at(project, folder) is not None:
            with contextlib.suppress(OSError):  # not empty: someone else's files are in it now
                path.rmdir()
                durable.sync_folder(path.parent)


def _undo_after(workspace: Workspace, row: AcceptanceRow, error: BaseException) -> None:
    """Takes a failed acceptance back. If that fails too it stays `planned`, and `recover` tries again."""
    try:
        _take_back(workspace, row, no_step)
    except (OSError, DceError) as second:
        error.add_note(f"taking it back failed too ({second}); the next accept or restore tries again")
        if isinstance(error, OSError):
            raise _write_failed(error, is_half=True) from error
        return
    workspace.store.acceptances.set(row.id, "undone")


def _choose_again(workspace: Workspace, row: AcceptanceRow) -> None:
    """The cycle's choice becomes the newest acceptance of that cycle still in force, or none."""
    store = workspace.store
    cycle = store.generations.get(row.generation).cycle
    generation = slot = None
    for other in store.acceptances.list("applied"):
        if store.generations.get(other.generation).cycle == cycle:
            generation, slot = other.generation, other.slot
            break
    with contextlib.suppress(DceError):  # the cycle was deleted meanwhile: nothing to choose for
        store.cycles.choose(cycle, generation, slot, at=workspace.clock())


def _is_ours(current: Current, file: AcceptedFile) -> bool:
    """Whether a file is as accepted, or already as before."""
    return not current.is_blocked and current.sha256 in {file.after_sha256, file.before_sha256 or ""}


def _write_failed(error: OSError, *, is_half: bool = False) -> DceError:
    fact = f"{error.filename or 'a file'} cannot be written: {error.strerror or error}"
    if is_half:
        return DceError(
            "write_failed",
            f"{fact}; some files are still in between",
            hint="Free disk space or correct the permissions; the next accept or restore puts the files back first.",
        )
    return DceError("write_failed", f"{fact}; the workspace is as it was")


def _acceptance(row: AcceptanceRow) -> Acceptance:
    return Acceptance(
        id=row.id,
        generation=row.generation,
        slot=row.slot,
        version=row.version,
        created_at=row.created_at,
        restored_at=row.restored_at,
        files=_journal(row).files,
        git=_journal(row).git,
    )


def _journal(row: AcceptanceRow) -> _Journal:
    return msgspec.json.decode(row.files, type=_Journal)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
