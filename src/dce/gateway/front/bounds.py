"""What a request's JSON may be like, whatever it says: its size in parts and depth, one meaning to every reader, no foreign URLs.

Each bound stops a way to make a backend work, fetch or fall that a caller must not have. Applied to the system's own dialect
and to forwarded bodies alike, after decoding and before a backend is chosen. Pure; messages name the field, never its content.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from dce.wire.errors import DceError

MAX_DEPTH = 32
"""Deepest nesting: tools with nested schemas have 15; recursive readers behind us break at a few hundred."""
MAX_STRINGS = 100_000
"""Most strings (keys too) in a body: a prompt is one, however long; a million keys keep the loop busy for half a second."""
MAX_SCHEMA_BYTES = 64 * 1024
"""Largest response_format or structured_outputs, as JSON: large schemas compile for minutes (a fill grammar is apart)."""
MAX_TOOLS = 128
MAX_TOOLS_BYTES = 256 * 1024
"""OpenAI takes 128 functions; a list of that many with long descriptions has 150 KB."""
MAX_PATTERN_CHARS = 512
"""Longest `pattern` of a schema: patterns are compiled by the engine, in its only loop."""
MAX_LISTED = 1_024
"""Most entries of logit_bias, bad_words and the token lists: each is looked at in every step."""
ATTACHMENT_TEXT_BYTES = 4096
"""What a picture or sound in a prompt is reckoned as, whatever its own bytes: 1,024 tokens, about a photograph of a megapixel."""
TEMPLATE_SWITCHES = frozenset({"enable_thinking", "thinking", "reasoning_effort"})
"""What may be said to a chat template: anything else can replace the template or loop in it (CVE-2025-62426)."""

_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LISTS = ("logit_bias", "bad_words", "allowed_token_ids", "stop_token_ids", "stop")
_REFUSED_STRUCTURES = ("regex", "structural_tag")
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})
_URL_PARTS = frozenset({"image_url", "video_url", "audio_url"})
_PART_KEYS = _TEXT_PARTS | _URL_PARTS | {"type", "input_audio", "cache_control", "detail"}


def check_size(body: bytes) -> None:
    """Before decoding. A quick count that may only err on the low side."""
    quotes = body.count(b'"')
    if quotes > 2 * MAX_STRINGS and quotes - body.count(b'\\"') > 2 * MAX_STRINGS:  # the second takes 1 ms a megabyte
        raise _refused(f"the body has more than {MAX_STRINGS} strings")


def check_unique(body: bytes, fields: Mapping[str, Any]) -> None:
    """No name twice at the top: we would obey the last one, a backend's parser perhaps the first.

    In the two usual spellings the length alone proves it; only other spellings are parsed a second time.
    """
    raw = _fields_of.decode(body)
    compact = 2 + sum(len(msgspec.json.encode(name)) + 1 + len(memoryview(value)) for name, value in raw.items())
    compact += max(0, len(raw) - 1)
    if len(body) in (compact, compact + len(raw) + max(0, len(raw) - 1)):
        return
    names: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        names[:] = [name for name, _ in pairs]  # the outermost object is the last to end

    json.loads(body, object_pairs_hook=note)
    if len(set(names)) != len(names) or set(names) != set(fields):
        raise _refused("the body names a field twice")


def check_fields(fields: Mapping[str, Any]) -> None:
    """The decoded body."""
    _check_depth(fields)
    for name in ("response_format", "structured_outputs"):
        check_structure(name, fields.get(name))
    tools = fields.get("tools")
    if isinstance(tools, list):
        if len(tools) > MAX_TOOLS or len(msgspec.json.encode(tools)) > MAX_TOOLS_BYTES:
            raise _refused(f"tools must be at most {MAX_TOOLS} and {MAX_TOOLS_BYTES} bytes")
        _check_patterns("tools", tools)
    for name in _LISTS:
        value = fields.get(name)
        if isinstance(value, list | dict) and len(value) > MAX_LISTED:
            raise _refused(f"{name} must have at most {MAX_LISTED} entries")
    for name in ("top_logprobs", "logprobs", "prompt_logprobs"):
        value = fields.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and not 0 <= value <= 20:
            raise _refused(f"{name} must be from 0 to 20")
    switches = fields.get("chat_template_kwargs")
    if switches is not None and not (
        isinstance(switches, dict)
        and switches.keys() <= TEMPLATE_SWITCHES
        and all(isinstance(value, bool) or (isinstance(value, str) and len(value) <= 20) for value in switches.values())
    ):
        raise _refused(f"chat_template_kwargs may hold only {', '.join(sorted(TEMPLATE_SWITCHES))}")


def responses_in(fields: Mapping[str, Any]) -> int:
    """How many responses a forwarded body asks for: a list of prompts multiplies n."""
    prompt = fields.get("prompt")
    is_batch = isinstance(prompt, list) and prompt and not isinstance(prompt[0], int)
    most = max(int(fields.get("n") or 1), int(fields.get("best_of") or 1))
    return most * (len(prompt) if is_batch and prompt is not None else 1)


def _check_depth(value: Any) -> None:
    """Level by level, so that depth costs no stack."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise _refused(f"the body is nested more than {MAX_DEPTH} deep")


