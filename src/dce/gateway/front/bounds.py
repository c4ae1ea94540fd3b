"""Bounds for every request's JSON: number of strings, size of what engines compile, no remote URLs.

Each bound closes a way for a caller to overload or crash a backend, or to make it fetch something. They apply to DCE's own dialect and
to forwarded bodies alike, after decoding and before a backend is chosen. Pure; messages name the field, never its content.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from dce.gateway.front.ambiguity import folded
from dce.wire.errors import DceError

CANDIDATES = ("n", "best_of", "n_cmpl")
"""The fields that ask for several responses; the last is llama.cpp's, which prefers it to `n`."""
MAX_STRINGS = 100_000
"""Maximum strings (including keys) in a body: a prompt is one, however long; a million keys block the loop for half a second."""
MAX_SCHEMA_BYTES = 64 * 1024
"""Maximum response_format or structured_outputs, as JSON: large schemas compile for minutes (fill grammars have their own limit)."""
MAX_TOOLS = 128
MAX_TOOLS_BYTES = 256 * 1024
"""OpenAI accepts 128 functions; that many with long descriptions take 150 KB."""
MAX_PATTERN_CHARS = 512
"""Maximum `pattern` in a schema: the engine compiles patterns in its only loop."""
MAX_LISTED = 1_024
"""Maximum entries of logit_bias, bad_words and the token lists: each is evaluated in every step."""
ATTACHMENT_TEXT_BYTES = 4096
"""What a picture or sound counts as, whatever its own size: 1,024 tokens, about a one-megapixel photograph."""
TEMPLATE_SWITCHES = frozenset({"enable_thinking", "thinking", "reasoning_effort"})
"""The allowed chat template arguments: others can replace the template or make it loop (CVE-2025-62426)."""

_LISTS = ("logit_bias", "bad_words", "allowed_token_ids", "stop_token_ids", "stop")
_REFUSED_STRUCTURES = ("regex", "structural_tag")
_REPLACING = frozenset({"chat_template", "tokenize"})
"""Template arguments that no setting allows: they replace the template, or what the server does with it."""
_REPLACING_FOLDED = frozenset(map(folded, _REPLACING))

Allowed = frozenset[str]
"""The refusals that the operator has lifted: `structured_outputs.regex`, `structured_outputs.structural_tag`, `chat_template_kwargs`."""
NOTHING: Allowed = frozenset()
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})
_URL_PARTS = frozenset({"image_url", "video_url", "audio_url"})
_PART_KEYS = _TEXT_PARTS | _URL_PARTS | {"type", "input_audio", "cache_control", "detail"}


def check_size(body: bytes) -> int:
    """Checks the number of strings before decoding: a fast count that never overestimates. Returns the number of quotes."""
    quotes = body.count(b'"')
    if quotes > 2 * MAX_STRINGS and quotes - body.count(b'\\"') > 2 * MAX_STRINGS:  # the second takes 1 ms a megabyte
        raise _refused(f"the body has more than {MAX_STRINGS} strings")
    return quotes


def check_fields(fields: Mapping[str, Any], allowed: Allowed = NOTHING) -> None:
    """Checks the decoded body."""
    for name in ("response_format", "structured_outputs"):
        check_structure(name, fields.get(name), allowed)
    tools = fields.get("tools")
    if isinstance(tools, list):
        if len(tools) > MAX_TOOLS or len(msgspec.json.encode(tools)) > MAX_TOOLS_BYTES:
            raise _refused(f"tools must have at most {MAX_TOOLS} entries and {MAX_TOOLS_BYTES} bytes")
        _check_patterns("tools", tools)
    for name in _LISTS:
        value = fields.get(name)
        if isinstance(value, list | dict) and len(value) > MAX_LISTED:
            raise _refused(f"{name} must have at most {MAX_LISTED} entries")
    for name in ("top_logprobs", "logprobs", "prompt_logprobs"):
        value = fields.get(name)
        is_small = value is None or (isinstance(value, int | float) and (isinstance(value, bool) or 0 <= value <= 20))
        if not is_small:  # a string is neither: some servers read "99" as 99
            raise _refused(f"{name} must be from 0 to 20")
    switches = fields.get("chat_template_kwargs")
    if switches is not None:
        _check_switches(switches, allowed)


