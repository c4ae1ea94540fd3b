"""The selection: which files go into the prompt, how much of each, what that costs and risks, and saved selections."""

import asyncio
from typing import Literal

import msgspec

from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.wire.errors import DceError
from dce.workspace.context.detail import reduced
from dce.workspace.context.tokens import Count
from dce.workspace.outbound.secrets import scan
from dce.workspace.record.selected_files import Detail
from dce.workspace.tree.encodings import UNCERTAIN
from dce.workspace.tree.files import FileEntry, read_text
from dce.workspace.workspace import Workspace


class SelectionChange(msgspec.Struct, frozen=True, kw_only=True):
    """All selected paths: those that shall be selected, and in the response those that are.

    `seen`: the selection that the sender edited. What somebody else has selected or removed since then is kept.
    """

    paths: tuple[str, ...]
    seen: tuple[str, ...] | None = None


class SelectedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A selected file as the prompt will show it. `count`: its cost; None if it cannot go into the prompt, for the reason in `problem`.

    `findings`: possible secrets in it that nobody has decided about; `is_changed`: it differs from what the last prompt showed.
    `guess`: its encoding, if that is only guessed; `is_doubtful`: the guess may well be wrong.
    """

    path: str
    size: int
    detail: Detail
    count: Count | None
    findings: int
    is_changed: bool
    problem: str
    guess: str
    is_doubtful: bool


class SavedSelection(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of files. `is_selection`: exactly these files are selected now."""

    name: str
    files: int
    is_selection: bool


class SelectionView(msgspec.Struct, frozen=True, kw_only=True):
    """The selection file by file, and the saved selections. `missing`: files of a loaded one that no longer exist."""

    files: tuple[SelectedFile, ...]
    sets: tuple[SavedSelection, ...]
    missing: tuple[str, ...] = ()


class DetailRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of some selected files the prompt shows."""

    paths: tuple[str, ...]
    detail: Detail


class SavedSelectionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do with a saved selection. `load` replaces the present selection, `merge` adds to it."""

    name: str
    act: Literal["save", "load", "merge", "delete"]


async def replace_selection(call: Call) -> SelectionChange:
    """Selects exactly these paths. A path that cannot be selected changes nothing."""
    selection = call.panel.workspace.selection
    entries = await call.panel.files.entries()

    def replace() -> SelectionChange:
        selection.replace(call.body.paths, entries, call.body.seen)
        return SelectionChange(paths=selection.paths())

    return await asyncio.to_thread(replace)


async def show_selection(call: Call) -> SelectionView:
    """The selection file by file, with cost and risks, and the saved selections."""
    return await _selection_view(call.panel)


async def set_detail(call: Call) -> SelectionView:
    """Sets how much of some selected files the prompt shows."""
    request: DetailRequest = call.body
    await asyncio.to_thread(call.panel.workspace.selection.show, request.paths, request.detail)
    return await _selection_view(call.panel)


async def change_saved_selection(call: Call) -> SelectionView:
    """Saves the selection under a name; or loads, adds or deletes a saved one."""
    missing = await asyncio.to_thread(_change_saved, call.panel.workspace, call.body)
    return await _selection_view(call.panel, missing)


def _change_saved(here: Workspace, request: SavedSelectionRequest) -> tuple[str, ...]:
    if request.act == "save":
        here.selection.save(request.name)
    elif request.act == "delete":
        here.selection.delete(request.name)
    elif request.act == "load":
        return here.selection.load(request.name)
    else:
        return here.selection.merge(request.name)
    return ()


async def _selection_view(panel: PanelRuntime, missing: tuple[str, ...] = ()) -> SelectionView:
    here = panel.workspace
    entries = await panel.files.entries()
    shown = await asyncio.to_thread(_shown_files, here, entries)
    counts = await here.counter.count([text for _, text in shown])
    files = tuple(
        file if file.problem else msgspec.structs.replace(file, count=count)
        for (file, _), count in zip(shown, counts, strict=True)
    )
    sets = await asyncio.to_thread(here.selection.sets)
    selected = {file.path for file in files}
    return SelectionView(
        files=files,
        sets=tuple(
            SavedSelection(name=name, files=len(paths), is_selection=set(paths) == selected)
            for name, paths in sets.items()
        ),
        missing=missing,
    )


def _shown_files(here: Workspace, entries: dict[str, FileEntry]) -> list[tuple[SelectedFile, str]]:
    """Each selected file, not counted yet, and its text as the prompt will show it."""
    details, pages = here.selection.details(), here.selection.pages()
    last = here.store.generations.latest()
    manifest = here.store.prompts.get(last.prompt_sha256).manifest if last else ()
    hash_in_prompt = {entry.path: entry.sha256 for entry in manifest}
    files = []
    for path in here.selection.paths():
        entry, detail = entries.get(path), details.get(path, "full")
        problem, text, found = (entry.excluded if entry else ""), "", None
        if not problem:
            try:
                found = read_text(here.project, path, pages.get(path, ""))
                text = reduced(found.text, path, detail)
            except DceError as error:
                problem = error.message
        file = SelectedFile(
            path=path,
            size=found.size if found else 0,
            detail=detail,
            count=None,
            findings=len(here.sending.unresolved(scan(text, path))),
            is_changed=found is not None and path in hash_in_prompt and found.sha256 != hash_in_prompt[path],
            problem=problem,
            guess=found.encoding if found and found.certainty in UNCERTAIN else "",
            is_doubtful=bool(found and found.certainty == "doubtful"),
        )
        files.append((file, text))
    return files


_CHANGES = ("selection",)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/selection", show_selection, gives=SelectionView),
    Route("PUT", "/api/selection", replace_selection, takes=SelectionChange, gives=SelectionChange, changes=_CHANGES),
    Route("PUT", "/api/selection/details", set_detail, takes=DetailRequest, gives=SelectionView, changes=_CHANGES),
    Route(
        "POST",
        "/api/selection/sets",
        change_saved_selection,
        takes=SavedSelectionRequest,
        gives=SelectionView,
        changes=_CHANGES,
    ),
)
