"""The dialects of the /v1 routes, one class each: what a body may contain, and the form of errors. Pure.

Each dialect has an allow-list: text and inline data. Anything that would make a backend fetch, run or keep something for a caller is
refused by name: a URL, a server-side tool, a response stored where others could request it. A new dialect is a class here and a row in
the table of routes.
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from dce.gateway.front.audience import (
    ANTHROPIC_BASE_URL,
    ANTHROPIC_USERS,
    NO_HINTS,
    OPENAI_BASE_URL,
    OPENAI_USERS,
    Hints,
    body_for,
)
from dce.gateway.front.bounds import NOTHING, Allowed, check_messages, check_structure, not_text
from dce.gateway.front.tools import CHAT_TOOLS, MESSAGES_TOOLS, RESPONSES_TOOLS, check_item, check_tools, kept_tools
from dce.wire.errors import DceError, ErrorBody

MAX_INPUTS = 2_048
"""Maximum texts per embeddings request: OpenAI's own limit."""

_MESSAGES_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


_OPENAI_ERROR = rb'^data:\s*\{\s*"error"\s*:\s*[{"]'
"""The only error that OpenAI's SDKs raise in a chat stream. They pass over every other form, so it is not an end for them."""
_ERROR_END = rb"^event:\s*error\b|" + _OPENAI_ERROR
_OPENAI_END = re.compile(rb'(?m)^data:\s*\[DONE\]|^data:.*"finish_reason"\s*:\s*"[^"]|' + _OPENAI_ERROR)
_RESPONSES_END = re.compile(
    rb'(?m)^data:.*"type"\s*:\s*"response\.(completed|incomplete|failed|cancelled)"|^data:\s*\[DONE\]|' + _ERROR_END
)
_MESSAGES_END = re.compile(rb'(?m)^data:.*"type"\s*:\s*"message_stop"|' + _ERROR_END)
"""How a stream of each dialect ends; JSON that is no event ends nothing. A JSON string cannot contain an unescaped quote, so none of these occurs inside text the model wrote."""


