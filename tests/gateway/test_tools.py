"""Tools and their results: what a client runs itself passes in every API, what a server would run does not."""

from typing import Any

import msgspec
import pytest

from dce.gateway.front.body import read_forward, read_generate
from dce.gateway.front.dialects import MESSAGES, OPENAI, RESPONSES, Dialect
from dce.gateway.front.tools import LEFT_OUT
from dce.wire.errors import DceError

FOREIGN = "http://169.254.169.254/latest"
DATA = "data:image/png;base64,AAAA"


def sent(dialect: Dialect, **fields: Any) -> dict[str, Any]:
    """The fields that reach a backend. Raises what the gateway answers."""
    ask = read_forward(msgspec.json.encode({"model": "m", **fields}), max_n=20, dialect=dialect)
    return {**ask.fields, **ask.added}


@pytest.mark.parametrize(
    "item",
    [
        {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["curl", FOREIGN], "env": {}}},
        {"type": "local_shell_call_output", "id": "c", "output": FOREIGN},
        {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}, "environment": {"type": "local"}},
        {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit"}}]},
        {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "create_file", "path": "a", "diff": FOREIGN}},
        {"type": "apply_patch_call_output", "call_id": "c", "status": "completed", "output": "done"},
        {"type": "computer_call", "call_id": "c", "action": {"type": "click", "x": 1, "y": 2}},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "image_url": DATA}},
        {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_text", "text": FOREIGN}]},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": DATA}]},
    ],
    ids=lambda item: item["type"],
)  # fmt: skip
def test_calls_and_results_of_the_client_s_tools_pass(item: dict[str, Any]) -> None:
    """An agent sends back what the model called and what came of it, unchanged."""
    assert sent(RESPONSES, input=[item])["input"] == [item]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (
            {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": FOREIGN}},
            "data: URL",
        ),
        ({"type": "computer_call_output", "output": {"type": "computer_screenshot", "file_id": "f"}}, "data: URL"),
        ({"type": "function_call_output", "output": [{"type": "input_image", "image_url": FOREIGN}]}, "data: URL"),
        ({"type": "function_call_output", "output": [{"type": "input_file", "file_url": FOREIGN}]}, "neither text"),
        ({"type": "function_call_output", "output": ["text"]}, "neither text"),
        ({"type": "shell_call", "environment": {"type": "container_reference", "container_id": "x"}}, "containers"),
        ({"type": "shell_call", "environment": {}}, "containers"),
        ({"type": "item_reference", "id": "i"}, "must be one of"),
        ({"type": "mcp_call", "name": "x"}, "must be one of"),
        ({"type": "web_search_call", "action": {"type": "open_page", "url": FOREIGN}}, "must be one of"),
        ({"type": None}, "must be one of"),
        ({"type": ["message"]}, "must be one of"),
        ("text", "must be one of"),
    ],
)
def test_other_items_are_refused(item: Any, told: str) -> None:
    """What a server ran or stored, a remote picture and a shell in a container are refused, by place."""
    with pytest.raises(DceError, match=told) as caught:
        sent(RESPONSES, input=[{"role": "user", "content": "x"}, item])
    assert "input[1]" in caught.value.message


