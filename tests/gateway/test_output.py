"""Where frames go: to a connection as events, or into one JSON answer."""

import asyncio
import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.front.connection import ClientConnection
from dce.gateway.streaming.output import AnswerOutput, EventOutput
from dce.wire.errors import DceError
from dce.wire.sse import Decoder


class RecordingConnection:
    """A client connection that keeps what is written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)


def chunk(index: int, text: str = "", **more: Any) -> bytes:
    """A frame's data."""
    choice = {"index": index, "delta": {"content": text}, "finish_reason": None, **more}
    return json.dumps({"id": "c", "choices": [choice]}).encode()


def test_frames_of_one_turn_leave_in_one_write_with_ids_in_order() -> None:
    """What arrives in one turn of the loop is one write; ids are the stream's, without gap; heartbeats have none."""

    async def scene() -> None:
        connection = RecordingConnection()
        output = EventOutput("s1", 10_000, 10_000)
        output.attach(cast("ClientConnection", connection), 0)
        output.frame(b"a")
        output.frame(b"b")
        assert connection.writes == []
        await asyncio.sleep(0)
        assert len(connection.writes) == 1
        output.heartbeat()
        output.frame(b"c")
        output.flush()
        await asyncio.sleep(0)
        assert len(connection.writes) == 3
        events = Decoder().feed(b"".join(connection.writes))
        assert [(event.id, event.data) for event in events] == [("s1:1", "a"), ("s1:2", "b"), ("s1:3", "c")]
        assert connection.writes[1].startswith(b":")

    asyncio.run(scene())


@given(st.lists(st.integers(0, 5), max_size=12), st.data())
def test_a_client_gets_what_it_has_not_seen(turns: list[int], data: st.DataObject) -> None:
    """However the frames were batched, and wherever the client stopped, it gets all later ones, once, with their numbers."""

    async def scene() -> None:
        output = EventOutput("s1", 100_000, 100_000)
        count = 0
        first = data.draw(st.integers(0, len(turns)))
        for turn, size in enumerate(turns):
            if turn == first:
                output.attach(cast("ClientConnection", RecordingConnection()), 0)
            for _ in range(size):
                count += 1
                output.frame(b"%d" % count)
            if data.draw(st.booleans()):
                await asyncio.sleep(0)
        after, connection = data.draw(st.integers(0, count)), RecordingConnection()
        output.attach(cast("ClientConnection", connection), after)
        output.frame(b"%d" % (count + 1))
        await asyncio.sleep(0)
        events = Decoder().feed(b"".join(connection.writes))
        assert [(event.id, event.data) for event in events] == [
            (f"s1:{at}", str(at)) for at in range(after + 1, count + 2)
        ]
        output.detach()
        with pytest.raises(DceError):
            output.check(count + 2)

    asyncio.run(scene())


def test_what_was_sent_is_forgotten_before_what_was_not() -> None:
    """The memory of sent frames is bounded; what waits for a client is not dropped, and too much of it is said."""

    async def scene() -> None:
        full: list[int] = []
        output = EventOutput("s1", 1000, 3000)
        output.on_full = lambda: full.append(1)
        output.attach(cast("ClientConnection", RecordingConnection()), 0)
        for _ in range(10):
            output.frame(b"x" * 300)
            output.flush()
        assert output.first_kept == 8
        output.detach()
        for at in range(10):
            assert len(full) == max(0, at - 9)
            output.frame(b"x" * 300)
            output.flush()
        assert full
        assert output.first_kept == 8
        with pytest.raises(DceError, match="8 to 20"):
            output.check(3)
        connection = RecordingConnection()
        output.attach(cast("ClientConnection", connection), 10)
        assert len(Decoder().feed(b"".join(connection.writes))) == 10
        assert output.first_kept == 18

    asyncio.run(scene())


def test_an_answer_holds_what_a_stream_would_have_said() -> None:
    """Texts, thinking, finish reasons, errors and usage of the frames are in the JSON answer, choice by choice."""
    output = AnswerOutput(3)
    for data in (
        chunk(0, "Grü"),
        chunk(1, "b"),
        json.dumps({"choices": [{"index": 0, "delta": {"reasoning": "hm"}}]}).encode(),
        chunk(0, "ße", finish_reason="stop"),
        chunk(1, finish_reason="error", error={"message": "gone", "type": "api_error", "code": "stream_interrupted"}),
        chunk(2, finish_reason="stopped"),
        json.dumps({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}).encode(),
        b"[DONE]",
    ):
        output.frame(data)
    answer = output.answer("s1", "m")
    assert answer["responses"] == ["Grüße", "b", ""]
    assert answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop", "error", "stopped"]
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Grüße", "reasoning": "hm"}
    assert answer["choices"][1]["error"].code == "stream_interrupted"
    assert (answer["id"], answer["model"], answer["object"]) == ("s1", "m", "chat.completion")


