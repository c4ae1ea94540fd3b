"""Chunks of the OpenAI dialect as the servers really send them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.chat import BadChunk, ChoiceDelta, Chunk, Usage, read_chunks, read_values, usage_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "index", "delta", "content", "usage", "error", "finish_reason", "message"]),
            inner,
        )
    ),
    max_leaves=12,
)


def test_a_chunk_of_vllm() -> None:
    """Text, index, finish reason and running usage of vLLM's chunk are read."""
    data = (
        '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":3,"delta":'
        '{"content":" assist"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}],'
        '"usage":{"prompt_tokens":33,"total_tokens":37,"completion_tokens":4,"completion_tokens_details":null}}'
    )
    assert read_chunks(data) == [
        Chunk(
            choices=(ChoiceDelta(index=3, text=" assist", finish_reason="length"),),
            usage=Usage(prompt_tokens=33, completion_tokens=4),
            model="m",
            id="chatcmpl-1",
        )
    ]


def test_chunks_of_llama_cpp() -> None:
    """The null content of a first chunk is no text; cached tokens stand in the usage of a chunk without choices."""
    first = '{"choices":[{"finish_reason":null,"index":1,"delta":{"role":"assistant","content":null}}],"model":"m"}'
    usage = (
        '{"choices":[],"usage":{"completion_tokens":4,"prompt_tokens":32,"prompt_tokens_details":{"cached_tokens":30}}}'
    )
    assert read_chunks(first)[0].choices == (ChoiceDelta(index=1),)
    assert read_chunks(usage)[0].usage == Usage(prompt_tokens=32, completion_tokens=4, cached_tokens=30)


def test_running_counts_of_llama_cpp() -> None:
    """Its timings stand for usage while a choice runs; real usage wins, and timings of a wrong form are none."""
    choice = '"choices":[{"index":0,"delta":{"content":"x"}}]'
    assert read_chunks("{" + choice + ',"timings":{"prompt_n":3,"predicted_n":5}}')[0].usage == Usage(
        prompt_tokens=3, completion_tokens=5, is_prompt_partial=True
    )
    both = '{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9},"timings":{"predicted_n":5}}'
    assert read_chunks(both)[0].usage == Usage(prompt_tokens=3, completion_tokens=9)
    for timings in ("5", "null", "{}", '{"predicted_n":"5"}'):
        assert read_chunks("{" + choice + ',"timings":' + timings + "}")[0].usage is None


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thinking_has_two_names(field: str) -> None:
    """Newer and older servers name the thinking differently; both are read, apart from the text."""
    (chunk,) = read_chunks(json.dumps({"choices": [{"index": 0, "delta": {field: "hm", "content": "yes"}}]}))
    assert chunk.choices == (ChoiceDelta(index=0, text="yes", thinking="hm"),)


@pytest.mark.parametrize("choice", [{"text": "old"}, {"message": {"content": "old"}}], ids=["completions", "whole"])
def test_other_forms_of_text(choice: dict[str, object]) -> None:
    """A completions chunk and a whole answer are read like a chat chunk."""
    assert read_chunks(json.dumps({"choices": [{"index": 0, **choice}]}))[0].choices[0].text == "old"


@pytest.mark.parametrize("between", ["", " ", ",", "\n"], ids=repr)
def test_several_objects_on_one_line(between: str) -> None:
    """All objects of an event are read, however they are put together."""
    assert read_values('{"a":1}' + between + '{"b":"}{"}') == [{"a": 1}, {"b": "}{"}]


def test_an_error_frame() -> None:
    """An error in the stream is read with its message, the integer code of vLLM as text."""
    (chunk,) = read_chunks(
        '{"error": {"message": "Engine died", "type": "InternalServerError", "param": null, "code": 500}}'
    )
    assert chunk.error is not None
    assert (chunk.error.message, chunk.error.code) == ("Engine died", "500")


@pytest.mark.parametrize(
    "data", ["{not json", "", "5", "[1]", '{"a":1}{', "[" * 100_000], ids=lambda data: data[:8] or "empty"
)
def test_what_is_no_chunk_is_said_to_be_none(data: str) -> None:
    """Anything that is not JSON objects raises BadChunk and nothing else, except that no data is no chunk."""
    if data:
        with pytest.raises(BadChunk):
            read_chunks(data)
    else:
        assert read_chunks(data) == []


@given(st.dictionaries(st.sampled_from(["choices", "usage", "error", "model", "id"]), JSON))
def test_fields_of_a_wrong_type_count_as_absent(value: dict[str, object]) -> None:
    """Whatever stands in an object, reading it never raises."""
    assert isinstance(read_chunks(json.dumps(value))[0], Chunk)


def test_usage_is_an_object_or_nothing() -> None:
    """Usage of a wrong form is no usage, counts of a wrong type are 0."""
    assert usage_of(None) is None
    assert usage_of([1]) is None
    assert usage_of({"prompt_tokens": "3", "completion_tokens": 2}) == Usage(completion_tokens=2)


@pytest.mark.parametrize(
    ("queued", "position"),
    [
        ({"position": 3}, 3),
        ({"position": 0}, 0),
        ({"position": -1}, None),
        ({"position": True}, None),
        ("3", None),
        ({}, None),
    ],
)
def test_a_place_in_the_queue(queued: object, position: int | None) -> None:
    """A frame of a DCE gateway that says only where the request stands; anything else is no place."""
    (chunk,) = read_chunks(json.dumps({"choices": [], "queued": queued}))
    assert (chunk.queue_position, chunk.choices) == (position, ())
