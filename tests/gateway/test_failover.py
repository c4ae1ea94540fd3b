"""Retry and failover: sent again only before the first byte, a bounded number of times, and nothing is ever said twice."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from dce.gateway.backends.backend import Backend, Discovery
from dce.gateway.backends.breaker import BreakerState
from dce.gateway.backends.busy import is_busy
from dce.gateway.backends.catalog import Catalog
from dce.gateway.backends.failover import RETRY_WAIT_S, Attempts, Dispatcher
from dce.gateway.backends.kinds import LlamaCpp, Model, Vllm
from dce.gateway.backends.routing import AffinityKey, LeastLoaded
from dce.gateway.backends.transport import Exchange
from dce.gateway.settings import BackendSettings
from dce.wire.errors import DceError, Hop
from tests.fakes.chain import Chain, error_of, eventually, raw_post, raw_request
from tests.fakes.vllm import MODEL, Behaviour, FakeVllm, said

GONE = DceError("backend_unreachable", "nobody there")
BROKEN = DceError("stream_interrupted", "broke off")
ILL = DceError("backend_error", "boom")
BUSY = DceError("rate_limited", "slow down", hop=Hop.BACKEND, retry_after_s=3)
LOADING = DceError("no_healthy_backend", "loading", retry_after_s=2)


class Scene:
    """A request's way over backends that are only pretended; sleeping is noted, not done."""

    def __init__(self, backends: int, max_retries: int = 2, busy_timeout_s: float = 60) -> None:
        self.backends = [Backend(BackendSettings(url=f"http://h:{at + 1}")) for at in range(backends)]
        for backend in self.backends:
            backend.discovered(Discovery(kind=Vllm(), models=(Model(id="m"),)))
        self.slept: list[float] = []
        self.asked: list[int] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self.retries: list[tuple[int, int]] = []
        self.dispatcher = Dispatcher(
            Catalog(self.backends, {}, ""),
            LeastLoaded(),
            max_retries,
            sleep=self._sleep,
            chance=lambda: 0.5,
            on_retry=lambda failed, to: self.retries.append((failed.address.port, to.address.port)),
            busy_timeout_s=busy_timeout_s,
        )
        self.told: list[tuple[str, float]] = []

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep()

    def one(self) -> Attempts:
        return self.dispatcher.one("m", AffinityKey(), 1)

    async def open(self, attempts: Attempts, *answers: DceError | None) -> Exchange:
        """Opens; the i-th attempt is answered with the i-th of the answers."""
        left = list(answers)

        async def send(backend: Backend) -> Exchange:
            self.asked.append(backend.address.port)
            answer = left.pop(0)
            if answer is not None:
                raise answer
            return cast("Exchange", "exchange")

        async def tell(error: DceError, left_s: float) -> None:
            assert self.loads() == [0] * len(self.backends), "whoever waits takes no room"
            self.told.append((error.message, left_s))

        return await attempts.open(send, tell)

    def loads(self) -> list[int]:
        return [backend.in_flight for backend in self.backends]


@pytest.mark.parametrize(
    "error", [GONE, BROKEN, ILL, DceError("model_not_found", "x"), DceError("route_not_found", "x")]
)
def test_another_backend_is_asked_at_once(error: DceError) -> None:
    """Whatever a backend has failed with before a byte of its answer, the next one may do it; the load moves with the request."""

    async def scene() -> None:
        stage = Scene(3)
        attempts = stage.one()
        assert await stage.open(attempts, error, error, None)
        assert (stage.asked, stage.slept) == ([1, 2, 3], [])
        assert stage.retries == [(1, 2), (2, 3)]
        assert stage.loads() == [0, 0, 1]
        attempts.lease.end()
        assert stage.loads() == [0, 0, 0]

    asyncio.run(scene())


