"""Streams that outlive their connection, over real sockets: cut anywhere, resumed, abandoned, taken over."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from typing import cast

import httpx2
import pytest

from dce.gateway.front.connection import ClientConnection
from dce.gateway.streaming.live import Directory, LiveStream
from dce.gateway.streaming.output import EventOutput
from dce.gateway.streaming.streams import Stream
from tests.fakes.chain import SLOW, Answer, Chain, check_sound, client_of, error_of, eventually, other_key
from tests.simulation.loop import VirtualLoop

PATIENT = {"x-dce-resume-grace": "20"}
HASTY = {"x-dce-resume-grace": "0"}


class Reader:
    """A client's connection that takes everything."""

    on_writable = None
    is_writable = True

    def write(self, data: bytes) -> None:
        """Taken."""

    def cut(self) -> None:
        """Nobody cuts it."""


@contextlib.contextmanager
def opened(chain: Chain, headers: dict[str, str], n: int = 10) -> Iterator[Answer]:
    """A stream with a grace period of the client's wish."""
    with (
        client_of(chain.server.url, chain.key) as client,
        client.stream("POST", "/api/dce/proxy", json=chain.body(n=n), headers=headers) as response,
    ):
        assert response.status_code == 200, response.read()
        yield Answer(response)


@contextlib.contextmanager
def resumed(chain: Chain, stream_id: str, after: int, *, by_query: bool = False) -> Iterator[httpx2.Response]:
    """The rest of a stream."""
    path = f"/api/dce/streams/{stream_id}"
    headers = {} if by_query else {"last-event-id": f"{stream_id}:{after}"}
    with (
        client_of(chain.server.url, chain.key) as client,
        client.stream("GET", path + (f"?after={after}" if by_query else ""), headers=headers) as response,
    ):
        yield response


def read_with_cuts(chain: Chain, rng: random.Random, tokens: int) -> tuple[Answer, int]:
    """Reads a stream to its end over connections that are cut after a few pieces each."""
    cuts = 0
    with opened(chain, PATIENT) as answer:
        for _ in range(rng.randint(0, 4)):
            answer.step()
    while not answer.is_done:
        cuts += 1
        after = int(answer.ids[-1].rpartition(":")[2]) if answer.ids else 0
        with resumed(chain, answer.stream_id, after, by_query=rng.random() < 0.5) as response:
            assert response.status_code == 200, response.read()
            # A client that was cut in the middle of a frame has thrown that half away.
            answer._decoder, answer._pieces = type(answer._decoder)(), response.iter_raw(rng.choice([None, 100, 7]))
            for _ in range(rng.randint(1, 4 * tokens)):
                if not answer.step():
                    break
    return answer, cuts


@pytest.mark.parametrize("seed", range(12))
def test_a_stream_cut_anywhere_is_resumed_without_gap_or_duplicate(both: Chain, seed: int) -> None:
    """However often and wherever the connection is cut, the frames seen are 1, 2, 3 … to the end, with the exact texts."""
    both.behave(delay_s=0.002, tokens=20)
    answer, cuts = read_with_cuts(both, random.Random(seed), 20)
    assert cuts
    check_sound(answer, 10, 20)
    eventually(both.is_idle)


def test_the_end_can_be_fetched_after_the_stream_has_ended(chain: Chain) -> None:
    """A client that lost the last frames gets them within the grace period, and stopping then is 404: nothing runs."""
    with opened(chain, PATIENT) as answer:
        answer.until(lambda seen: seen.ids)
    eventually(chain.is_idle)
    with resumed(chain, answer.stream_id, len(answer.ids)) as response:
        answer._decoder, answer._pieces = type(answer._decoder)(), response.iter_raw()
        check_sound(answer.rest(), 10)
    assert chain.client.delete(f"/api/dce/streams/{answer.stream_id}").status_code == 404


