"""A pass-through stream: the backend's bytes, and an end that is true."""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.backends.transport import KEPT_CHUNKS, Exchange
from dce.gateway.front.connection import ClientConnection
from dce.gateway.front.dialects import OPENAI, Dialect, Messages, Responses
from dce.gateway.streaming.relay import KEPT_PIECES, Relay
from dce.wire.chunks import chunk, content
from dce.wire.errors import DceError
from dce.wire.sse import BOM, MAX_EVENT_BYTES, Decoder, comment
from tests.fakes.chain import TOKENS, Chain
from tests.fakes.vllm import MODEL, said


class Ends:
    """Both ends of a relay."""

    def __init__(self) -> None:
        self.written = b""
        self.is_writable = True
        self.on_full: Callable[[], None] = lambda: None
        self.calls: list[str] = []
        self.whole_chunks = 0

        self._chunks: list[bytes] = []

    def start_through(self, sink: object, send: Callable[[bytes], object]) -> None:
        del sink
        self._through = send

    def whole(self, data: bytes) -> None:
        """The backend sends one whole event, alone."""
        self.whole_chunks += 1
        self._chunks.append(chunk(data))
        self._through(chunk(data))

    def last_chunks(self, most: int) -> list[bytes]:
        return self._chunks[-min(most, KEPT_CHUNKS) :]

    def fill(self) -> None:
        """The client's socket takes no more."""
        self.is_writable = False
        self.on_full()

    def write(self, data: bytes) -> None:
        self.written += data

    def send(self, framed: bytes) -> None:
        self.written += content(framed)

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def abort(self) -> None:
        self.calls.append("abort")


def played(scene: Callable[[Relay, Ends], None]) -> None:
    async def run() -> None:
        ends = Ends()
        scene(Relay(cast("Exchange", ends), cast("ClientConnection", ends), "r1"), ends)

    asyncio.run(run())


def test_bytes_are_untouched() -> None:
    """Whatever comes goes on as it is, and a clean end adds nothing."""

    def scene(relay: Relay, ends: Ends) -> None:
        for piece in (b"data: {\xff", b"}\r\n", b"\r\ndata: [DONE]\nevent: x\n"):
            relay.data(piece)
        relay.end(None)
        assert ends.written == b"data: {\xff}\r\n\r\ndata: [DONE]\nevent: x\n"
        assert relay.finished.done()
        assert relay.frames == 2

    played(scene)


def test_a_break_in_the_middle_of_an_event_leaves_no_half_event() -> None:
    """What the backend did not finish saying does not reach the client; the error is the next event it sees."""

    def scene(relay: Relay, ends: Ends) -> None:
        relay.data(b"data: whole\r\n\r\ndata: {half")
        relay.end(DceError("stream_interrupted", "broke"))
        first, error = Decoder().feed(ends.written)
        assert first.data == "whole"
        assert '"broke"' in error.data
        assert '"r1"' in error.data
        assert relay.finished.done()

    played(scene)


