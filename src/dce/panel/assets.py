"""The built front-end: `index.html` with this response's style nonce, and files whose names contain their hash.

The wheel contains the build; in a checkout without one the panel says how to make it instead of showing an empty page.
"""

import asyncio
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dce.panel.http_responses import error_response, html_response
from dce.wire.errors import DceError, Hop

STATIC = Path(__file__).parent / "static"
NONCE_PLACEHOLDER = "DCE_NONCE"
"""Stands in the build where the nonce belongs (frontend/vite.config.ts)."""

_FOREVER = "public, max-age=31536000, immutable"


def index_page(static: Path) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of `/`. Never cached: it refers to the hashed files of this version."""

    async def index(request: Request) -> Response:
        try:
            html = await asyncio.to_thread((static / "index.html").read_text, encoding="utf-8")
        except FileNotFoundError:
            hint = "Run `make frontend` in the checkout; an installed DCE has it in the wheel."
            return error_response(DceError("internal", "the front-end is not built", hop=Hop.CLIENT, hint=hint))
        return html_response(html.replace(NONCE_PLACEHOLDER, request.state.nonce))

    return index


class Assets(StaticFiles):
    """The other files of the build. A file under assets/ never changes under its name."""

    def __init__(self, static: Path) -> None:
        super().__init__(directory=static, check_dir=False)

    async def check_config(self) -> None:
        """Checks nothing: without a build every file is a 404, and `/` says how to make one."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """As StaticFiles, with how long a browser may keep it."""
        if not mimetypes.inited:
            await asyncio.to_thread(mimetypes.init)  # reads the system's tables, once a process
        response = await super().get_response(path, scope)
        if path.startswith("assets/"):
            response.headers["cache-control"] = _FOREVER
        return response
