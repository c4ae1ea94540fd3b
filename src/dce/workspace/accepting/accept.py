"""Writing a response's files into the workspace: planned file by file, then all of them or none.

Invariants: only files inside the workspace are written, and only over content that the prompt showed (or where there was no file);
if one file must not be written, none is, and the error names every such file; a written file keeps the mode, line ends and BOM of
the file it replaces. `baseline.py` writes and restores.
"""

from collections.abc import Sequence

import msgspec

from dce.wire.errors import DceError
from dce.workspace.accepting.baseline import apply, changing, recover
from dce.workspace.accepting.journal import (
    Acceptance,
    AcceptedFile,
    PlannedWrite,
    Standing,
    acceptance_of,
    acceptances,
    last_of_cycle,
    standing,
)
from dce.workspace.accepting.picking import Sources, combine
from dce.workspace.accepting.planner import PLAIN, Item, Options, Part, Planner, Shown, name_of
from dce.workspace.accepting.replace import OnStep, no_step
from dce.workspace.accepting.restoring import redo, restore
from dce.workspace.context.shown import shown_paths
from dce.workspace.judging.always.looking import Looking
from dce.workspace.judging.board import CHANGES_TESTS, prompt_cut
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.checks_file import readable_checks
from dce.workspace.judging.exam.exam_of import exam_of
from dce.workspace.judging.exam.test_change import TestChange
from dce.workspace.judging.exam.words import exam_words
from dce.workspace.judging.opened import Workspace
from dce.workspace.judging.picked import pick_of
from dce.workspace.judging.prompt_read import FLAG as PROMPT_CUT
from dce.workspace.project import PathRefused, Project
from dce.workspace.record.responses import ACTIVE, Response, Status
from dce.workspace.schema.reading import FileBlock
from dce.workspace.tree.current import CurrentFiles, is_stale

__all__ = [
    "Acceptance",
    "AcceptedFile",
    "Doubt",
    "Options",
    "Part",
    "PlannedWrite",
    "Standing",
    "accept",
    "acceptances",
    "doubts",
    "plan",
    "recover",
    "redo",
    "restorable",
    "restore",
    "slots_of",
    "sources_of",
    "standing",
]

_CODE_RANK = ("outside_workspace", "stale_file", "invalid_input")
"""Error codes, most serious first: an error about several refused files carries the first that applies."""


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """A reason not to accept a response; `flag` as on the board, or `failing_checks`."""

    slot: int
    flag: str
    text: str


_DOUBTS = {
    "truncated": "it was cut off before its end",
    "elision": "it leaves out text",
    "missing_files": "it claims to have written files that it does not contain",
    "ambiguous_block": "the end or the meaning of a file had to be guessed",
    "unapplied_edit": "some of its edits could not be applied",
    "path_doubt": "a path almost matches a file in the prompt",
    "secret_moved": "it puts a secret into a file that did not hold it",
}


