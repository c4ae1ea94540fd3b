"""Choices whose backend fails before they have said anything: sent again, and still every choice ends once and says nothing twice."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway.backends.transport import Exchange, Sink
from dce.gateway.streaming.streams import ChoiceState, Stream
from dce.wire.errors import DceError
from tests.fakes.opener import FakeOpener
from tests.simulation.loop import VirtualLoop

BROKEN = DceError("stream_interrupted", "broke off")
DONE = b"data: [DONE]\n\n"


class Backend:
    """One backend request; the test says what arrives. Its texts carry its number, so that they can be told apart."""

    def __init__(self, number: int, indices: Sequence[int]) -> None:
        self.number = number
        self.indices = tuple(indices)
        self.sink: Sink | None = None

    def start(self, sink: Sink) -> None:
        self.sink = sink

    def abort(self) -> None:
        self.sink = None

    def pause(self) -> None:
        """Nothing is buffered here."""

    resume = pause

    def say(self, index: int, finish: str | None = None, *, is_compact: bool = True) -> None:
        """A frame of its choice `index`, as the backend counts."""
        choice = {"index": index, "delta": {"content": f"<{self.number}>"}, "finish_reason": finish}
        text = json.dumps({"choices": [choice]}, separators=(",", ":") if is_compact else None)
        self.raw(b"data: " + text.encode() + b"\n\n")

    def raw(self, data: bytes) -> None:
        """Bytes arrive."""
        if self.sink is not None:
            self.sink.data(data)

    def end(self, error: DceError | None = None) -> None:
        """The answer is over or breaks."""
        sink, self.sink = self.sink, None
        if sink is not None:
            sink.end(error)


class Play:
    """A stream, its backend requests in the order they were sent, and what the client was told."""

    def __init__(self, plan: Sequence[Sequence[int]], retries: int) -> None:
        self.stream = Stream("s", "owner", "m", plan)
        self.opener = FakeOpener(self._send, retries)
        self.backends: list[Backend] = []
        self.texts: dict[int, list[str]] = {choice.index: [] for choice in self.stream.choices}
        self.ended: Counter[int] = Counter()

    async def _send(self, indices: Sequence[int]) -> Exchange:
        self.backends.append(Backend(len(self.backends), indices))
        return cast("Exchange", self.backends[-1])

    async def open(self) -> "Play":
        await self.stream.open(self.opener, 5.0)
        await self.settle()
        self.stream.attach(self)
        return self

    async def settle(self) -> None:
        """Until every request that was to be sent has been."""
        while waiting := [part.opening for part in self.stream.parts if part.opening]:
            await asyncio.gather(*waiting)

    def frame(self, data: bytes) -> None:
        for choice in json.loads(data)["choices"]:
            self.texts[choice["index"]] += re.findall(r"<\d+>", choice["delta"].get("content") or "")
            self.ended.update([choice["index"]] if choice["finish_reason"] else [])

    def heartbeat(self) -> None:
        """Not looked at."""

    flush = heartbeat


def test_what_has_not_begun_is_sent_again_and_what_has_is_lost() -> None:
    """Of a native request that breaks, the choices without a frame go into a new one, under their own indices."""

    async def scene() -> None:
        play = await Play([[0, 1, 2, 3]], retries=1).open()
        play.backends[0].say(1)
        play.backends[0].end(BROKEN)
        await play.settle()
        assert play.backends[1].indices == (0, 2, 3)
        for at in range(3):
            play.backends[1].say(at)
            play.backends[1].say(at, "stop", is_compact=False)
        play.backends[1].raw(DONE)
        assert play.texts == {0: ["<1>"] * 2, 1: ["<0>"], 2: ["<1>"] * 2, 3: ["<1>"] * 2}
        assert [choice.state for choice in play.stream.choices] == [
            ChoiceState.FINISHED, ChoiceState.LOST, ChoiceState.FINISHED, ChoiceState.FINISHED
        ]  # fmt: skip
        assert play.stream.finished.done()
        assert json.loads(play.stream.last_frames()[-1])["error"]["choices"] == [1]
        assert play.opener.ends == [((0, 2, 3), "stream_interrupted"), ((0, 2, 3), "well")]

    asyncio.run(scene())


def test_frames_that_come_after_the_failure_of_the_old_request_count_for_nobody() -> None:
    """An error frame, then more of the same piece: the choice belongs to its new request by then."""

    async def scene() -> None:
        play = await Play([[0]], retries=1).open()
        late = b'data: {"choices":[{"index":0,"delta":{"content":"<9>"},"finish_reason":null}]}\n\n'
        play.backends[0].raw(b'data: {"error":{"message":"boom","code":500}}\n\n' + late + DONE)
        await play.settle()
        play.backends[1].say(0, "stop")
        play.backends[1].raw(DONE)
        assert play.texts == {0: ["<1>"]}
        assert play.stream.last_frames()[-1] == b"[DONE]"

    asyncio.run(scene())


def test_a_choice_that_is_stopped_while_it_is_sent_again_is_stopped() -> None:
    """Its new request is closed, and the place given back."""

    async def scene() -> None:
        play = await Play([[0], [1]], retries=1).open()
        play.backends[0].end(BROKEN)
        assert play.stream.stop(0)
        await asyncio.sleep(0)
        play.backends[1].say(0, "stop")
        play.backends[1].raw(DONE)
        assert play.stream.finished.done()
        assert play.opener.ends[1] == ((0,), "dropped")
        assert play.stream.last_frames()[-1] == b"[DONE]"

    asyncio.run(scene())


def test_closing_ends_requests_that_are_being_sent_again() -> None:
    """Nothing is left behind, whenever the client goes."""

    async def scene() -> None:
        play = await Play([[0], [1]], retries=2).open()
        play.backends[0].end(BROKEN)
        await play.stream.close()
        assert all(backend.sink is None for backend in play.backends)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scene())


def test_the_only_choice_of_a_request_is_known_whatever_number_it_has() -> None:
    """A backend that numbers the one choice of its request wrongly says nothing in another's name; a second number is not that choice."""

    async def scene() -> None:
        play = await Play([[0], [1]], retries=0).open()
        for backend, own, other in zip(play.backends, (7, 0), (0, 1), strict=True):
            backend.say(own)
            backend.say(other)
            backend.say(other, "stop")
            backend.say(own)
            backend.say(own, "stop")
            backend.raw(DONE)
        assert play.texts == {0: ["<0>"] * 3, 1: ["<1>"] * 3}
        assert play.stream.last_frames()[-1] == b"[DONE]"

    asyncio.run(scene())


