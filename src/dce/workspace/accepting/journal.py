"""The store's record of each acceptance: its files before and after, enough to restore and to redo it.

Invariants: rows that an older DCE wrote can be read; "the last acceptance" is always one of the current cycle, in force or
restored, so that restoring twice never undoes older work.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from dce.wire.errors import DceError
from dce.workspace.accepting.git_baseline import GitBaseline, committed_paths
from dce.workspace.judging.opened import Workspace
from dce.workspace.record.acceptances import AcceptanceRow, State
from dce.workspace.record.store import Store
from dce.workspace.tree.current import Current, is_executable

Change = Literal["new", "modified", "deleted", "renamed", "mode", "same"]


class PlannedWrite(msgspec.Struct, frozen=True, kw_only=True):
    """What happens, or would happen, to one file, in lines. `refused` says why it may not be written, `code` is the error code.

    `merged`: the file was edited since the prompt, and the answer's changes are merged into it. `slot`: the response it comes
    from, if not the acceptance's own. `flags`: runs_by_itself, sets_policy (`tree/effects.py`), hard_link, for a file that changes.
    `written_path`: the path in the answer, if it was read as another. `from_path`: the file that is renamed to this one.
    `executable`: its new value; None: the mode stays. `doubts`: board flags that are reasons to look at the file before writing
    it; `is_blocked`: one of them refuses the file until the user confirms it.
    """

    path: str
    change: Change
    added: int = 0
    removed: int = 0
    refused: str = ""
    code: str = ""
    merged: bool = False
    slot: int = 0
    flags: tuple[str, ...] = ()
    written_path: str = ""
    from_path: str = ""
    executable: bool | None = None
    doubts: tuple[str, ...] = ()
    is_blocked: bool = False


class AcceptedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an acceptance. `before_sha256` and `mode` (permission bits) are None for a file it created.

    `after_sha256` is None for a file that it deleted; `executable` is None if it left the mode alone; `from_path` is the file
    that it renamed to this one (and deleted, in a separate entry). `slot`: the response it comes from, if not the acceptance's
    own; else 0. `also`: further responses that it contains parts of. `in_place`: it had other names (hard links), so it was written in place.
    """

    path: str
    before_sha256: str | None
    after_sha256: str | None
    mode: int | None
    slot: int = 0
    also: tuple[int, ...] = ()
    from_path: str = ""
    executable: bool | None = None
    in_place: bool = False


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """A response's files in the workspace. `restored_at` is None while they are in force. `git`: the baseline in git, or why there is none."""

    id: int
    cycle: int
    generation: int
    slot: int
    version: int
    created_at: float
    restored_at: float | None
    files: tuple[AcceptedFile, ...]
    git: GitBaseline = GitBaseline()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An acceptance, and what a user should know before restoring it.

    `is_last`: it is the last one of the current cycle. `committed`: the files that git's HEAD contains as accepted.
    """

    acceptance: Acceptance
    is_last: bool
    committed: tuple[str, ...] = ()


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """The store's record of an acceptance. `created_folders`: the folders it creates, outermost first."""

    files: tuple[AcceptedFile, ...]
    created_folders: tuple[str, ...]
    git: GitBaseline = GitBaseline()


class Content(NamedTuple):
    """One side of an accepted file: no file if `sha256` is None. `mode` None: the process's default, then `executable`."""

    sha256: str | None
    mode: int | None
    executable: bool | None


def before_of(file: AcceptedFile) -> Content:
    """The file before the acceptance."""
    return Content(file.before_sha256, file.mode, None)


def after_of(file: AcceptedFile) -> Content:
    """The file after the acceptance."""
    return Content(file.after_sha256, file.mode, file.executable)


def stands(current: Current | None, file: AcceptedFile) -> Literal["before", "after", "edited"]:
    """Whether a file is as it was before the acceptance, as accepted, or neither."""
    if current is None or current.is_blocked:
        return "edited"
    now = current.sha256 or None
    if file.before_sha256 == file.after_sha256 == now:  # only its mode differs
        return "after" if is_executable(current.mode) == file.executable else "before"
    if now == file.after_sha256:
        return "after"
    return "before" if now == file.before_sha256 else "edited"


def acceptances(workspace: Workspace, *states: State) -> tuple[Acceptance, ...]:
    """Acceptances, newest first; without `states`, those that are in force or that a user restored."""
    rows = workspace.store.acceptances.list(*(states or ("applied", "restored")))
    return tuple(acceptance_of(workspace.store, row) for row in rows)


