"""Revoking a key ends what runs for it, wherever it is, with an error that says so; other keys' requests are unaffected."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from dce.gateway.access.auth import Principal
from dce.gateway.access.keys import KeyStore
from dce.gateway.front.request import Request
from dce.gateway.revoking import EVERY_S, RunningRequests
from dce.gateway.streaming.live import Directory
from dce.wire.errors import DceError
from tests.fakes.chain import PROXY, Answer, Chain, check_sound, client_of, error_of, eventually, raw_post, raw_request
from tests.simulation.loop import VirtualLoop

LONG = {"delay_s": 0.02, "tokens": 2000}
V1 = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")


@contextlib.contextmanager
def someone(chain: Chain) -> Iterator[tuple[str, Callable[[], object]]]:
    """Another key: its secret, and a call that revokes it, as another process would."""
    keys = KeyStore(chain.folder)
    try:
        key, secret = keys.create("leaked")
        yield secret, lambda: keys.revoke(key.id)
    finally:
        keys.close()


def test_its_stream_ends_with_an_error(both: Chain) -> None:
    """A running stream of N responses ends with one error event of the gateway's; what had come before it is kept."""
    both.behave(**LONG)
    with (
        someone(both) as (secret, revoke),
        client_of(both.server.url, secret) as client,
        client.stream("POST", PROXY, json=both.body(n=3), headers={"x-dce-resume-grace": "60"}) as response,
    ):
        answer = Answer(response).until(lambda seen: len(seen.ids) > 6)
        revoke()
        answer.rest()
        assert not answer.is_done
        assert (answer.error["code"], answer.error["hop"]) == ("invalid_key", "gateway")
        assert "revoked" in answer.error["message"]
        assert any(answer.texts().values())
        assert error_of(client.get(f"/api/dce/streams/{answer.stream_id}"))["code"] == "invalid_key"
    eventually(both.is_idle)
    eventually(lambda: both.server.gateway.directory.is_empty)


@pytest.mark.parametrize("path", V1)
def test_so_does_a_relayed_one(chain: Chain, path: str) -> None:
    """A relayed stream ends with an error event in its dialect, between two events."""
    chain.behave(**LONG)
    body = chain.body(stream=True, input="hi", max_tokens=5000)
    with someone(chain) as (secret, revoke), raw_request(chain.server.url, raw_post(secret, body, path)) as client:
        received = b""
        while b"data:" not in received:
            received += client.recv(65536)
        revoke()
        while piece := client.recv(65536):
            received += piece
            if received.endswith(b"\r\n0\r\n\r\n"):
                break
    assert b"revoked" in received
    assert b"[DONE]" not in received
    last = received.rpartition(b"data: ")[2]
    assert last.startswith(b'{"')
    eventually(chain.is_idle)


@pytest.mark.parametrize("path", [PROXY, *V1[:2]])
def test_a_request_without_an_answer_yet_gets_a_401(chain: Chain, path: str) -> None:
    """While the backend is silent, or the answer is one JSON object, there is still an HTTP status to say it with."""
    chain.behave(fault="mute")
    with (
        someone(chain) as (secret, revoke),
        ThreadPoolExecutor() as pool,
        client_of(chain.server.url, secret) as client,
    ):
        waiting = pool.submit(client.post, path, json=chain.body(stream=path != PROXY))
        eventually(chain.fake.posts)
        revoke()
        response = waiting.result()
    assert response.status_code == 401
    assert "revoked" in error_of(response)["message"]
    eventually(chain.is_idle)


def test_a_stream_without_a_client_ends_too(chain: Chain) -> None:
    """A stream that runs on for a client that may come back ends as well: nobody with this key can come back."""
    chain.behave(**LONG)
    with someone(chain) as (secret, revoke):
        with (
            client_of(chain.server.url, secret) as client,
            client.stream("POST", PROXY, json=chain.body(n=2), headers={"x-dce-resume-grace": "100"}) as response,
        ):
            Answer(response).until(lambda seen: seen.ids)
        running = chain.server.gateway._running
        eventually(lambda: running is not None and not running._tasks)
        time.sleep(3 * EVERY_S)  # it is still looked at when no request runs any more
        assert not chain.is_idle()
        revoke()
        eventually(chain.is_idle, within_s=20)
    eventually(lambda: chain.server.gateway.directory.is_empty)


def test_the_others_go_on(chain: Chain) -> None:
    """A stream of another key that runs at the same time runs to its end."""
    chain.behave(delay_s=0.05, tokens=30)
    with (
        someone(chain) as (secret, revoke),
        client_of(chain.server.url, secret) as client,
        client.stream("POST", PROXY, json=chain.body(n=1)) as response,
        chain.stream(n=2) as answer,
    ):
        leaked = Answer(response).until(lambda seen: seen.ids)
        answer.until(lambda seen: seen.ids)
        revoke()
        check_sound(answer.rest(), 2, 30)
        assert leaked.rest().error["code"] == "invalid_key"


def test_an_idle_gateway_does_not_look(chain: Chain) -> None:
    """Without a request the timer is off; it is on while one runs."""
    running = chain.server.gateway._running
    assert running is not None
    chain.post(stream=False)
    eventually(lambda: running._timer is None)
    chain.behave(delay_s=0.05, tokens=20)
    with chain.stream() as answer:
        answer.until(lambda seen: seen.ids)
        assert running._timer is not None
        answer.rest()
    eventually(lambda: running._timer is None and not running._tasks)


class Asked:
    """Stands for a request of a key."""

    def __init__(self, key_id: str) -> None:
        self.principal = Principal(key_id=key_id, name="leaked")
        self.refusal: DceError | None = None


@pytest.mark.parametrize(("key_id", "ended"), [("leaked", ["working"]), ("", [])])
def test_a_request_is_cancelled_once(key_id: str, ended: list[str]) -> None:
    """A request that takes its time to say why it ends is not disturbed by the next look; one without a key is left alone."""
    loop = VirtualLoop()
    cancels: list[str] = []

    async def saying_why() -> None:
        for what in ("working", "saying why"):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                cancels.append(what)

    async def scene() -> None:
        running = RunningRequests(set, Directory())
        request = cast("Request", Asked(key_id))
        task = asyncio.create_task(saying_why())
        running.began(request, task)
        await task
        running.ended(request)
        await asyncio.sleep(1)
        assert running._timer is None

    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()
    assert cancels == ended


def test_a_table_that_cannot_be_read_ends_nothing(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the keys cannot be read, running streams go on, and the gateway looks again."""
    chain.behave(delay_s=0.05, tokens=20)
    running = chain.server.gateway._running
    assert running is not None
    asked: list[set[str]] = []

    def broken(ids: set[str]) -> set[str]:
        asked.append(ids)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(running, "_revoked", broken)
    with chain.stream(n=1) as answer:
        check_sound(answer.rest(), 1, 20)
    assert len(asked) > 1
