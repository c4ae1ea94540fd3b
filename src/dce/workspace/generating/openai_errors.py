"""Turns error answers of an OpenAI-compatible server into a `DceError` with hop backend. No message contains a key or a prompt."""

import math
import time
from collections.abc import Mapping

from dce.wire.errors import DceError, Hop, decode_error
from dce.wire.retry_after import retry_after_s
from dce.workspace.http.peer import SSE, Peer

MAX_TOLD_CHARS = 300
"""How much of the server's own message is shown: a sentence, not a page."""

_OF_STATUS = {
    401: "backend_unauthorized",
    403: "backend_unauthorized",
    413: "body_too_large",
    429: "rate_limited",
    408: "backend_timeout",
    503: "no_healthy_backend",
    504: "backend_timeout",
}

_PLAIN = ("text/plain", "application/json", "nothing")
"""Media types whose beginning is shown verbatim. The first lines of an HTML page would say nothing."""


def error_of_server(status: int, headers: Mapping[str, str], content: bytes, url: str) -> DceError:
    """The error that an unexpected answer means. `content` may be only its beginning."""
    body = decode_error(content)
    kind = headers.get("content-type", "").partition(";")[0].strip() or "nothing"
    said = (body.message if body else "") or (_beginning(content) if kind in _PLAIN else "")
    said = " ".join(said.split())[:MAX_TOLD_CHARS]
    code = _OF_STATUS.get(status, "")
    if not code and status == 404:
        code = "model_not_found" if "model" in said.lower() else "route_not_found"
    if not code and 400 <= status < 500:
        code = "prompt_too_long" if "context" in said.lower() and "token" in said.lower() else "invalid_request"
    fact = f"{url} answered {status}" + (f": {said}" if said else f" with {kind}")
    if 300 <= status < 400:
        target = headers.get("location", "").partition("?")[0][:200]
        return DceError(
            "route_not_found",
            f"{url} answered {status}, a redirect to {target!r}",
            hop=Hop.BACKEND,
            hint="Set the URL to the final address; DCE follows only a 307 or 308 to the same server.",
        )
    wait_s = retry_after_s(headers.get("retry-after", ""), time.time())
    return DceError(
        code or "backend_error",
        fact,
        hop=Hop.BACKEND,
        hint=_hint(code, wait_s),
        retry_after_s=wait_s,
    )


def _beginning(content: bytes) -> str:
    return content[: 4 * MAX_TOLD_CHARS].decode("utf-8", "replace")


def _hint(code: str, wait_s: float | None) -> str:
    if code == "rate_limited":
        when = "in a moment" if wait_s is None else f"in {max(1, math.ceil(wait_s))} s"
        return f"Try again {when}, or ask for fewer responses at once."
    if code == "backend_unauthorized":
        return "Give the model card the server's key: dce settings cards add NAME … --key-stdin"
    if code == "no_healthy_backend":
        return "The server is busy or still loading its model: try again in a moment, or check its log."
    if code == "route_not_found":
        return "The URL should be the server's base, or end in /v1 or /v1/chat/completions."
    return ""


SERVER = Peer(
    name="the server",
    hop=Hop.BACKEND,
    unreachable="backend_unreachable",
    silent="backend_timeout",
    foreign="backend_error",
    has_heartbeat=False,
    error_of_answer=error_of_server,
    # What is none after all is reported with the beginning of its body.
    stream_types=frozenset({SSE, "text/plain", "application/octet-stream", ""}),
    hints={
        "backend_unreachable": "Start the model server, or correct its URL: `url` in the settings, the card, or DCE_URL."
    },
)