@pytest.mark.parametrize(
    "error",
    [
        DceError("invalid_request", "bad"),
        DceError("prompt_too_long", "9000"),
        DceError("backend_timeout", "silence"),
        DceError("internal", "ours"),
    ],
)
def test_what_would_fail_again_or_took_too_long_is_not_sent_again(error: DceError) -> None:
    """A bad request is bad everywhere; after minutes of silence the caller has waited enough."""

    async def scene() -> None:
        stage = Scene(3)
        with pytest.raises(DceError) as caught:
            await stage.open(stage.one(), error)
        assert (caught.value, stage.asked, stage.loads()) == (error, [1], [0, 0, 0])

    asyncio.run(scene())


def test_attempts_are_bounded() -> None:
    """A request that kills whoever runs it reaches two more backends at most; the last error is the one that is told."""

    async def scene() -> None:
        stage = Scene(5)
        with pytest.raises(DceError, match="boom"):
            await stage.open(stage.one(), GONE, GONE, ILL)
        assert stage.asked == [1, 2, 3]
        stage = Scene(2, max_retries=0)
        with pytest.raises(DceError, match="nobody"):
            await stage.open(stage.one(), GONE)

    asyncio.run(scene())


def test_the_same_backend_is_asked_again_only_for_a_lost_connection_and_after_a_wait() -> None:
    """It may have been restarted; each wait is twice the last. One that answered with an error of its own is believed."""

    async def scene() -> None:
        stage = Scene(1)
        assert await stage.open(stage.one(), GONE, BROKEN, None)
        assert (stage.asked, stage.slept) == ([1, 1, 1], [RETRY_WAIT_S, 2 * RETRY_WAIT_S])
        stage = Scene(1)
        with pytest.raises(DceError, match="boom"):
            await stage.open(stage.one(), ILL)
        assert (stage.asked, stage.slept) == ([1], [])

    asyncio.run(scene())


def test_a_backend_that_does_not_come_back_is_not_waited_for_forever() -> None:
    """When discovery says that nobody serves the model, waiting uses up the attempts; then the first reason is told."""

    async def scene() -> None:
        stage = Scene(1)
        stage.on_sleep = lambda: stage.backends[0].failed(GONE)
        with pytest.raises(DceError, match="broke off"):
            await stage.open(stage.one(), BROKEN)
        assert (stage.asked, len(stage.slept), stage.loads()) == ([1], 2, [0])

    asyncio.run(scene())


def test_a_busy_backend_is_asked_again() -> None:
    """It is waited for as long as it asks, a little more by chance; its breaker counts nothing; the client is told how long it waits."""

    async def scene() -> None:
        stage = Scene(1, max_retries=0)
        attempts = stage.one()
        assert await stage.open(attempts, BUSY, LOADING, None)
        assert (stage.asked, stage.loads()) == ([1, 1, 1], [1])
        assert stage.slept == [3 * 1.125, 5.0, 6 * 1.125 - 5]
        assert stage.told == [("slow down", 3 * 1.125), ("loading", 6 * 1.125), ("loading", 6 * 1.125 - 5)]
        assert stage.backends[0].breaker.failures == 0
        assert stage.retries == [(1, 1), (1, 1)]

    asyncio.run(scene())


def test_another_backend_is_better_than_waiting() -> None:
    """If one is busy the next is asked at once; only when all are, the request waits, and then any of them may take it."""

    async def scene() -> None:
        stage = Scene(2, max_retries=1)
        assert await stage.open(stage.one(), BUSY, BUSY, None)
        assert (stage.asked, len(stage.slept)) == ([1, 2, 1], 1)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("limit_s", "asks_for", "asked"), [(0, 3, 1), (10, 3600, 1), (10, 10, 2), (10, 0, 5), (60, 1, 9)]
)
def test_the_wait_for_a_busy_backend_is_bounded(limit_s: float, asks_for: float, asked: int) -> None:
    """However often it is asked, the waits together stay within the limit; then its own answer is the error, with its Retry-After."""

    async def scene() -> None:
        stage = Scene(1, busy_timeout_s=limit_s)
        busy = DceError("rate_limited", "slow down", hop=Hop.BACKEND, retry_after_s=asks_for)
        with pytest.raises(DceError) as caught:
            await stage.open(stage.one(), *[busy] * 50)
        assert caught.value is busy
        assert len(stage.asked) == asked
        assert sum(stage.slept) <= 1.25 * limit_s
        assert stage.loads() == [0]

    asyncio.run(scene())


