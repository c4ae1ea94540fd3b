"""Whatever a backend sends, reading one response costs that response only: nothing is raised, nothing hangs, no other choice is touched."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway.streaming.output import AnswerOutput
from dce.gateway.streaming.streams import ChoiceState, Stream
from dce.gateway.streaming.tail import read_tail
from dce.wire.chat import BadChunk, read_chunks
from dce.wire.errors import DceError, decode_error
from dce.workspace.generating.gateway_errors import GATEWAY
from dce.workspace.generating.openai_errors import SERVER
from dce.workspace.generating.provider_events import Delta, Ended, ProviderEvent
from dce.workspace.generating.stream_reader import StreamReader
from tests.fakes.opener import FakeOpener
from tests.gateway.test_streams import ScriptedExchange

DONE = b"data: [DONE]\n\n"
FIELDS = (
    *(
        "index",
        "delta",
        "content",
        "text",
        "type",
        "message",
        "reasoning",
        "finish_reason",
        "logprobs",
        "role",
        "refusal",
    ),
    *(
        "tool_calls",
        "function_call",
        "function",
        "name",
        "arguments",
        "id",
        "error",
        "code",
        "usage",
        "timings",
        "thinking",
    ),
    *(
        "value",
        "prompt_tokens",
        "predicted_n",
        "model",
        "queued",
        "position",
        "busy",
        "choices",
        "retry_in_s",
        "detail",
    ),
)

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from(
        [10**30, -(10**18), 1e300, 0.0, float("inf"), "\ud83d", "\ude00", "text", "thinking", "stop", "", "x", "0"]
    ),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)
choices = st.fixed_dictionaries(
    {},
    optional={
        "index": st.just(0) | leaves,
        "delta": values
        | st.fixed_dictionaries({"content": values})
        | st.fixed_dictionaries({"tool_calls": st.lists(values)}),
        "finish_reason": st.sampled_from([None, "stop"]) | values,
        "message": values,
        "text": values,
        "error": values,
        "logprobs": values,
    },
)
chunks = st.fixed_dictionaries(
    {"choices": st.lists(choices, max_size=2) | values},
    optional={"usage": values, "error": values, "timings": values, "model": values, "id": values},
)
BIG = b'{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"x":' + b"9" * 5000 + b"}"
said = st.lists(
    (chunks | values).map(lambda value: json.dumps(value, separators=(",", ":")).encode())
    | st.just(BIG)
    | st.binary(max_size=20),
    max_size=5,
).map(lambda frames: b"".join(b"data: " + data + b"\n\n" for data in frames))


def _good(text: str, index: int = 0) -> list[bytes]:
    frames = [{"content": text[:1]}, {"content": text[1:]}, {}]
    return [
        b"data: "
        + json.dumps(
            {"choices": [{"index": index, "delta": delta, "finish_reason": None if delta else "stop"}]},
            separators=(",", ":"),
        ).encode()
        + b"\n\n"
        for delta in frames
    ]


async def _played(odd: bytes, size: int, output: Any, *, is_early: bool = False) -> Stream:
    """Three requests: the second one's backend is odd, the others are good."""
    stream = Stream("s", "owner", "m", [[0], [1], [2]])
    exchanges = [ScriptedExchange() for _ in range(3)]

    async def opener(indices: Any) -> Any:
        return exchanges[indices[0]]

    await stream.open(FakeOpener(opener), 5.0)
    await asyncio.gather(*(part.opening for part in stream.parts if part.opening))
    if not is_early:
        stream.attach(output)
    good = _good("ab")
    for frame in good[:2]:
        exchanges[0].say(frame)
        exchanges[2].say(frame)
    for at in range(0, len(odd), size):
        exchanges[1].say(odd[at : at + size])
    exchanges[1].say(DONE)
    for at in (0, 2):
        exchanges[at].say(good[2] + DONE)
    if is_early:
        stream.attach(output)
    for exchange in exchanges:
        exchange.end()
    await asyncio.wait_for(stream.finished, 1)
    assert stream.choices[0].state is stream.choices[2].state is ChoiceState.FINISHED
    return stream


