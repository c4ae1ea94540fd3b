"""Refuses JSON that two parsers could read differently: what was checked here must be what a backend obeys. Pure.

A backend's parser may take the first of two equal names, or the last; it may ignore case (Go), take `maxTokens` for `max_tokens`
(protobuf), or end a name at a NUL. So a name may occur only once in its object, at any depth, and a name that the gateway checks is
spelled exactly. `guard.py` does the same for HTTP. A usual body costs one walk over its containers and one count of its quotes.
"""

import re
import unicodedata
from collections.abc import Iterable
from operator import methodcaller
from typing import Any

from dce.wire.errors import DceError

MAX_DEPTH = 32
"""Maximum nesting depth: tools with nested schemas reach 15; the backends' recursive parsers fail at a few hundred."""

NESTED = frozenset(
    {"type", "role", "content", "text", "data", "url", "source", "detail", "file_id", "format", "image", "function"}
    | {"image_url", "video_url", "audio_url", "input_audio", "cache_control", "refusal", "summary", "output"}
    | {"input_text", "output_text", "regex", "structural_tag", "grammar", "pattern", "parameters", "input_schema"}
    | {"json_schema", "schema", "json", "tool_choice", "enable_thinking", "thinking", "environment"}
)
"""Names inside a body that the checks read, on any route."""
TOP = frozenset(
    {"messages", "prompt", "model", "n", "best_of", "n_cmpl", "stream", "max_tokens", "max_completion_tokens"}
    | {"max_output_tokens", "user", "input", "system", "instructions", "text", "tools", "functions", "prompt_logprobs"}
    | {"bad_words", "allowed_token_ids", "stop_token_ids", "chat_template_kwargs", "store", "background"}
    | {"previous_response_id", "conversation", "mcp_servers", "container", "stop_sequences", "guided_json"}
    | {"web_search_options"}
)
"""Names at the top of a body that the checks read, besides those in `body.py`'s tables."""

_FREE_AT_TOP = frozenset({"metadata", "logit_bias", "chat_template_kwargs", "json_schema", "guided_json"})
_FREE = frozenset({"parameters", "input_schema", "schema", "json", "input", "arguments", "metadata", "env"})
"""Objects whose names are the caller's own: a tool may have a parameter `URL`. Their names must be unique, like all others."""

_LOOKS_LIKE_NOTHING = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Me", "Pc", "Pd"})
"""Blanks, controls, invisible characters, accents, underscores and dashes."""
_CONTAINERS = frozenset({dict, list})
_HELD = frozenset({dict, list, str})
_NONE: frozenset[str] = frozenset()
_count_quotes = methodcaller("count", '"')
_ASCII = dict.fromkeys((*range(0x21), 0x7F, ord("_"), ord("-"))) | {
    code: chr(code).lower() for code in range(ord("A"), ord("Z") + 1)
}
_ESCAPED_LETTER = re.compile(rb"\\u00(?:3\d|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff])")
"""The escapes of letters, digits and the underscore."""


class Names:
    """The names that the gateway checks, and the test whether another name could be taken for one of them."""

    def __init__(self, checked: Iterable[str]) -> None:
        self.checked = frozenset(checked)
        self._folded = {folded(name): name for name in sorted(self.checked)}

    def refuse_lookalikes(self, names: set[str]) -> None:
        """Raises invalid_request if one of `names` is nearly a checked name. The message holds the checked name only."""
        for name in names - self.checked:
            if (meant := self._folded.get(folded(name))) is not None:
                raise _refused(
                    f"a field's name differs from {meant} only in case, blanks or look-alike characters",
                    f"Write it exactly as {meant}, or leave it out: servers disagree on what it means.",
                )


def folded(name: str) -> str:
    """What the most tolerant parser could take a name for. A name ends at a NUL, as in C."""
    name = name.partition("\0")[0]
    if not name.isascii():
        name = unicodedata.normalize("NFKD", name).replace("\N{LATIN SMALL LETTER DOTLESS I}", "i")
        name = "".join(char for char in name if unicodedata.category(char) not in _LOOKS_LIKE_NOTHING)
    return name.translate(_ASCII)


def check_names(body: bytes, quotes: int, fields: dict[str, Any], names: Names) -> bool:
    """Checks a body's depth and its names. `quotes`: how many the body has; `fields`: the decoded body. Raises invalid_request.

    Returns whether the body has escapes that may stand for ASCII (see `has_escaped_letters`).
    """
    found, texts = _survey(fields)
    names.refuse_lookalikes(found)
    has_escapes = b"\\u00" in body
    if has_escapes and b"\\u0022" in body:  # a quote that is not written as one
        quotes += body.replace(b"\\\\", b"").count(b"\\u0022")
    # A parser keeps one of two equal names: the text then has more quotes than the strings that are left.
    if quotes != 2 * len(texts) + sum(map(_count_quotes, texts)):
        raise _refused(
            "the body names a field twice in one object", "Name each field once: servers disagree on which one counts."
        )
    return has_escapes


def has_escaped_letters(body: bytes) -> bool:
    """Whether letters are written as escapes. Some parsers compare names without decoding them: such a body must be encoded again."""
    return _ESCAPED_LETTER.search(body) is not None


def _survey(fields: dict[str, Any]) -> tuple[set[str], list[str]]:
    """The names in a body's objects, except the caller's own, and all of its strings. Works level by level: depth costs no stack."""
    found: set[str] = set()
    texts: list[str] = []
    level, free_level, free_names = [fields], list[Any](), _FREE_AT_TOP
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        free_inner: list[Any] = []
        for outer in free_level:
            _sort(outer, texts, free_inner, free_inner, _NONE)
        for outer in level:
            if type(outer) is dict:
                found.update(outer)
            _sort(outer, texts, inner, free_inner, free_names)
        if not inner and not free_inner:
            return found, texts
        level, free_level, free_names = inner, free_inner, _FREE
    raise _refused(f"the body is nested more than {MAX_DEPTH} deep", "Send a flatter body.")


def _sort(outer: Any, texts: list[str], inner: list[Any], free: list[Any], free_names: frozenset[str]) -> None:
    """Puts the strings of an object or a list into `texts`, its objects and lists into `inner` or `free`."""
    if type(outer) is list:
        if not _HELD.isdisjoint(map(type, outer)):  # a prompt may be a list of a million token ids
            texts.extend(value for value in outer if type(value) is str)
            inner.extend(value for value in outer if type(value) in _CONTAINERS)
        return
    texts.extend(outer)
    for name, value in outer.items():
        kind = type(value)
        if kind is str:
            texts.append(value)
        elif kind is dict:
            (free if name in free_names else inner).append(value)
        elif kind is list:
            inner.append(value)


def _refused(message: str, hint: str) -> DceError:
    return DceError("invalid_request", message, hint=hint)
