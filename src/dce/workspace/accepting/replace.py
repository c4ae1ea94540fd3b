"""Replaces files of the workspace so that neither a crash nor a full disk leaves half a file, and no edit is silently overwritten.

Invariants: every file is staged whole beside its target, and is on disk, before anything is renamed; a target is replaced only if
it still contains the expected bytes; all renames are durable when `carry_out` returns. A file with several names is written in place
(`overwrite.py`), after it was staged too.
"""

import contextlib
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.accepting.overwrite import overwrite
from dce.workspace.project import Project
from dce.workspace.tree.current import Current, look, with_executable

OnStep = Callable[[str], None]
"""Called with the step just done ("planned", "staged PATH", "written PATH", …), for progress; an exception stops the work."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A change to one file, from the bytes it must contain now (`expected_sha256`, "" for no file) to `data` (None: no file).

    `number` makes the name of its temporary file unique; `mode` None: the process's default. `executable` sets or clears the
    execute permission, on top of `mode`; None leaves it as it is. `in_place`: the file has other names, which shall change with it;
    the caller has both contents in the store.
    """

    number: int
    path: str
    expected_sha256: str
    data: bytes | None
    mode: int | None
    executable: bool | None = None
    in_place: bool = False


def no_step(_: str) -> None:
    """Ignores the step."""


def carry_out(project: Project, acceptance_id: int, moves: Sequence[Move], on_step: OnStep) -> None:
    """Stages every file beside its target, then renames them one by one, so that a full disk is noticed before the first change."""
    staged: list[tuple[Move, Path, Path]] = []
    try:
        for move in moves:
            target = project.root / move.path
            temporary = temporary_of(target, acceptance_id, move.number)
            staged.append((move, target, temporary))
            if move.data is not None:
                _make_folders(project, target.parent)
                with _naming(target):
                    temporary.unlink(missing_ok=True)  # left by a crash
                    mode = with_executable(move.mode, move.executable)
                    durable.write_new(temporary, move.data, mode, like=target)
                    if mode is None and move.executable:  # a new file: its mode comes from the process's umask
                        temporary.chmod(with_executable(stat.S_IMODE(temporary.stat().st_mode), move.executable))
                on_step(f"staged {move.path}")
        for move, target, temporary in staged:
            if move.in_place and _is_done(project, move):
                continue  # under another of its names
            _check_unchanged(project, move)
            if move.data is None:
                target.unlink()
            elif move.in_place:
                _overwrite(target, move, on_step)
            else:
                temporary.replace(target)
            durable.sync_folder(target.parent)
            on_step(f"written {move.path}")
    finally:
        for _, _, temporary in staged:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _is_done(project: Project, move: Move) -> bool:
    current = look_at(project, move.path)
    mode = with_executable(move.mode, move.executable)
    return current is not None and current.data == move.data and mode in {None, current.mode}


def _overwrite(target: Path, move: Move, on_step: OnStep) -> None:
    assert move.data is not None
    mode = with_executable(move.mode, move.executable)
    with _naming(target):
        overwrite(target, move.data, move.expected_sha256, mode, lambda: on_step(f"overwriting {move.path}"))


@contextlib.contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Makes an OSError name the target, whether it names no file (a full disk) or the temporary one."""
    try:
        yield
    except OSError as error:
        error.filename = str(target)
        raise


def _check_unchanged(project: Project, move: Move) -> None:
    current = look_at(project, move.path)
    if current is None or current.is_blocked or current.sha256 != move.expected_sha256:
        raise DceError("stale_file", f"{move.path} changed while files were being replaced")


def look_at(project: Project, path: str) -> Current | None:
    """The file now; None if the path no longer leads where it did when the file was written (a folder became a link)."""
    try:
        current = look(project, path)
    except DceError:
        return None
    return current if current.target == project.root / path else None


def missing_folders(project: Project, paths: Iterable[str]) -> tuple[str, ...]:
    """The folders that writing these files creates, outermost first."""
    missing = {
        folder.as_posix()
        for path in paths
        for folder in (project.root / path).relative_to(project.root).parents
        if not (project.root / folder).exists()
    }
    return tuple(sorted(missing))


def _make_folders(project: Project, folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folders(project, folder.parent)
    folder.mkdir(exist_ok=True)
    durable.sync_folder(folder.parent)


def temporary_of(target: Path, acceptance_id: int, number: int) -> Path:
    """Where a file is staged: in its target's folder, so that the rename is atomic, under a name that `recover` can derive."""
    return target.with_name(f".dce-accept-{acceptance_id}-{number}.tmp")