def _check_switches(switches: Any, allowed: Allowed) -> None:
    if not isinstance(switches, dict):
        raise _refused("chat_template_kwargs must be an object")
    if "chat_template_kwargs" in allowed:
        if (
            not _REPLACING_FOLDED.isdisjoint(map(folded, switches))
            or len(msgspec.json.encode(switches)) > MAX_SCHEMA_BYTES
        ):
            raise _refused(
                f"chat_template_kwargs must not contain {' or '.join(sorted(_REPLACING))}, nor exceed {MAX_SCHEMA_BYTES} bytes"
            )
    elif not switches.keys() <= TEMPLATE_SWITCHES or not all(
        isinstance(value, bool) or (isinstance(value, str) and len(value) <= 20) for value in switches.values()
    ):
        raise _refused(f"chat_template_kwargs may contain only {', '.join(sorted(TEMPLATE_SWITCHES))}")


def responses_in(fields: Mapping[str, Any]) -> int:
    """How many responses a forwarded body asks for: a list of prompts multiplies n."""
    prompt = fields.get("prompt")
    is_batch = isinstance(prompt, list) and prompt and not isinstance(prompt[0], int)
    most = max(int(fields.get(name) or 1) for name in CANDIDATES)
    return most * (len(prompt) if is_batch and prompt is not None else 1)


def check_structure(name: str, value: Any, allowed: Allowed = NOTHING) -> None:
    """Checks a schema or grammar, under any field name."""
    if not isinstance(value, dict):
        return
    for kind in _REFUSED_STRUCTURES:
        is_used = value.get(kind) is not None or value.get("type") == kind
        if is_used and f"structured_outputs.{kind}" not in allowed:
            raise _refused(f"{name} must not contain a {kind}")
    rest = {key: inner for key, inner in value.items() if key != "grammar"}
    if len(msgspec.json.encode(rest)) > MAX_SCHEMA_BYTES:
        raise _refused(f"{name} must be at most {MAX_SCHEMA_BYTES} bytes")
    _check_patterns(name, rest)


def _check_patterns(name: str, value: Any) -> None:
    """Checks the patterns in a schema. Its depth has been checked before."""
    inner = value.values() if isinstance(value, dict) else value
    pattern = value.get("pattern") if isinstance(value, dict) else None
    if isinstance(pattern, str) and len(pattern) > MAX_PATTERN_CHARS:
        raise _refused(f"a pattern in {name} must have at most {MAX_PATTERN_CHARS} characters")
    for item in inner:
        if isinstance(item, dict | list):
            _check_patterns(name, item)


def check_messages(messages: Any) -> int:
    """Checks that message parts hold text or data; a URL would make the backend fetch whatever the caller names (SSRF).

    Returns the sum of `not_text` over all pictures and sounds.
    """
    if messages is not None and not isinstance(messages, list):
        raise _refused("messages must be a list")
    total = 0
    for at, message in enumerate(messages or []):
        parts = message.get("content") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else [parts] if isinstance(parts, dict) else []:
            if isinstance(part, str):
                continue
            kind = part.get("type", "text") if isinstance(part, dict) else None
            if not isinstance(kind, str) or kind not in _PART_KEYS - {"type"} or not part.keys() <= _PART_KEYS:
                raise _refused(f"messages[{at}] has a part that is neither text nor inline data")
            for name in _URL_PARTS & part.keys():
                value = part[name]
                url = value.get("url") if isinstance(value, dict) else value
                if not isinstance(url, str) or not url.startswith("data:"):
                    raise _refused(f"{name} in messages[{at}] must be a data: URL; remote URLs are not fetched")
                total += not_text(url)
            sound = part.get("input_audio")
            total += not_text(sound.get("data")) if isinstance(sound, dict) else 0
    return total


def not_text(data: Any) -> int:
    """How many bytes larger an attachment is than what it counts as; negative for a very small one."""
    return len(data) - ATTACHMENT_TEXT_BYTES if isinstance(data, str) else 0


def _refused(message: str) -> DceError:
    return DceError("invalid_request", message)
