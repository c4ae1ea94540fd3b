"""Writing a response's files into the workspace: planned file by file, then all of them or none.

What must always hold: only files inside the workspace are written, and only over what the prompt showed (or where nothing was);
one file that must not be written stops them all, and the error names every such file; what is written keeps mode, line ends and
BOM of the file it replaces. How it is written and taken back is `baseline.py`'s.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from dce.wire.errors import DceError
from dce.workspace.baseline import (
    Acceptance,
    AcceptedFile,
    PlannedWrite,
    Workspace,
    Write,
    acceptances,
    apply,
    changing,
    recover,
    restore,
)
from dce.workspace.compare import Current, bytes_to_write, count_lines, is_stale, look, may_write
from dce.workspace.project import Project
from dce.workspace.replace import OnStep, no_step
from dce.workspace.response import ACTIVE, Response
from dce.workspace.schema.reading import FileBlock

__all__ = ["Acceptance", "AcceptedFile", "PlannedWrite", "accept", "plan", "recover", "restorable", "restore"]

_CODE_RANK = ("outside_workspace", "stale_file", "invalid_input")
"""Which code an error about several refused files carries: the gravest."""


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the plan, and what to write if it is written."""

    shown: PlannedWrite
    write: Write | None = None


class _Refusal(Exception):
    """Why one file may not be written."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def plan(workspace: Workspace, generation_id: int, slot: int, paths: Sequence[str] = ()) -> list[PlannedWrite]:
    """What accepting would do to each file (of `paths`; none: all), refused ones marked. Writes nothing.

    Raises DceError not_found for a response without files or a path that it does not hold, conflict while it still streams.
    """
    return [item.shown for item in _items(workspace, _response(workspace, generation_id, slot), paths)]


def accept(
    workspace: Workspace,
    generation_id: int,
    slot: int,
    paths: Sequence[str] = (),
    dry_run: bool = False,
    on_step: OnStep = no_step,
) -> tuple[list[PlannedWrite], Acceptance | None]:
    """Writes a response's files (those of `paths`; none: all) into the workspace, and makes it the cycle's choice.

    Gives the plan, and the acceptance: None for a dry run, or if every file already was so. A dry run marks what would be refused;
    else any such file raises one DceError naming all of them (outside_workspace, stale_file or invalid_input) and nothing is
    written. Also raises as `plan`, workspace_locked, and write_failed (taken back) when the disk refuses.
    """
    if dry_run:
        return plan(workspace, generation_id, slot, paths), None
    with changing(workspace, "accept"):
        response = _response(workspace, generation_id, slot)
        items = _items(workspace, response, paths)
        _raise_refused([item.shown for item in items])
        writes = [item.write for item in items if item.write is not None]
        acceptance = apply(workspace, response, writes, on_step) if writes else None
        cycle = workspace.store.get_generation(generation_id).cycle
        workspace.store.choose(cycle, generation_id, slot, workspace.clock())
        return [item.shown for item in items], acceptance


def restorable(workspace: Workspace) -> Acceptance | None:
    """The acceptance that `restore` would take back; None if there is none."""
    applied = acceptances(workspace, "applied")
    return applied[0] if applied else None


def _response(workspace: Workspace, generation_id: int, slot: int) -> Response:
    response = workspace.store.response(generation_id, slot)
    if response.status in ACTIVE:
        raise DceError(
            "conflict",
            f"response {slot} of generation {generation_id} is still {response.status}",
            hint=f"Wait for it, or stop it: dce stop {generation_id} {slot}.",
        )
    return response


def _items(workspace: Workspace, response: Response, paths: Sequence[str]) -> list[_Item]:
    reading = workspace.reading(response.generation, response.slot)
    if not reading.files:
        raise DceError("not_found", f"response {response.slot} holds no files to accept")
    blocks = _picked(workspace.project, reading.files, paths)
    generation = workspace.store.get_generation(response.generation)
    manifest = workspace.store.get_prompt(generation.prompt_sha256).manifest
    planner = _Planner(workspace.project, {entry.path: entry.sha256 for entry in manifest}, is_picked=bool(paths))
    return [planner.item(block) for block in blocks]


def _picked(project: Project, blocks: Sequence[FileBlock], paths: Sequence[str]) -> list[FileBlock]:
    """The blocks that `paths` name, in the answer's order. Raises DceError not_found naming what there is."""
    names = [_name(project, block.path) for block in blocks]
    wanted = {_name(project, path) for path in paths}
    missing = sorted(wanted - set(names))
    if missing:
        raise DceError(
            "not_found",
            f"the response holds no file {', '.join(missing)}",
            hint=f"It holds: {', '.join(sorted(set(names)))}.",
        )
    return [block for block, name in zip(blocks, names, strict=True) if not wanted or name in wanted]