PASSED: list[tuple[Dialect, dict[str, Any]]] = [
    (OPENAI, {"type": "function", "function": {"name": "f"}}),
    (OPENAI, {"type": "custom", "custom": {"name": "f"}}),
    (RESPONSES, {"type": "local_shell"}),
    (RESPONSES, {"type": "shell", "environment": {"type": "local"}}),
    (RESPONSES, {"type": "shell"}),
    (RESPONSES, {"type": "computer_use_preview", "environment": "linux", "display_width": 1, "display_height": 1}),
    (RESPONSES, {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}),
    (MESSAGES, {"name": "f", "input_schema": {}}),
    (MESSAGES, {"type": "bash_20250124", "name": "bash"}),
    (MESSAGES, {"type": "text_editor_20250728", "name": "edit"}),
]
REFUSED: list[tuple[Dialect, dict[str, Any]]] = [
    (OPENAI, {"type": "web_search"}),
    (OPENAI, {"type": "mcp", "server_url": FOREIGN}),
    (OPENAI, {"type": 7}),
    (RESPONSES, {"type": "mcp", "server_url": FOREIGN}),
    (RESPONSES, {"type": "code_interpreter"}),
    (RESPONSES, {"type": "file_search"}),
    (RESPONSES, {"type": "shell", "environment": {"type": "container_auto"}}),
    (RESPONSES, {"type": "namespace", "name": "n", "tools": [{"type": "mcp", "server_url": FOREIGN}]}),
    (MESSAGES, {"type": "web_search_20250305", "name": "web_search"}),
    (MESSAGES, {"type": "code_execution_20260120", "name": "x"}),
    (MESSAGES, {"type": "bash_2025x124", "name": "bash"}),
]


@pytest.mark.parametrize(("dialect", "tool"), PASSED)
def test_tools_that_the_client_runs_pass(dialect: Dialect, tool: dict[str, Any]) -> None:
    """They are words for the model: nothing here acts on them."""
    assert sent(dialect, messages=[], tools=[tool])["tools"] == [tool]


@pytest.mark.parametrize(("dialect", "tool"), REFUSED)
def test_tools_that_a_server_would_run_do_not(dialect: Dialect, tool: dict[str, Any]) -> None:
    """They are refused by their place, in every API."""
    with pytest.raises(DceError, match=r"tools\[0\]"):
        sent(dialect, messages=[], tools=[tool])


def test_dce_s_own_route_knows_the_same_tools() -> None:
    """`/api/dce/proxy` forwards tools too: a server's are refused there as on /v1."""
    raw = msgspec.json.encode({"prompt": "x", "tools": [{"type": "web_search"}]})
    with pytest.raises(DceError, match=r"tools\[0\]"):
        read_generate(raw, max_n=1, is_json_wanted=True)


@pytest.mark.parametrize("fields", [{"store": True}, {"web_search_options": {}}])
def test_chat_keeps_and_searches_nothing(fields: dict[str, Any]) -> None:
    """[37] What the guide says is refused is refused on chat completions too; saying no is no offence."""
    with pytest.raises(DceError, match=next(iter(fields))):
        sent(OPENAI, messages=[], **fields)
    sent(OPENAI, messages=[], store=False, web_search_options=None)


@pytest.mark.parametrize("kind", [*LEFT_OUT, "web_search_2025_08_26", "web_search_preview"])
def test_what_codex_offers_by_default_is_left_out(kind: str) -> None:
    """[37] A web search is not offered to the model, the caller's own tools are, and the answer says what was left out."""
    own = {"type": "function", "name": "f", "parameters": {}}
    fields = {"model": "m", "input": "x", "store": False, "tools": [{"type": kind}, own]}
    ask = read_forward(msgspec.json.encode(fields), max_n=20, dialect=RESPONSES)
    assert {**ask.fields, **ask.added} == {**fields, "tools": [own]}
    assert ask.dropped == (f"tools.{kind}",)


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "web_search_preview"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
        "required",
    ],
)
def test_a_tool_that_the_request_insists_on_is_not_left_out(choice: Any) -> None:
    """Without its only tool such a request would mean something else: it is refused."""
    with pytest.raises(DceError, match="tool_choice"):
        sent(RESPONSES, input="x", tools=[{"type": "web_search"}], tool_choice=choice)


def test_an_offer_alone_is_no_insistence() -> None:
    """With `auto`, or another tool to use, the rest of the request stands."""
    own = {"type": "function", "name": "f", "parameters": {}}
    assert sent(RESPONSES, input="x", tools=[{"type": "web_search"}], tool_choice="auto")["tools"] == []
    kept = sent(RESPONSES, input="x", tools=[{"type": "web_search"}, own], tool_choice="required")
    assert kept["tools"] == [own]