def test_tokens_are_counted_once() -> None:
    """A request that failed before it said anything costs nothing; the one that took its place is counted."""

    async def scene() -> None:
        play = await Play([[0, 1]], retries=1).open()
        play.backends[0].end(BROKEN)
        await play.settle()
        for at in (0, 1):
            play.backends[1].say(at, "stop")
        play.backends[1].raw(b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}\n\n' + DONE)
        assert (play.stream.usage().prompt_tokens, play.stream.usage().completion_tokens) == (7, 9)

    asyncio.run(scene())


VERBS = st.sampled_from(["say", "spaced", "finish", "error", "garbage", "done", "end", "break", "stop"])
ACTIONS = st.lists(st.tuples(VERBS, st.integers(0, 5), st.integers(0, 2)), max_size=20)
PLANS = st.sampled_from([[[0], [1], [2]], [[0, 1, 2]], [[0, 1], [2]]])


async def _act(play: Play, verb: str, backend: Backend, index: int) -> None:
    acts: dict[str, Any] = {
        "say": lambda: backend.say(index),
        "spaced": lambda: backend.say(index, is_compact=False),
        "finish": lambda: backend.say(index, "stop"),
        "error": lambda: backend.raw(b'data: {"error":{"message":"boom","code":500}}\n\n'),
        "garbage": lambda: backend.raw(b"data: {not json\n\n"),
        "done": lambda: backend.raw(DONE),
        "end": backend.end,
        "break": lambda: backend.end(BROKEN),
        "stop": lambda: play.stream.stop(index),
    }
    acts[verb]()
    await play.settle()