def plan(
    workspace: Workspace, generation_id: int, slot: int, paths: Sequence[str] = (), options: Options = PLAIN
) -> list[PlannedWrite]:
    """What accepting would do to each file (only `paths`, if any are given); refused files are marked. Writes nothing.

    Raises DceError not_found for a response without files or a path it does not contain, conflict while it is still streaming.
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
    """Writes a response's files (only `paths`, if any are given) into the workspace and makes it the cycle's choice.

    Returns the plan and the acceptance, which is None for a dry run or if every file already has this content. A dry run marks
    refused files; otherwise one DceError (outside_workspace, stale_file or invalid_input) names all of them and nothing is
    written. Also raises what `plan` raises, workspace_locked, and write_failed if a write fails (the others are undone).
    """
    if dry_run:
        return plan(workspace, generation_id, slot, paths, options), None
    with changing(workspace, "accept"):
        response = _response(workspace, generation_id, slot)
        items = _items(workspace, response, paths, options)
        _raise_refused(items)
        writes = [item.write for item in items if item.write is not None]
        acceptance = apply(workspace, response, writes, on_step, pick_of(workspace, response)) if writes else None
        cycle = workspace.store.generations.get(generation_id).cycle
        workspace.store.cycles.choose(cycle, generation_id, slot, at=workspace.clock())
        return [item.shown for item in items], acceptance


def doubts(workspace: Workspace, generation_id: int, slots: Sequence[int]) -> tuple[Doubt, ...]:
    """The reasons not to accept these responses as a whole: failing checks, a prompt read only in part, and the flags of their readings."""
    reports = workspace.store.check_reports.latest(generation_id, CheckReport)
    found = []
    for slot in dict.fromkeys(slots):
        response, reading = _response(workspace, generation_id, slot), workspace.reading(generation_id, slot)
        flags = dict.fromkeys(reading.flags)
        if response.status is Status.TRUNCATED:
            flags |= {"truncated": None}
        found += [Doubt(slot=slot, flag=flag, text=_DOUBTS.get(flag, flag.replace("_", " "))) for flag in flags]
        if (cut := prompt_cut(workspace, response)) is not None:
            found.append(Doubt(slot=slot, flag=PROMPT_CUT, text=cut.describe()))
        found += [
            Doubt(slot=slot, flag=problem.flag, text=problem.describe())
            for problem in Looking(workspace.project).problems(reading)
        ]
        report = reports.get(slot)
        changes = exam_of(workspace.project, reading, readable_checks(workspace.project)).changes
        found += _of_tests(slot, changes, report)
        if report is not None and (text := _failing(report)):
            found.append(Doubt(slot=slot, flag="failing_checks", text=text))
    return tuple(found)


def _of_tests(slot: int, changes: Sequence[TestChange], report: CheckReport | None) -> list[Doubt]:
    """What a response does to the tests; that it only adds some is no doubt, unless they fail."""
    doubtful = [change for change in changes if change.kind != "added"]
    words = exam_words(doubtful, report.own if report is not None else None)
    return [Doubt(slot=slot, flag=CHANGES_TESTS, text="; ".join(words))] if words else []


def _failing(report: CheckReport) -> str:
    """What of a response's checks speaks against it; "" if nothing does."""
    missing = sum(len(run.missing) for run in report.runs)
    if not report.failed:
        plural = "s that ran without this response do" if missing != 1 else " that ran without this response does"
        return f"{missing} test{plural} not run with it" if missing else ""
    text = f"{report.failed} of {report.passed + report.failed} checks fail"
    if report.breaks_nothing:
        return f"{text}, all of them without this response too"
    return f"{text}, {report.new_failures} of them only with this response" if report.new_failures else text


def slots_of(slot: int, options: Options) -> tuple[int, ...]:
    """The responses that a plan takes files from."""
    picked = [pick.slot for file in options.plans for pick in file.picks]
    return tuple(dict.fromkeys(picked or [slot, *(part.slot for part in options.also)]))


def restorable(workspace: Workspace) -> Acceptance | None:
    """The acceptance that `restore` undoes by default; None if there is none."""
    last = last_of_cycle(workspace.store)
    return acceptance_of(workspace.store, last) if last is not None and last.state == "applied" else None


def _response(workspace: Workspace, generation_id: int, slot: int) -> Response:
    response = workspace.store.responses.get(generation_id, slot)
    if response.status in ACTIVE:
        raise DceError(
            "conflict",
            f"response {slot} of generation {generation_id} is still {response.status}",
            hint=f"Wait for it, or stop it: dce stop {generation_id} {slot}.",
        )
    return response


def _items(workspace: Workspace, response: Response, paths: Sequence[str], options: Options) -> list[Item]:
    if options.plans:
        return _combined_items(workspace, response, options)
    if options.hunks and len(paths) != 1:
        raise DceError("invalid_input", "hunks can be taken from only one file: name it")
    planner = Planner(workspace.project, _shown(workspace, response.generation), options)
    items = _items_of(workspace, response, paths, planner)
    for part in options.also:
        other = _response(workspace, response.generation, part.slot)
        items += [_marked(item, part.slot) for item in _items_of(workspace, other, part.paths, planner)]
    return items


def sources_of(workspace: Workspace, generation_id: int, path: str, files: CurrentFiles | None = None) -> Sources:
    """The sources of a file's parts. Raises DceError outside_workspace; its `answers` raise not_found, conflict, invalid_input."""
    current = (files or CurrentFiles(workspace.project)).at(path)
    shown = _shown(workspace, generation_id)

    def answer(slot: int) -> str:
        block = _block_of(workspace, generation_id, slot, path)
        if block.action != "write" or block.from_path:
            what = {"delete": "deletes", "mode": "changes the mode of"}.get(block.action, "renames")
            raise DceError("invalid_input", f"response {slot} {what} {path}: it can only be accepted whole")
        return block.content

    is_edited = current.data is not None and is_stale(current, shown.hashes.get(path))
    return Sources(current=current, stale_base=shown.text(path) if is_edited else None, answers=answer)


def _block_of(workspace: Workspace, generation_id: int, slot: int, path: str) -> FileBlock:
    response = _response(workspace, generation_id, slot)
    return _picked(workspace.project, workspace.reading(response.generation, slot).files, [path])[-1]


