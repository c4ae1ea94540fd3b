"""Bodies: what may come in, what is refused and how that is said."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.front.body import (
    FIELDS,
    INTERNAL_FIELDS,
    GenerateBody,
    decode,
    encode_request,
    read_forward,
    read_generate,
    with_fields,
)
from dce.gateway.front.bounds import responses_in
from dce.wire.errors import DceError

CANARY = "canary-of-a-secret-prompt"
MESSAGES = [{"role": "user", "content": CANARY}]


def generate(**fields: Any) -> GenerateBody:
    """A request that is read; a field that is ... is left out."""
    body = {"messages": MESSAGES, **fields}
    return read_generate(
        json.dumps({name: value for name, value in body.items() if value is not ...}).encode(),
        max_n=20,
        is_json_wanted=False,
    )


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"messages": ...}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": {"role": "user"}}, "messages"),
    ({"messages": ["hi"]}, "messages[0]"),
    ({"messages": [{"content": "hi"}]}, "messages[0]"),
    ({"messages": [{"role": 5, "content": "hi"}]}, "messages[0]"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages[0]"),
    ({"messages": [{"role": "user"}]}, "messages[0]"),
    ({"messages": [*MESSAGES, None]}, "messages[1]"),
    ({"prompt": "hi"}, "both prompt and messages"),
    ({"messages": ..., "prompt": ""}, "prompt"),
    ({"messages": ..., "prompt": "  \n"}, "prompt"),
    ({"messages": ..., "prompt": ["hi"]}, "prompt"),
    *[({"n": n}, "n must") for n in (0, -1, 21, 1000, True, False, "3", 1.0, 2.5, [1], 10**30)],
    *[({name: n}, name) for name in ("max_tokens", "max_completion_tokens") for n in (0, -5, "9", True, 1.5, 10**30)],
    *[({"stream": value}, "stream") for value in ("true", 1, 0)],
    *[({"model": value}, "model") for value in (5, ["m"], "m" * 201)],
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"top_p": -0.1}, "top_p"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**31}, "seed"),
    ({"seed": 1.5}, "seed"),
    ({"seed": True}, "seed"),
    ({"seed": 2**31 - 64}, "seed"),
    *[({"top_k": value}, "top_k") for value in (True, -2, 2**31, 1.5)],
    *[({"top_logprobs": value}, "top_logprobs") for value in (True, -1, 21)],
    ({"min_p": 1.01}, "min_p"),
    ({"presence_penalty": -2.1}, "presence_penalty"),
    ({"frequency_penalty": 2.1}, "frequency_penalty"),
    ({"repetition_penalty": 10.1}, "repetition_penalty"),
    *[({name: 1}, name) for name in ("logprobs", "ignore_eos", "continue_final_message", "add_generation_prompt")],
    ({"reasoning_effort": "x" * 21}, "reasoning_effort"),
    ({"tools": {}}, "tools"),
    ({"tool_choice": 1}, "tool_choice"),
    ({"logit_bias": []}, "logit_bias"),
    ({"response_format": "json"}, "response_format"),
    ({"stop": 5}, "stop"),
    ({"stop": ["x"] * 17}, "stop"),
    ({"stop": ["x", 5]}, "stop"),
    ({"grammar": "x" * 1_000_001}, "grammar"),
    ({"grammar": {}}, "grammar"),
    ({"stream_options": True}, "stream_options"),
    ({"structured_outputs": "json"}, "structured_outputs"),
    ({"guided_json": {}}, "guided_json"),
    ({"guided_grammar": "x"}, "guided_grammar"),
]


@pytest.mark.parametrize(("fields", "named"), BAD_FIELDS, ids=lambda value: str(value)[:40])
def test_a_bad_field_is_refused_by_name(fields: dict[str, Any], named: str) -> None:
    """Each wrong field is named with what it must be; the message never holds what was sent."""
    with pytest.raises(DceError) as caught:
        generate(**fields)
    assert caught.value.code == "invalid_request"
    assert named in caught.value.message
    assert caught.value.hint
    assert CANARY not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe{}",
        b'{"messages": "\xff"}',
        b'{"messages": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"n": NaN}',
        b'{"temperature": 1e999}',
        b"<html>" + CANARY.encode(),
        json.dumps(MESSAGES[0]).encode()[:-1],
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    """Not JSON, not an object, not UTF-8, nested a hundred thousand deep: one plain refusal that echoes nothing."""
    for read in (lambda: read_generate(body, max_n=20, is_json_wanted=False), lambda: read_forward(body, max_n=20)):
        with pytest.raises(DceError) as caught:
            read()
        assert caught.value.code == "invalid_request"
        assert "canary" not in caught.value.message
        assert len(caught.value.message) < 200


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_refusal(body: bytes) -> None:
    """No bytes make reading raise anything but its own error."""
    with contextlib.suppress(DceError):
        assert isinstance(decode(body), dict)


def test_the_originals_request_is_read() -> None:
    """Exactly what the original client sends means what it meant."""
    body = generate(n=10, max_tokens=16_384, reasoning_effort="high", stream=True, model="local-model")
    assert (body.n, body.max_tokens, body.is_stream, body.model, body.dropped) == (10, 16_384, True, "local-model", ())
    assert body.common == {"messages": MESSAGES, "reasoning_effort": "high"}


def test_defaults() -> None:
    """One response, streamed unless the caller accepts JSON only; null is the same as absent."""
    body = generate(n=None, model=None, stream=None, temperature=None, seed=None, stop=None, max_tokens=None)
    assert (body.n, body.model, body.is_stream, body.max_tokens, body.seed) == (1, "", True, None, None)
    assert body.common == {"messages": MESSAGES}
    asked = json.dumps({"prompt": "hi"}).encode()
    assert not read_generate(asked, max_n=20, is_json_wanted=True).is_stream


def test_a_prompt_is_a_user_message() -> None:
    """The older `prompt` becomes the one message, to the character."""
    body = generate(messages=..., prompt=" Grüße\n🙂 ")
    assert body.common["messages"] == [{"role": "user", "content": " Grüße\n🙂 "}]


def test_either_name_of_the_token_limit() -> None:
    """`max_completion_tokens`, OpenAI's newer name, wins over `max_tokens`."""
    assert generate(max_completion_tokens=5, max_tokens=9).max_tokens == 5
    assert generate(max_completion_tokens=5).max_tokens == 5