def test_only_a_backend_is_waited_for() -> None:
    """The gateway's own limits and a backend that is gone are no reasons to wait here."""
    own = DceError("rate_limited", "too many", retry_after_s=1)
    for error in (own, DceError("no_healthy_backend", "all down"), DceError("backend_error", "boom", retry_after_s=1)):
        assert not is_busy(error)
    assert is_busy(BUSY)
    assert is_busy(LOADING)


def test_a_backend_that_goes_while_it_is_waited_for() -> None:
    """If nobody serves the model after the wait, the attempts are used up as ever, and the reason is told."""

    async def scene() -> None:
        stage = Scene(1)
        stage.on_sleep = lambda: stage.backends[0].failed(GONE)
        with pytest.raises(DceError, match="loading"):
            await stage.open(stage.one(), LOADING)

    asyncio.run(scene())


def test_a_client_that_goes_gives_the_place_back_and_blames_nobody() -> None:
    """Cancelled in the middle of an attempt: nothing is held, no failure is counted."""

    async def scene() -> None:
        stage = Scene(2)
        entered = asyncio.Event()

        async def send(backend: Backend) -> Exchange:
            entered.set()
            await asyncio.Event().wait()
            raise AssertionError(backend)

        task = asyncio.create_task(stage.one().open(send))
        await entered.wait()
        task.cancel()
        await asyncio.wait({task})
        assert stage.loads() == [0, 0]
        assert [backend.breaker.failures for backend in stage.backends] == [0, 0]

    asyncio.run(scene())


def test_ten_responses_are_planned_where_they_are_placed() -> None:
    """Those that go elsewhere for want of room are planned in that backend's own way; each index has one request."""
    stage = Scene(2)
    stage.backends[0].settings = BackendSettings(url="http://h:1", max_responses=4)
    stage.backends[1].settings = BackendSettings(url="http://h:2", n_strategy="native")
    placed = stage.dispatcher.many("m", AffinityKey(), 10)
    assert [indices for _, indices in placed] == [[0], [1], [2], [3], [4, 5, 6, 7, 8, 9]]
    assert [attempts.backend.address.port for attempts, _ in placed] == [1, 1, 1, 1, 2]
    assert stage.loads() == [4, 6]


# -- over real sockets ------------------------------------------------------------------------------------------------


@contextmanager
def two_backends(folder: Path, **settings: Any) -> Iterator[tuple[Chain, FakeVllm]]:
    """A gateway before two backends: the chain's own, which is asked first, and a second. The gateway ends before they do."""
    with FakeVllm() as second, FakeVllm() as first:
        backends = (BackendSettings(url=first.url), BackendSettings(url=second.url))
        with Chain(folder, fake=first, backends=backends, **settings) as chain:
            yield chain, second


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Chain, FakeVllm]]:
    """Two backends and the usual settings."""
    with two_backends(tmp_path) as both:
        yield both


@pytest.mark.parametrize("fault", ["reset", "engine_dead", "html", "overloaded", "model_404"])
@pytest.mark.parametrize("fields", [{"n": 10, "stream": True}, {"n": 3, "stream": False}], ids=["events", "whole"])
def test_a_generation_fails_over_before_its_first_byte(
    pair: tuple[Chain, FakeVllm], fault: str, fields: dict[str, Any]
) -> None:
    """Each response of a backend that fails comes from the other, whole and once; the client notices nothing."""
    chain, second = pair
    chain.behave(fault=fault)
    if fields["stream"]:
        answer = chain.ask(**fields)
        assert answer.is_done
        assert answer.texts() == {index: said(8) for index in range(10)}
        assert answer.ends() == {index: ["stop"] for index in range(10)}
    else:
        assert chain.post(**fields).json()["responses"] == [said(8)] * 3
    assert len(second.chats()) == fields["n"]
    eventually(lambda: chain.in_flight == 0)


