"""Reading answers from any server: no shape is assumed, and none makes the reader fail. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from dce.doctor.findings import Answer
from dce.wire.errors import CODES, ErrorBody, Hop, decode_error

SERVICE = "dce-gateway"
"""The `service` in a gateway's /healthz and /readyz."""

OWNER = "dce"
"""The `owned_by` of a gateway's models."""

_HOPS = frozenset(map(str, Hop))
_TAG = re.compile(r"<(?:script|style)\b.*?(?:</(?:script|style)>|$)|<[^>]{0,500}>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)


def dce_error(reply: Answer) -> ErrorBody | None:
    """The error in an answer if it is surely one of DCE's: both its code and its hop are known ones. Other servers' errors have no hop."""
    error = decode_error(reply.body)
    return error if error and error.code in CODES and error.hop in _HOPS else None


def describe(reply: Answer) -> str:
    """A short description of an answer: status, server, and its title or first words."""
    server = f" from {reply.server[:60]}" if reply.server else ""
    title = _TITLE.search(reply.body)
    start = (title[1] if title else reply.body[:2000]).decode("utf-8", "replace")
    words = " ".join((_TAG.sub(" ", start) if is_html(reply) else start).split())[:120]
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


def is_service(reply: Answer) -> bool:
    """Whether an answer says that it is a gateway's, as those of /healthz and /readyz do."""
    return json_of(reply).get("service") == SERVICE


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


def owners_of(reply: Answer) -> tuple[str, ...]:
    """Who owns the models in a list of them, each once."""
    entries = json_of(reply).get("data")
    owners = (
        (entry.get("owned_by") for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()
    )
    return tuple(dict.fromkeys(str(owner or "nobody") for owner in owners))
