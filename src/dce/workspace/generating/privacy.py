"""Fetches a gateway's privacy notice, which is shown before anything is sent there for the first time.

The notice is the gateway's own text: it is shown as plain text and never trusted. A server without one is not an error.
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
"""Short, because the user waits for it without having asked for it."""
MAX_BYTES = 16_000
"""A notice is a page; anything longer is cut."""


async def fetch_notice(url: str, transport: "httpx2.AsyncBaseTransport | None" = None) -> str:
    """The privacy notice of the gateway at `url` as plain text; "" if there is none or it cannot be fetched. Sends no key and no data."""
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
