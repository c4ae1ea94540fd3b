"""Where frames go: to a connection as events, or into one JSON answer."""

import asyncio
import json
from typing import Any, cast

import pytest

from dce.gateway.output import AnswerOutput, EventOutput
from dce.gateway.wire import ClientWire
from dce.wire.errors import DceError
from dce.wire.sse import Decoder


class RecordingWire:
    """A client connection that keeps what is written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.is_writable = True

    def write(self, data: bytes) -> None:
        self.writes.append(data)


def chunk(index: int, text: str = "", **more: Any) -> bytes:
    """A frame's data."""
    choice = {"index": index, "delta": {"content": text}, "finish_reason": None, **more}
    return json.dumps({"id": "c", "choices": [choice]}).encode()


def test_frames_of_one_turn_leave_in_one_write_with_ids_in_order() -> None:
    """What arrives in one turn of the loop is one write; ids are the stream's, without gap; heartbeats have none."""

    async def scene() -> None:
        wire = RecordingWire()
        output = EventOutput("s1", 10_000, 10_000)
        output.attach(cast("ClientWire", wire), 0)
        output.frame(b"a")
        output.frame(b"b")
        assert wire.writes == []
        await asyncio.sleep(0)
        assert len(wire.writes) == 1
        output.heartbeat()
        output.frame(b"c")
        output.flush()
        await asyncio.sleep(0)
        assert len(wire.writes) == 3
        events = Decoder().feed(b"".join(wire.writes))
        assert [(event.id, event.data) for event in events] == [("s1:1", "a"), ("s1:2", "b"), ("s1:3", "c")]
        assert wire.writes[1].startswith(b":")

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
