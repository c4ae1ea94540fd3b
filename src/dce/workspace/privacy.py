"""What a gateway says it keeps of what it is sent, in its operator's words."""

import msgspec

from dce.wire.errors import DceError
from dce.workspace.gateway_errors import error_of_answer
from dce.workspace.http_link import HttpLink
from dce.workspace.provider import base_url

SILENCE_S = 5.0
"""A notice is a small file: a server that has one gives it at once."""

MAX_NOTICE_CHARS = 20_000


async def privacy_notice(url: str, key: str | None) -> str:
    """The notice of the gateway at `url`; "" if it has none, is none, or cannot be reached."""
    link = HttpLink(base_url(url), key, error_of_answer, SILENCE_S)
    try:
        async with link.client() as client:
            answer = await link.json(client, "GET", "/api/dce/privacy", b"")
    except DceError:
        return ""
    told = answer.get("notice", answer)
    text = told if isinstance(told, str) else msgspec.json.format(msgspec.json.encode(told), indent=2).decode()
    return text[:MAX_NOTICE_CHARS] if answer else ""
