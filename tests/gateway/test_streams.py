"""The n-way heart, played with scripted exchanges: whatever the backends do, in whatever order, every choice ends once."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway.backends.transport import Exchange
from dce.gateway.streaming.streams import ChoiceState, Stream
from dce.wire.errors import DceError
from tests.fakes.opener import FakeOpener

END_OF_STREAM = b"data: [DONE]\n\n"


class ScriptedExchange:
    """Stands for a backend connection; the test says what arrives."""

    def __init__(self) -> None:
        self.sink: Any = None
        self.is_aborted = False
        self.is_paused = False

    def start(self, sink: Any) -> None:
        self.sink = sink

    def abort(self) -> None:
        self.is_aborted, self.sink = True, None

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def say(self, data: bytes) -> None:
        """Bytes arrive."""
        if self.sink is not None:
            self.sink.data(data)

    def end(self, error: DceError | None = None) -> None:
        """The answer is over or breaks."""
        sink, self.sink = self.sink, None
        if sink is not None:
            sink.end(error)


class Gathered:
    """An output that keeps the frames."""

    def __init__(self) -> None:
        self.frames: list[Any] = []

    def frame(self, data: bytes) -> None:
        self.frames.append(json.loads(data))

    def heartbeat(self) -> None:
        self.frames.append("heartbeat")

    def flush(self) -> None:
        """Nothing is buffered."""


class Ends(Gathered):
    """An output that counts the ends of each choice; what only looks like a frame passes, as it does to a client."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: Counter[int] = Counter()

    def frame(self, data: bytes) -> None:
        with contextlib.suppress(ValueError):
            for choice in json.loads(data)["choices"]:
                self.ended.update([choice["index"]] if isinstance(choice.get("finish_reason"), str) else [])


class Play:
    """A stream with scripted exchanges, opened and attached."""

    def __init__(
        self,
        plan: Sequence[Sequence[int]],
        refusals: dict[int, DceError] | None = None,
        output: Gathered | None = None,
    ) -> None:
        self.stream = Stream("s", "owner", "m", plan)
        self.exchanges = [ScriptedExchange() for _ in plan]
        self.output = output or Gathered()
        self._refusals = refusals or {}

    async def opener(self, indices: Sequence[int]) -> Exchange:
        at = next(at for at, part in enumerate(self.stream.parts) if part.indices == tuple(indices))
        if at in self._refusals:
            raise self._refusals[at]
        return cast("Exchange", self.exchanges[at])

    async def open(self) -> "Play":
        await self.stream.open(FakeOpener(self.opener), 5.0)
        await asyncio.gather(*(part.opening for part in self.stream.parts if part.opening))
        self.stream.attach(self.output)
        return self

    def ends(self) -> dict[int, list[str]]:
        """The finish reasons that each choice was given."""
        found: dict[int, list[str]] = {choice.index: [] for choice in self.stream.choices}
        for frame in self.output.frames:
            for choice in frame["choices"]:
                found[choice["index"]] += [choice["finish_reason"]] if choice["finish_reason"] else []
        return found


def frame(text: str = "x", *, index: int = 0, finish: str | None = None, **more: Any) -> bytes:
    """One event of a backend."""
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "choices": [choice], **more}, separators=(",", ":")).encode() + b"\n\n"


