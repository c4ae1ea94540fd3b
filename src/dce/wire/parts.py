"""Content in forms other than one string: lists of parts (Mistral's thinking, multimodal servers), and tool calls. Pure."""

import json
from typing import Any

import msgspec

_TEXTS = frozenset({"text", "output_text", "input_text", "refusal", ""})
_THINKING = frozenset({"thinking", "reasoning", "reasoning_text", "summary_text", "redacted_thinking"})
_KEYS = ("text", "thinking", "reasoning", "content", "refusal", "summary")
"""Where a part keeps what it says."""
_INNER = ("text", "value", "content")
"""Where a text that is an object keeps its text: `{"value": …, "annotations": […]}` is the form of OpenAI's assistants."""
MAX_LEVELS = 4
"""How deep parts are nested; real servers need two levels."""


class UnknownContent(ValueError):
    """A content that no rule here reads."""


class ToolPiece(msgspec.Struct, frozen=True, kw_only=True):
    """What one chunk adds to a tool call: `name` and `arguments` are pieces of texts. `id`: the call's, if the chunk names it."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


def text_of(content: object) -> tuple[str, str]:
    """The text and the thinking of a content. Raises UnknownContent: an answer in an unknown form must not pass as an empty one."""
    if content is None or isinstance(content, str):
        return content or "", ""
    parts = content if isinstance(content, list) else [content]
    found = [_part(part) for part in parts]
    return "".join(text for text, _ in found), "".join(thinking for _, thinking in found)


def _part(part: object) -> tuple[str, str]:
    if isinstance(part, str):
        return part, ""
    if not isinstance(part, dict):
        raise UnknownContent(f"content of an unknown form ({type(part).__name__})")
    kind = "" if part.get("type") is None else part["type"]
    if not isinstance(kind, str):
        raise UnknownContent(f"content of an unknown form (a part whose type is of type {type(kind).__name__})")
    said = next((part[key] for key in _KEYS if part.get(key) is not None), None)
    if kind in _THINKING:
        return "", _thought(said)
    if kind in _TEXTS and said is not None:
        return _flat(said), ""
    raise UnknownContent(f"content of an unknown form (a part of type {kind[:40]!r})")


def _flat(said: object, level: int = 0) -> str:
    """A text, or the texts of the parts further down. Raises UnknownContent for anything else."""
    if said is None or isinstance(said, str):
        return said or ""
    if level < MAX_LEVELS and isinstance(said, list):
        return "".join([_flat(item, level + 1) for item in said])
    if level < MAX_LEVELS and isinstance(said, dict):
        inner = next((said[key] for key in _INNER if said.get(key) is not None), None)
        if inner is not None:
            return _flat(inner, level + 1)
    raise UnknownContent(f"content of an unknown form (a text of type {type(said).__name__})")


def _thought(said: object) -> str:
    """The texts of a thinking part. What cannot be read of it costs nothing: thinking is not the answer."""
    texts = []
    for item in said if isinstance(said, list) else [said]:
        try:
            texts.append(_flat(item))
        except UnknownContent:
            continue
    return "".join(texts)


def tool_pieces(delta: dict[str, Any]) -> tuple[ToolPiece, ...]:
    """The pieces of tool calls in a delta, or in a message; `function_call` is the older name for the first one."""
    calls = delta.get("tool_calls")
    given = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    found = [_piece(call, at) for at, call in enumerate(given)]
    if isinstance(delta.get("function_call"), dict):
        found.append(_piece({"function": delta["function_call"]}, 0))
    return tuple(piece for piece in found if piece.name or piece.arguments)


def _piece(call: dict[str, Any], at: int) -> ToolPiece:
    index, function = call.get("index"), call.get("function")
    function = function if isinstance(function, dict) else {}
    name, arguments, identity = function.get("name"), function.get("arguments"), call.get("id")
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments, separators=(",", ":"))  # ASCII: half a character stays escaped
    return ToolPiece(
        index=index if isinstance(index, int) else at,
        id=identity if isinstance(identity, str) else "",
        name=name if isinstance(name, str) else "",
        arguments=arguments if isinstance(arguments, str) else "",
    )


class ToolCall(msgspec.Struct, kw_only=True):
    """A tool call as far as it has arrived. Texts may hold surrogate halves."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class ToolCalls:
    """The tool calls of one response, joined from their pieces."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []
        self._of_index: dict[int, ToolCall] = {}

    def __bool__(self) -> bool:
        return bool(self.calls)

    def add(self, piece: ToolPiece) -> None:
        """Adds a piece. Another id at the same index is another call: some servers number every call 0."""
        call = self._of_index.get(piece.index)
        if call is None or (piece.id and call.id and piece.id != call.id):
            call = self._of_index[piece.index] = ToolCall()
            self.calls.append(call)
        call.id = call.id or piece.id
        call.name += piece.name
        call.arguments += piece.arguments
