"""What a gateway says it does with what it is sent: shown before anything goes there for the first time.

It is the gateway's own text, so it is shown as text and never trusted; a server that has none is no error.
"""

from typing import TYPE_CHECKING

from dce.wire.errors import DceError
from dce.workspace.generating.gateway_errors import GATEWAY
from dce.workspace.generating.provider import base_url
from dce.workspace.http.link import HttpLink

if TYPE_CHECKING:
    import httpx2

PATH = "/api/dce/privacy"
TIMEOUT_S = 5.0
"""A person waits for it, and it is not what they asked for."""
MAX_BYTES = 16_000
"""A notice is a page, whatever a server sends."""


async def fetch_notice(url: str, transport: "httpx2.AsyncBaseTransport | None" = None) -> str:
    """The notice of the gateway at `url` as plain text; "" if there is none or it cannot be had. Sends no key and nothing else."""
    link = HttpLink(base_url(url), None, GATEWAY, TIMEOUT_S, transport)
    found = bytearray()
    try:
        async with link.client() as client, client.answer("GET", PATH, b"", "text/plain") as answer:
            async for piece in answer.pieces():
                found += piece
                if len(found) > MAX_BYTES:
                    break
    except DceError:
        return ""
    return bytes(found[:MAX_BYTES]).decode("utf-8", "replace").strip()
