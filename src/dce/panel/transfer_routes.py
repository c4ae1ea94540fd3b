"""The history as a file: out as a download, in as the body of a request. Files of any size pass by the disk, never through memory whole.

What must always hold: an import is checked whole before anything is kept; the temporary file is gone when the answer is.
"""

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route as StarletteRoute

from dce.panel.answers import answer_error, answer_json
from dce.panel.session import Session, fault
from dce.wire.errors import DceError
from dce.workspace.transfer import export_history, import_history

logger = logging.getLogger(__name__)

EXPORT_PATH = "/api/export"
IMPORT_PATH = "/api/import"
MAX_IMPORT_BYTES = 1024 * 1024 * 1024
"""Largest file that is taken in by a browser; `dce import` reads larger ones from where they are."""

MAX_NAME_CHARS = 60
"""Of a file that is taken in: longest name in bytes is 255 on every system, and a sign may take four."""

Endpoint = Callable[[Request], Awaitable[Response]]


def transfer_routes(session: Session) -> list[StarletteRoute]:
    """Both, over one session."""
    return [
        StarletteRoute(EXPORT_PATH, _guarded(session, _export), methods=["GET"]),
        StarletteRoute(IMPORT_PATH, _guarded(session, _import), methods=["POST"]),
    ]


def _guarded(session: Session, work: Callable[[Session, Request], Awaitable[Response]]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await work(session, request)
        except DceError as error:
            return answer_error(error)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            logger.exception("%s failed", request.url.path)
            return answer_error(fault(error))

    return endpoint


async def _export(session: Session, request: Request) -> Response:  # noqa: ARG001 - both are called alike
    path = _temporary(".jsonl")
    try:
        await asyncio.to_thread(export_history, session.workspace, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    name = f"{session.workspace.project.root.name}-history.jsonl"
    return FileResponse(
        path, media_type="application/jsonl", filename=name, background=BackgroundTask(path.unlink, missing_ok=True)
    )


async def _import(session: Session, request: Request) -> Response:
    # What a form of another site can send without asking is not taken; the gate has looked at the Origin, too.
    if request.headers.get("content-type", "") != "application/octet-stream":
        raise DceError("invalid_input", "the file must come as it is (Content-Type: application/octet-stream)")
    with tempfile.TemporaryDirectory(prefix="dce-history-") as folder:
        path = Path(folder) / _named(request.query_params.get("name", ""))  # messages and the record name it
        await _receive(request, path)
        is_again = request.query_params.get("again") == "yes"
        report = await asyncio.to_thread(import_history, session.workspace, path, again=is_again)
    session.changed("store")
    return await answer_json(report)


async def _receive(request: Request, path: Path) -> None:
    size = 0
    with path.open("wb") as file:
        async for piece in request.stream():
            size += len(piece)
            if size > MAX_IMPORT_BYTES:
                raise DceError(
                    "invalid_input", f"the file is larger than {MAX_IMPORT_BYTES:,} bytes", hint="Use `dce import`."
                )
            await asyncio.to_thread(file.write, piece)


def _named(name: str) -> str:
    """A file name that leads nowhere, as much like the one given as is safe."""
    kept = "".join(char for char in name if char.isalnum() or char in "._- ").strip(". ")
    return kept[:MAX_NAME_CHARS] or "history"


def _temporary(suffix: str) -> Path:
    with tempfile.NamedTemporaryFile(prefix="dce-history-", suffix=suffix, delete=False) as file:
        return Path(file.name)
