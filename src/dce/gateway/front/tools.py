"""Which tools and tool results a body may hold, by API: those that the client runs itself. Pure tables and their checks.

A tool that a server runs would search, fetch or compute on the operator's behalf. Such a tool is refused by name; one that clients offer
by default, whatever the server, is left out and reported, so that those clients work without it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dce.gateway.front.bounds import not_text
from dce.wire.errors import DceError

CHAT_TOOLS = frozenset({"function", "custom"})
RESPONSES_TOOLS = frozenset(
    {"function", "custom", "local_shell", "shell", "apply_patch", "computer", "computer_use_preview", "namespace"}
)
MESSAGES_TOOLS = frozenset({"custom", "bash", "text_editor", "computer", "memory"})
"""Anthropic adds a date to a type: `bash_20250124`."""

LEFT_OUT = ("web_search", "image_generation")
"""Tools that clients such as Codex offer with every request to `/v1/responses`. Their types may have a suffix."""

_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text", "refusal"})
_IMAGE_PARTS = frozenset({"input_image", "computer_screenshot"})


def check_tools(tools: Any, allowed: frozenset[str]) -> None:
    """Allows only tools that the caller runs."""
    for at, tool in enumerate(tools if isinstance(tools, list) else []):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind is None:  # Anthropic's form of a function
            continue
        if not isinstance(kind, str) or _undated(kind) not in allowed:
            raise _refused(f"tools[{at}] must be of type {' or '.join(sorted(allowed))}: no server here runs tools")
        _check_environment(f"tools[{at}]", tool)
        if kind == "namespace":
            check_tools(tool.get("tools"), CHAT_TOOLS)


def kept_tools(fields: Mapping[str, Any]) -> tuple[list[Any], list[str]]:
    """The tools without those that are left out, and the types of these. Raises invalid_request if the request insists on one."""
    tools = fields.get("tools")
    listed = tools if isinstance(tools, list) else []
    kept = [tool for tool in listed if not _is_left_out(tool)]
    gone = [tool["type"] for tool in listed if _is_left_out(tool)]
    choice = fields.get("tool_choice")
    named = [choice, *_list(choice.get("tools"))] if isinstance(choice, dict) else []
    if any(map(_is_left_out, named)) or (gone and not kept and choice == "required"):
        raise _refused("tool_choice asks for a tool that a server would run: no server here runs tools")
    return kept, gone


def _is_left_out(tool: Any) -> bool:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return isinstance(kind, str) and kind.startswith(LEFT_OUT)


def _undated(kind: str) -> str:
    name, _, date = kind.rpartition("_")
    return name if len(date) == len("20250124") and date.isdigit() else kind


def _check_environment(where: str, value: Mapping[str, Any]) -> None:
    """Refuses a shell in a server's container; `environment` is also the name of a screen's system, which is a word."""
    environment = value.get("environment")
    if isinstance(environment, dict) and environment.get("type") != "local":
        raise _refused(f"{where} must run in the local environment: no server here has containers")


def check_item(where: str, item: Any) -> int:
    """Checks one item of a Responses input. Returns the bytes that are not text (bounds.not_text)."""
    kind = item.get("type", "message") if isinstance(item, dict) else None
    if not isinstance(kind, str) or kind not in _ITEMS:
        raise _refused(f"{where} must be one of {', '.join(sorted(_ITEMS))}")
    _check_environment(where, item)
    return _ITEMS[kind](where, item)


def _parts(where: str, item: Mapping[str, Any]) -> int:
    """Content, output and summary: a string, a part or a list of parts."""
    total = 0
    for name in ("content", "output", "summary"):
        value = item.get(name)
        for part in [value] if isinstance(value, dict) else _list(value):
            total += _check_part(f"{where}.{name}", part)
    return total


def _plain(where: str, item: Mapping[str, Any]) -> int:
    """Words of the model or of a program, in fields that nothing reads as a part: commands, patches, outputs of a shell."""
    del where, item
    return 0


_ITEMS: Mapping[str, Callable[[str, Mapping[str, Any]], int]] = {
    "message": _parts,
    "reasoning": _parts,
    "function_call": _parts,
    "function_call_output": _parts,
    "custom_tool_call": _parts,
    "custom_tool_call_output": _parts,
    "local_shell_call": _plain,
    "local_shell_call_output": _parts,
    "shell_call": _plain,
    "shell_call_output": _plain,
    "apply_patch_call": _plain,
    "apply_patch_call_output": _parts,
    "computer_call": _plain,
    "computer_call_output": _parts,
}
"""The items of an input: messages, and the calls and results of tools that the client ran."""


def _check_part(where: str, part: Any) -> int:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in _TEXT_PARTS | _IMAGE_PARTS:
        raise _refused(f"{where} has a part that is neither text nor inline data")
    url = part.get("image_url")
    if part.get("file_id") is None and (url is None or (isinstance(url, str) and url.startswith("data:"))):
        return not_text(url)
    raise _refused(f"an image in {where} must be a data: URL; remote URLs are not fetched")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _refused(message: str) -> DceError:
    return DceError("invalid_request", message)