def usage(completion: int, prompt: int = 7) -> bytes:
    """A usage event."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return b"data: " + json.dumps({"choices": [], "usage": counts}).encode() + b"\n\n"


def played(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def test_frames_go_on_under_their_own_index() -> None:
    """In fan-out every backend calls its choice 0; the client gets them as 0 to n-1, texts unmixed."""

    async def scene() -> None:
        play = await Play([[0], [1], [2]]).open()
        for at, exchange in enumerate(play.exchanges):
            exchange.say(frame(f"I am {at} "))
            exchange.say(frame('"index":0', finish="stop") + usage(at + 1) + END_OF_STREAM)
        assert play.stream.finished.done()
        said = Counter(
            (choice["index"], choice["delta"]["content"]) for f in play.output.frames for choice in f["choices"]
        )
        assert said == Counter([(at, text) for at in range(3) for text in (f"I am {at} ", '"index":0')])
        assert play.stream.usage().completion_tokens == 6
        assert play.stream.usage().prompt_tokens == 7
        assert play.stream.last_frames()[-1] == b"[DONE]"

    played(scene)


def test_native_parts_after_the_first_are_renumbered_too() -> None:
    """When n is split over several native requests, each backend counts from 0 and the client still gets 0 to n-1."""

    async def scene() -> None:
        play = await Play([[0, 1], [2, 3], [4]]).open()
        for exchange, size in zip(play.exchanges, (2, 2, 1), strict=True):
            for index in range(size):
                exchange.say(frame(index=index))
                exchange.say(frame(index=index, finish="stop"))
            exchange.say(END_OF_STREAM)
        assert play.ends() == {index: ["stop"] for index in range(5)}
        assert len(play.output.frames) == 10

    played(scene)


@pytest.mark.parametrize("error", [None, DceError("stream_interrupted", "reset")])
def test_half_a_frame_reaches_nobody(error: DceError | None) -> None:
    """A connection that ends within a frame loses its choice; the half that came is not passed on as if it were whole."""

    async def scene() -> None:
        play = await Play([[0]]).open()
        play.exchanges[0].say(frame("whole ") + frame("half ", usage={"prompt_tokens": 5})[:-9])
        play.exchanges[0].end(error)
        assert [f["choices"][0]["delta"].get("content") for f in play.output.frames] == ["whole ", None]
        assert play.ends() == {0: ["error"]}

    played(scene)


def test_usage_of_every_dialect_is_summed() -> None:
    """One sum (vLLM), one usage a choice (llama.cpp) or running usage on the chunks give the same total."""

    async def total(plan: list[list[int]], *events: bytes) -> tuple[int, int]:
        play = await Play(plan).open()
        for event in events:
            for exchange in play.exchanges:
                exchange.say(event)
        counted = play.stream.usage()
        return counted.prompt_tokens, counted.completion_tokens

    async def scene() -> None:
        ends = [frame(index=0, finish="stop"), frame(index=1, finish="stop")]
        assert await total([[0, 1]], *ends, usage(9), END_OF_STREAM) == (7, 9)
        assert await total([[0, 1]], ends[0], usage(4), ends[1], usage(5), END_OF_STREAM) == (7, 9)
        running = [frame(index=at, usage={"prompt_tokens": 7, "completion_tokens": 3}) for at in (0, 1)]
        assert await total([[0, 1]], *running) == (7, 6)
        assert await total([[0], [1]], running[0]) == (7, 6)

    played(scene)


def test_a_native_request_that_is_closed_counts_all_of_its_choices() -> None:
    """Of one request for three choices, a finished, a stopped and an abandoned one each have their own count."""

    async def scene() -> None:
        play = await Play([[0, 1, 2]]).open()
        (exchange,) = play.exchanges
        for at in range(3):
            exchange.say(frame(index=at, usage={"prompt_tokens": 7, "completion_tokens": 3 + at}))
        play.stream.stop(1)
        exchange.say(frame(index=0, finish="stop") + usage(8))
        play.stream.stop(2)
        assert [count.usage.completion_tokens for count in play.stream.counts()] == [8, 4, 5]
        assert [count.exactness for count in play.stream.counts()] == ["exact", "running", "running"]
        assert play.stream.usage().completion_tokens == 17
        assert [choice.finish_reason for choice in play.stream.choices] == ["stop", "", ""]

    played(scene)


def test_stopping_one_of_a_native_request_is_logical() -> None:
    """Its frames are dropped while the others go on; the request is closed when nobody needs it any more."""

    async def scene() -> None:
        play = await Play([[0, 1]]).open()
        (exchange,) = play.exchanges
        assert [play.stream.stop(0), play.stream.stop(0)] == [True, False]
        exchange.say(frame("late", index=0) + frame("kept", index=1) + frame(index=0, finish="stop"))
        aborted = [exchange.is_aborted]
        assert play.ends() == {0: ["stopped"], 1: []}
        play.stream.stop(1)
        assert [*aborted, exchange.is_aborted] == [False, True]
        assert play.stream.finished.done()
        assert [choice.state for choice in play.stream.choices] == [ChoiceState.STOPPED] * 2
        assert play.stream.last_frames()[-1] == b"[DONE]"

    played(scene)


def test_a_refused_request_is_an_error_before_the_stream() -> None:
    """When the caller is at fault, or nothing could be opened, open raises what can still become an HTTP status."""

    async def scene() -> None:
        down, refused = DceError("backend_unreachable", "down"), DceError("prompt_too_long", "9000")
        with pytest.raises(DceError, match="9000"):
            await Play([[0], [1]], {0: down, 1: refused}).open()
        with pytest.raises(DceError, match="down"):
            await Play([[0], [1]], {0: down, 1: down}).open()
        play = await Play([[0], [1]], {0: down}).open()
        assert play.ends()[0] == ["error"]
        assert json.loads(play.stream.last_frames()[-1])["error"]["choices"] == [0]

    played(scene)


def test_close_gives_everything_back() -> None:
    """Closing ends open requests and those still being opened; it may be called twice."""

    async def scene() -> None:
        play = Play([[0], [1]])
        gate = asyncio.Event()
        entered = asyncio.Event()

        async def opener(indices: Sequence[int]) -> Exchange:
            if indices[0] == 1:
                entered.set()
                await gate.wait()
            return await play.opener(indices)

        await play.stream.open(FakeOpener(opener), 5.0)
        await entered.wait()
        await play.stream.close()
        await play.stream.close()
        assert play.exchanges[0].is_aborted
        assert len(asyncio.all_tasks()) == 1

    played(scene)


def test_a_client_that_does_not_read_pauses_its_backends_until_it_does() -> None:
    """Backpressure reaches every request, also one that is opened meanwhile, and ends for all."""

    async def scene() -> None:
        play = Play([[0], [1], [2]])
        play.stream.pause()
        await play.open()
        for _ in range(2):
            assert all(exchange.is_paused for exchange in play.exchanges)
            assert play.stream.is_paused
            play.stream.resume()
            assert not any(exchange.is_paused for exchange in play.exchanges)
            play.stream.pause()
        play.stream.resume()
        assert not any(exchange.is_paused for exchange in play.exchanges)
        assert not play.stream.is_paused

    played(scene)


WEIRD: list[bytes] = [
    b"",
    b"5",
    b"null",
    b"[]",
    b'"text"',
    b"{}",
    b"{not json",
    b'{"index":0,"finish_reason":null',
    b'{"usage":broken "index":0,"finish_reason":null',
    b'{"index":0,"finish_reason":null}{"choices":5}',
    b'{"choices":5}',
    b'{"choices":[null,5,"x"]}',
    b'{"choices":[{}]}',
    b'{"choices":[{"index":0.0,"finish_reason":"stop"}]}',
    b'{"choices":[{"index":true,"finish_reason":"stop"}]}',
    b'{"choices":[{"index":[0],"finish_reason":"stop"}]}',
    b'{"choices":[{"index":-1,"delta":{},"finish_reason":"stop"}]}',
    b'{"choices":[{"index":99,"delta":{},"finish_reason":null}]}',
    b'{"choices":[{"index":0,"delta":5,"finish_reason":7}]}',
    b'{"choices":[{"index":0,"delta":{"content":"\\ud800"},"finish_reason":"stop"}]}',
    b'{"created":1' + b"0" * 400 + b',"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}',
    b'{"x":NaN,"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}',
    b'{"usage":{"prompt_tokens":"x"},"choices":[]}',
    b'{"error":{}}',
    b'{"error":"boom"}',
    b"[" * 100_000,
    b'{"choices":' + b"[" * 100_000,
    b"\xff\xfe",
]
EVENTS = st.one_of(
    st.sampled_from(
        [frame(index=index, finish=finish) for index in (0, 1, 2) for finish in (None, None, "stop", "length")]
    ),
    st.sampled_from([usage(3), END_OF_STREAM, b": note\n\n"]),
    st.sampled_from(WEIRD).map(lambda data: b"data: " + data + b"\n\n"),
    st.binary(max_size=12),
)
ACTIONS = st.one_of(
    st.tuples(st.just("say"), st.integers(0, 2), EVENTS),
    st.tuples(st.just("end"), st.integers(0, 2), st.sampled_from([None, DceError("stream_interrupted", "broke")])),
    st.tuples(st.just("stop"), st.integers(0, 2), st.none()),
)
PLANS = st.sampled_from([[[0], [1], [2]], [[0, 1, 2]], [[0, 1], [2]]])


@settings(max_examples=300, deadline=None)
@given(PLANS, st.lists(ACTIONS, max_size=12))
def test_every_choice_ends_exactly_once_whatever_happens(
    plan: list[list[int]], actions: list[tuple[str, int, Any]]
) -> None:
    """Any events in any order: nothing raises, each choice ends once, `[DONE]` if and only if none was lost."""

    async def scene() -> None:
        output = Ends()
        play = await Play(plan, output=output).open()
        for verb, at, what in actions:
            exchange = play.exchanges[at % len(plan)]
            if verb == "say":
                exchange.say(what)
            elif verb == "end":
                exchange.end(what)
            else:
                play.stream.stop(at)
        for exchange in play.exchanges:
            exchange.end()
        assert play.stream.finished.done()
        assert output.ended == Counter([0, 1, 2])
        states = [choice.state for choice in play.stream.choices]
        assert ChoiceState.OPEN not in states
        assert (play.stream.last_frames()[-1] == b"[DONE]") is (ChoiceState.LOST not in states)
        assert all(part.exchange is None for part in play.stream.parts)

    played(scene)


@pytest.mark.parametrize("data", WEIRD, ids=lambda data: repr(data[:40]))
@pytest.mark.parametrize("plan", [[[0]], [[0, 1]]], ids=["fanout", "native"])
def test_weird_frames_never_raise_into_the_socket(plan: list[list[int]], data: bytes) -> None:
    """An exception in a socket's callback would be lost: each oddity ends its choice or is passed over."""

    async def scene() -> None:
        play = await Play(plan, output=Ends()).open()
        play.exchanges[0].say(b"data: " + data + b"\n\n")
        play.exchanges[0].end()
        assert play.stream.finished.done()
        play.stream.last_frames()

    played(scene)