def _delta(index: int, delta: dict[str, Any], **more: Any) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": None, **more}
    return json.dumps({"id": "c", "choices": [choice]}).encode()


def _call(index: int | None, name: str, arguments: str, **more: Any) -> dict[str, Any]:
    where = {} if index is None else {"index": index}
    return {"tool_calls": [{**where, "type": "function", "function": {"name": name, "arguments": arguments}, **more}]}


def test_an_answer_keeps_tool_calls() -> None:
    """The pieces of each tool call are joined, with id, name and arguments; a call without an id gets one, so that it can be answered."""
    output = AnswerOutput(3)
    for data in (
        _delta(0, _call(0, "read", "", id="c1")),
        _delta(0, _call(1, "write", "{}", id="c2")),
        _delta(0, _call(0, "", '{"a":')),
        _delta(0, _call(0, "", "1}")),
        _delta(1, _call(0, "f", "{}", id="x")),
        _delta(1, _call(0, "g", "{}", id="y")),  # a server that numbers every call 0
        _delta(2, {"content": "both"}),
        _delta(2, _call(None, "h", "\ud83d")),
        *(chunk(index, finish_reason="tool_calls") for index in range(3)),
    ):
        output.frame(data)
    choices = json.loads(msgspec.json.encode(output.answer("s1", "m")))["choices"]
    calls = [[(c["id"], *c["function"].values()) for c in one["message"]["tool_calls"]] for one in choices]
    assert calls == [
        [("c1", "read", '{"a":1}'), ("c2", "write", "{}")],
        [("x", "f", "{}"), ("y", "g", "{}")],
        [("call_2_0", "h", "\ufffd")],
    ]
    assert [one["message"]["content"] for one in choices] == [None, None, "both"]
    assert {call["type"] for one in choices for call in one["message"]["tool_calls"]} == {"function"}


def test_an_answer_keeps_logprobs() -> None:
    """The probabilities of all tokens of a choice are in one list, each kind for itself; a choice without them has none."""
    tokens: list[dict[str, Any]] = [
        {"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []} for text in ("a", "\ud83d", "c")
    ]
    output = AnswerOutput(2)
    output.frame(chunk(0, "a", logprobs={"content": tokens[:1], "refusal": None}))
    output.frame(chunk(0, "bc", logprobs={"content": tokens[1:]}))
    output.frame(chunk(0, "", logprobs=None, finish_reason="stop"))
    output.frame(chunk(1, "b", logprobs="none", finish_reason="stop"))
    choices = json.loads(msgspec.json.encode(output.answer("s1", "m")))["choices"]
    assert [token["token"] for token in choices[0]["logprobs"]["content"]] == ["a", "\ufffd", "c"]
    assert set(choices[0]["logprobs"]) == {"content"}
    assert "logprobs" not in choices[1]
    assert choices[1]["message"] == {"role": "assistant", "content": "b"}


def test_an_answer_of_which_nothing_survived_is_its_error() -> None:
    """When every response was lost, the request fails with the first one's reason."""
    output = AnswerOutput(2)
    for index in range(2):
        error = {"message": f"gone {index}", "type": "api_error", "code": "backend_timeout"}
        output.frame(chunk(index, finish_reason="error", error=error))
    with pytest.raises(DceError, match="gone 0") as caught:
        output.answer("s1", "m")
    assert caught.value.code == "backend_timeout"


@pytest.mark.parametrize(
    "data", [b'{"index":0,"finish_reason":null', b'{"choices":[{"index":7}]}', b'{"choices":[{"index":-1}]}']
)
def test_what_is_no_frame_of_this_answer_is_the_backends_error(data: bytes) -> None:
    """A frame that is no JSON, or of a choice that nobody asked for, is named and never an unforeseen exception."""
    with pytest.raises(DceError) as caught:
        AnswerOutput(2).frame(data)
    assert caught.value.code == "backend_error"


def test_the_backlog_is_that_of_the_client_that_is_away_now() -> None:
    """What a client that came back has been sent is no backlog any more: when it goes again, counting begins from nothing."""

    async def scene() -> None:
        calls: list[str] = []
        output = EventOutput("s1", 10_000, 100)
        output.on_full = lambda: calls.append("full")

        def away(text: bytes) -> None:
            output.detach()
            output.frame(text)
            output.flush()

        away(b"x" * 60)
        output.attach(cast("ClientConnection", RecordingConnection()), 0)
        away(b"x" * 60)
        assert calls == []
        away(b"x" * 60)
        assert calls == ["full"]

    asyncio.run(scene())


def test_a_finish_reason_stays_whatever_follows_it() -> None:
    """A later frame of a choice that has finished (its usage, say) does not take its reason away."""
    output = AnswerOutput(1)
    output.frame(chunk(0, "a", finish_reason="stop"))
    output.frame(chunk(0))
    (choice,) = output.answer("s", "m")["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("stop", "a")
