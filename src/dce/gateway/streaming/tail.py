"""Reads the end of a relayed answer: its token counts and finish reason, without decoding the rest. Pure.

Every dialect of the /v1 routes has them near the end: in the last events of a stream, or the last fields of a JSON answer. A JSON
string cannot contain an unescaped quote, so the names searched for cannot occur inside text the model wrote.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from dce.wire.chat import Usage, usage_of
from dce.wire.errors import DceError

TAIL_BYTES = 16 * 1024
"""How much of the end is searched: the Responses API repeats settings and output in its last event, with the usage last."""

_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
_REASON = re.compile(rb'\s*:\s*"([A-Za-z_]{1,40})"')
_REASONS = (b'"finish_reason"', b'"stop_reason"')
_ERROR = re.compile(rb'(?m)^(?:data:\s*\{\s*"error"\s*:\s*\{|event:\s*error\b)')
_decoder = json.JSONDecoder()


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """The last usage (None if absent) and the last finish reason (empty if absent); `error` if an event reported one."""

    usage: Usage | None = None
    finish_reason: str = ""
    error: DceError | None = None


def read_tail(data: bytes) -> Tail:
    """Reads the last bytes of an answer; TAIL_BYTES of them are enough."""
    data = data[-TAIL_BYTES:]
    has_error = b"error" in data and _ERROR.search(data)
    error = DceError("backend_error", "the backend reported an error in its stream") if has_error else None
    return Tail(usage=_last_usage(data), finish_reason=_last_reason(data), error=error)


def _from_the_end(data: bytes, name: bytes) -> Iterator[int]:
    """The positions of a name, last first: the one wanted is nearly always the last."""
    at = len(data)
    while (at := data.rfind(name, 0, at)) >= 0:
        yield at


def _last_reason(data: bytes) -> str:
    last, reason = -1, b""
    for name in _REASONS:
        for at in _from_the_end(data, name):
            if match := _REASON.match(data, at + len(name)):
                last, reason = max((last, reason), (at, match[1]))
                break
    return reason.decode()


def _last_usage(data: bytes) -> Usage | None:
    for at in _from_the_end(data, b'"usage"'):
        match = _USAGE.match(data, at)
        if match is None:
            continue
        try:
            value, _ = _decoder.raw_decode(data[match.end() :].decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            continue  # cut off in the middle
        usage = usage_of(_as_chat(value))
        if usage is not None:
            return usage
    return None


def _as_chat(value: Any) -> Any:
    """Translates the Responses and Messages APIs' names for the same counts."""
    if not isinstance(value, dict) or "prompt_tokens" in value or not {"input_tokens", "output_tokens"} & set(value):
        return value
    cached = value.get("cache_read_input_tokens")
    return {
        "prompt_tokens": value.get("input_tokens"),
        "completion_tokens": value.get("output_tokens"),
        "prompt_tokens_details": value.get("input_tokens_details") or {"cached_tokens": cached},
        "completion_tokens_details": value.get("output_tokens_details"),
    }