def test_the_end_is_kept_for_who_still_reads() -> None:
    """A client may take longer than the grace period to read what has ended long ago; its grace begins when it goes."""
    loop = VirtualLoop()

    async def scene() -> None:
        stream = Stream("s", "owner", "m", [[0]])
        directory, reader = Directory(), cast("ClientConnection", Reader())
        live = LiveStream(stream, EventOutput("s", 4096, 4096), 5.0, lambda by: None)
        directory.start(live)
        live.attach(reader, 0)
        stream.stop(0)
        await asyncio.sleep(100)
        assert directory.find("s", "owner") is live
        live.detach(reader)
        await asyncio.sleep(4)
        assert directory.find("s", "owner") is live
        await asyncio.sleep(2)
        assert directory.is_empty

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


def test_a_client_that_came_back_in_time_keeps_its_stream() -> None:
    """Once a client has resumed, the grace period of the connection before no longer ends its stream."""
    loop = VirtualLoop()

    async def scene() -> None:
        stream, directory = Stream("s", "owner", "m", [[0]]), Directory()
        first, second = (cast("ClientConnection", Reader()) for _ in range(2))
        live = LiveStream(stream, EventOutput("s", 4096, 4096), 5.0, lambda by: None)
        directory.start(live)
        live.attach(first, 0)
        live.detach(first)
        await asyncio.sleep(4)
        live.attach(second, 0)
        await asyncio.sleep(100)
        assert directory.find_running("s", "owner") is live
        live.abandon()
        await asyncio.sleep(1)
        assert directory.is_empty

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


def test_a_slow_client_that_goes_away_holds_up_no_backend() -> None:
    """A client whose socket was full pauses the backends; when it has gone they go on, into the buffer, until that is full."""
    loop = VirtualLoop()

    async def scene() -> None:
        stream, directory = Stream("s", "owner", "m", [[0]]), Directory()
        reader = cast("ClientConnection", Reader())
        live = LiveStream(stream, EventOutput("s", 4096, 4096), 5.0, lambda by: None)
        directory.start(live)
        live.attach(reader, 0)
        assert reader.on_full is not None
        reader.on_full()
        paused = [live.is_paused]
        live.detach(reader)
        paused.append(live.is_paused)
        stream.attach(live.output)
        stream.emit(b"x" * 5000)
        await asyncio.sleep(1)
        assert [*paused, live.is_paused] == [True, False, True]
        await asyncio.sleep(10)
        assert directory.is_empty

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


def test_what_a_stream_holds_is_released_once() -> None:
    """A stream that has ended, is kept for its client and is then abandoned releases what it holds once, and nothing goes wrong."""
    loop = VirtualLoop()
    faults: list[object] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))
    released: list[str] = []

    async def scene() -> None:
        stream, directory = Stream("s", "owner", "m", [[0]]), Directory()
        reader = cast("ClientConnection", Reader())
        live = LiveStream(stream, EventOutput("s", 4096, 4096), 5.0, released.append)
        directory.start(live)
        live.attach(reader, 0)
        stream.stop(0)
        await asyncio.sleep(1)
        assert released == ["client"]
        live.detach(reader)
        await asyncio.sleep(10)
        assert directory.is_empty

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()
    assert (released, faults) == (["client"], [])


def test_nobody_came_back(chain: Chain) -> None:
    """When the grace period has passed, the backend requests are closed and the stream is unknown."""
    chain.behave(delay_s=SLOW, tokens=100_000)
    with opened(chain, {"x-dce-resume-grace": "1.5"}) as answer:
        answer.until(lambda seen: len(seen.choices) == 10)
    assert chain.in_flight == 10
    eventually(chain.is_idle)
    with resumed(chain, answer.stream_id, 1) as response:
        response.read()
        assert response.status_code == 404
        assert error_of(response)["code"] == "route_not_found"


def test_resume_can_be_switched_off(chain: Chain) -> None:
    """With a grace period of 0 the stream ends with its connection."""
    chain.behave(delay_s=SLOW, tokens=100_000)
    with opened(chain, HASTY) as answer:
        answer.until(lambda seen: seen.ids)
    eventually(chain.is_idle)


