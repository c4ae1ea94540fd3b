"""Streams kept without a client have limits, for each key and for all: what a key without limits leaves behind is bounded."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from dce.gateway.front.connection import ClientConnection
from dce.gateway.streaming.live import DetachedLimits, Directory, LiveStream
from dce.gateway.streaming.output import EventOutput
from dce.gateway.streaming.streams import Stream
from tests.fakes.chain import PROXY, Answer, Chain, client_of, error_of, eventually, other_key
from tests.gateway.test_live import Reader
from tests.simulation.loop import VirtualLoop

PATIENT = {"x-dce-resume-grace": "100"}


@contextlib.contextmanager
def opened(chain: Chain, key: str) -> Iterator[Answer]:
    """A long stream whose client wants it kept; leaving the block disconnects."""
    with (
        client_of(chain.server.url, key) as client,
        client.stream("POST", PROXY, json=chain.body(), headers=PATIENT) as response,
    ):
        assert response.status_code == 200, response.read()
        answer = Answer(response).until(lambda seen: seen.ids)  # kept: an answer that is dropped closes its connection
        yield answer


def left_behind(chain: Chain, key: str) -> str:
    """The id of a stream whose client has gone."""
    with opened(chain, key) as answer:
        stream_id = answer.stream_id
    eventually(lambda: any(live.stream.id == stream_id for live in list(chain.server.gateway.directory._detached)))
    return stream_id


@pytest.fixture
def narrow(make_chain: Callable[..., Chain]) -> Chain:
    """A gateway that keeps two streams of a key, and three in all."""
    chain = make_chain(max_detached_streams_per_key=2, max_detached_streams=3)
    chain.behave(delay_s=0.05, tokens=4000)
    return chain


def test_a_key_that_left_too_many_behind_is_refused(narrow: Chain) -> None:
    """Its next request that wants to be kept gets a 429 with the next step; one that does not, and other keys, are served."""
    ids = [left_behind(narrow, narrow.key) for _ in range(2)]
    response = narrow.client.post(PROXY, json=narrow.body(), headers=PATIENT)
    error = error_of(response)
    assert (response.status_code, error["code"], error["hop"]) == (429, "rate_limited", "gateway")
    assert "2 streams of this key run without a client" in error["message"]
    assert "/api/dce/streams" in error["hint"]
    assert int(response.headers["retry-after"]) > 0
    with narrow.stream() as answer:
        answer.until(lambda seen: seen.ids)
    assert narrow.client.post(
        PROXY, json=narrow.body(stream=False, max_tokens=1), headers={"x-dce-resume-grace": "0"}
    ).is_success
    with opened(narrow, other_key(narrow)):
        pass
    assert narrow.client.delete(f"/api/dce/streams/{ids[0]}").status_code == 204


def test_room_comes_back(narrow: Chain) -> None:
    """A client that resumes its stream makes room for another, and so does a stream that is kept no longer."""
    ids = [left_behind(narrow, narrow.key) for _ in range(2)]
    with (
        client_of(narrow.server.url, narrow.key) as client,
        client.stream("GET", f"/api/dce/streams/{ids[0]}") as response,
    ):
        resumed = Answer(response).until(lambda seen: seen.ids)
        with opened(narrow, narrow.key):
            pass
        resumed.until(lambda seen: len(seen.ids) > 5)


def test_many_clients_that_go_at_once_leave_the_limit(narrow: Chain) -> None:
    """Of more streams than may be kept, those whose clients go last end at once; the backend stops working on them."""
    with contextlib.ExitStack() as clients:
        for _ in range(5):
            clients.enter_context(opened(narrow, narrow.key))
    eventually(lambda: narrow.fake.open_streams == 2)
    running = narrow.client.get("/api/dce/streams").json()["streams"]
    assert len(running) == 2
    other = other_key(narrow)
    with opened(narrow, other), opened(narrow, other):
        pass
    eventually(lambda: narrow.fake.open_streams == 3)


def test_ended_streams_give_way(narrow: Chain) -> None:
    """Streams that are over are kept for a client that lost their end, but count against nobody: the oldest gives way."""
    narrow.behave(tokens=3)
    ids: list[str] = []
    for _ in range(6):
        with (
            client_of(narrow.server.url, narrow.key) as client,
            client.stream("POST", PROXY, json=narrow.body(), headers=PATIENT) as response,
        ):
            ids.append(Answer(response).rest().stream_id)
    eventually(lambda: len(narrow.server.gateway.directory._live) == 2)
    answers = [narrow.client.get(f"/api/dce/streams/{stream_id}") for stream_id in ids]
    assert [answer.status_code for answer in answers] == [404] * 4 + [200] * 2
    assert b"[DONE]" in answers[-1].content
    narrow.behave(delay_s=0.05, tokens=4000)
    for _ in range(2):
        left_behind(narrow, narrow.key)
    assert narrow.client.post(PROXY, json=narrow.body(), headers=PATIENT).status_code == 429


def test_none_may_be_kept(make_chain: Callable[..., Chain]) -> None:
    """With a limit of 0 a stream ends with its connection, whatever its client asks for."""
    chain = make_chain(max_detached_streams=0)
    chain.behave(delay_s=0.05, tokens=4000)
    with opened(chain, chain.key):
        pass
    eventually(chain.is_idle, within_s=20)


def test_a_client_may_go_twice() -> None:
    """A connection that is lost again before it got anything costs no second place: the stream stays kept."""
    loop = VirtualLoop()

    async def scene() -> None:
        directory = Directory(lambda: DetachedLimits(total=1, per_key=1))
        live = LiveStream(Stream("s", "a", "m", [[0]]), EventOutput("s", 4096, 4096), 5.0, lambda by: None)
        directory.start(live)
        client = cast("ClientConnection", Reader())
        live.attach(client, 0)
        for _ in range(2):
            live.detach(client)
            await asyncio.sleep(1)
        assert directory.find_running("s", "a") is live
        live.abandon()
        await asyncio.sleep(1)
        assert directory.is_empty

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


@pytest.mark.parametrize("seed", range(20))
def test_the_count_is_right_whatever_happens(seed: int) -> None:
    """Clients come, go, come back and go twice, streams end with and without them: what is counted is what is kept, never more than
    the limits, and nothing at the end."""
    loop, rng = VirtualLoop(), random.Random(seed)
    limits = DetachedLimits(total=4, per_key=2)

    async def scene() -> None:
        directory = Directory(lambda: limits)
        clients: dict[LiveStream, ClientConnection] = {}
        for step in range(120):
            if rng.random() < 0.4 or not clients:
                stream = Stream(str(step), rng.choice("abc"), "m", [[0]])
                live = LiveStream(stream, EventOutput(str(step), 4096, 4096), 5.0, lambda by: None)
                directory.start(live)
                clients[live] = cast("ClientConnection", Reader())
                live.attach(clients[live], 0)
            live = rng.choice(list(clients))
            match rng.randrange(6):
                case 0 | 1:
                    live.detach(clients[live])
                case 2:
                    if directory._live.get(live.stream.id) is live:
                        live.attach(clients[live], 0)
                case 3:
                    live.stream.stop_all()
                case 4:
                    live.abandon()
                case _:
                    directory.end(rng.choice("abc"))
            await asyncio.sleep(rng.choice((0, 0, 0.01, 3)))
            kept = set(directory._detached)
            assert len(kept) <= limits.total
            assert all(sum(one.stream.owner == owner for one in kept) <= limits.per_key for owner in "abc")
            await asyncio.sleep(0)
            assert set(directory._detached) <= set(directory._live.values())
            assert all(one._grace is not None for one in directory._detached)
        for live, client in clients.items():
            live.detach(client)
        await asyncio.sleep(20)
        assert directory.is_empty
        assert not directory._detached

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()
