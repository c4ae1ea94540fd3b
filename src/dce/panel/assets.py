"""The built front-end: `index.html` with this answer's style nonce, and files whose names hold their hash.

The build is packed into the wheel; in a checkout without it the panel says how to make it instead of showing an empty page.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dce.panel.answers import answer_error, answer_page
from dce.wire.errors import DceError, Hop

STATIC = Path(__file__).parent / "static"
NONCE_PLACEHOLDER = "DCE_NONCE"
"""What frontend/vite.config.ts puts where the nonce belongs."""

_FOREVER = "public, max-age=31536000, immutable"


def index_page(static: Path) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of `/`. Never cached: it names the hashed files of this version."""

    async def index(request: Request) -> Response:
        try:
            html = (static / "index.html").read_text(encoding="utf-8")
        except FileNotFoundError:
            hint = "Run `make frontend` in the checkout; an installed DCE has it in the wheel."
            return answer_error(DceError("internal", "the front-end is not built", hop=Hop.CLIENT, hint=hint))
        return answer_page(html.replace(NONCE_PLACEHOLDER, request.state.nonce))

    return index


class Assets(StaticFiles):
    """The other files of the build. Those under assets/ never change under their name."""

    def __init__(self, static: Path) -> None:
        super().__init__(directory=static, check_dir=False)

    async def check_config(self) -> None:
        """Nothing: without a build every file is a 404, and `/` says how to make one."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """As StaticFiles, with how long a browser may keep it."""
        answer = await super().get_response(path, scope)
        if path.startswith("assets/"):
            answer.headers["cache-control"] = _FOREVER
        return answer