def test_a_connection_that_stays_open_after_the_end_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finish_reason and then silence, without [DONE]: the choice ends by its reason and the connection is given up."""
    monkeypatch.setattr("dce.gateway.streaming.streams.SETTLE_S", 0.0)

    async def scene() -> None:
        play = await Play([[0], [1, 2]]).open()
        play.exchanges[0].say(frame("a") + frame("", finish="stop") + usage(1))
        play.exchanges[1].say(frame("b", index=0, finish="length") + frame("c", index=1, finish="stop"))
        await play.stream.finished
        assert play.ends() == {0: ["stop"], 1: ["length"], 2: ["stop"]}
        assert all(exchange.is_aborted for exchange in play.exchanges)

    played(scene)


def test_a_stop_after_the_reason_changes_nothing() -> None:
    """A response that has its finish_reason is whole: a stop that comes while its end is awaited does not make it stopped."""

    async def scene() -> None:
        play = await Play([[0]]).open()
        play.exchanges[0].say(frame("a") + frame("", finish="stop"))
        assert play.ends() == {0: []}
        assert not play.stream.stop(0)
        assert play.ends() == {0: ["stop"]}

    played(scene)


def test_a_break_after_the_reason_loses_nothing() -> None:
    """A connection that breaks after the finish_reason ends the choice by it, unless more text had come after the reason."""

    async def scene() -> None:
        play = await Play([[0], [1]]).open()
        play.exchanges[0].say(frame("a") + frame("", finish="stop"))
        play.exchanges[1].say(frame("a", finish="stop") + frame("b"))
        for exchange in play.exchanges:
            exchange.end(DceError("backend_unreachable", "broken"))
        await play.stream.finished
        assert play.ends() == {0: ["stop"], 1: ["error"]}

    played(scene)


def test_an_error_instead_of_a_stream_is_told() -> None:
    """A backend that answers 200 with an error body or plain text loses its choice with the backend's own words."""

    async def scene() -> None:
        for body, says in ((b'{"error": "CUDA out of memory"}', "CUDA"), (b"upstream said no\n", "upstream said no")):
            play = await Play([[0]]).open()
            play.exchanges[0].say(body)
            play.exchanges[0].end()
            await play.stream.finished
            error = play.stream.choices[0].error
            assert error is not None
            assert says in error.message

    played(scene)
