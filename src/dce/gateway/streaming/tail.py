"""Reads the end of a relayed answer: its token counts and finish reason, without decoding the rest. Pure.

Every dialect of the /v1 routes has them near the end: in the last events of a stream, or the last fields of a JSON answer. A JSON
string cannot contain an unescaped quote, so the names searched for cannot occur inside text the model wrote.
"""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from dce.gateway.backends.faults import frame_fault
from dce.wire.chat import BadChunk, Usage, read_error, read_values, usage_of
from dce.wire.errors import DceError, ErrorBody, error_of
from dce.wire.sse import ERROR, Decoder

TAIL_BYTES = 16 * 1024
"""How much of the end is searched: the Responses API repeats settings and output in its last event, with the usage last."""

_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
_REASON = re.compile(rb'\s*:\s*"([A-Za-z_]{1,40})"')
_REASONS = (b'"finish_reason"', b'"stop_reason"')
_decoder = json.JSONDecoder()
log = logging.getLogger("dce.gateway")


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """The last usage (None if absent) and the last finish reason (empty if absent); `error` if an event reported one."""

    usage: Usage | None = None
    finish_reason: str = ""
    error: DceError | None = None


def read_tail(data: bytes) -> Tail:
    """Reads the last bytes of an answer; TAIL_BYTES of them are enough."""
    data = data[-TAIL_BYTES:]
    try:
        return Tail(usage=_last_usage(data), finish_reason=_last_reason(data), error=error_in(data))
    except Exception as error:  # noqa: BLE001 - what cannot be read has no counts; the request must still be accounted for
        log.warning("the end of a backend's answer cannot be read (%s)", type(error).__name__)
        return Tail()


def error_in(data: bytes) -> DceError | None:
    """The error that one of the last events reports, in any form a backend has for it; None if there is none."""
    decoder = Decoder()
    for event in (*decoder.feed(data), *decoder.flush()):
        said = read_error(event.data) if event.event == ERROR else _said(event.data)
        if said is not None:
            return frame_fault(said)
    return None


def _said(data: str) -> ErrorBody | None:
    try:
        values = read_values(data)
    except BadChunk:  # `[DONE]`, or the beginning is missing
        return None
    return next((error for value in values if (error := error_of(value))), None)


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