@given(
    blanks=st.lists(st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r\r"]), min_size=1, max_size=8), data=st.data()
)
def test_events_go_on_whole(blanks: list[bytes], data: st.DataObject) -> None:
    """Cut anywhere and with any line ends, a client has only whole events at every moment, in the end all of them."""
    raw = b"".join(b"event: m\ndata: %d" % at + blank for at, blank in enumerate(blanks))
    cuts = data.draw(st.sets(st.integers(1, len(raw) - 1)))

    def scene(relay: Relay, ends: Ends) -> None:
        edges = [0, *sorted(cuts), len(raw)]
        for begin, end in itertools.pairwise(edges):
            relay.data(raw[begin:end])
            assert raw.startswith(ends.written)
            assert not ends.written or ends.written.endswith((b"\n\n", b"\n\r\n", b"\r\r"))
            assert relay.is_holding is (len(ends.written) < end)
        relay.end(None)
        assert ends.written.startswith(raw)

    played(scene)


def test_an_end_without_a_blank_line_loses_nothing() -> None:
    """A backend that ends well has said what it meant to, also when the last line has no end."""

    def scene(relay: Relay, ends: Ends) -> None:
        relay.data(b"data: first\n\ndata: [DONE]")
        relay.end(None)
        assert ends.written == b"data: first\n\ndata: [DONE]"

    played(scene)


def test_an_event_without_an_end_is_a_fault_of_the_backend() -> None:
    """What is kept for an event's end is bounded: then the stream ends with an error, and the backend's request is closed."""

    def scene(relay: Relay, ends: Ends) -> None:
        for _ in range(MAX_EVENT_BYTES // (1 << 20) + 1):
            relay.data(b"x" * (1 << 20))
        assert ends.calls == ["abort"]
        assert relay.error is not None
        assert relay.error.code == "backend_error"
        assert '"backend_error"' in Decoder().feed(ends.written)[0].data

    played(scene)


def test_heartbeats_come_between_events() -> None:
    """A comment may come at any time: the client has no event that is half sent."""

    def scene(relay: Relay, ends: Ends) -> None:
        relay.heartbeat()
        assert ends.written == comment("keep-alive")
        relay.data(b"data: half")
        relay.heartbeat()
        relay.data(b"\n\n")
        assert ends.written == 2 * comment("keep-alive") + b"data: half\n\n"

    played(scene)


def test_a_slow_client_pauses_the_backend_until_it_reads() -> None:
    """Backpressure goes through, once, and back."""

    def scene(relay: Relay, ends: Ends) -> None:
        relay.start()
        relay.resume()
        ends.fill()
        paused = [relay.is_paused]
        relay.resume()
        assert [*paused, relay.is_paused] == [True, False]
        assert ends.calls == ["pause", "resume"]
        relay.start()
        assert ends.calls[2:] == ["pause"]

    played(scene)


def test_a_connection_that_has_ended_is_not_closed() -> None:
    """Closing ends a running request, and leaves one alone that is over: its connection may serve another by then."""

    def running(relay: Relay, ends: Ends) -> None:
        relay.close()
        assert ends.calls == ["abort"]

    def over(relay: Relay, ends: Ends) -> None:
        relay.start()
        ends.fill()
        relay.end(None)
        relay.resume()
        relay.close()
        assert ends.calls == ["pause"]

    played(running)
    played(over)


def test_the_end_is_kept() -> None:
    """What came last can be read, however it was framed; when the first came is known; an answer of any length keeps no more."""

    def scene(relay: Relay, ends: Ends) -> None:
        assert (relay.tail, relay.first_at, relay.is_over) == (b"", None, False)
        relay.start()
        relay.data(b"data: first\n\n")
        began = relay.first_at
        for at in range(100):
            ends.whole(b"data: %d\n\n" % at)
        relay.data(b"data: usage\n\ndata: [DONE]\n\n")
        relay.end(None)
        assert began == relay.first_at is not None
        assert (
            relay.tail
            == b"data: first\n\n"
            + b"".join(b"data: %d\n\n" % at for at in range(100 - KEPT_CHUNKS, 100))
            + b"data: usage\n\ndata: [DONE]\n\n"
        )
        assert len(relay.tail.split(b"\n\n")) <= KEPT_PIECES + 1
        assert relay.frames == 103
        assert relay.is_over

    played(scene)


def test_a_break_after_the_end_of_the_answer_is_no_error_to_the_client() -> None:
    """After `[DONE]` the client has everything: no error event follows, however the connection ends; before it, one does."""
    broke = DceError("stream_interrupted", "broke")

    def complete(relay: Relay, ends: Ends) -> None:
        relay.start()
        relay.data(b"data: all\n\ndata: [DONE]\n\n")
        relay.end(broke)
        assert ends.written == b"data: all\n\ndata: [DONE]\n\n"
        assert relay.error is broke

    def complete_past_the_parser(relay: Relay, ends: Ends) -> None:
        relay.start()
        ends.whole(b"data: all\n\n")
        ends.whole(b"data: [DONE]\n\n")
        relay.end(broke)
        assert ends.written == b"data: all\n\ndata: [DONE]\n\n"

    def cut(relay: Relay, ends: Ends) -> None:
        relay.start()
        ends.whole(b"data: [DONE] is what the model wrote\n\n")
        relay.end(broke)
        assert b'"broke"' in ends.written

    for scene in (complete, complete_past_the_parser, cut):
        played(scene)


FINISHED = [
    (OPENAI, b"data: [DONE]\n\n"),
    (OPENAI, b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'),
    (OPENAI, b'data: {"error":{"message":"no memory"}}\n\n'),
    (Responses(), b'event: response.completed\ndata: {"type":"response.completed"}\n\n'),
    (Messages(), b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    (Messages(), b'event: error\ndata: {"type":"error","error":{"message":"no memory"}}\n\n'),
]


@pytest.mark.parametrize(("dialect", "last"), FINISHED)
def test_a_stream_that_just_ends_gets_an_error_event(dialect: Dialect, last: bytes) -> None:
    """A backend that closes in order without the end of its dialect did not finish: the client is told, and so is the ledger."""

    async def scene() -> None:
        for pieces in ((b"data: {}\n\n",), (b"data: {}\n\n", b"data: {hal"), ()):
            ends = Ends()
            relay = Relay(cast("Exchange", ends), cast("ClientConnection", ends), "r1", dialect)
            for piece in pieces:
                relay.data(piece)
            relay.end(None)
            assert relay.error is not None
            assert relay.error.code == "stream_interrupted"
            assert "without finishing" in Decoder().feed(ends.written)[-1].data
        ends = Ends()
        relay = Relay(cast("Exchange", ends), cast("ClientConnection", ends), "r1", dialect)
        relay.data(b"data: {}\n\n" + last)
        relay.end(None)
        assert (relay.error, ends.written) == (None, b"data: {}\n\n" + last)

    asyncio.run(scene())


NO_EVENTS = [
    (OPENAI, b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'),
    (OPENAI, b'{"choices":[]}\n{"choices":[{"finish_reason":"stop"}]}\n'),
    (Responses(), b'{"output":[],"type":"response.completed"}'),
    (Messages(), b'{"type":"message_stop"}'),
    (OPENAI, b"<html>finished</html>"),
]


@pytest.mark.parametrize(("dialect", "body"), NO_EVENTS)
def test_what_is_no_event_ends_no_stream(dialect: Dialect, body: bytes) -> None:
    """JSON or a page under the name of an event stream holds no event for a client: it gets an error event, and the ledger an error."""

    async def scene() -> None:
        ends = Ends()
        relay = Relay(cast("Exchange", ends), cast("ClientConnection", ends), "r1", dialect)
        relay.data(body)
        relay.end(None)
        assert relay.error is not None
        assert "without finishing" in Decoder().feed(ends.written)[-1].data

    asyncio.run(scene())


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n"])
def test_an_end_without_anything_before_it_is_an_error(end: bytes) -> None:
    """A client stops reading at `[DONE]`, so it does not get one for an answer that never was."""

    def nothing(relay: Relay, ends: Ends) -> None:
        relay.start()
        relay.data(end)
        assert b"[DONE]" not in ends.written
        assert "without sending anything" in Decoder().feed(ends.written)[-1].data
        assert relay.error is not None
        assert ends.calls == ["abort"]

    played(nothing)


@pytest.mark.parametrize("fault", ["as_text", "as_bytes", "untyped"])
def test_v1_takes_a_stream_under_any_name(chain: Chain, fault: str) -> None:
    """A backend's event stream is one whatever media type it has, and the client gets it as an event stream; only an answer to a request
    for JSON is taken at its word."""
    chain.behave(fault=fault)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
    streamed = chain.client.post("/v1/chat/completions", json={**body, "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    chunks = [json.loads(event.data) for event in Decoder().feed(streamed.content) if event.data != "[DONE]"]
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks if one["choices"]) == said(TOKENS)
    assert "error" not in streamed.text
    whole = chain.client.post("/v1/chat/completions", json=body)
    assert whole.json()["choices"][0]["message"]["content"] == said(TOKENS)


MARKED = BOM + b"data: one\n\n"


@pytest.mark.parametrize("size", range(1, len(MARKED) + 1))
def test_a_byte_order_mark_is_left_out(size: int) -> None:
    """Clients take it for the beginning of the first field's name and lose the event. No chunk goes past a mark that is half there."""

    def scene(relay: Relay, ends: Ends) -> None:
        for at in range(0, len(MARKED), size):
            relay.data(MARKED[at : at + size])
            assert relay.is_holding == (at + size < len(MARKED) and at + size != len(BOM))
        relay.data(b"data: [DONE]\n\n")
        relay.end(None)
        assert ends.written == b"data: one\n\ndata: [DONE]\n\n"

    played(scene)


def test_nothing_is_held_after_a_mark_in_two_pieces() -> None:
    """The next chunk may go past the relay again once the mark and the event behind it are there."""

    def scene(relay: Relay, ends: Ends) -> None:
        held = []
        for piece in (MARKED[:1], MARKED[1:]):
            relay.data(piece)
            held.append(relay.is_holding)
        assert held == [True, False]
        assert ends.written == b"data: one\n\n"

    played(scene)


def test_a_stream_that_is_half_a_mark_loses_nothing() -> None:
    """What turns out not to be a mark goes on as it is."""

    def scene(relay: Relay, ends: Ends) -> None:
        relay.data(BOM[:2])
        relay.end(DceError("stream_interrupted", "broke"))
        assert b"broke" in ends.written
        assert relay.finished.done()

    played(scene)