def test_a_server_of_another_kind_is_spoken_to_in_its_own_dialect(tmp_path: Path) -> None:
    """What vLLM was to be asked goes to a llama.cpp in llama.cpp's words, under the same index and seed."""
    with two_backends(tmp_path) as (chain, second):
        second.behaviour.owned_by = "llamacpp"
        eventually(lambda: chain.server.gateway.backends[1].kind.name == "llama.cpp")
        chain.behave(fault="reset")
        assert chain.ask(n=2, seed=5, grammar="root ::= x").texts() == {0: said(8), 1: said(8)}
        asked = sorted(second.chats(), key=lambda body: int(body["seed"]))
        assert [(body["seed"], body["n"], body["grammar"]) for body in asked] == [
            (5, 1, "root ::= x"),
            (6, 1, "root ::= x"),
        ]
        assert not {"structured_outputs", "cache_salt"} & asked[0].keys()
        assert {"structured_outputs", "cache_salt"} <= chain.fake.chats()[0].keys()


@pytest.mark.parametrize("fault", ["death_at_once", "error_at_once", "error_200", "html_200"])
def test_a_response_that_has_not_begun_goes_on_elsewhere(pair: tuple[Chain, FakeVllm], fault: str) -> None:
    """A backend that dies after its head but before a frame loses nothing."""
    chain, second = pair
    chain.behave(fault=fault)
    answer = chain.ask(n=10)
    assert answer.is_done
    assert answer.texts() == {index: said(8) for index in range(10)}
    assert len(second.chats()) == 10


def test_a_response_that_has_begun_is_lost_and_never_begun_again(pair: tuple[Chain, FakeVllm]) -> None:
    """After its first token there is no retry: what came is kept, the rest is an error, and no `[DONE]` is invented."""
    chain, second = pair
    chain.behave(fault="death")
    answer = chain.ask(n=4)
    assert not answer.is_done
    assert answer.ends() == {index: ["error"] for index in range(4)}
    assert answer.texts() == dict.fromkeys(range(4), said(1))
    assert second.chats() == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", ["reset", "engine_dead", "overloaded"])
def test_the_pass_through_fails_over_before_the_head(pair: tuple[Chain, FakeVllm], fault: str, stream: bool) -> None:
    """A plain OpenAI client is answered by the other backend."""
    chain, second = pair
    chain.behave(fault=fault)
    response = chain.post("/v1/chat/completions", model=MODEL, stream=stream)
    assert response.status_code == 200
    assert len(second.chats()) == 1


def test_the_pass_through_fails_over_before_its_first_event(pair: tuple[Chain, FakeVllm]) -> None:
    """vLLM sends its head at once and computes then: if it dies before an event, the other backend answers, from the beginning."""
    chain, second = pair
    chain.behave(fault="death_at_once")
    with chain.stream("/v1/chat/completions", model=MODEL, stream=True) as answer:
        answer.rest()
    assert (answer.is_done, answer.texts()) == (True, {0: said(8)})
    assert len(second.chats()) == 1


def test_the_pass_through_never_begins_again(pair: tuple[Chain, FakeVllm]) -> None:
    """After its first event a stream that breaks is broken, and says so."""
    chain, second = pair
    chain.behave(fault="death")
    with chain.stream("/v1/chat/completions", model=MODEL, stream=True) as answer:
        answer.rest()
    assert (answer.is_done, answer.error["code"], answer.texts()) == (False, "stream_interrupted", {0: said(1)})
    assert second.chats() == []


def test_a_client_that_goes_before_the_first_event_frees_the_backend(make_chain: Callable[..., Chain]) -> None:
    """Between head and first event nothing is held longer than the client stays."""
    chain = make_chain()
    chain.behave(fault="mute")
    sent = raw_request(
        chain.server.url, raw_post(chain.key, chain.body(model=MODEL, stream=True), "/v1/chat/completions")
    )
    eventually(lambda: chain.fake.open_streams == 1)
    sent.close()
    eventually(chain.is_idle)
    assert chain.fake.aborted == 1