@pytest.mark.parametrize("field", [*sorted(INTERNAL_FIELDS), "users", "store", "n_predict"])
def test_unknown_and_internal_fields_are_dropped_and_reported(field: str) -> None:
    """What steers the backend's insides, or is not known, does not pass and is named."""
    body = generate(**{field: {"x": 1}})
    assert body.dropped == (field,)
    assert field not in body.common


def test_the_caller_s_own_name_for_its_conversation_is_for_routing_alone() -> None:
    """`user` is kept apart: known, never sent on; anything but a text counts as absent."""
    body = generate(user="ann")
    assert (body.session, body.dropped, "user" in body.common) == ("ann", (), False)
    assert generate(user=5).session == ""


def test_known_sampling_fields_pass() -> None:
    """Every field of the table passes with a value of its kind; those the gateway itself steers are taken out."""
    values: dict[str, Any] = {
        **dict.fromkeys(FIELDS, 1),
        **dict.fromkeys(("logprobs", "ignore_eos", "continue_final_message", "add_generation_prompt"), True),
        **{name: {} for name in ("response_format", "structured_outputs", "logit_bias", "chat_template_kwargs")},
        "reasoning_effort": "low",
        "grammar": "root ::= x",
        "stop": ["a", "b"],
        "tools": [],
        "tool_choice": "auto",
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }
    body = generate(**values)
    assert body.seed == 1
    assert body.common == {
        "messages": MESSAGES,
        **{k: v for k, v in values.items() if k not in {"seed", "stream_options"}},
    }
    assert body.dropped == ()


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), min_size=1),
    st.dictionaries(st.text(max_size=5), st.integers(0, 9), min_size=1),
)
def test_a_shared_bulk_completed_is_the_whole_request(common: dict[str, Any], fields: dict[str, Any]) -> None:
    """The pieces that N requests share, completed for one of them, are the JSON of both parts together."""
    fields = {"own " + name: value for name, value in fields.items()}
    pieces = with_fields(encode_request(common), fields)
    assert json.loads(b"".join(pieces)) == {**common, **fields}


def test_a_forwarded_body_is_left_as_it_is() -> None:
    """Odd spacing, key order and unknown fields of an OpenAI body are kept to the byte."""
    raw = b'{ "zzz": 1.50, "messages" :[], "model":"m", "stream": true }'
    body = read_forward(raw, max_n=20)
    assert (body.raw, body.is_changed, body.model, body.is_stream) == (raw, False, "m", True)


@pytest.mark.parametrize("field", sorted(INTERNAL_FIELDS))
def test_internal_fields_are_stripped_from_a_forwarded_body(field: str) -> None:
    """A tenant cannot steer the backend's insides through the pass-through routes either."""
    body = read_forward(json.dumps({"model": "m", field: 1, "kept": 2}).encode(), max_n=20)
    assert body.is_changed
    assert body.fields == {"model": "m", "kept": 2}


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 0},
        {"n": 21},
        {"n": True},
        {"n": "3"},
        {"best_of": 21},
        {"max_tokens": 0},
        {"logprobs": 21},
        {"top_logprobs": 21},
        {"prompt_logprobs": -1},
        {"prompt_logprobs": "1000000"},
        {"top_logprobs": ["5"]},
        {"n_cmpl": 21},
        {"messages": {"role": "user"}},
        {"messages": "hi"},
        {"stream": "yes"},
        {"model": 5},
    ],
    ids=str,
)
def test_what_could_harm_is_refused_when_forwarded(fields: dict[str, Any]) -> None:
    """The limits of the gateway hold on the pass-through routes as well."""
    with pytest.raises(DceError, match=next(iter(fields))):
        read_forward(json.dumps(fields).encode(), max_n=20)


@pytest.mark.parametrize(
    ("fields", "responses"),
    [
        ({}, 1),
        ({"n": 3}, 3),
        ({"best_of": 4}, 4),
        ({"n": 3, "best_of": 4}, 4),
        ({"n": 3, "n_cmpl": 6}, 6),
        ({"prompt": "text", "n": 2}, 2),
        ({"prompt": ["a", "b"], "n": 2}, 4),
        ({"prompt": ["a", "b"], "best_of": 5}, 10),
        ({"prompt": [[1, 2], [3]], "n": 2}, 4),
        ({"prompt": [1, 2, 3], "n": 2}, 2),
        ({"prompt": [], "n": 2}, 2),
    ],
)
def test_every_response_that_is_generated_counts(fields: dict[str, Any], responses: int) -> None:
    """What a body costs is prompts times candidates: a list of token ids is one prompt, candidates that are thrown away count too."""
    assert responses_in(fields) == responses
