"""What each dialect lets through, and how it says an error."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.front.body import INTERNAL_FIELDS, read_forward, read_generate
from dce.gateway.front.bounds import ATTACHMENT_TEXT_BYTES
from dce.gateway.front.dialects import EMBEDDINGS, MAX_INPUTS, MESSAGES, OPENAI, OWN, RESPONSES, Dialect
from dce.wire.errors import CODES, DceError

IMAGE = "data:image/png;base64,AAAA"
FOREIGN = "http://169.254.169.254/latest"


def read(dialect: Dialect, **fields: Any) -> dict[str, Any]:
    """The fields that go on. Raises what the gateway answers."""
    ask = read_forward(msgspec.json.encode({"model": "m", **fields}), max_n=20, dialect=dialect)
    return {**ask.fields, **ask.added}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    """One message of a user."""
    return {"role": "user", "content": list(blocks)}


SOUND: list[tuple[Dialect, dict[str, Any]]] = [
    (OPENAI, {"messages": [user({"type": "text", "text": "hi"})]}),
    (OPENAI, {"messages": [user({"type": "image_url", "image_url": {"url": IMAGE}})]}),
    (OPENAI, {"prompt": ["a", "b"], "n": 2}),
    (EMBEDDINGS, {"input": "text"}),
    (EMBEDDINGS, {"input": ["a"] * MAX_INPUTS}),
    (EMBEDDINGS, {"input": list(range(MAX_INPUTS + 1))}),
    (RESPONSES, {"input": "text", "max_output_tokens": 5}),
    (RESPONSES, {"input": [{"role": "user", "content": "text"}], "store": False}),
    (RESPONSES, {"input": [user({"type": "input_text", "text": "hi"}, {"type": "input_image", "image_url": IMAGE})]}),
    (RESPONSES, {"input": [{"type": "function_call", "name": "f", "arguments": f'{{"url":"{FOREIGN}"}}', "call_id": "c"}]}),
    (RESPONSES, {"input": [{"type": "function_call_output", "call_id": "c", "output": FOREIGN}]}),
    (RESPONSES, {"input": "x", "tools": [{"type": "function", "name": "f", "parameters": {}}], "background": False}),
    (RESPONSES, {"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]}),
    (MESSAGES, {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "system": "be brief"}),
    (MESSAGES, {"messages": [user({"type": "text", "text": "hi"})], "system": [{"type": "text", "text": "S"}]}),
    (MESSAGES, {"messages": [user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}})]}),
    (MESSAGES, {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "fetch", "input": {"url": FOREIGN}}]}]}),
    (MESSAGES, {"messages": [user({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "ok"}]})]}),
    (MESSAGES, {"messages": [user({"type": "tool_result", "tool_use_id": "t", "content": "ok"})], "mcp_servers": []}),
    (MESSAGES, {"messages": [], "tools": [{"name": "f", "input_schema": {}}, {"type": "custom", "name": "g"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "fields"), SOUND)
def test_what_stands_in_the_body_passes_to_the_byte(dialect: Dialect, fields: dict[str, Any]) -> None:
    """Text, data and the model's own words go through unchanged, whatever they say."""
    body = msgspec.json.encode({"model": "m", **fields})
    ask = read_forward(body, max_n=20, dialect=dialect)
    assert (ask.raw, ask.is_changed) == (body, False)
    assert {name: value for name, value in ask.fields.items() if name != "model"} == fields