def test_a_long_wait_for_the_first_event_begins_the_stream_anyway(make_chain: Callable[..., Chain]) -> None:
    """After the head's patience the client gets its head and heartbeats, so that nothing between gives up."""
    chain = make_chain(head_patience_s=0.05, heartbeat_s=0.05)
    chain.behave(fault="mute")
    with chain.stream("/v1/chat/completions", model=MODEL, stream=True) as answer:
        answer.until(lambda seen: b"keep-alive" in seen.raw)


def test_a_request_that_is_wrong_is_refused_once(pair: tuple[Chain, FakeVllm]) -> None:
    """What the backend finds wrong with the request itself is told at once and asked of nobody else, in a frame too."""
    chain, second = pair
    for fault, code in (("too_long", "prompt_too_long"), ("bad_grammar", "invalid_request")):
        chain.behave(fault=fault)
        response = chain.post(n=2, stream=False)
        assert response.status_code == 400
        assert error_of(response)["code"] == code
    assert second.chats() == []


def test_a_restarted_backend_gets_what_it_had_not_begun(make_chain: Callable[..., Chain]) -> None:
    """With one backend only: it breaks the connection, and is asked again when it is back."""
    chain = make_chain()
    chain.behave(fault="reset")

    def repair() -> None:
        eventually(chain.fake.chats)
        chain.fake.behaviour = Behaviour()

    fixing = threading.Thread(target=repair)
    fixing.start()
    answer = chain.ask(n=2)
    fixing.join()
    assert answer.texts() == {0: said(8), 1: said(8)}
    assert answer.is_done


def test_a_failing_backend_is_left_alone_until_a_trial_succeeds(tmp_path: Path) -> None:
    """After so many failures requests go past it without trying; when it works again, one request finds out and all may go."""
    with two_backends(tmp_path, breaker_failures=2, breaker_max_wait_s=0.05) as (chain, _):
        breaker = chain.server.gateway.backends[0].breaker
        chain.behave(fault="engine_dead")
        eventually(lambda: chain.ask().is_done and breaker.state is BreakerState.OPEN)
        chain.behave()
        eventually(lambda: chain.ask().is_done and breaker.state is BreakerState.CLOSED)
        assert chain.fake.chats()


def test_clients_that_go_trip_nothing(make_chain: Callable[..., Chain]) -> None:
    """Twenty clients that close in the middle of their streams are no failures of the backend."""
    chain = make_chain(breaker_failures=1)
    chain.behave(delay_s=0.01, tokens=1000)
    for _ in range(20):
        with chain.stream(n=2) as answer:
            answer.until(lambda seen: seen.choices)
    eventually(chain.is_idle)
    (backend,) = chain.server.gateway.backends
    assert (backend.breaker.state, backend.breaker.failures) == (BreakerState.CLOSED, 0)


def test_what_is_sent_again_counts_with_the_responses_that_are_left() -> None:
    """The load of a retry is the number of responses it still has to bring, not what the request began with."""

    async def scene() -> None:
        stage = Scene(2)
        for backend in stage.backends:
            backend.discovered(Discovery(kind=LlamaCpp(), models=(Model(id="m"),), native_limit=10))
        attempts = stage.dispatcher.one("m", AffinityKey(), 10)
        assert await stage.open(attempts, None)
        assert stage.loads() == [10, 0]
        assert attempts.fail(BROKEN, 3)
        assert stage.loads() == [0, 0]
        assert await stage.open(attempts, None)
        assert stage.loads() == [0, 3]
        attempts.lease.end()
        assert stage.loads() == [0, 0]

    asyncio.run(scene())


def test_a_backend_whose_breaker_is_open_is_no_other() -> None:
    """An error answer is retried elsewhere only if there is a backend that requests are sent to."""

    async def scene() -> None:
        stage = Scene(2)
        other = stage.backends[1]
        for _ in range(other.breaker.limits.failures):
            other.breaker.failed(float("inf"))
        assert other.breaker.state is BreakerState.OPEN
        with pytest.raises(DceError, match="boom"):
            await stage.open(stage.one(), ILL, None)
        assert stage.asked == [1]

    asyncio.run(scene())
