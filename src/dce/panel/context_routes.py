"""The routes of the context: the table of files, where a selection can come from, its sets and levels of detail, findings, the prompt
against the last one."""

import asyncio

import msgspec

from dce.panel import context_schemas as schemas
from dce.panel.route import Call, Route
from dce.panel.session import Session
from dce.wire.errors import DceError
from dce.workspace.context.detail import reduced
from dce.workspace.context.sources import changed_in_git, changed_since, containing, git_status, named_in
from dce.workspace.outbound.allowlist import allow
from dce.workspace.outbound.secrets import scan
from dce.workspace.record.generations import Generation
from dce.workspace.tree.files import FileEntry, read_text
from dce.workspace.workspace import Workspace

MAX_SCANNED_BYTES = 2_000_000
"""Largest selected file scanned for its row; the prompt itself is always scanned whole before it goes out."""


async def files(call: Call) -> schemas.FilesView:
    """The files of the tree with their tokens; after a cursor (`since`) what changed; `fresh=yes` reads the list anew."""
    return await call.session.files.view(call.query.get("since", ""), is_fresh=call.query.get("fresh") == "yes")


async def git(call: Call) -> schemas.GitView:
    """What git sees as changed against the last commit; nothing outside a repository."""
    return schemas.GitView(changed=await asyncio.to_thread(git_status, call.session.workspace.project))


async def find(call: Call) -> schemas.FoundView:
    """Files that changed, that a text names or that hold one: what a selection can be made of."""
    order: schemas.FindOrder = call.body
    entries = await call.session.files.entries()
    found = await asyncio.to_thread(_find, call.session.workspace, order, entries)
    return schemas.FoundView(paths=found)


def _find(here: Workspace, order: schemas.FindOrder, entries: dict[str, FileEntry]) -> tuple[str, ...]:
    if order.source == "git":
        return changed_in_git(here.project, order.text or "HEAD")
    if order.source == "trace":
        return named_in(order.text, entries.values())
    if order.source == "content":
        return containing(here.project, order.text, entries.values())
    here.cycles.get(order.cycle)
    generation = here.latest_generation(order.cycle)
    if generation is None:
        raise DceError("not_found", f"cycle {order.cycle} has sent no prompt yet")
    return changed_since(here.project, here.store.get_prompt(generation.prompt_sha256).manifest, generation.created_at)


async def selection(call: Call) -> schemas.SelectionView:
    """The selection file by file, with cost and risks, and the named sets."""
    return await selection_view(call.session)


async def selection_view(session: Session, missing: tuple[str, ...] = ()) -> schemas.SelectionView:
    """The same, for the routes that change it and answer with it."""
    here = session.workspace
    entries = await session.files.entries()
    looked = await asyncio.to_thread(_selected, here, entries)
    counts = await here.counter.count([text for _, text in looked])
    rows = tuple(
        row if row.problem else msgspec.structs.replace(row, count=count)
        for (row, _), count in zip(looked, counts, strict=True)
    )
    sets = await asyncio.to_thread(here.selection.sets)
    chosen = {row.path for row in rows}
    return schemas.SelectionView(
        files=rows,
        sets=tuple(
            schemas.SetSummary(name=name, files=len(paths), is_selection=set(paths) == chosen)
            for name, paths in sets.items()
        ),
        missing=missing,
    )


def _selected(here: Workspace, entries: dict[str, FileEntry]) -> list[tuple[schemas.SelectedFile, str]]:
    """Each selected file and its text as the prompt will show it."""
    details, pages = here.selection.details(), here.selection.pages()
    last = here.latest_generation()
    manifest = here.store.get_prompt(last.prompt_sha256).manifest if last else ()
    shown = {entry.path: entry.sha256 for entry in manifest}
    rows = []
    for path in here.selection.paths():
        entry, detail = entries.get(path), details.get(path, "full")
        problem, text, found = (entry.excluded if entry else ""), "", None
        if not problem:
            try:
                found = read_text(here.project, path, pages.get(path, ""))
                text = reduced(found.text, path, detail)
            except DceError as error:
                problem = error.message
        row = schemas.SelectedFile(
            path=path,
            size=found.size if found else 0,
            detail=detail,
            count=None,
            findings=_findings(here, text, path),
            is_changed=found is not None and path in shown and found.sha256 != shown[path],
            problem=problem,
        )
        rows.append((row, text))
    return rows


def _findings(here: Workspace, text: str, path: str) -> int:
    if len(text) > MAX_SCANNED_BYTES:
        return 0
    return len(here.sending.unresolved(scan(text, path)))


