"""What a gateway says it does with what it is sent: shown before anything goes there for the first time.

It is the gateway's own text, so it is shown as text and never trusted; a server that has none is no error.
"""

from typing import TYPE_CHECKING

from dce.workspace.generating.gateway_errors import error_of_answer
from dce.workspace.generating.http_link import HttpLink
from dce.workspace.generating.provider import base_url

if TYPE_CHECKING:
    import httpx

PATH = "/api/dce/privacy"
TIMEOUT_S = 5.0
"""A person waits for it, and it is not what they asked for."""
MAX_BYTES = 16_000
"""A notice is a page, whatever a server sends."""


async def fetch_notice(url: str, transport: "httpx.AsyncBaseTransport | None" = None) -> str:
    """The notice of the gateway at `url` as plain text; "" if there is none or it cannot be had. Sends no key and nothing else."""
    from dce.workspace.light_httpx import httpx  # noqa: PLC0415 - see there

    link = HttpLink(base_url(url), None, error_of_answer, TIMEOUT_S, transport)
    found = bytearray()
    try:
        async with link.client() as client, client.stream("GET", PATH, headers={"accept": "text/plain"}) as answer:
            if not answer.is_success or not answer.headers.get("content-type", "").startswith("text/plain"):
                return ""
            async for piece in answer.aiter_bytes():
                found += piece
                if len(found) > MAX_BYTES:
                    break
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError):
        return ""
    return bytes(found[:MAX_BYTES]).decode("utf-8", "replace").strip()