@pytest.mark.parametrize("retries", [0, 1, 5])
@settings(max_examples=200, deadline=None)
@given(PLANS, ACTIONS)
def test_whatever_fails_in_whatever_order(
    retries: int, plan: list[list[int]], actions: list[tuple[str, int, int]]
) -> None:
    """Each choice ends exactly once, everything it says is of one backend request, `[DONE]` if and only if none was lost, and
    the last request of each choice has an end on record or was dropped."""

    async def scene() -> None:
        play = await Play(plan, retries).open()
        for verb, at, index in actions:
            await _act(play, verb, play.backends[at % len(play.backends)], index)
        for _ in range(retries + len(plan) + 1):
            for backend in list(play.backends):
                backend.end()
            await play.settle()
        assert play.stream.finished.done()
        assert play.ended == Counter([0, 1, 2])
        assert all(len(set(texts)) <= 1 for texts in play.texts.values()), play.texts
        states = [choice.state for choice in play.stream.choices]
        assert ChoiceState.OPEN not in states
        assert (play.stream.last_frames()[-1] == b"[DONE]") is (ChoiceState.LOST not in states)
        assert sorted(index for part in play.stream.parts for index in part.indices) == [0, 1, 2]

    asyncio.run(scene())


def test_the_total_time_ends_what_is_open_and_nothing_that_has_ended() -> None:
    """At the end of the total time the open choices are lost and their request is closed; a stream that finished before is left
    alone, and so is its backend's record."""
    loop = VirtualLoop()

    async def scene() -> None:
        done, late = Play([[0]], retries=0), Play([[0], [1]], retries=5)
        for play in (done, late):
            await play.stream.open(play.opener, 5.0, total_s=10.0)
            play.stream.attach(play)
            play.backends[0].say(0, "stop")
            play.backends[0].raw(DONE)
        await asyncio.sleep(9)
        assert (done.stream.finished.done(), late.stream.finished.done()) == (True, False)
        await asyncio.sleep(2)
        assert done.opener.ends == [((0,), "well")]
        assert late.stream.finished.done()
        states = [choice.state for choice in late.stream.choices]
        assert states == [ChoiceState.FINISHED, ChoiceState.LOST]
        assert late.backends[1].sink is None
        assert len(late.backends) == 2
        assert (late.ended[0], late.ended[1]) == (1, 1)

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


def test_a_request_that_is_refused_is_an_error_even_while_others_wait() -> None:
    """What one backend refuses as invalid, the others would too: the caller gets the refusal, though they have not answered yet."""
    loop = VirtualLoop()
    refusal = DceError("invalid_request", "no such grammar")

    async def send(indices: Sequence[int]) -> Exchange:
        if 0 in indices:
            raise refusal
        await asyncio.sleep(1000)
        raise AssertionError("nobody waits so long")

    async def scene() -> None:
        stream = Stream("s", "owner", "m", [[0], [1]])
        with pytest.raises(DceError) as caught:
            await stream.open(FakeOpener(send), 5.0)
        assert caught.value is refusal
        await stream.close()

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


def test_a_complete_answer_is_not_aborted() -> None:
    """Closing a stream leaves a request whose answer is complete to end by itself, so that its connection is used again."""

    async def scene() -> None:
        play = await Play([[0], [1]], retries=0).open()
        play.backends[0].say(0, "stop")
        play.backends[0].raw(DONE)
        play.backends[1].say(0)
        play.stream.close_now()
        assert play.backends[0].sink is not None
        assert play.backends[1].sink is None

    asyncio.run(scene())


def test_the_rest_of_a_frame_is_never_taken_for_a_frame() -> None:
    """After half a frame, even a piece that looks exactly like the frames before it is the other half: here, of no JSON at all."""

    async def scene() -> None:
        play = await Play([[0]], retries=0).open()
        play.backends[0].say(0)
        play.backends[0].say(0)
        assert play.texts == {0: ["<0>"] * 2}
        backend = play.backends[0]
        backend.raw(b'data: {"choices":[{"index":0,')
        backend.say(0)
        assert play.texts == {0: ["<0>"] * 2}
        assert play.stream.choices[0].state is ChoiceState.LOST

    asyncio.run(scene())


def test_the_first_frame_of_a_choice_is_timed_once() -> None:
    """The time to the first token is that of the first frame, whatever comes later; without a frame there is none."""
    loop = VirtualLoop()

    async def scene() -> None:
        play = await Play([[0], [1]], retries=0).open()
        began = loop.time()
        for pause in (3, 4, 5):
            await asyncio.sleep(pause)
            play.backends[0].say(0)
        first, silent = play.stream.choices
        assert first.first_at == pytest.approx(began + 3)
        assert silent.first_at is None

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()
