"""The workspace's files: the table of all of them, what git says of them, and finding those that a task is about."""

import asyncio
from typing import Literal

import msgspec

from dce.panel.file_state import FilesView
from dce.panel.limits import MAX_SEARCH_BODY_BYTES
from dce.panel.route import Call, Route
from dce.wire.errors import DceError
from dce.workspace.context.sources import changed_in_git, changed_since, containing, git_status, named_in
from dce.workspace.tree.files import FileEntry
from dce.workspace.workspace import Workspace


class GitView(msgspec.Struct, frozen=True, kw_only=True):
    """Files that differ from the last commit: path → modified, added, untracked, renamed or conflict."""

    changed: dict[str, str]


class FindFilesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to look for files: `git` finds what changed since the commit in `text` ("" the last one), `cycle` what changed since the
    last prompt of `cycle`, `trace` what a stack trace, diff or log in `text` names, `content` which files contain `text`."""

    source: Literal["git", "cycle", "trace", "content"]
    text: str = ""
    cycle: int = 0


class MatchingFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Files that can go into a prompt, sorted by path."""

    paths: tuple[str, ...]


async def list_files(call: Call) -> FilesView:
    """The files with their tokens; after a cursor (`since`) only what changed; `fresh=yes` reads the list anew."""
    return await call.panel.files.view(call.query.get("since", ""), is_fresh=call.query.get("fresh") == "yes")


def show_git_status(call: Call) -> GitView:
    """What git reports as changed since the last commit; nothing outside a repository."""
    return GitView(changed=git_status(call.panel.workspace.project))


async def find_files(call: Call) -> MatchingFiles:
    """Files that changed, that a text names or that contain one, to make a selection of."""
    entries = await call.panel.files.entries()
    return MatchingFiles(paths=await asyncio.to_thread(_find, call.panel.workspace, call.body, entries))


def _find(here: Workspace, request: FindFilesRequest, entries: dict[str, FileEntry]) -> tuple[str, ...]:
    if request.source == "git":
        return changed_in_git(here.project, request.text or "HEAD")
    if request.source == "trace":
        return named_in(request.text, entries.values())
    if request.source == "content":
        return containing(here.project, request.text, entries.values())
    here.cycles.get(request.cycle)
    generation = here.store.generations.latest(request.cycle)
    if generation is None:
        raise DceError("not_found", f"cycle {request.cycle} has not sent a prompt yet")
    return changed_since(here.project, here.store.prompts.get(generation.prompt_sha256).manifest, generation.created_at)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/files", list_files, gives=FilesView, query=("since", "fresh")),
    Route("GET", "/api/files/git", show_git_status, gives=GitView),
    Route(
        "POST",
        "/api/files/find",
        find_files,
        takes=FindFilesRequest,
        gives=MatchingFiles,
        max_body_bytes=MAX_SEARCH_BODY_BYTES,
    ),
)
