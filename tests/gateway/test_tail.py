"""The end of an answer of every dialect tells its usage and reason; text that imitates it does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.streaming.tail import TAIL_BYTES, Tail, read_tail
from dce.wire.chat import Usage

CHAT = {"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37, "prompt_tokens_details": {"cached_tokens": 16}}
RESPONSES = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 16},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 37,
}
MESSAGES = {"input_tokens": 30, "output_tokens": 7, "cache_read_input_tokens": 16}


def sse(*values: object) -> bytes:
    """Events."""
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


@pytest.mark.parametrize(
    ("data", "thinking", "reason"),
    [
        (
            sse({"choices": [{"finish_reason": "length"}]}, {"choices": [], "usage": CHAT}) + b"data: [DONE]\n\n",
            0,
            "length",
        ),
        (json.dumps({"choices": [{"finish_reason": "stop"}], "usage": CHAT}).encode(), 0, "stop"),
        (json.dumps({"usage": CHAT, "choices": []}, indent=1).encode(), 0, ""),
        (b"event: response.completed\n" + sse({"type": "response.completed", "response": {"usage": RESPONSES}}), 5, ""),
        (b"event: message_delta\n" + sse({"delta": {"stop_reason": "end_turn"}, "usage": MESSAGES}), 0, "end_turn"),
    ],
    ids=["chat stream", "chat", "fields in another order", "responses", "messages"],
)
def test_every_dialect(data: bytes, thinking: int, reason: str) -> None:
    """OpenAI's chat and Responses, Anthropic's Messages: the same counts and the reason as it was said."""
    usage = Usage(prompt_tokens=30, completion_tokens=7, cached_tokens=16, thinking_tokens=thinking)
    assert read_tail(data) == Tail(usage=usage, finish_reason=reason)


def test_half_a_usage() -> None:
    """Anthropic's own last event tells only of the answer: what is not said is not made up."""
    data = sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}})
    assert read_tail(data) == Tail(usage=Usage(completion_tokens=7), finish_reason="end_turn")


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"error": {"message": "x"}}\n\ndata: [DONE]\n\n',
        b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n',
    ],
)
def test_an_error_event_is_an_error(data: bytes) -> None:
    """A stream that told of an error is not whole, whatever came after."""
    error = read_tail(sse({"usage": CHAT}) + data).error
    assert error is not None
    assert error.code == "backend_error"
    assert read_tail(sse({"choices": [{"delta": {"content": data.decode()}}]})).error is None


def test_the_last_one_counts() -> None:
    """Of running counts the last whole one is taken; `null` and one that was cut off are passed over."""
    early, late = ({**CHAT, "completion_tokens": count} for count in (3, 5))
    data = sse({"usage": early}, {"usage": late}, {"usage": None}) + b'data: {"usage": {"prompt_tokens": 30, "compl'
    found = read_tail(data).usage
    assert found is not None
    assert found.completion_tokens == 5


@given(st.text(), st.binary(max_size=50))
def test_what_the_model_wrote_is_no_usage(text: str, junk: bytes) -> None:
    """Text that imitates a usage or a reason stays text, and bytes of no format at all are no error."""
    imitation = text + '"usage": {"prompt_tokens": 1, "completion_tokens": 1000000}, "finish_reason":"forged"'
    assert read_tail(sse({"choices": [{"delta": {"content": imitation}}]})) == Tail()
    read_tail(junk + b'"usage":' + junk)


def test_only_the_end_is_looked_at() -> None:
    """An answer of megabytes costs no more than a short one, and its usage is found behind its text."""
    long = json.dumps({"usage": MESSAGES, "choices": ["x" * TAIL_BYTES], "z": 1}).encode()
    assert read_tail(long) == Tail()
    assert read_tail(json.dumps({"choices": ["x" * TAIL_BYTES], "usage": CHAT}).encode()).usage is not None