def _shown(workspace: Workspace, generation_id: int) -> Shown:
    generation = workspace.store.generations.get(generation_id)
    prompt = workspace.store.prompts.get(generation.prompt_sha256)
    hashes = {entry.path: entry.sha256 for entry in prompt.manifest}
    return Shown(hashes, workspace.shown(generation.id), frozenset(shown_paths(prompt) - hashes.keys()))


def _combined_items(workspace: Workspace, response: Response, options: Options) -> list[Item]:
    """The files combined from parts, each once."""
    planner = Planner(workspace.project, _shown(workspace, response.generation), options)
    items, seen = [], set[str]()
    for file in options.plans:
        path = name_of(workspace.project, file.path)
        if path in seen:
            raise DceError("invalid_input", f"{path} is in the plan twice")
        seen.add(path)
        planner.begin(file.picks[0].slot if file.picks else response.slot, is_picked=True)
        try:
            combined = combine(file, sources_of(workspace, response.generation, path, planner.files))
        except PathRefused as error:
            items.append(Item(shown=PlannedWrite(path=path, change="new", refused=error.reason, code=error.code)))
            continue
        blocks = [_block_of(workspace, response.generation, pick.slot, path) for pick in file.picks if not pick.hunks]
        [item] = planner.items(FileBlock(path=path, content=combined.text), combined, blocks)
        slots = tuple(dict.fromkeys(pick.slot for pick in file.picks))
        items.append(_of_slots(item, response.slot, slots))
    return items


def _of_slots(item: Item, main: int, slots: tuple[int, ...]) -> Item:
    """The item with the responses it comes from, unless that is only the acceptance's own."""
    first = 0 if slots[0] == main else slots[0]
    write = None if item.write is None else msgspec.structs.replace(item.write, slot=first, also=slots[1:])
    return msgspec.structs.replace(item, shown=msgspec.structs.replace(item.shown, slot=first), write=write)


def _items_of(workspace: Workspace, response: Response, paths: Sequence[str], planner: Planner) -> list[Item]:
    """One response's files, in its order; then those whose edits could not be applied."""
    reading = workspace.reading(response.generation, response.slot)
    if not reading.files and not reading.unapplied:
        hint = f"`dce show {response.slot}` shows what it says; `dce board` shows which responses have files."
        raise DceError("not_found", f"response {response.slot} holds no files to accept", hint=hint)
    failed = {edit.path: edit.reason for edit in reading.unapplied}
    blocks = [*reading.files, *(FileBlock(path=path, content="") for path in failed)]
    planner.begin(response.slot, is_picked=bool(paths))
    items = []
    for block in _picked(workspace.project, blocks, paths):
        if block.path in failed:
            reason = failed[block.path].partition("\n")[0].rstrip(".:")
            items.append(Item(shown=_refused(name_of(workspace.project, block.path), f"not applied: {reason}")))
        else:
            items += [_said(item, block) for item in planner.items(block)]
    return items


def _said(item: Item, block: FileBlock) -> Item:
    """The item with the path as the answer writes it."""
    return msgspec.structs.replace(item, shown=msgspec.structs.replace(item.shown, written_path=block.written_path))


def _refused(path: str, reason: str) -> PlannedWrite:
    return PlannedWrite(path=path, change="modified", refused=reason, code="invalid_input")


def _marked(item: Item, slot: int) -> Item:
    """The item with the response it comes from."""
    write = None if item.write is None else msgspec.structs.replace(item.write, slot=slot)
    return msgspec.structs.replace(item, shown=msgspec.structs.replace(item.shown, slot=slot), write=write)


def _picked(project: Project, blocks: Sequence[FileBlock], paths: Sequence[str]) -> list[FileBlock]:
    """The blocks that `paths` name, in the answer's order. Raises DceError not_found, listing the available files."""
    names = [name_of(project, block.path) for block in blocks]
    as_written = {block.written_path: name for block, name in zip(blocks, names, strict=True) if block.written_path}
    wanted = {as_written.get(path, name_of(project, path)) for path in paths}
    missing = sorted(wanted - set(names))
    if missing:
        raise DceError(
            "not_found",
            f"the response holds no file {', '.join(missing)}",
            hint=f"It holds: {', '.join(sorted(set(names)))}.",
        )
    return [block for block, name in zip(blocks, names, strict=True) if not wanted or name in wanted]


def _raise_refused(items: Sequence[Item]) -> None:
    refused = [item.shown for item in items if item.shown.refused]
    if not refused:
        return
    reasons: dict[str, list[str]] = {}
    for write in refused:
        reasons.setdefault(write.refused, []).append(write.path)
    facts = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    code = min((write.code for write in refused), key=_CODE_RANK.index)
    hints = dict.fromkeys(item.hint for item in items if item.hint)
    raise DceError(code, f"nothing was written, refused: {facts}", hint=" ".join(hints))
