"""A pass-through stream: the backend's bytes, and an end that is true."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from dce.gateway.backends.transport import Exchange
from dce.gateway.front.wire import ClientWire
from dce.gateway.streaming.relay import KEPT_CHUNKS, Relay
from dce.wire.chunks import chunk, content
from dce.wire.errors import DceError
from dce.wire.sse import Decoder


class Ends:
    """Both ends of a relay."""

    def __init__(self) -> None:
        self.written = b""
        self.is_writable = True
        self.on_full: Callable[[], None] = lambda: None
        self.calls: list[str] = []
        self.whole_chunks = 0

    def start_through(self, sink: object, send: Callable[[bytes], object], tail: deque[bytes]) -> None:
        del sink
        self._through, self._tail = send, tail

    def whole(self, data: bytes) -> None:
        """The backend sends one whole chunk, alone."""
        self.whole_chunks += 1
        self._tail.append(chunk(data))
        self._through(chunk(data))

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
        scene(Relay(cast("Exchange", ends), cast("ClientWire", ends), "r1"), ends)

    asyncio.run(run())


def test_bytes_are_untouched() -> None:
    """Whatever comes goes on as it is, and a clean end adds nothing."""

    def scene(relay: Relay, ends: Ends) -> None:
        for piece in (b"data: {\xff", b"}\r\n", b"\r\nevent: x\n"):
            relay.data(piece)
        relay.end(None)
        assert ends.written == b"data: {\xff}\r\n\r\nevent: x\n"
        assert relay.finished.done()
        assert relay.frames == 3

    played(scene)


def test_a_break_is_said_even_in_the_middle_of_an_event() -> None:
    """A reader of the stream finds the error as an event of its own, whatever came before."""

    def scene(relay: Relay, ends: Ends) -> None:
        relay.data(b"data: {half")
        relay.end(DceError("stream_interrupted", "broke"))
        relay.end(DceError("stream_interrupted", "twice"))
        last = Decoder().feed(ends.written)
        assert '"broke"' in last[1].data
        assert '"r1"' in last[1].data
        assert relay.finished.done()

    played(scene)


def test_heartbeats_come_between_events_only() -> None:
    """A comment never falls into an event that is half sent."""

    def scene(relay: Relay, ends: Ends) -> None:
        relay.heartbeat()
        assert ends.written.startswith(b":")
        before = ends.written
        relay.data(b"data: half")
        relay.heartbeat()
        assert ends.written == before + b"data: half"
        relay.data(b"\n\n")
        relay.heartbeat()
        assert ends.written.count(b": keep-alive") == 2

    played(scene)


def test_whole_chunks_go_on_as_they_are() -> None:
    """A chunk that comes alone keeps its framing; whether it ended an event is known, whatever its line ends are."""

    def scene(relay: Relay, ends: Ends) -> None:
        relay.data(b"data: first\n\n")
        relay.start()
        for event, is_whole in (
            (b"data: a\n\n", True),
            (b"data: b\r\n", False),
            (b"\r\n", False),
            (b"c\r\n\r\n", True),
        ):
            ends.whole(event)
            before = ends.written
            relay.heartbeat()
            assert (ends.written != before) is is_whole
        relay.data(b"data: half")
        before = ends.written
        relay.heartbeat()
        assert ends.written == before
        assert relay.frames == 6

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
        assert relay.tail.startswith(b"data: %d\n\n" % (101 - KEPT_CHUNKS))
        assert relay.tail.endswith(b"data: 99\n\ndata: usage\n\ndata: [DONE]\n\n")
        assert relay.frames == 103
        assert relay.is_over

    played(scene)
