"""Restoring an acceptance and redoing it: planned file by file, then all of them or none.

Invariants: unless an acceptance is named, only the last one of the current cycle is touched; a file that is neither as accepted
nor as before is never overwritten; a restored acceptance can be redone, and a redone one restored again.
"""

import contextlib
from collections.abc import Callable

import msgspec

from dce.wire.errors import DceError
from dce.workspace.accepting.baseline import changing, choose_again, move_files, remove_folders, write_failed
from dce.workspace.accepting.journal import (
    Acceptance,
    AcceptedFile,
    Change,
    Content,
    PlannedWrite,
    acceptance_of,
    after_of,
    as_json,
    before_of,
    in_force,
    journal_of,
    next_restore_time,
    restored,
    stands,
)
from dce.workspace.accepting.replace import OnStep, look_at, missing_folders, no_step
from dce.workspace.judging.compare import count_lines
from dce.workspace.judging.opened import Workspace
from dce.workspace.record.acceptances import AcceptanceRow

_KEEP = "`{verb} --keep-edited` {what} the others; to {all} all, move those edits elsewhere first."


def restore(
    workspace: Workspace,
    dry_run: bool = False,
    acceptance_id: int | None = None,
    keep_edited: bool = False,
    on_step: OnStep = no_step,
) -> tuple[list[PlannedWrite], Acceptance]:
    """Undoes the last acceptance of the current cycle, or the one named: bytes, modes, names, created files and folders.

    Raises DceError not_found if there is none, and stale_file, naming every file edited since; nothing is changed then. A dry run
    marks such files `refused` instead; with `keep_edited` they are left as they are and the others are restored.
    """
    if dry_run:
        row = in_force(workspace.store, acceptance_id)
        return plan_back(workspace, row), acceptance_of(workspace.store, row)
    with changing(workspace, "restore"):
        row = in_force(workspace.store, acceptance_id)
        planned = plan_back(workspace, row)
        hint = _KEEP.format(verb="dce restore", what="restores", all="restore")
        _refuse_edited(planned, keep_edited, f"nothing was restored: edited since acceptance {row.id}", hint)
        _keep_accepted(workspace, row)
        # After a crash from here on, `recover` finishes the work: it undoes what is `planned`.
        now = next_restore_time(workspace)
        workspace.store.acceptances.set(row.id, "planned", restored_at=now)
        on_step("planned")
        try:
            move_files(workspace, row, before_of, on_step)
        except OSError as error:
            raise write_failed(error, is_half=True) from error
        remove_folders(workspace, row)
        row = workspace.store.acceptances.set(row.id, "restored", restored_at=now)
        choose_again(workspace, row)
        on_step("restored")
        return planned, acceptance_of(workspace.store, row)


def redo(
    workspace: Workspace,
    dry_run: bool = False,
    acceptance_id: int | None = None,
    keep_edited: bool = False,
    on_step: OnStep = no_step,
) -> tuple[list[PlannedWrite], Acceptance]:
    """Redoes the last restored acceptance of the current cycle, or the one named: the same bytes and modes.

    Raises DceError not_found if there is none or an older DCE did not keep its text, and stale_file, naming every file edited since
    it was restored; nothing is changed then. A dry run marks those `refused`; with `keep_edited` they are left as they are.
    """
    if dry_run:
        row = restored(workspace.store, acceptance_id)
        return plan_again(workspace, row), acceptance_of(workspace.store, row)
    with changing(workspace, "redo"):
        row = restored(workspace.store, acceptance_id)
        planned = plan_again(workspace, row)
        hint = _KEEP.format(verb="dce restore --redo", what="writes", all="redo")
        _refuse_edited(
            planned, keep_edited, f"nothing was written: edited since acceptance {row.id} was restored", hint
        )
        journal = journal_of(row)
        made = missing_folders(
            workspace.project, [file.path for file in journal.files if file.after_sha256 is not None]
        )
        journal = msgspec.structs.replace(journal, created_folders=tuple(sorted({*journal.created_folders, *made})))
        # It keeps its `restored_at` while it is `planned`, so that after a crash `recover` sets it to restored again.
        workspace.store.acceptances.set(row.id, "planned", restored_at=row.restored_at, files=as_json(journal))
        on_step("planned")
        try:
            move_files(workspace, row, after_of, on_step)
        except OSError as error:
            raise write_failed(error, is_half=True) from error
        row = workspace.store.acceptances.set(row.id, "applied")
        with contextlib.suppress(DceError):  # the cycle was deleted meanwhile
            cycle = workspace.store.generations.get(row.generation).cycle
            workspace.store.cycles.choose(cycle, row.generation, row.slot, at=workspace.clock())
        on_step("applied")
        return planned, acceptance_of(workspace.store, row)


def plan_back(workspace: Workspace, row: AcceptanceRow) -> list[PlannedWrite]:
    """What restoring would do to each file; files that are neither as accepted nor as before are `refused`."""
    return _planned(workspace, row, before_of, "edited since")


def plan_again(workspace: Workspace, row: AcceptanceRow) -> list[PlannedWrite]:
    """What redoing would do to each file. Raises DceError not_found if its text was not kept."""
    return _planned(workspace, row, after_of, "edited since it was restored")


def _planned(
    workspace: Workspace, row: AcceptanceRow, side: Callable[[AcceptedFile], Content], reason: str
) -> list[PlannedWrite]:
    wanted = "before" if side is before_of else "after"
    planned = []
    for file in journal_of(row).files:
        current = look_at(workspace.project, file.path)
        place = stands(current, file)
        if current is None or place == "edited":
            planned.append(PlannedWrite(path=file.path, change="modified", refused=reason, code="stale_file"))
            continue
        content = _kept(workspace, row, side(file).sha256)
        added, removed = count_lines(current.text, current.form.text_written(content or b""))
        change: Change = "modified"
        if place == wanted:
            change, added, removed = "same", 0, 0
        elif content is None:
            change = "deleted"
        elif current.data is None:
            change = "new"
        elif current.data == content:
            change = "mode"
        executable = None if place == wanted or file.executable is None else (wanted == "after") == file.executable
        planned.append(
            PlannedWrite(
                path=file.path,
                change=change,
                added=added,
                removed=removed,
                from_path=file.from_path if wanted == "after" else "",
                executable=executable if content is not None else None,
            )
        )
    return planned


def _kept(workspace: Workspace, row: AcceptanceRow, sha256: str | None) -> bytes | None:
    """The bytes of one side of a file, from the store."""
    if sha256 is None:
        return None
    try:
        return workspace.store.blobs.get(sha256)
    except DceError as error:
        raise DceError(
            "not_found",
            f"the accepted text of acceptance {row.id} was not kept: an older DCE restored it",
            hint=f"Accept the response again: dce accept {row.slot} -g {row.generation}.",
        ) from error


def _keep_accepted(workspace: Workspace, row: AcceptanceRow) -> None:
    """Stores the accepted text before it is replaced, so that it can be redone: until now only the files had it."""
    found = (look_at(workspace.project, file.path) for file in journal_of(row).files)
    workspace.store.blobs.put_all(current.data for current in found if current is not None and current.data is not None)


def _refuse_edited(planned: list[PlannedWrite], keep_edited: bool, fact: str, hint: str) -> None:
    edited = [write.path for write in planned if write.refused]
    if edited and (not keep_edited or len(edited) == len(planned)):
        raise DceError("stale_file", f"{fact}: {', '.join(edited)}", hint=hint)