class _Kept:
    """An output that keeps the data of frames."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def frame(self, data: bytes) -> None:
        self.frames.append(data)

    def heartbeat(self) -> None:
        """Nobody waits."""

    def flush(self) -> None:
        """Nothing is buffered."""


def _read(reader: StreamReader, stream: bytes) -> list[ProviderEvent]:
    events = reader.feed(stream)
    reader.lost(DceError("stream_interrupted", "ended"), is_orderly=True)
    return events + reader.end()


def _is_whole(events: list[ProviderEvent], index: int) -> bool:
    [end] = [event for event in events if isinstance(event, Ended) and event.index == index]
    return end.error is None and "".join(e.text for e in events if isinstance(e, Delta) and e.index == index) == "ab"


@settings(max_examples=150, deadline=None)
@given(said, st.sampled_from([1 << 20, 50]))
def test_an_odd_backend_costs_its_own_response_only(odd: bytes, size: int) -> None:
    """Through the gateway's stream and the client's reader, the other responses are whole and each ends once."""
    output = _Kept()
    stream = asyncio.run(_played(odd, size, output))
    sent = b"".join(b"data: " + data + b"\n\n" for data in [*output.frames, *stream.last_frames()])
    events = _read(StreamReader(3, GATEWAY), sent)
    assert _is_whole(events, 0)
    assert _is_whole(events, 2)
    assert sum(isinstance(event, Ended) and event.index == 1 for event in events) == 1
    msgspec.json.encode(events)


@settings(max_examples=100, deadline=None)
@given(said, st.booleans())
def test_an_odd_backend_costs_one_choice_of_a_json_answer(odd: bytes, is_early: bool) -> None:
    """`"stream": false`: the answer can be encoded, and the other choices are whole."""
    output = AnswerOutput(3)

    async def scene() -> dict[str, Any]:
        await _played(odd, 1 << 20, output, is_early=is_early)
        return output.answer("s", "m")

    answer = json.loads(msgspec.json.encode(asyncio.run(scene())))
    assert [answer["responses"][at] for at in (0, 2)] == ["ab", "ab"]


@settings(max_examples=150, deadline=None)
@given(said)
def test_a_server_that_is_asked_directly_ends_its_response_once(odd: bytes) -> None:
    """The provider's reader raises nothing, ends once, and what it read can be stored."""
    events = _read(StreamReader(1, SERVER, has_final_usage=True), odd + DONE)
    assert sum(isinstance(event, Ended) for event in events) == 1
    msgspec.json.encode(events)
    read_tail(odd)  # `/v1` reads the end of the same bytes


@given(values)
def test_the_wire_reader_raises_only_bad_chunk(value: object) -> None:
    """A JSON value of any shape is chunks or a BadChunk."""
    try:
        read_chunks(json.dumps({"choices": [{"delta": value, "error": value}], "error": value, "usage": value}))
    except BadChunk:
        return


@pytest.mark.parametrize("field", ["error", "x", "code"])
def test_an_integer_of_5000_digits_is_no_error_body(field: str) -> None:
    """It exceeds what Python converts: the answer is not read as JSON, and nothing is raised."""
    assert decode_error(b'{"%b":%b}' % (field.encode(), b"9" * 5000)) is None


def test_a_frame_of_a_gateway_that_is_no_json_ends_its_own_choice() -> None:
    """The gateway passes usual frames on unread: the client ends the choice that such a frame names, and no other."""
    sent = [*_good("ab", 0), b"data: " + BIG.replace(b'"index":0', b'"index":1') + b"\n\n", *_good("ab", 2)]
    events = _read(StreamReader(3, GATEWAY), b"".join(sent))
    assert [_is_whole(events, index) for index in (0, 1, 2)] == [True, False, True]


class _Broken(_Kept):
    """An output with a bug that shows in some frames."""

    def frame(self, data: bytes) -> None:
        if b"bang" in data:
            raise KeyError("a bug")
        super().frame(data)


@pytest.mark.parametrize("is_early", [False, True])
def test_a_json_answer_says_what_could_not_be_read(*, is_early: bool) -> None:
    """A response with an unreadable frame is an error in the answer, also if the model finished it before there was an output."""
    good = _good("ab")
    output = AnswerOutput(3)

    async def scene() -> list[Any]:
        stream = await _played(good[0] + b"data: " + BIG + b"\n\n" + good[2], 1 << 20, output, is_early=is_early)
        assert stream.choices[1].state is ChoiceState.LOST
        choices: list[Any] = output.answer("s", "m")["choices"]
        return choices

    assert ["error" in choice for choice in asyncio.run(scene())] == [False, True, False]


@pytest.mark.parametrize("is_early", [False, True])
def test_an_exception_ends_the_request_whose_frame_raised_it(
    *, is_early: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The response is lost with an error of the backend's, logged once and without its text."""
    odd = (
        b"".join(_good("a")[:1])
        + b'data: {"choices":[{"index":0,"delta":{"content":"bang"},"finish_reason":null}]}\n\n'
    )
    stream = asyncio.run(_played(odd, 1 << 20, _Broken(), is_early=is_early))
    error = stream.choices[1].error
    assert error is not None
    assert (error.code, str(error.hop)) == ("backend_error", "backend")
    assert "cannot be read" in error.message
    assert [record.getMessage() for record in caplog.records] == [
        "a backend sent something that cannot be read (KeyError)"
    ]


def test_a_request_whose_opening_raises_is_lost() -> None:
    """An exception of any kind while a request is opened ends its choices."""

    async def scene() -> Stream:
        stream = Stream("s", "owner", "m", [[0], [1]])

        async def opener(indices: Any) -> Any:
            if indices[0]:
                raise KeyError("a bug")
            return ScriptedExchange()

        await stream.open(FakeOpener(opener), 5.0)
        await asyncio.sleep(0)
        return stream

    choices = asyncio.run(scene()).choices
    assert [choice.state for choice in choices] == [ChoiceState.OPEN, ChoiceState.LOST]