def test_a_resumed_stream_can_be_stopped(chain: Chain) -> None:
    """DELETE works while the client is away, and the one that comes back is told."""
    chain.behave(delay_s=SLOW, tokens=100_000)
    with opened(chain, PATIENT) as answer:
        answer.until(lambda seen: len(seen.choices) == 10)
    assert chain.client.delete(f"/api/dce/streams/{answer.stream_id}").status_code == 204
    eventually(chain.is_idle)
    with resumed(chain, answer.stream_id, len(answer.ids)) as response:
        answer._decoder, answer._pieces = type(answer._decoder)(), response.iter_raw()
        assert set(map(tuple, answer.rest().ends().values())) == {("stopped",)}
    assert answer.is_done


def test_a_stream_of_another_key_is_unknown(chain: Chain) -> None:
    """Resuming somebody else's stream is answered exactly like one that never was."""
    chain.behave(delay_s=SLOW, tokens=30)
    with opened(chain, PATIENT) as answer, client_of(chain.server.url, other_key(chain)) as other:
        answers = [error_of(other.get(f"/api/dce/streams/{name}")) for name in (answer.stream_id, "0" * 32)]
        assert {**answers[0], "request_id": ""} == {**answers[1], "request_id": ""}
        answer.rest()


def test_the_newest_client_has_the_stream(chain: Chain) -> None:
    """A second connection takes the stream over; the first one is cut, and nothing is lost between them."""
    chain.behave(delay_s=SLOW, tokens=300)
    with opened(chain, PATIENT) as first:
        first.until(lambda seen: len(seen.choices) == 10)
        with resumed(chain, first.stream_id, 0) as response:
            check_sound(Answer(response).rest(), 10, 300)
        first.rest()
        assert first.is_broken


def test_a_gap_is_never_silent(make_chain: Callable[..., Chain]) -> None:
    """A client that comes back for frames that are no longer kept is told so, and the stream goes on for one that can follow."""
    chain = make_chain(replay_bytes=4096)
    chain.behave(delay_s=SLOW, tokens=60)
    with opened(chain, PATIENT) as answer:
        answer.until(lambda seen: len(seen.ids) > 200)
    for after in (1, 10_000_000):
        with resumed(chain, answer.stream_id, after) as response:
            response.read()
            assert error_of(response)["code"] == "stream_interrupted"
            assert error_of(response)["hop"] == "gateway"
    with resumed(chain, answer.stream_id, len(answer.ids)) as response:
        answer._decoder, answer._pieces = type(answer._decoder)(), response.iter_raw()
        check_sound(answer.rest(), 10, 60)


def test_the_backends_wait_for_a_client_that_stays_away(make_chain: Callable[..., Chain]) -> None:
    """Frames that nobody took are never dropped: when the backlog is full the backends are paused, and go on on return."""
    chain = make_chain(backlog_bytes=8192)
    chain.behave(delay_s=0.001, tokens=400)
    with opened(chain, PATIENT, n=2) as answer:
        answer.until(lambda seen: seen.ids)
    eventually(chain.has_paused_stream)
    with resumed(chain, answer.stream_id, len(answer.ids)) as response:
        answer._decoder, answer._pieces = type(answer._decoder)(), response.iter_raw()
        check_sound(answer.rest(), 2, 400)


@pytest.mark.parametrize("value", ["-1", "soon", "1e9", "٣"])
def test_a_bad_grace_period_is_refused(chain: Chain, value: str) -> None:
    """The header must be a plain number of seconds."""
    response = chain.client.post("/api/dce/proxy", json=chain.body(), headers={b"x-dce-resume-grace": value.encode()})
    assert error_of(response)["code"] == "invalid_request"


@pytest.mark.parametrize("after", ["x", "-1", "9" * 40, "²"])
def test_a_bad_position_is_refused(chain: Chain, after: str) -> None:
    """The last event is named by its number."""
    chain.behave(delay_s=SLOW, tokens=30)
    with opened(chain, PATIENT) as answer:
        response = chain.client.get(
            f"/api/dce/streams/{answer.stream_id}", headers={b"last-event-id": after.encode("latin-1")}
        )
        assert error_of(response)["code"] == "invalid_request"
        answer.rest()