class Dialect(Protocol):
    """One dialect of the /v1 API."""

    base_url: str
    """What to do about a base URL that leads past its routes."""

    answer: str
    """The field that every whole answer has."""

    def check(self, fields: Mapping[str, Any], allowed: Allowed = NOTHING) -> int:
        """Raises invalid_request for what only this dialect forbids. Returns the bytes that are not text (bounds.not_text)."""

    def added(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Fields the gateway must add to the body, or put in the place of the caller's."""

    def left_out(self, fields: Mapping[str, Any]) -> list[str]:
        """What `added` leaves out of the caller's fields, to be reported."""

    def error(self, error: DceError, request_id: str) -> bytes:
        """An error as a whole answer, at most 4 KB."""

    def event(self, error: DceError, request_id: str) -> bytes:
        """An error as the last event of a stream that has started."""

    def has_ended(self, tail: bytes) -> bool:
        """Whether the last bytes of a stream say that the answer is over: finished, or failed with an error of the backend's own."""


class OpenAI:
    """Chat completions, completions, models and token counts."""

    hints: Hints = OPENAI_USERS
    base_url = OPENAI_BASE_URL
    answer = "choices"

    def check(self, fields: Mapping[str, Any], allowed: Allowed = NOTHING) -> int:
        del allowed
        check_tools(fields.get("tools"), CHAT_TOOLS)
        if fields.get("web_search_options") is not None:
            raise _refused("web_search_options is not supported: no server here searches the web")
        _refuse_store(fields)
        return check_messages(fields.get("messages"))

    def added(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        del fields
        return {}

    def left_out(self, fields: Mapping[str, Any]) -> list[str]:
        del fields
        return []

    def body(self, error: DceError, request_id: str) -> ErrorBody:
        """The error, with the next step for this dialect's users."""
        return body_for(error, request_id, self.hints)

    def error(self, error: DceError, request_id: str) -> bytes:
        return msgspec.json.encode({"error": self.body(error, request_id)})

    def event(self, error: DceError, request_id: str) -> bytes:
        return b"data: " + self.error(error, request_id) + b"\n\n"

    def has_ended(self, tail: bytes) -> bool:
        return _OPENAI_END.search(tail) is not None


class Own(OpenAI):
    """The gateway's own routes: OpenAI's form, for users of DCE's client."""

    hints: Hints = NO_HINTS


class Embeddings(OpenAI):
    """Embeddings of texts or lists of token ids."""

    answer = "data"

    def check(self, fields: Mapping[str, Any], allowed: Allowed = NOTHING) -> int:
        not_text_bytes = super().check(fields, allowed)
        texts = fields.get("input")
        is_tokens = isinstance(texts, list) and bool(texts) and isinstance(texts[0], int)
        if isinstance(texts, list) and not is_tokens and len(texts) > MAX_INPUTS:
            raise _refused(f"input must have at most {MAX_INPUTS} texts")
        return not_text_bytes


class Responses(OpenAI):
    """OpenAI's Responses API, without server-side storage."""

    answer = "output"
    _KEPT = ("previous_response_id", "conversation", "prompt")

    def check(self, fields: Mapping[str, Any], allowed: Allowed = NOTHING) -> int:
        for name in self._KEPT:
            if fields.get(name) is not None:
                raise _refused(f"{name} is not supported: responses are not stored here; send the whole input")
        if fields.get("background"):
            raise _refused("background is not supported: a response lasts only as long as its request")
        _refuse_store(fields)
        kept, _ = kept_tools(fields)
        check_tools(kept, RESPONSES_TOOLS)
        text = fields.get("text")
        if isinstance(text, dict):
            check_structure("text", text.get("format"), allowed)
        items = fields.get("input")
        return sum(check_item(f"input[{at}]", item) for at, item in enumerate(items if isinstance(items, list) else []))

    def added(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """`store: false`: vLLM and OpenAI store a response by default, and anyone who learns its id could request it. `tools` without
        those that no server here runs."""
        kept, gone = kept_tools(fields)
        return {
            **({} if fields.get("store") is False else {"store": False}),
            **({"tools": kept} if gone else {}),
        }

    def left_out(self, fields: Mapping[str, Any]) -> list[str]:
        return [f"tools.{kind}" for kind in kept_tools(fields)[1]]

    def event(self, error: DceError, request_id: str) -> bytes:
        """The SDK raises an event that contains `error`; `type`, `code` and `message` are the API's own form."""
        body = self.body(error, request_id)
        event = {"type": "error", "code": body.code, "message": body.message, "param": None, "error": body}
        return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"

    def has_ended(self, tail: bytes) -> bool:
        return _RESPONSES_END.search(tail) is not None


class Messages:
    """Anthropic's Messages API, as vLLM and llama.cpp serve it."""

    _TEXTS = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "tool_reference"})
    """Blocks that are text. A tool call's arguments come from the model and may contain any URL: nothing here fetches it."""
    _REFUSED = ("mcp_servers", "container")
    base_url = ANTHROPIC_BASE_URL
    answer = "content"

    def check(self, fields: Mapping[str, Any], allowed: Allowed = NOTHING) -> int:
        del allowed
        for name in self._REFUSED:
            if fields.get(name):
                raise _refused(f"{name} is not supported: no server here runs tools for a caller")
        check_tools(fields.get("tools"), MESSAGES_TOOLS)
        not_text_bytes = self._check_blocks("system", fields.get("system"))
        messages = fields.get("messages")
        for at, message in enumerate(messages if isinstance(messages, list) else []):
            content = message.get("content") if isinstance(message, dict) else None
            not_text_bytes += self._check_blocks(f"messages[{at}]", content)
        return not_text_bytes

    def added(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        del fields
        return {}

    def left_out(self, fields: Mapping[str, Any]) -> list[str]:
        del fields
        return []

    def error(self, error: DceError, request_id: str) -> bytes:
        body = body_for(error, request_id, ANTHROPIC_USERS)
        kind = _MESSAGES_TYPES.get(error.status, "api_error")
        return msgspec.json.encode(
            {"type": "error", "error": msgspec.structs.replace(body, type=kind), "request_id": request_id}
        )

    def event(self, error: DceError, request_id: str) -> bytes:
        return b"event: error\ndata: " + self.error(error, request_id) + b"\n\n"

    def has_ended(self, tail: bytes) -> bool:
        return _MESSAGES_END.search(tail) is not None

    def _check_blocks(self, where: str, content: Any) -> int:
        not_text_bytes = 0
        for block in content if isinstance(content, list) else []:
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "image":
                source = block.get("source")
                if not isinstance(source, dict) or source.get("type") != "base64":
                    raise _refused(f"an image in {where} must be base64 data; remote URLs are not fetched")
                not_text_bytes += not_text(source.get("data"))
            elif kind == "tool_result":
                not_text_bytes += self._check_blocks(where, block.get("content"))
            elif not isinstance(kind, str) or kind not in self._TEXTS:
                raise _refused(f"{where} has a block that is neither text nor inline data")
        return not_text_bytes


OPENAI = OpenAI()
OWN = Own()
EMBEDDINGS = Embeddings()
RESPONSES = Responses()
MESSAGES = Messages()

_BELOW: Mapping[str, Dialect] = {
    "/v1/messages": MESSAGES,
    "/v1/responses": RESPONSES,
    "/v1": OPENAI,
    "/tokenize": OPENAI,
}
"""The dialects of paths that are not routes, most specific first."""


def dialect_at(path: str) -> Dialect:
    """The dialect in which an error on a path is written, whether or not it is a route."""
    return next((dialect for base, dialect in _BELOW.items() if f"{path}/".startswith(f"{base}/")), OWN)


def _refuse_store(fields: Mapping[str, Any]) -> None:
    if fields.get("store"):
        raise _refused("store is not supported: responses are not stored here; omit it or send false")


def _refused(message: str) -> DceError:
    return DceError("invalid_request", message)
