"""Writing a response's files into the workspace: planned file by file, then all of them or none.

What must always hold: only files inside the workspace are written, and only over what the prompt showed (or where nothing was);
one file that must not be written stops them all, and the error names every such file; what is written keeps mode, line ends and
BOM of the file it replaces. How it is written and taken back is `baseline.py`'s.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

from dce.wire.errors import DceError
from dce.workspace.accepting.baseline import (
    Acceptance,
    AcceptedFile,
    PlannedWrite,
    Write,
    acceptances,
    apply,
    changing,
    recover,
    restore,
)
from dce.workspace.accepting.merge import merge3
from dce.workspace.accepting.picking import Combined, FilePlan, Sources, combine
from dce.workspace.accepting.replace import OnStep, no_step
from dce.workspace.judging.compare import count_lines
from dce.workspace.judging.hunks import take
from dce.workspace.judging.opened import Workspace
from dce.workspace.project import PathRefused, Project
from dce.workspace.record.responses import ACTIVE, Response
from dce.workspace.schema.reading import FileBlock
from dce.workspace.tree.current import Current, CurrentFiles, is_stale, may_write
from dce.workspace.tree.effects import effects_of, is_own_policy

__all__ = [
    "Acceptance",
    "AcceptedFile",
    "Options",
    "Part",
    "PlannedWrite",
    "accept",
    "acceptances",
    "plan",
    "recover",
    "restorable",
    "restore",
    "sources_of",
]

_CODE_RANK = ("outside_workspace", "stale_file", "invalid_input")
"""Which code an error about several refused files carries: the gravest."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Files of another response in the same plan; no `paths`: all it holds."""

    slot: int
    paths: tuple[str, ...] = ()


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan may do beyond writing one response's files whole.

    `merge`: a file edited since the prompt is merged, where that is clean. `hunks`: only these parts (`2`, `2:1-3`) of the one file
    named, as `hunks.hunks` counts them against the file now. `also`: files of other responses, in one acceptance. `plans`: each
    file put together from parts of several responses (then nothing else counts; the response named is the cycle's choice).
    """

    merge: bool = False
    hunks: tuple[str, ...] = ()
    also: tuple[Part, ...] = ()
    plans: tuple[FilePlan, ...] = ()


PLAIN = Options()


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the plan, and what to write if it is written. `can_merge`: it is refused for edits that `--merge` would keep."""

    shown: PlannedWrite
    write: Write | None = None
    can_merge: bool = False


class _Refusal(Exception):
    """Why one file may not be written, and whether merging would help."""

    def __init__(self, code: str, reason: str, *, can_merge: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.can_merge = can_merge


def plan(
    workspace: Workspace, generation_id: int, slot: int, paths: Sequence[str] = (), options: Options = PLAIN
) -> list[PlannedWrite]:
    """What accepting would do to each file (of `paths`; none: all), refused ones marked. Writes nothing.

    Raises DceError not_found for a response without files or a path that it does not hold, conflict while it still streams.
    """
    return [item.shown for item in _items(workspace, _response(workspace, generation_id, slot), paths, options)]


def accept(
    workspace: Workspace,
    generation_id: int,
    slot: int,
    paths: Sequence[str] = (),
    dry_run: bool = False,
    on_step: OnStep = no_step,
    options: Options = PLAIN,
) -> tuple[list[PlannedWrite], Acceptance | None]:
    """Writes a response's files (those of `paths`; none: all) into the workspace, and makes it the cycle's choice.

    Gives the plan, and the acceptance: None for a dry run, or if every file already was so. A dry run marks what would be refused;
    else any such file raises one DceError naming all of them (outside_workspace, stale_file or invalid_input) and nothing is
    written. Also raises as `plan`, workspace_locked, and write_failed (taken back) when the disk refuses.
    """
    if dry_run:
        return plan(workspace, generation_id, slot, paths, options), None
    with changing(workspace, "accept"):
        response = _response(workspace, generation_id, slot)
        items = _items(workspace, response, paths, options)
        _raise_refused(items)
        writes = [item.write for item in items if item.write is not None]
        acceptance = apply(workspace, response, writes, on_step) if writes else None
        cycle = workspace.store.generations.get(generation_id).cycle
        workspace.store.cycles.choose(cycle, generation_id, slot, at=workspace.clock())
        return [item.shown for item in items], acceptance


def restorable(workspace: Workspace) -> Acceptance | None:
    """The acceptance that `restore` would take back; None if there is none."""
    applied = acceptances(workspace, "applied")
    return applied[0] if applied else None


def _response(workspace: Workspace, generation_id: int, slot: int) -> Response:
    response = workspace.store.responses.get(generation_id, slot)
    if response.status in ACTIVE:
        raise DceError(
            "conflict",
            f"response {slot} of generation {generation_id} is still {response.status}",
            hint=f"Wait for it, or stop it: dce stop {generation_id} {slot}.",
        )
    return response


def _items(workspace: Workspace, response: Response, paths: Sequence[str], options: Options) -> list[_Item]:
    if options.plans:
        return _combined_items(workspace, response, options)
    if options.hunks and len(paths) != 1:
        raise DceError("invalid_input", "hunks are taken from one file: name it")
    planner = _Planner(workspace.project, _shown(workspace, response.generation), options)
    items = _items_of(workspace, response, paths, planner)
    for part in options.also:
        other = _response(workspace, response.generation, part.slot)
        items += [_marked(item, part.slot) for item in _items_of(workspace, other, part.paths, planner)]
    return items


def sources_of(workspace: Workspace, generation_id: int, path: str, files: CurrentFiles | None = None) -> Sources:
    """Where the parts of a file come from. Raises DceError outside_workspace; its answers raise not_found, conflict."""
    current = (files or CurrentFiles(workspace.project)).at(path)
    shown = _shown(workspace, generation_id)

    def answer(slot: int) -> str:
        response = _response(workspace, generation_id, slot)
        blocks = _picked(workspace.project, workspace.reading(response.generation, slot).files, [path])
        return blocks[-1].content

    is_edited = current.data is not None and is_stale(current, shown.hashes.get(path))
    return Sources(current=current, stale_base=shown.text(path) if is_edited else None, answers=answer)


def _shown(workspace: Workspace, generation_id: int) -> "_Shown":
    generation = workspace.store.generations.get(generation_id)
    manifest = workspace.store.prompts.get(generation.prompt_sha256).manifest
    return _Shown({entry.path: entry.sha256 for entry in manifest}, workspace.shown(generation.id))


def _combined_items(workspace: Workspace, response: Response, options: Options) -> list[_Item]:
    """The files that are put together from parts, each once."""
    planner = _Planner(workspace.project, _shown(workspace, response.generation), options)
    items, seen = [], set[str]()
    for file in options.plans:
        path = _name(workspace.project, file.path)
        if path in seen:
            raise DceError("invalid_input", f"{path} is in the plan twice")
        seen.add(path)
        planner.begin(file.picks[0].slot if file.picks else response.slot, is_picked=True)
        try:
            combined = combine(file, sources_of(workspace, response.generation, path, planner.files))
        except PathRefused as error:
            items.append(_Item(shown=PlannedWrite(path=path, change="new", refused=error.reason, code=error.code)))
            continue
        item = planner.item(FileBlock(path=path, content=combined.text), combined)
        slots = tuple(dict.fromkeys(pick.slot for pick in file.picks))
        items.append(_of_slots(item, response.slot, slots))
    return items


def _of_slots(item: _Item, main: int, slots: tuple[int, ...]) -> _Item:
    """The item with the responses it is from, where that is not the acceptance's own alone."""
    first = 0 if slots[0] == main else slots[0]
    write = None if item.write is None else msgspec.structs.replace(item.write, slot=first, also=slots[1:])
    return msgspec.structs.replace(item, shown=msgspec.structs.replace(item.shown, slot=first), write=write)


def _items_of(workspace: Workspace, response: Response, paths: Sequence[str], planner: "_Planner") -> list[_Item]:
    """One response's files, in its order; then those whose edits could not be applied."""
    reading = workspace.reading(response.generation, response.slot)
    if not reading.files and not reading.unapplied:
        hint = f"`dce show {response.slot}` shows what it says; `dce board` shows which responses hold files."
        raise DceError("not_found", f"response {response.slot} holds no files to accept", hint=hint)
    failed = {edit.path: edit.reason for edit in reading.unapplied}
    blocks = [*reading.files, *(FileBlock(path=path, content="") for path in failed)]
    planner.begin(response.slot, is_picked=bool(paths))
    items = []
    for block in _picked(workspace.project, blocks, paths):
        if block.path in failed:
            reason = failed[block.path].partition("\n")[0].rstrip(".:")
            items.append(_Item(shown=_refused(_name(workspace.project, block.path), f"not applied: {reason}")))
        else:
            items.append(_said(planner.item(block), block))
    return items


def _said(item: _Item, block: FileBlock) -> _Item:
    """The item with the path that the answer has, and what is doubtful about its text."""
    shown = msgspec.structs.replace(item.shown, written_path=block.written_path, doubts=block.flags)
    return msgspec.structs.replace(item, shown=shown)


def _refused(path: str, reason: str) -> PlannedWrite:
    return PlannedWrite(path=path, change="modified", refused=reason, code="invalid_input")


def _marked(item: _Item, slot: int) -> _Item:
    """The item with the response it is from."""
    write = None if item.write is None else msgspec.structs.replace(item.write, slot=slot)
    return msgspec.structs.replace(item, shown=msgspec.structs.replace(item.shown, slot=slot), write=write)


def _picked(project: Project, blocks: Sequence[FileBlock], paths: Sequence[str]) -> list[FileBlock]:
    """The blocks that `paths` name, in the answer's order. Raises DceError not_found naming what there is."""
    names = [_name(project, block.path) for block in blocks]
    as_written = {block.written_path: name for block, name in zip(blocks, names, strict=True) if block.written_path}
    wanted = {as_written.get(path, _name(project, path)) for path in paths}
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


def _raise_refused(items: Sequence[_Item]) -> None:
    refused = [item.shown for item in items if item.shown.refused]
    if not refused:
        return
    reasons: dict[str, list[str]] = {}
    for write in refused:
        reasons.setdefault(write.refused, []).append(write.path)
    facts = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    code = min((write.code for write in refused), key=_CODE_RANK.index)
    raise DceError(
        code,
        f"nothing was written, refused: {facts}",
        hint="`dce accept --merge` merges the answer's changes into files changed since."
        if any(item.can_merge for item in items)
        else "",
    )


class _Shown(NamedTuple):
    """What the prompt showed: the hash of each file's bytes, and its text."""

    hashes: dict[str, str]
    text: Callable[[str], str | None]


class _Planner:
    """Plans the files of one or several answers, one after the other."""

    def __init__(self, project: Project, shown: _Shown, options: Options) -> None:
        self._project = project
        self.files = CurrentFiles(project)
        self._shown = shown
        self._options = options
        self._contents: dict[str, tuple[int, str]] = {}
        self._slot = 0
        self._is_first = True
        self._is_picked = False

    def begin(self, slot: int, *, is_picked: bool) -> None:
        """The files of this response follow; `is_picked`: they were named."""
        self._is_first = not self._slot
        self._slot, self._is_picked = slot, is_picked

    def item(self, block: FileBlock, combined: Combined | None = None) -> _Item:
        """The plan for one file; `combined`: it was put together already."""
        path = _name(self._project, block.path)
        try:
            current = self.files.at(path)
        except PathRefused as error:
            added, _ = count_lines("", block.content)
            refused = PlannedWrite(path=path, change="new", added=added, refused=error.reason, code=error.code)
            return _Item(shown=refused)
        content, is_merged, problem = self._content(block.content, path, current)
        if combined is not None:
            content, is_merged, problem = block.content, combined.is_merged, combined.problem
        data = current.form.bytes_to_write(content)
        added, removed = count_lines(current.text, current.form.text_written(data))
        change: Literal["new", "modified", "same"] = "modified"
        if current.data == data:
            change = "same"
        elif current.data is None and not current.problem:
            change = "new"
        target = self._project.relative(current.target)
        flags = () if change == "same" else effects_of(path, target)
        shown = PlannedWrite(path=path, change=change, added=added, removed=removed, merged=is_merged, flags=flags)
        try:
            self._check(block, path, current, data, is_merged=is_merged)
            if problem or (problem := current.form.unwritable(content)):
                raise _Refusal("stale_file" if is_merged else "invalid_input", problem)
        except _Refusal as refusal:
            refused = msgspec.structs.replace(shown, refused=refusal.reason, code=refusal.code)
            return _Item(shown=refused, can_merge=refusal.can_merge)
        if change == "same" or target in self._contents:
            return _Item(shown=shown)
        self._contents[target] = (self._slot, block.content)
        return _Item(shown=shown, write=Write(path=target, data=data, before=current.data, mode=current.mode))

    def _content(self, content: str, path: str, current: Current) -> tuple[str, bool, str]:
        """What shall stand in the file: merged and reduced to the hunks picked; whether it was merged; what forbids it."""
        is_merged, problem = False, ""
        base = self._shown.text(path) if self._options.merge else None
        if base is not None and current.data is not None and is_stale(current, self._shown.hashes.get(path)):
            is_merged = not current.problem
            merge = merge3(base, current.text, content)
            if merge.conflicts:
                lines = ", ".join(str(line) for line in merge.conflicts)
                return content, is_merged, f"it conflicts with edits made since the prompt, at line {lines}"
            content = merge.text
        if self._options.hunks and self._is_first:
            after = current.form.text_written(current.form.bytes_to_write(content))
            content = take(current.text, after, self._options.hunks)
        return content, is_merged, problem

    def _check(self, block: FileBlock, path: str, current: Current, data: bytes, *, is_merged: bool) -> None:
        """Raises _Refusal if this file may not be written."""
        target = self._project.relative(current.target)
        slot, content = self._contents.get(target, (self._slot, block.content))
        if content != block.content:
            twice = "the response gives this file twice, with different text"
            raise _Refusal(
                "invalid_input", twice if slot == self._slot else f"responses {slot} and {self._slot} differ in it"
            )
        if block.status == "truncated" and not self._is_picked:
            raise _Refusal(
                "invalid_input", "the response breaks off inside it; name the file to accept it all the same"
            )
        if current.problem:
            raise _Refusal("stale_file", current.problem)
        if current.data == data:
            return
        if is_own_policy(path, target) and not self._is_picked:
            raise _Refusal(
                "invalid_input", "it sets what DCE may read and send; name the file to accept it all the same"
            )
        if is_stale(current, self._shown.hashes.get(path)) and not is_merged:
            raise _stale(current, is_shown=path in self._shown.hashes)
        if not may_write(current):
            raise _Refusal("invalid_input", "it is read-only")


def _stale(current: Current, *, is_shown: bool) -> _Refusal:
    if not is_shown:
        return _Refusal("stale_file", "it exists, and the prompt did not show it")
    if current.data is None:
        return _Refusal("stale_file", "deleted since the prompt was made")
    return _Refusal("stale_file", "changed since the prompt was made", can_merge=True)
