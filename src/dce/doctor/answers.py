"""Reading answers from any server: no shape is assumed, and none makes the reader fail. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from dce.doctor.findings import Answer, Failure, Finding, failing
from dce.doctor.target import Target
from dce.wire.errors import CODES, ErrorBody, decode_error

_TITLE = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)


def dce_error(reply: Answer) -> ErrorBody | None:
    """The error in an answer if it is one of DCE's: its code is a known one."""
    error = decode_error(reply.body)
    return error if error and error.code in CODES else None


def describe(reply: Answer) -> str:
    """A short description of an answer: status, server, and its title or first words."""
    server = f" from {reply.server[:60]}" if reply.server else ""
    title = _TITLE.search(reply.body)
    words = " ".join((title[1] if title else reply.body[:400]).decode("utf-8", "replace").split())[:120]
    return f"HTTP {reply.status}{server}" + (f" «{words}»" if words else "")


def is_html(reply: Answer) -> bool:
    """Whether it is a web page."""
    return "html" in reply.content_type or reply.body.lstrip()[:1] == b"<"


def json_of(reply: Answer) -> Mapping[str, Any]:
    """The JSON object of an answer; empty when it holds none."""
    try:
        value = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def models_of(reply: Answer) -> dict[str, int] | None:
    """Served model → context window in tokens (0: unknown); None when the answer is not a list of models."""
    entries = json_of(reply).get("data")
    if reply.status != 200 or not isinstance(entries, list):
        return None
    models: dict[str, int] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            window = entry.get("max_model_len")
            models[entry["id"]] = window if isinstance(window, int) else 0
    return models


def no_answer(reply: Failure, target: Target) -> Finding:
    """The finding for an HTTP request that got no answer."""
    if reply.other_speech == "tls":
        return failing(
            "not_a_gateway",
            f"{target.host}:{target.port} expects TLS, and the request was plain HTTP",
            f"Set DCE_URL to https://{target.base.removeprefix('http://')}",
        )
    if reply.kind == "timeout":
        return failing(
            "gateway_timeout",
            f"{target.base} accepts connections but does not answer",
            "The server there is stuck or is not an HTTP server: restart the gateway and check its log.",
        )
    fix = f"Port {target.port} is not an HTTP server, or it expects TLS (https://): check DCE_URL."
    return failing("not_a_gateway", f"{target.base} does not answer as an HTTP server: {reply.text}", fix)