async def show(call: Call) -> schemas.SelectionView:
    """Sets how much of selected files the prompt shows."""
    order: schemas.DetailOrder = call.body
    await asyncio.to_thread(call.session.workspace.selection.show, order.paths, order.detail)
    call.session.changed("selection")
    return await selection_view(call.session)


async def change_set(call: Call) -> schemas.SelectionView:
    """Keeps the selection as a named set, takes a set as the selection, adds one to it, or forgets one."""
    order: schemas.SetOrder = call.body
    where = call.session.workspace.selection
    missing: tuple[str, ...] = ()
    if order.act == "save":
        await asyncio.to_thread(where.save, order.name)
    elif order.act == "delete":
        await asyncio.to_thread(where.delete, order.name)
    else:
        missing = await asyncio.to_thread(where.load if order.act == "load" else where.merge, order.name)
    call.session.files.recount()
    call.session.changed("selection")
    return await selection_view(call.session, missing)


async def findings(call: Call) -> schemas.FindingsView:
    """The secrets that the prompt of a cycle would show."""
    return await findings_view(call.session, call.path["cycle"])


async def findings_view(session: Session, cycle_id: int) -> schemas.FindingsView:
    """The same, for the route that resolves one and answers with the rest."""
    here = await asyncio.to_thread(session.workspace.for_cycle, cycle_id)
    prepared = await here.build_prompt(cycle_id)
    return schemas.FindingsView(
        host=here.sending.host,
        is_local=here.sending.is_local,
        policy=here.sending.policy,
        findings=prepared.findings,
        hidden=await asyncio.to_thread(here.sending.hidden),
    )


async def resolve(call: Call) -> schemas.FindingsView:
    """Decides about one finding: allow its value, send a placeholder for it (or no longer), or leave its file out."""
    order: schemas.FindingOrder = call.body
    here = await asyncio.to_thread(call.session.workspace.for_cycle, call.path["cycle"])
    if order.act == "show":
        await asyncio.to_thread(here.sending.show, order.fingerprint)
    elif order.act == "exclude":
        await asyncio.to_thread(here.selection.remove, [order.path])
    elif order.act == "allow":
        if not order.fingerprint:
            raise DceError("invalid_input", "a finding is allowed by its fingerprint")
        await asyncio.to_thread(allow, here.project, [order.fingerprint], "found harmless in the panel")
    else:
        found = (await here.build_prompt(call.path["cycle"])).findings
        finding = next((each for each in found if each.fingerprint == order.fingerprint), None)
        if finding is None:
            raise DceError("not_found", f"the prompt holds no finding {order.fingerprint!r}")
        await asyncio.to_thread(here.sending.hide, finding)
    call.session.changed("selection")
    return await findings_view(call.session, call.path["cycle"])


async def prompt_change(call: Call) -> schemas.PromptChange:
    """The prompt as it would be sent now, and the last one that was sent: of this cycle, or else of any."""
    cycle_id = call.path["cycle"]
    here = await asyncio.to_thread(call.session.workspace.for_cycle, cycle_id)
    prepared = await here.build_prompt(cycle_id)
    last, before = await asyncio.to_thread(_last_prompt, here, cycle_id, prepared.prompt.nonce)
    return schemas.PromptChange(generation=last.id if last else 0, before=before, after=prepared.prompt.text)


def _last_prompt(here: Workspace, cycle_id: int, nonce: str) -> tuple[Generation | None, str]:
    """The last generation and its prompt, with the nonce of another: that word alone differs in hundreds of lines."""
    last = here.latest_generation(cycle_id) or here.latest_generation()
    if last is None:
        return None, ""
    prompt = here.store.get_prompt(last.prompt_sha256)
    return last, prompt.text.replace(f'nonce="{prompt.nonce}"', f'nonce="{nonce}"')


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/files", files, gives=schemas.FilesView, query=("since", "fresh")),
    Route("GET", "/api/files/git", git, gives=schemas.GitView),
    Route("POST", "/api/files/find", find, takes=schemas.FindOrder, gives=schemas.FoundView),
    Route("GET", "/api/selection", selection, gives=schemas.SelectionView),
    Route("PUT", "/api/selection/details", show, takes=schemas.DetailOrder, gives=schemas.SelectionView),
    Route("POST", "/api/selection/sets", change_set, takes=schemas.SetOrder, gives=schemas.SelectionView),
    Route("GET", "/api/cycles/{cycle:int}/findings", findings, gives=schemas.FindingsView),
    Route("POST", "/api/cycles/{cycle:int}/findings", resolve, takes=schemas.FindingOrder, gives=schemas.FindingsView),
    Route("GET", "/api/cycles/{cycle:int}/prompt/change", prompt_change, gives=schemas.PromptChange),
)
