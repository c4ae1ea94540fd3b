"""One table of cases of the chat dialect (fixtures/dialect.json), read by every path that a stream can take."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.backends.transport import Exchange
from dce.gateway.front.connection import ClientConnection
from dce.gateway.front.dialects import OPENAI
from dce.gateway.streaming.output import AnswerOutput
from dce.gateway.streaming.relay import Relay
from dce.gateway.streaming.tail import read_tail
from dce.wire.chunks import content
from dce.wire.errors import DceError
from dce.wire.sse import BOM, Decoder
from dce.workspace.generating.gateway_errors import GATEWAY
from dce.workspace.generating.live_response import status_of_finish
from dce.workspace.generating.openai_errors import SERVER
from dce.workspace.generating.provider_events import Delta, Ended, ProviderEvent
from dce.workspace.generating.stream_reader import StreamReader
from dce.workspace.record.responses import Status
from tests.gateway.test_streams import Play, frame, usage

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "fixtures" / "dialect.json").read_text())
each_case = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
DONE = b"data: [DONE]\n\n"
END = "connection of the test ended"


def _read(reader: StreamReader, pieces: Iterable[bytes]) -> list[ProviderEvent]:
    events = [event for piece in pieces for event in reader.feed(piece)]
    reader.lost(DceError("stream_interrupted", f"{END} without a finish_reason"), is_orderly=True)
    return events + reader.end()


def _check(case: dict[str, Any], events: list[ProviderEvent], index: int = 0) -> None:
    """The events of one choice are what the case says."""
    deltas = [event for event in events if isinstance(event, Delta) and event.index == index]
    assert "".join(delta.text for delta in deltas) == case["text"]
    assert "".join(delta.thinking for delta in deltas) == case["thinking"]
    [end] = [event for event in events if isinstance(event, Ended) and event.index == index]
    status = Status.ERROR if end.error else status_of_finish(end.finish_reason)
    assert status == case["status"]
    assert case["says"] in f"{end.finish_reason} {end.error.message if end.error else ''}"
    msgspec.json.encode(events)  # what came can be stored


@each_case
def test_the_provider_reads_every_case(case: dict[str, Any]) -> None:
    """Text, thinking and status of each case, whole or byte by byte, from a server that is asked directly."""
    stream = case["stream"].encode()
    for pieces in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        _check(case, _read(StreamReader(1, SERVER, has_final_usage=True), pieces))


@given(st.sampled_from(CASES), st.lists(st.integers(1, 60), max_size=20))
def test_the_cuts_do_not_matter(case: dict[str, Any], sizes: list[int]) -> None:
    """A case reads the same wherever the connection cuts it."""
    stream, pieces = case["stream"].encode(), []
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]
    _check(case, _read(StreamReader(1, SERVER, has_final_usage=True), [*pieces, stream]))


@pytest.mark.parametrize("size", [1, 7, 10_000])
@each_case
def test_the_gateway_passes_every_case_on(case: dict[str, Any], size: int) -> None:
    """One of three responses is the case: the client of a gateway reads it as the provider does, and the other two are whole."""
    stream = case["stream"].encode()

    async def scene() -> bytes:
        play = await Play([[0], [1], [2]]).open()
        for at in range(0, len(stream), size):
            play.exchanges[1].say(stream[at : at + size])
        for at in (0, 2):
            play.exchanges[at].say(frame("ok") + frame("", finish="stop") + usage(2) + DONE)
        for exchange in play.exchanges:
            exchange.end()
        await play.stream.finished
        last = [data if data == b"[DONE]" else json.loads(data) for data in play.stream.last_frames()]
        frames = [*play.output.frames, *last]
        return b"".join(
            b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n" for data in frames
        )

    events = _read(StreamReader(3, GATEWAY), [asyncio.run(scene())])
    _check(case, events, 1)
    for other in (0, 2):
        _check(CASES[0] | {"text": "ok"}, events, other)


def _objects(stream: bytes) -> list[dict[str, Any]]:
    """The JSON objects of a stream, as an SDK of OpenAI sees them."""
    events = [event.data for event in Decoder().feed(stream) if event.event != "error" and event.data.startswith("{")]
    return [json.loads(data) for data in events]


class _Exchange:
    """A backend's side of a relay: its chunks all go through the relay."""

    whole_chunks = 0

    def start_through(self, _sink: object, _send: object) -> None:
        """Nothing bypasses the relay."""

    def abort(self) -> None:
        """The relay is done with it."""


class _Client:
    """A client's connection that keeps what it is sent."""

    is_writable = True
    on_full: object = None

    def __init__(self) -> None:
        self.received = b""

    def write(self, data: bytes) -> None:
        """An event of the gateway's own."""
        self.received += data

    def send(self, framed: bytes) -> None:
        """A chunk of the backend's, with its framing."""
        self.received += content(framed)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@each_case
def test_v1_passes_every_case_on(case: dict[str, Any], size: int) -> None:
    """Any client of `/v1` reads a case as the provider does. What the backend said arrives byte for byte; only an end that is none gets an
    error event, and the ledger an error."""
    stream = case["stream"].encode()

    async def scene() -> tuple[bytes, DceError | None]:
        client = _Client()
        relay = Relay(cast("Exchange", _Exchange()), cast("ClientConnection", client), "r1")
        relay.start()
        for at in range(0, len(stream), size):
            relay.data(stream[at : at + size])
        relay.end(None)
        return client.received, relay.error or read_tail(relay.tail).error

    received, error = asyncio.run(scene())
    assert received.startswith(stream.removeprefix(BOM))
    _check(case, _read(StreamReader(1, SERVER, has_final_usage=True), [received]))
    reports_error = ("error" in case["name"] and "reason" not in case["name"]) or "detail" in case["stream"]
    assert (error is not None) == (reports_error or not OPENAI.has_ended(case["stream"].encode()))
    if reports_error and case["status"] == "error":
        assert error is not None
        assert case["says"] in error.message
        assert any("error" in value for value in _objects(received)), "OpenAI's SDKs see no error"


@each_case
def test_a_json_answer_of_every_case_can_be_encoded(case: dict[str, Any]) -> None:
    """`"stream": false`: the same text, and an answer that is JSON whatever the server sent."""
    if case["status"] == "error":
        return

    async def scene() -> dict[str, Any]:
        output = AnswerOutput(1)
        play = await Play([[0]]).open()
        play.exchanges[0].say(case["stream"].encode())
        play.exchanges[0].end()
        for data in play.output.frames:
            output.frame(json.dumps(data).encode())
        return output.answer("s", "m")

    answer = json.loads(msgspec.json.encode(asyncio.run(scene())))
    assert answer["responses"] == [case["text"]]