REFUSED: list[tuple[Dialect, dict[str, Any], str]] = [
    (OPENAI, {"messages": [user({"type": "image_url", "image_url": {"url": FOREIGN}})]}, "image_url"),
    (EMBEDDINGS, {"input": ["a"] * (MAX_INPUTS + 1)}, "input"),
    (EMBEDDINGS, {"messages": [user({"type": "image_url", "image_url": FOREIGN})]}, "image_url"),
    (RESPONSES, {"input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
    (RESPONSES, {"input": "x", "conversation": "c"}, "conversation"),
    (RESPONSES, {"input": "x", "prompt": {"id": "p"}}, "prompt"),
    (RESPONSES, {"input": "x", "background": True}, "background"),
    (RESPONSES, {"input": "x", "store": True}, "store"),
    (RESPONSES, {"input": "x", "max_output_tokens": 0}, "max_output_tokens"),
    (RESPONSES, {"input": "x", "tools": [{"type": "mcp", "server_url": FOREIGN}]}, "tools[0]"),
    (RESPONSES, {"input": "x", "tools": [{"type": "function"}, {"type": "code_interpreter"}]}, "tools[1]"),
    (RESPONSES, {"input": "x", "text": {"format": {"type": "structural_tag"}}}, "text"),
    (RESPONSES, {"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
    (RESPONSES, {"input": ["text"]}, "input[0]"),
    (RESPONSES, {"input": [user({"type": "input_image", "image_url": FOREIGN})]}, "input[0].content"),
    (RESPONSES, {"input": [user({"type": "input_image", "file_id": "f"})]}, "input[0].content"),
    (RESPONSES, {"input": [user({"type": "input_file", "file_url": FOREIGN})]}, "input[0].content"),
    (
        RESPONSES,
        {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "image_url": FOREIGN}]}]},
        "input[0].output",
    ),
    (MESSAGES, {"messages": [], "mcp_servers": [{"url": FOREIGN}]}, "mcp_servers"),
    (MESSAGES, {"messages": [], "container": "c"}, "container"),
    (MESSAGES, {"messages": [], "tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
    (MESSAGES, {"messages": [user({"type": "image", "source": {"type": "url", "url": FOREIGN}})]}, "messages[0]"),
    (MESSAGES, {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]}, "messages[0]"),
    (MESSAGES, {"messages": [user({"type": "document", "source": {"type": "url", "url": FOREIGN}})]}, "messages[0]"),
    (MESSAGES, {"messages": [], "system": [{"type": "image", "source": {"type": "url", "url": FOREIGN}}]}, "system"),
    (MESSAGES, {"messages": [user({"type": "tool_result", "content": [{"type": "image", "source": FOREIGN}]})]}, "messages[0]"),
    (MESSAGES, {"messages": [], "max_tokens": 0}, "max_tokens"),
    (MESSAGES, {"messages": [], "chat_template_kwargs": {"chat_template": "x"}}, "chat_template_kwargs"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "fields", "named"),
    REFUSED,
    ids=lambda value: str(value)[:60] if isinstance(value, str | dict) else type(value).__name__,
)
def test_what_a_backend_would_fetch_run_or_keep_is_refused_by_name(
    dialect: Dialect, fields: dict[str, Any], named: str
) -> None:
    """Foreign URLs, servers' tools and stored responses do not pass, wherever they stand; the message holds no content."""
    with pytest.raises(DceError) as caught:
        read(dialect, **fields)
    assert caught.value.code == "invalid_request"
    assert named in caught.value.message
    assert "169.254" not in caught.value.message


@pytest.mark.parametrize("dialect", [OPENAI, EMBEDDINGS, RESPONSES, MESSAGES], ids=lambda d: type(d).__name__)
def test_what_steers_the_backend_s_insides_passes_in_no_dialect(dialect: Dialect) -> None:
    """Internal fields are dropped from every kind of body."""
    assert read(dialect, **dict.fromkeys(INTERNAL_FIELDS, 1)).keys() <= {"model", "store"}


@pytest.mark.parametrize("given", [{}, {"store": None}, {"store": False}])
def test_a_response_is_never_stored(given: dict[str, Any]) -> None:
    """Servers store unless told not to, so they are told, exactly once."""
    body = msgspec.json.encode({"model": "m", "input": "x", **given})
    ask = read_forward(body, max_n=1, dialect=RESPONSES)
    assert {**ask.fields, **ask.added}["store"] is False
    # What is sent is the raw body plus what was added, unless it is marked as changed: then its own field does not go along.
    assert ask.is_changed is (given == {"store": None})
    assert not ask.fields.keys() & ask.added.keys()


@pytest.mark.parametrize("code", sorted(CODES))
def test_an_error_is_said_in_the_client_s_own_shape(code: str) -> None:
    """Each dialect has its own form, whole and as an event, and in each stand code, hop, hint and request id; never above 4 KB."""
    error = DceError(code, "what \U0001f642 happened " * 500)
    for dialect in (OPENAI, EMBEDDINGS, RESPONSES, MESSAGES):
        whole = json.loads(dialect.error(error, "req"))
        event = dialect.event(error, "req")
        assert event.endswith(b"\n\n")
        assert max(len(dialect.error(error, "req")), len(event) // 2) <= 4096
        said = json.loads(event.split(b"data: ", 1)[1])
        for body in (whole["error"], said["error"]):
            assert (body["code"], body["hop"], body["request_id"]) == (code, error.hop, "req")
            assert body["hint"]
    anthropic = json.loads(MESSAGES.error(error, "req"))
    assert anthropic["type"] == "error"
    assert anthropic["error"]["type"].endswith(("_error", "_too_large"))
    assert MESSAGES.event(error, "req").startswith(b"event: error\ndata: ")


DATA = "A" * 3_000_000
PICTURES: list[tuple[Dialect, dict[str, Any]]] = [
    (
        OPENAI,
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:" + DATA}}]}]},
    ),
    (OPENAI, {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:" + DATA}]}]}),
    (OPENAI, {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": DATA}}]}]}),
    (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:" + DATA}]}]}),
    (
        MESSAGES,
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": DATA}}]}]},
    ),
    (
        MESSAGES,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "content": [{"type": "image", "source": {"type": "base64", "data": DATA}}],
                        }
                    ],
                }
            ]
        },
    ),
]


@pytest.mark.parametrize(("dialect", "fields"), PICTURES, ids=range(len(PICTURES)))
def test_a_picture_counts_as_a_picture_and_not_as_its_bytes(dialect: Dialect, fields: dict[str, Any]) -> None:
    """Whatever a picture's or sound's bytes, it is reckoned as the same text; what is text is reckoned by its bytes."""
    body = msgspec.json.encode({"model": "m", **fields})
    assert (
        ATTACHMENT_TEXT_BYTES <= read_forward(body, max_n=1, dialect=dialect).text_bytes < ATTACHMENT_TEXT_BYTES + 250
    )
    text = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": DATA}]})
    assert read_forward(text, max_n=1, dialect=MESSAGES).text_bytes == len(text)


def test_a_picture_on_the_systems_own_route() -> None:
    """It counts there as on the others; a tiny one leaves no number below nothing."""
    for data in (DATA, "A"):
        parts = [{"type": "image_url", "image_url": {"url": "data:" + data}}, {"type": "text", "text": "What is it?"}]
        body = msgspec.json.encode({"messages": [{"role": "user", "content": parts}]})
        ask = read_generate(body, max_n=1, is_json_wanted=True)
        assert ATTACHMENT_TEXT_BYTES <= ask.text_bytes < ATTACHMENT_TEXT_BYTES + 250


@pytest.mark.parametrize("dialect", [OWN, OPENAI, RESPONSES, MESSAGES], ids=lambda d: type(d).__name__)
def test_a_hint_of_its_own_is_kept(dialect: Dialect) -> None:
    """Only the usual hint of a code is worded for the client's API; what was raised with a better one says that."""
    chosen = json.loads(dialect.error(DceError("missing_key", "x", hint="Ask Alice."), "req"))["error"]["hint"]
    usual = json.loads(dialect.error(DceError("missing_key", "x"), "req"))["error"]["hint"]
    assert chosen == "Ask Alice."
    assert ("DCE_API_KEY" in usual) is (dialect is not MESSAGES)
    assert ("OPENAI_API_KEY" in usual) is (dialect in (OPENAI, RESPONSES))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["text", "image", "function", "message"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "content", "source", "image_url", "role", "output", "tools", "format", "environment"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("dialect", [OPENAI, EMBEDDINGS, RESPONSES, MESSAGES], ids=lambda d: type(d).__name__)
@given(
    values=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("messages", "input", "tools", "system", "text", "tool_choice"), JSON)
    )
)
def test_whatever_a_body_holds_it_is_read_or_refused(dialect: Dialect, values: dict[str, Any]) -> None:
    """A value of another type anywhere is the caller's mistake, said as such, and never a fault of the gateway."""
    with contextlib.suppress(DceError):
        read(dialect, **values)
