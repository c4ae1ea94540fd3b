"""What a backend's refusal means: its status and body, translated at this one seam into our errors. Pure.

The original made every one of them a bare 500. Sources: vLLM 0.32 and llama.cpp, whose answers stand in the tests.
"""

import re

from dce.wire.errors import DceError, Hop, decode_error

_TOO_LONG = re.compile(
    r"context (length|size|window)|exceed_context_size|maximum input length|longer than the maximum|input length|prompt is too long",
    re.IGNORECASE,
)


def backend_fault(status: int, body: bytes, where: str) -> DceError:
    """The error for an answer that is not 200. `where` names backend and path for the message."""
    said = decode_error(body)
    text = said.message if said and said.message else body[:200].decode("utf-8", "replace").strip()
    text = " ".join(text.split()) or "(an empty answer)"
    if status in (401, 403):
        return DceError("backend_unauthorized", f"the backend refused the gateway's own key: {text}")
    if status == 404 and "model" in text.lower():
        return DceError("model_not_found", f"the backend does not serve that model (any more): {text}")
    if status == 404:
        return DceError(
            "backend_error",
            f"the backend has no route {where}: {text}",
            hint="Is the backend URL an OpenAI-compatible server's base URL?",
        )
    if status in (400, 413, 422):
        if _TOO_LONG.search(text) or (said is not None and _TOO_LONG.search(said.type)):
            return DceError("prompt_too_long", text)
        return DceError("invalid_request", f"the backend refused the request: {text}", hop=Hop.BACKEND)
    if status in (429, 503):
        return DceError(
            "backend_error",
            f"the backend is overloaded or not ready (HTTP {status}): {text}",
            hint="Try again in a moment.",
            retry_after_s=2,
        )
    return DceError("backend_error", f"the backend failed (HTTP {status}): {text}")