def check_structure(name: str, value: Any) -> None:
    """A schema or grammar under any name."""
    if not isinstance(value, dict):
        return
    for kind in _REFUSED_STRUCTURES:
        if value.get(kind) is not None or value.get("type") == kind:
            raise _refused(f"{name} may not hold a {kind}")
    rest = {key: inner for key, inner in value.items() if key != "grammar"}
    if len(msgspec.json.encode(rest)) > MAX_SCHEMA_BYTES:
        raise _refused(f"{name} must be at most {MAX_SCHEMA_BYTES} bytes")
    _check_patterns(name, rest)


def _check_patterns(name: str, value: Any) -> None:
    """The depth is known to be bounded here."""
    inner = value.values() if isinstance(value, dict) else value
    pattern = value.get("pattern") if isinstance(value, dict) else None
    if isinstance(pattern, str) and len(pattern) > MAX_PATTERN_CHARS:
        raise _refused(f"a pattern in {name} must have at most {MAX_PATTERN_CHARS} characters")
    for item in inner:
        if isinstance(item, dict | list):
            _check_patterns(name, item)


def check_messages(messages: Any) -> int:
    """Parts of messages hold text or data; a URL would make the backend fetch whatever the caller names (SSRF).

    Gives the bytes that `not_text` reckons for all of its pictures and sounds.
    """
    total = 0
    for at, message in enumerate(messages if isinstance(messages, list) else []):
        parts = message.get("content") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else [parts] if isinstance(parts, dict) else []:
            if isinstance(part, str):
                continue
            kind = part.get("type", "text") if isinstance(part, dict) else None
            if not isinstance(kind, str) or kind not in _PART_KEYS - {"type"} or not part.keys() <= _PART_KEYS:
                raise _refused(f"messages[{at}] holds a part that is neither text nor data in the body")
            for name in _URL_PARTS & part.keys():
                value = part[name]
                url = value.get("url") if isinstance(value, dict) else value
                if not isinstance(url, str) or not url.startswith("data:"):
                    raise _refused(f"{name} in messages[{at}] must be a data: URL; the gateway lets nothing be fetched")
                total += not_text(url)
            sound = part.get("input_audio")
            total += not_text(sound.get("data")) if isinstance(sound, dict) else 0
    return total


def not_text(data: Any) -> int:
    """By how many bytes an attachment makes a body longer than it is as a prompt; less than 0 for a very small one."""
    return len(data) - ATTACHMENT_TEXT_BYTES if isinstance(data, str) else 0


def _refused(message: str) -> DceError:
    return DceError("invalid_request", message)
