"""Translates a backend's error answer (status and body) into a DceError, and judges what an error says about the backend.

The only place that does. The original turned every one into a bare 500. Sources: vLLM 0.32 and llama.cpp, whose answers are in the
tests. Pure.
"""

import math
import re
from enum import StrEnum

import msgspec

from dce.gateway.backends.busy import BUSY_RETRY_S, is_busy
from dce.wire.errors import DceError, ErrorBody, Hop, decode_error

_TOO_LONG = re.compile(
    r"context (length|size|window)|exceed_context_size|maximum input length|longer than the maximum|input length|prompt is too long",
    re.IGNORECASE,
)
_GRAMMAR = re.compile(r"grammar|structured.outputs?\b|ebnf|gbnf|json.schema", re.IGNORECASE)
_UNSUPPORTED = re.compile(r"does not support|not_supported|NotImplemented", re.IGNORECASE)
MAX_ERROR_BYTES = 64 * 1024
"""A longer answer is not an error, and is not decoded to find out."""
EXCERPT_BYTES = 200
"""How much of an answer that is none is told."""
_STATUS_OF_TYPE = {
    "BadRequestError": 400,
    "invalid_request_error": 400,
    "exceed_context_size_error": 400,
    "UnprocessableEntityError": 422,
    "AuthenticationError": 401,
    "authentication_error": 401,
    "PermissionDeniedError": 403,
    "permission_error": 403,
    "NotFoundError": 404,
    "not_found_error": 404,
    "NotImplementedError": 501,
    "not_supported_error": 501,
    "RateLimitError": 429,
    "unavailable_error": 503,
    "ServiceUnavailableError": 503,
}
"""The HTTP status for an error frame's `type`, used when its `code` is not a number."""


class Verdict(StrEnum):
    """What the result of a request says about its backend."""

    WORKS = "works"
    """It answered, or refused an invalid request."""
    BUSY = "busy"
    """It is healthy but has no capacity right now."""
    FAILED = "failed"
    """It was unreachable, broke off, or failed."""


_FAILURES = frozenset(
    {"backend_unreachable", "backend_unauthorized", "backend_error", "backend_timeout", "stream_interrupted"}
)


def verdict(error: DceError | None) -> Verdict:
    """The verdict on a backend whose request ended with `error` (None: it succeeded)."""
    if error is not None and is_busy(error):
        return Verdict.BUSY
    return Verdict.FAILED if error is not None and error.code in _FAILURES else Verdict.WORKS


def ran_too_long(total_s: float) -> DceError:
    """The error of a request that reached the operator's total limit. The backend is not at fault."""
    return DceError(
        "backend_timeout",
        f"the request ran for {total_s:g} s, the maximum the gateway allows (total_timeout_s)",
        hint="Ask for shorter answers (max_tokens), or ask the operator to raise the limit.",
    )


def backend_fault(status: int, body: bytes, where: str, retry_after_s: float | None = None) -> DceError:
    """The error for an answer other than 200. `where` names the path for the message; `retry_after_s`: what its Retry-After says."""
    said = decode_error(body)
    text = said.message if said and said.message else body[:200].decode("utf-8", "replace").strip()
    return _fault(status, text, said.type if said else "", where, retry_after_s)


def fault_in(body: bytes, answer: str) -> DceError | None:
    """The error of an answer with status 200: one that the backend reports in it, or that it does not hold the field `answer`."""
    said = decode_error(body) if len(body) <= MAX_ERROR_BYTES else None
    if said is not None and said.message:
        return frame_fault(said)
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = {}
    if answer in fields and bytes(fields[answer]) != b"null":
        return None
    beginning = " ".join(body[:EXCERPT_BYTES].decode("utf-8", "replace").split()) or "(an empty answer)"
    return DceError("backend_error", f"the backend answered without `{answer}`: {beginning}")


def frame_fault(said: ErrorBody) -> DceError:
    """The error for an error frame inside an answer with status 200: vLLM compiles grammars after sending the head."""
    digits = said.code if said.code.isdecimal() else ""
    status = int(digits) if digits else _STATUS_OF_TYPE.get(said.type, 500)
    if not 400 <= status < 500 and status not in (501, 503):
        reported = f"the backend reported an error in the middle of its answer: {' '.join(said.message.split())}"
        return DceError("backend_error", reported)
    return _fault(status, said.message, said.type, "that it streamed from")


def _fault(status: int, text: str, kind: str, where: str, retry_after_s: float | None = None) -> DceError:
    text = " ".join(text.split()) or "(an empty answer)"
    if status in (401, 403):
        return DceError("backend_unauthorized", f"the backend refused the gateway's key: {text}")
    if status == 404 and "model" in text.lower() and not _UNSUPPORTED.search(text + kind):
        return DceError("model_not_found", f"the backend no longer serves that model: {text}")
    if status in (404, 405, 501) or (status == 400 and _UNSUPPORTED.search(kind)):
        return DceError(
            "route_not_found",
            f"the backend has no route {where}: {text}",
            hint="Another backend or model may have it; otherwise check that the backend URL is the base URL of an OpenAI-compatible server.",
            hop=Hop.BACKEND,
        )
    if 400 <= status < 500 and status not in (408, 425, 429):
        return _refusal(text, kind)
    if status in (429, 503):
        wait_s = BUSY_RETRY_S if retry_after_s is None else retry_after_s
        return DceError(
            "rate_limited" if status == 429 else "no_healthy_backend",
            f"the backend is {'busy' if status == 429 else 'not ready'} (HTTP {status}): {text}",
            hint=f"Try again in {max(1, math.ceil(wait_s))} s, or ask for fewer responses at once.",
            hop=Hop.BACKEND,
            retry_after_s=wait_s,
        )
    return DceError("backend_error", f"the backend failed (HTTP {status}): {text}")


def _refusal(text: str, kind: str) -> DceError:
    """The error for a request the backend refused as invalid."""
    if _TOO_LONG.search(text) or _TOO_LONG.search(kind):
        return DceError("prompt_too_long", text)
    if _GRAMMAR.search(text):
        return DceError(
            "invalid_request",
            f"the backend rejected the grammar or schema: {text}",
            hint="Correct or omit `grammar`, `structured_outputs` or `response_format`.",
            hop=Hop.BACKEND,
        )
    return DceError("invalid_request", f"the backend refused the request: {text}", hop=Hop.BACKEND)
