"""The request body, parsed once: validated, bounded, and stripped of fields only the gateway may set. Pure.

`read_generate` reads DCE's own dialect (`/api/dce/proxy`), `read_forward` an OpenAI body that is forwarded. `read_generate` keeps the
caller's fields by an allow-list and reports the names of dropped ones, so that a typo explains itself. Several requests for one prompt
share the encoded bulk: only a few bytes differ (`with_fields`).
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dce.gateway.front.ambiguity import MAX_DEPTH, NESTED, TOP, Names, check_names, has_escaped_letters
from dce.gateway.front.bounds import (
    CANDIDATES,
    NOTHING,
    Allowed,
    check_fields,
    check_messages,
    check_size,
    responses_in,
)
from dce.gateway.front.dialects import OPENAI, Dialect
from dce.gateway.front.tools import CHAT_TOOLS, check_tools
from dce.wire.errors import DceError

MAX_STOP = 16
MAX_GRAMMAR_CHARS = 1_000_000
"""A fill grammar contains the text of the files it fixes; no engine compiles a larger one in reasonable time."""

_JSON_HINT = f"Send one JSON object in UTF-8, nested at most {MAX_DEPTH} deep."

Check = Callable[[Any], bool]


def _number(low: float, high: float) -> Check:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _integer(low: int, high: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _text(limit: int) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= limit


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_stop(value: Any) -> bool:
    stops = value if isinstance(value, list) else [value]
    return len(stops) <= MAX_STOP and all(isinstance(stop, str) for stop in stops)


BIGGEST = 2**31 - 1

FIELDS: dict[str, tuple[Check, str]] = {
    "temperature": (_number(0, 2), "a number from 0 to 2"),
    "top_p": (_number(0, 1), "a number from 0 to 1"),
    "top_k": (_integer(-1, BIGGEST), "a whole number"),
    "min_p": (_number(0, 1), "a number from 0 to 1"),
    "presence_penalty": (_number(-2, 2), "a number from -2 to 2"),
    "frequency_penalty": (_number(-2, 2), "a number from -2 to 2"),
    "repetition_penalty": (_number(0, 10), "a number from 0 to 10"),
    "seed": (_integer(0, BIGGEST - 64), "a 31-bit whole number"),
    "stop": (_is_stop, f"a string or a list of at most {MAX_STOP} strings"),
    "logprobs": (_is_flag, "true or false"),
    "top_logprobs": (_integer(0, 20), "a whole number from 0 to 20"),
    "reasoning_effort": (_text(20), "a short string"),
    "response_format": (_is_object, "an object"),
    "structured_outputs": (_is_object, "an object"),
    "grammar": (_text(MAX_GRAMMAR_CHARS), f"a string of at most {MAX_GRAMMAR_CHARS} characters"),
    "tools": (_is_list, "a list"),
    "tool_choice": (lambda value: isinstance(value, str | dict), "a string or an object"),
    "stream_options": (_is_object, "an object"),
    "logit_bias": (_is_object, "an object"),
    "ignore_eos": (_is_flag, "true or false"),
    "continue_final_message": (_is_flag, "true or false"),
    "add_generation_prompt": (_is_flag, "true or false"),
    "chat_template_kwargs": (_is_object, "an object"),
}
"""Sampling fields that are forwarded, and what their values must be."""

INTERNAL_FIELDS = frozenset(
    {
        "priority",
        "request_id",
        "kv_transfer_params",
        "vllm_xargs",
        "cache_salt",
        "session_id",
        "chat_template",
        "mm_processor_kwargs",
        "media_io_kwargs",
        "prompt_embeds",
        "documents",
        "mm_hashes",
        "mm_payload",
        "return_mm_kwargs",
        "ec_transfer_params",
        "previous_input_messages",
        "watermarking",
    }
)
"""Fields that control the backend's internals: dropped from every request, because a tenant must not set them."""


NAMES = Names(TOP | NESTED | INTERNAL_FIELDS | set(FIELDS))
"""Every name that a check reads."""


class GenerateBody(msgspec.Struct, frozen=True, kw_only=True):
    """A valid request for N responses. `common` holds the fields shared by all its backend requests."""

    model: str
    n: int
    is_stream: bool
    max_tokens: int | None
    seed: int | None
    common: dict[str, Any]
    text_bytes: int
    """The prompt's size for estimates: the body's bytes, with a fixed number for each picture or sound (bounds.py)."""
    session: str = ""
    """The caller's name for its conversation (`user`): for choosing a backend, not forwarded."""
    dropped: tuple[str, ...] = ()


class ForwardBody(msgspec.Struct, frozen=True, kw_only=True):
    """A valid body to forward: `raw` unchanged if possible, otherwise `fields` re-encoded."""

    model: str
    is_stream: bool
    raw: bytes
    fields: dict[str, Any]
    is_changed: bool
    text_bytes: int
    """As in `GenerateBody`."""
    added: dict[str, Any] = {}
    """Fields the gateway adds."""
    dropped: tuple[str, ...] = ()
    """What was left out of the caller's fields and is reported."""