def _name(project: Project, path: str) -> str:
    """The path as the workspace spells it; as it stands if it is none of the workspace's."""
    try:
        return project.canonical(path)
    except DceError:
        return path


def _raise_refused(planned: Sequence[PlannedWrite]) -> None:
    refused = [write for write in planned if write.refused]
    if not refused:
        return
    reasons: dict[str, list[str]] = {}
    for write in refused:
        reasons.setdefault(write.refused, []).append(write.path)
    facts = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    code = min((write.code for write in refused), key=_CODE_RANK.index)
    raise DceError(code, f"nothing was written, refused: {facts}")


class _Planner:
    """Plans the files of one answer, one after the other."""

    def __init__(self, project: Project, shown: dict[str, str], *, is_picked: bool) -> None:
        self._project = project
        self._shown = shown
        self._is_picked = is_picked
        self._contents: dict[str, str] = {}

    def item(self, block: FileBlock) -> _Item:
        """The plan for one file."""
        path = _name(self._project, block.path)
        try:
            current = look(self._project, path)
        except DceError as error:
            reason = error.message.partition(" is refused: ")[2].removesuffix(".") or error.message
            added, _ = count_lines("", block.content)
            refused = PlannedWrite(path=path, change="new", added=added, refused=reason, code=error.code)
            return _Item(shown=refused)
        data = bytes_to_write(block.content, current.data)
        added, removed = count_lines(_text(current.data), _text(data))
        change: Literal["new", "modified", "same"] = "modified"
        if current.data == data:
            change = "same"
        elif current.data is None and not current.problem:
            change = "new"
        shown = PlannedWrite(path=path, change=change, added=added, removed=removed)
        try:
            self._check(block, path, current, data)
        except _Refusal as refusal:
            return _Item(shown=msgspec.structs.replace(shown, refused=refusal.reason, code=refusal.code))
        target = self._project.relative(current.target)
        if change == "same" or target in self._contents:
            return _Item(shown=shown)
        self._contents[target] = block.content
        return _Item(shown=shown, write=Write(path=target, data=data, before=current.data, mode=current.mode))

    def _check(self, block: FileBlock, path: str, current: Current, data: bytes) -> None:
        """Raises _Refusal if this file may not be written."""
        target = self._project.relative(current.target)
        if self._contents.get(target, block.content) != block.content:
            raise _Refusal("invalid_input", "the response gives this file twice, with different text")
        if block.status == "truncated" and not self._is_picked:
            raise _Refusal(
                "invalid_input", "the response breaks off inside it; name the file to accept it all the same"
            )
        if current.problem:
            raise _Refusal("stale_file", current.problem)
        if current.data == data:
            return
        if is_stale(current, self._shown.get(path)):
            raise _Refusal("stale_file", _why_stale(current, is_shown=path in self._shown))
        if not may_write(current):
            raise _Refusal("invalid_input", "it is read-only")


def _why_stale(current: Current, *, is_shown: bool) -> str:
    if not is_shown:
        return "it exists, and the prompt did not show it"
    if current.data is None:
        return "deleted since the prompt was made"
    return "changed since the prompt was made"


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")