def standing(workspace: Workspace, found: Sequence[Acceptance]) -> tuple[Standing, ...]:
    """The acceptances with what a user should know before restoring one. Runs git once; without a repository nothing is committed."""
    last = last_of_cycle(workspace.store)
    in_force = [acceptance for acceptance in found if acceptance.restored_at is None]
    committed = committed_paths(
        workspace.project.root,
        {(acceptance.git.ref, file.path) for acceptance in in_force for file in acceptance.files},
    )
    return tuple(
        Standing(
            acceptance=acceptance,
            is_last=last is not None and acceptance.id == last.id,
            committed=tuple(file.path for file in acceptance.files if (acceptance.git.ref, file.path) in committed)
            if acceptance.restored_at is None
            else (),
        )
        for acceptance in found
    )


def last_of_cycle(store: Store) -> AcceptanceRow | None:
    """The last acceptance of the current cycle, in force or restored; None if it has none."""
    cycle = store.cycles.current().id
    rows = store.acceptances.list("applied", "restored")
    return next((row for row in rows if store.generations.get(row.generation).cycle == cycle), None)


def in_force(store: Store, acceptance_id: int | None) -> AcceptanceRow:
    """The acceptance to restore: the one named, else the last of the current cycle. Raises DceError not_found."""
    applied = store.acceptances.list("applied")
    ids = ", ".join(str(row.id) for row in applied)
    if acceptance_id is not None:
        for row in applied:
            if row.id == acceptance_id:
                return row
        hint = f"In force: {ids}." if ids else "Nothing is in force: all of it was restored already."
        raise DceError("not_found", f"acceptance {acceptance_id} is not in force", hint=hint)
    last, cycle = last_of_cycle(store), store.cycles.current().id
    if last is not None and last.state == "applied":
        return last
    if last is not None:
        fact = f"nothing to restore: acceptance {last.id}, the last one of cycle {cycle}, is restored already"
        hint = "`dce restore --redo` writes its files again."
    else:
        fact = f"nothing to restore: no response was accepted in cycle {cycle}"
        hint = "" if ids else "Nothing is in force, in any cycle."
    if ids:
        hint = f"{hint} Older acceptances in force: {ids}. `dce restore --list` describes them, `dce restore ID` restores one.".strip()
    raise DceError("not_found", fact, hint=hint)


def restored(store: Store, acceptance_id: int | None) -> AcceptanceRow:
    """The acceptance to redo: the one named, else the last restored one of the current cycle. Raises DceError not_found."""
    rows = store.acceptances.list("restored")
    ids = ", ".join(str(row.id) for row in rows) or "none"
    if acceptance_id is not None:
        for row in rows:
            if row.id == acceptance_id:
                return row
        raise DceError("not_found", f"acceptance {acceptance_id} is not restored", hint=f"Restored: {ids}.")
    cycle = store.cycles.current().id
    mine = [row for row in rows if store.generations.get(row.generation).cycle == cycle]
    if not mine:
        fact = f"nothing to redo: nothing was restored in cycle {cycle}"
        hint = f"Restored in other cycles: {ids}. Name one: `dce restore --redo ID`." if rows else ""
        raise DceError("not_found", fact, hint=hint)
    return max(mine, key=lambda row: row.restored_at or 0.0)


def next_restore_time(workspace: Workspace) -> float:
    """The time of a restore that begins now, in seconds since the epoch: later than every other's, even if the clock went back."""
    latest = max((row.restored_at or 0.0 for row in workspace.store.acceptances.list()), default=0.0)
    return max(workspace.clock(), math.nextafter(latest, math.inf))


def acceptance_of(store: Store, row: AcceptanceRow) -> Acceptance:
    """The acceptance of a row."""
    journal = journal_of(row)
    return Acceptance(
        id=row.id,
        cycle=store.generations.get(row.generation).cycle,
        generation=row.generation,
        slot=row.slot,
        version=row.version,
        created_at=row.created_at,
        restored_at=row.restored_at,
        files=journal.files,
        git=journal.git,
    )


def journal_of(row: AcceptanceRow) -> Journal:
    """The journal of a row."""
    return msgspec.json.decode(row.files, type=Journal)


def as_json(journal: Journal) -> str:
    """The journal as a row stores it."""
    return msgspec.json.encode(journal).decode()


def sha256_of(data: bytes) -> str:
    """The key under which the store keeps the bytes."""
    return hashlib.sha256(data).hexdigest()
