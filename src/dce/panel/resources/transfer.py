"""The history as a file: exported as a download, imported from the body of a request. A file goes through the disk, never whole into memory.

What must always hold: an import is checked whole before anything is kept; the temporary file is deleted with the response.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from dce.panel.http_responses import json_response
from dce.panel.limits import MAX_FILE_NAME_CHARS, MAX_IMPORT_BYTES
from dce.panel.route import RawRoute
from dce.panel.runtime import PanelRuntime
from dce.panel.threads import to_the_end
from dce.wire.errors import DceError
from dce.workspace.transfer import ImportReport, export_bundle, import_history

EXPORT_PATH = "/api/export"
IMPORT_PATH = "/api/import"


async def export_file(panel: PanelRuntime, request: Request) -> Response:  # noqa: ARG001 - every handler gets the request
    """Downloads the history."""
    path = await to_the_end(lambda: _exported(panel))
    name = f"{panel.workspace.project.root.name}-history.jsonl"
    return FileResponse(
        path, media_type="application/jsonl", filename=name, background=BackgroundTask(path.unlink, missing_ok=True)
    )


def _exported(panel: PanelRuntime) -> Path:
    with tempfile.NamedTemporaryFile(prefix="dce-history-", suffix=".jsonl", delete=False) as file:
        path = Path(file.name)
    try:
        export_bundle(panel.workspace, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


async def import_file(panel: PanelRuntime, request: Request) -> Response:
    """Adds the history in a file to this one's."""
    # A form of another site could send other types without asking; the gate has checked the Origin, too.
    if request.headers.get("content-type", "") != "application/octet-stream":
        raise DceError("invalid_input", "the file must be the body as it is (Content-Type: application/octet-stream)")
    is_again = request.query_params.get("again") == "yes"
    async with _temporary_folder() as folder:
        path = folder / _safe_name(request.query_params.get("name", ""))  # messages and the record contain the name
        await _receive(request, path)
        report = await to_the_end(lambda: import_history(panel.workspace, path, again=is_again))
    panel.notify("store")
    return await json_response(report)


@asynccontextmanager
async def _temporary_folder() -> AsyncIterator[Path]:
    folder = await to_the_end(lambda: tempfile.TemporaryDirectory(prefix="dce-history-"))
    try:
        yield Path(folder.name)
    finally:
        await to_the_end(folder.cleanup)


async def _receive(request: Request, path: Path) -> None:
    file: IO[bytes] = await to_the_end(lambda: path.open("wb"))
    try:
        size = 0
        async for piece in request.stream():
            size += len(piece)
            if size > MAX_IMPORT_BYTES:
                raise DceError(
                    "invalid_input", f"the file is larger than {MAX_IMPORT_BYTES:,} bytes", hint="Use `dce import`."
                )
            await asyncio.to_thread(file.write, piece)
    finally:
        await to_the_end(file.close)


def _safe_name(name: str) -> str:
    """A file name that leads nowhere else, as much like the given one as is safe."""
    kept = "".join(char for char in name if char.isalnum() or char in "._- ").strip(". ")
    return kept[:MAX_FILE_NAME_CHARS] or "history"


ROUTES: tuple[RawRoute, ...] = (
    RawRoute(
        "GET",
        EXPORT_PATH,
        export_file,
        {
            "summary": "Exports the history as a file.",
            "parameters": [],
            "responses": {"200": {"description": "the file", "content": {"application/jsonl": {}}}},
        },
    ),
    RawRoute(
        "POST",
        IMPORT_PATH,
        import_file,
        {
            "summary": "Adds the history in a file to this one's.",
            "parameters": [
                {"name": "name", "in": "query", "description": "the file's name", "schema": {"type": "string"}},
                {
                    "name": "again",
                    "in": "query",
                    "description": "`yes`: also if this very file was imported before",
                    "schema": {"type": "string"},
                },
            ],
            "requestBody": {"required": True, "content": {"application/octet-stream": {}}},
        },
        gives=ImportReport,
    ),
)
