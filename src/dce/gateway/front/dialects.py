"""The dialects of the pass-through routes, a class each: what a body may hold, and how an error is said. Pure.

What a dialect lets through is an allow-list: text and data that stand in the body. Whatever would make a backend fetch, run or
keep something for a caller is refused by name: a URL, a tool that a server runs, a response stored where others may ask for it.
A new dialect is a class here and a row in the table of routes.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from dce.gateway.front.bounds import check_messages, check_structure, not_text
from dce.wire.errors import DceError, encode_error

MAX_INPUTS = 2_048
"""Most texts of one embeddings request: OpenAI's own limit."""

_MESSAGES_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class Dialect(Protocol):
    """One way of speaking /v1."""

    def check(self, fields: Mapping[str, Any]) -> int:
        """Raises invalid_request for what the bounds that hold everywhere cannot know. Gives the bytes that are no text (bounds.not_text)."""

    def added(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Fields that a body lacks and must have on its way to a backend."""

    def error(self, error: DceError, request_id: str) -> bytes:
        """An error as a whole answer, at most 4 KB."""

    def event(self, error: DceError, request_id: str) -> bytes:
        """An error as the last event of a stream that has begun."""


class OpenAI:
    """Chat completions, completions, and the gateway's own routes."""

    def check(self, fields: Mapping[str, Any]) -> int:
        return check_messages(fields.get("messages"))

    def added(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        del fields
        return {}

    def error(self, error: DceError, request_id: str) -> bytes:
        return encode_error(error, request_id)

    def event(self, error: DceError, request_id: str) -> bytes:
        return b"data: " + encode_error(error, request_id) + b"\n\n"


class Embeddings(OpenAI):
    """Texts, or lists of token ids, to vectors."""

    def check(self, fields: Mapping[str, Any]) -> int:
        not_text_bytes = super().check(fields)
        texts = fields.get("input")
        is_tokens = isinstance(texts, list) and bool(texts) and isinstance(texts[0], int)
        if isinstance(texts, list) and not is_tokens and len(texts) > MAX_INPUTS:
            raise _refused(f"input must have at most {MAX_INPUTS} texts")
        return not_text_bytes


class Responses(OpenAI):
    """OpenAI's Responses API, without what it keeps on the server."""

    _ITEMS = frozenset(
        {"message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"}
    )
    _PARTS = frozenset(
        {"text", "input_text", "output_text", "summary_text", "reasoning_text", "refusal", "input_image"}
    )
    _TOOLS = frozenset({"function", "custom", "local_shell", "apply_patch"})
    """Tools that the caller runs itself."""
    _KEPT = ("previous_response_id", "conversation", "prompt")

    def check(self, fields: Mapping[str, Any]) -> int:
        for name in self._KEPT:
            if fields.get(name) is not None:
                raise _refused(f"{name} is refused: responses are not kept here; send the whole input")
        if fields.get("background"):
            raise _refused("background is refused: a response lives as long as its request")
        if fields.get("store"):
            raise _refused("store is refused: responses are not kept here; leave it out or send false")
        _check_tools(fields.get("tools"), self._TOOLS)
        text = fields.get("text")
        if isinstance(text, dict):
            check_structure("text", text.get("format"))
        items = fields.get("input")
        return sum(
            self._check_item(f"input[{at}]", item) for at, item in enumerate(items if isinstance(items, list) else [])
        )

    def added(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """vLLM and OpenAI keep a response unless told not to; whoever learns its id could ask for it."""
        return {} if fields.get("store") is False else {"store": False}

    def event(self, error: DceError, request_id: str) -> bytes:
        """With `error` in it the SDK raises it; `type`, `code` and `message` are the API's own form."""
        body = error.body(request_id)
        event = {"type": "error", "code": body.code, "message": body.message, "param": None, "error": body}
        return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"

    def _check_item(self, where: str, item: Any) -> int:
        if not isinstance(item, dict) or item.get("type", "message") not in self._ITEMS:
            raise _refused(f"{where} must be one of {', '.join(sorted(self._ITEMS))}")
        lists = {name: item.get(name) for name in ("content", "output", "summary")}
        return sum(
            self._check_part(f"{where}.{name}", part)
            for name, parts in lists.items()
            for part in (parts if isinstance(parts, list) else [])
        )

    def _check_part(self, where: str, part: Any) -> int:
        if isinstance(part, dict) and part.get("type") in self._PARTS:
            url = part.get("image_url")
            if part.get("file_id") is None and (url is None or (isinstance(url, str) and url.startswith("data:"))):
                return not_text(url)
            raise _refused(f"an image in {where} must be a data: URL; the gateway lets nothing be fetched")
        raise _refused(f"{where} holds a part that is neither text nor data in the body")


class Messages:
    """Anthropic's Messages API, as vLLM and llama.cpp serve it."""

    _TEXTS = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "tool_reference"})
    """Blocks that are text. What a tool is called with is the model's own word and may name any URL: nobody here fetches it."""
    _TOOLS = frozenset({"custom"})
    _REFUSED = ("mcp_servers", "container")

    def check(self, fields: Mapping[str, Any]) -> int:
        for name in self._REFUSED:
            if fields.get(name):
                raise _refused(f"{name} is refused: no server here runs tools for a caller")
        _check_tools(fields.get("tools"), self._TOOLS)
        not_text_bytes = self._check_blocks("system", fields.get("system"))
        messages = fields.get("messages")
        for at, message in enumerate(messages if isinstance(messages, list) else []):
            content = message.get("content") if isinstance(message, dict) else None
            not_text_bytes += self._check_blocks(f"messages[{at}]", content)
        return not_text_bytes

    def added(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        del fields
        return {}

    def error(self, error: DceError, request_id: str) -> bytes:
        body = error.body(request_id)
        kind = _MESSAGES_TYPES.get(error.status, "api_error")
        return msgspec.json.encode(
            {"type": "error", "error": msgspec.structs.replace(body, type=kind), "request_id": request_id}
        )

    def event(self, error: DceError, request_id: str) -> bytes:
        return b"event: error\ndata: " + self.error(error, request_id) + b"\n\n"

    def _check_blocks(self, where: str, content: Any) -> int:
        not_text_bytes = 0
        for block in content if isinstance(content, list) else []:
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "image":
                source = block.get("source")
                if not isinstance(source, dict) or source.get("type") != "base64":
                    raise _refused(f"an image in {where} must be base64 data; the gateway lets nothing be fetched")
                not_text_bytes += not_text(source.get("data"))
            elif kind == "tool_result":
                not_text_bytes += self._check_blocks(where, block.get("content"))
            elif kind not in self._TEXTS:
                raise _refused(f"{where} holds a block that is neither text nor data in the body")
        return not_text_bytes


OPENAI = OpenAI()
EMBEDDINGS = Embeddings()
RESPONSES = Responses()
MESSAGES = Messages()


def _check_tools(tools: Any, allowed: frozenset[str]) -> None:
    """Only tools that the caller runs: a server's own would search, fetch or compute in the operator's name."""
    for at, tool in enumerate(tools if isinstance(tools, list) else []):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind is not None and kind not in allowed:
            raise _refused(f"tools[{at}] must be of type {' or '.join(sorted(allowed))}: no server here runs tools")


def _refused(message: str) -> DceError:
    return DceError("invalid_request", message)