def decode(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises invalid_request; the message never repeats content."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DceError("invalid_request", f"the body is not JSON: {error}", hint=_JSON_HINT) from None
    except RecursionError:
        raise DceError("invalid_request", "the body is nested too deeply", hint=_JSON_HINT) from None
    if not isinstance(value, dict):
        raise DceError("invalid_request", "the body is not a JSON object", hint=_JSON_HINT)
    return value


def _decode_request(body: bytes, allowed: Allowed) -> tuple[dict[str, Any], bool]:
    """A caller's body, checked against the bounds that apply to every body, and whether it has escapes (`check_names`)."""
    quotes = check_size(body)
    fields = decode(body)
    has_escapes = check_names(body, quotes, fields, NAMES)
    check_fields(fields, allowed)
    return fields, has_escapes


def read_generate(body: bytes, *, max_n: int, is_json_wanted: bool, allowed: Allowed = NOTHING) -> GenerateBody:
    """The body of `POST /api/dce/proxy` (and the older `/api/dce/generate`). Raises invalid_request naming the field."""
    fields, _ = _decode_request(body, allowed)
    not_text_bytes = check_messages(fields.get("messages"))
    check_tools(fields.get("tools"), CHAT_TOOLS)
    legacy = [name for name in fields if name.startswith("guided_")]
    if legacy:
        raise DceError(
            "invalid_request",
            f"current servers ignore {legacy[0]}",
            hint="Send `grammar`, `structured_outputs` or `response_format`.",
        )
    common: dict[str, Any] = {"messages": _messages(fields)}
    for name, (is_valid, meaning) in FIELDS.items():
        if fields.get(name) is not None:
            if not is_valid(fields[name]):
                raise DceError("invalid_request", f"{name} must be {meaning}")
            common[name] = fields[name]
    common.pop("stream_options", None)  # the gateway sets its own, to request usage
    known = set(FIELDS) | {"messages", "prompt", "model", "n", "stream", "max_tokens", "max_completion_tokens", "user"}
    user = fields.get("user")
    return GenerateBody(
        model=_model(fields),
        n=_bounded(fields, "n", 1, max_n) or 1,
        is_stream=_stream(fields, default=not is_json_wanted),
        max_tokens=_bounded(fields, "max_completion_tokens", 1, BIGGEST) or _bounded(fields, "max_tokens", 1, BIGGEST),
        seed=common.pop("seed", None),
        common=common,
        text_bytes=max(0, len(body) - not_text_bytes),
        session=user if isinstance(user, str) else "",
        dropped=tuple(sorted(set(fields) - known)),
    )


def encode_request(common: Mapping[str, Any]) -> bytes:
    """The shared bulk of a backend request, to be completed by `with_fields`."""
    return msgspec.json.encode(common)


def with_fields(bulk: bytes, fields: Mapping[str, Any]) -> list[bytes]:
    """`bulk` (a JSON object) with a few more fields, as pieces: a prompt of megabytes is encoded once for N requests."""
    return [bulk[:-1], b",", msgspec.json.encode(fields)[1:]]


def read_forward(body: bytes, *, max_n: int, dialect: Dialect = OPENAI, allowed: Allowed = NOTHING) -> ForwardBody:
    """A body for a /v1 route: checked for harmful content, otherwise unchanged to the byte (names in escapes are written plainly)."""
    fields, has_escapes = _decode_request(body, allowed)
    not_text_bytes = dialect.check(fields, allowed)
    for name in CANDIDATES:
        _bounded(fields, name, 1, max_n)
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        _bounded(fields, name, 1, BIGGEST)
    if responses_in(fields) > max_n:
        raise DceError("invalid_request", f"prompt and n together ask for more than {max_n} responses")
    internal = INTERNAL_FIELDS & fields.keys()
    for name in internal:
        del fields[name]
    added, left_out = dialect.added(fields), dialect.left_out(fields)
    replaced = added.keys() & fields.keys()
    for name in replaced:
        del fields[name]
    return ForwardBody(
        model=_model(fields),
        is_stream=_stream(fields, default=False),
        raw=body,
        fields=fields,
        is_changed=bool(internal or replaced) or (has_escapes and has_escaped_letters(body)),
        text_bytes=max(0, len(body) - not_text_bytes),
        added=added,
        dropped=tuple(left_out),
    )


def _model(fields: Mapping[str, Any]) -> str:
    model = fields.get("model")
    if model is None:
        return ""
    if not isinstance(model, str) or len(model) > 200:
        raise DceError("invalid_request", "model must be a name of at most 200 characters")
    return model


def _stream(fields: Mapping[str, Any], *, default: bool) -> bool:
    value = fields.get("stream")
    if value is not None and not isinstance(value, bool):
        raise DceError("invalid_request", "stream must be true or false")
    return default if value is None else value


def _bounded(fields: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise DceError(
            "invalid_request",
            f"{name} must be a whole number from {low} to {high}",
            hint=f"Correct {name} and send the request again.",
        )
    return value


def _messages(fields: Mapping[str, Any]) -> list[Any]:
    prompt, messages = fields.get("prompt"), fields.get("messages")
    if prompt is not None and messages is not None:
        raise DceError("invalid_request", "the body has both prompt and messages", hint="Send one of them.")
    if prompt is not None:
        if not isinstance(prompt, str) or not prompt.strip():
            raise DceError("invalid_request", "prompt must be a non-empty string")
        return [{"role": "user", "content": prompt}]
    if not isinstance(messages, list) or not messages:
        raise DceError(
            "invalid_request",
            "messages must be a list with at least one message",
            hint='Send "messages": [{"role": "user", "content": "…"}].',
        )
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise DceError("invalid_request", f"messages[{at}] must be an object with a role")
    if not messages[0].get("content"):
        raise DceError("invalid_request", "messages[0] has no content")
    return messages
