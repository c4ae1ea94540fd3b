"""Who is admitted, who waits, who is refused and why; and that everything comes back exactly once."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway.access.admission import LOOKUPS_PER_REQUEST, UNKNOWN_ANSWER_TOKENS, Admission, Demand, Ticket
from dce.gateway.access.auth import ANONYMOUS, Principal
from dce.gateway.access.fair_queue import Pool
from dce.gateway.access.limits import Limits
from dce.gateway.settings import GatewaySettings
from dce.wire.errors import DceError
from tests.fakes.chain import eventually
from tests.gateway.test_proxy_cancellation import cancelled_at

DAY_S = 86_400.0
NOON = 200 * DAY_S + DAY_S / 2


class Scene:
    """An admission in a time of its own. `used`: what the ledger says each key has used."""

    def __init__(self, tell_every_s: float = 0.001, **options: Any) -> None:
        self.now = 1000.0
        self.wall = NOON
        self.used: dict[str, int] = {}
        self.asked_since: list[float] = []
        self.admission = Admission(
            GatewaySettings(**options),
            self._used,
            clock=lambda: self.now,
            wall=lambda: self.wall,
            tell_every_s=tell_every_s,
            check_key=self._check_key,
        )
        self.revoked: set[str] = set()

    def _used(self, key_id: str, since: float) -> int:
        self.asked_since.append(since)
        return self.used.get(key_id, 0)

    def _check_key(self, key_id: str) -> None:
        if key_id in self.revoked:
            raise DceError("invalid_key", "revoked")

    async def admit(self, who: Principal, n: int = 1, tokens: int = 0) -> Ticket:
        """A request that need not wait, or is refused."""
        return await self.admission.admit(who, Demand(n=n, tokens=tokens))

    def waiting(self, who: Principal, n: int = 1, model: str = "") -> "asyncio.Task[Ticket]":
        """A request that may wait."""
        return asyncio.create_task(self.admission.admit(who, Demand(n=n, model=model)))

    async def refused(self, who: Principal, n: int = 1, tokens: int = 0) -> DceError:
        """Why a request is refused."""
        with pytest.raises(DceError) as caught:
            await self.admit(who, n, tokens)
        return caught.value


def key(name: str = "k", **limits: Any) -> Principal:
    """The caller with a key that has these limits."""
    return Principal(key_id=name, name=name, limits=Limits(**limits))


async def turn_until(condition: Callable[[], object]) -> None:
    """Lets the loop turn until the condition holds."""
    await asyncio.to_thread(eventually, condition)


@pytest.mark.parametrize(
    ("asked", "tokens"),
    [
        ({"n": 1, "text_bytes": 400, "max_tokens": 50, "context": 1000}, 150),
        ({"n": 10, "text_bytes": 400, "max_tokens": 50, "context": None}, 600),
        ({"n": 2, "text_bytes": 400, "max_tokens": 16_384, "context": 1000}, 1900),
        ({"n": 2, "text_bytes": 400, "max_tokens": None, "context": 1000}, 1900),
        ({"n": 2, "text_bytes": 400, "max_tokens": None, "context": None}, 100 + 2 * UNKNOWN_ANSWER_TOKENS),
        ({"n": 3, "text_bytes": 40_000, "max_tokens": None, "context": 1000}, 10_003),
    ],
)
def test_what_a_request_may_cost(asked: dict[str, Any], tokens: int) -> None:
    """The prompt once, and for each answer what was asked for or what the context leaves."""
    assert Demand.of(**asked) == Demand(n=asked["n"], tokens=tokens)


def test_without_limits_everything_is_admitted() -> None:
    """A key without limits, and a gateway without keys, only share the capacity."""

    async def scene() -> None:
        scene = Scene(max_running_responses=100)
        tickets = [await scene.admit(who, 5, 10**9) for who in (ANONYMOUS, key()) for _ in range(10)]
        assert scene.admission.running == 100
        for ticket in tickets:
            ticket.settle(10**9)
        assert scene.admission.running == 0
        scene.admission.admit_lookup(ANONYMOUS)

    asyncio.run(scene())


def test_requests_a_minute() -> None:
    """The request over the limit is told when to come again, and then it passes; models and token counts are apart."""

    async def scene() -> None:
        scene, who = Scene(), key(rpm=2)
        for _ in range(2):
            await scene.admit(who)
        error = await scene.refused(who)
        assert (error.code, error.status, str(error.hop), error.retry_after_s) == ("rate_limited", 429, "gateway", 30)
        assert "2 requests per minute" in error.message
        assert "30 s" in error.hint
        for _ in range(2 * LOOKUPS_PER_REQUEST):
            scene.admission.admit_lookup(who)
        with pytest.raises(DceError, match="token counts"):
            scene.admission.admit_lookup(who)
        scene.now += error.retry_after_s or 0
        await scene.admit(who)
        await scene.admit(key("another", rpm=2))

    asyncio.run(scene())


def test_tokens_a_minute_are_set_aside_and_settled() -> None:
    """What a request may cost is taken at its beginning; at its end what it did not use comes back, what it used more is owed."""

    async def scene() -> None:
        scene, who = Scene(), key(tpm=1000)
        ticket = await scene.admit(who, tokens=900)
        error = await scene.refused(who, tokens=400)
        assert (error.code, error.retry_after_s) == ("rate_limited", 18)
        assert "1,000 tokens per minute" in error.message
        ticket.settle(100)
        ticket = await scene.admit(who, tokens=900)
        ticket.settle(1500)
        assert (await scene.refused(who, tokens=100)).retry_after_s == 42
        scene.now += 42
        await scene.admit(who, tokens=100)

    asyncio.run(scene())


def test_more_tokens_than_a_minute_has_are_not_shut_out() -> None:
    """A request that may cost more than a minute's tokens passes when the minute is unused."""

    async def scene() -> None:
        scene, who = Scene(), key(tpm=1000)
        ticket = await scene.admit(who, tokens=1_000_000)
        assert (await scene.refused(who, tokens=1_000_000)).retry_after_s == 60
        ticket.settle(10)
        await scene.admit(who, tokens=900)

    asyncio.run(scene())


def test_a_budget_is_seeded_from_the_ledger_and_renews() -> None:
    """What the key used before the gateway started counts; who is refused learns what is left and when it renews."""

    async def scene() -> None:
        scene, who = Scene(), key(budget_tokens=1000, budget_period="day")
        scene.used["k"] = 700
        (await scene.admit(who, tokens=200)).settle(100)
        assert scene.asked_since == [200 * DAY_S]
        error = await scene.refused(who, tokens=400)
        assert (error.code, error.status, error.retry_after_s) == ("quota_exceeded", 429, DAY_S / 2)
        assert "1,000 tokens per day has 200 left" in error.message
        assert "renews at 1970-07-21 00:00 UTC" in error.message
        assert "may need 400" in error.message
        assert "fewer responses" in error.hint
        (await scene.admit(who, tokens=150)).settle(200)
        assert "wait until it renews" in (await scene.refused(who, tokens=1)).hint
        scene.wall += DAY_S / 2
        await scene.admit(who, tokens=1000)

    asyncio.run(scene())


def test_running_requests_cannot_overspend_a_budget_together() -> None:
    """What running requests may still use is not given to another."""

    async def scene() -> None:
        scene, who = Scene(), key(budget_tokens=1000)
        first = await scene.admit(who, tokens=600)
        error = await scene.refused(who, tokens=600)
        assert error.retry_after_s is None
        assert "1,000 tokens in total has 400 left" in error.message
        first.settle(50)
        await scene.admit(who, tokens=600)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("limits", "words"), [({"max_n": 4}, "4 responses per request"), ({"concurrency": 4}, "4 responses at once")]
)
def test_more_responses_than_a_key_may_have(limits: dict[str, Any], words: str) -> None:
    """A request that could never begin is refused at once, with the key's limit."""

    async def scene() -> None:
        error = await Scene().refused(key(**limits), n=5)
        assert (error.code, error.status) == ("invalid_request", 400)
        assert words in error.message
        assert "asks for 5" in error.message

    asyncio.run(scene())


def test_a_key_at_its_limit_waits_while_others_pass() -> None:
    """Responses over a key's concurrency wait for its own to end."""

    async def scene() -> None:
        scene, who = Scene(), key(concurrency=3)
        first = await scene.admit(who, 2)
        second = scene.waiting(who, 2)
        await turn_until(lambda: scene.admission.queue_depth == 1)
        (await scene.admit(key("other"), 10)).settle(0)
        assert not second.done()
        first.settle(0)
        (await second).settle(0)
        assert (scene.admission.running, scene.admission.queue_depth) == (0, 0)

    asyncio.run(scene())


def test_edited_limits_hold_from_the_next_request() -> None:
    """A raised limit frees at once, a new budget counts what was used, a limit taken away is gone; running requests settle anyway."""

    async def scene() -> None:
        scene = Scene()
        scene.used["k"] = 40
        running = await scene.admit(key(rpm=1, tpm=10), tokens=10)
        await scene.refused(key(rpm=1, tpm=10))
        await scene.admit(key(rpm=3, tpm=100), tokens=80)
        assert (await scene.refused(key(rpm=3, tpm=100), tokens=20)).code == "rate_limited"
        assert (await scene.refused(key(budget_tokens=100), tokens=70)).code == "quota_exceeded"
        held = await scene.admit(key(budget_tokens=100), tokens=50)
        assert (await scene.refused(key(budget_tokens=110), tokens=30)).code == "quota_exceeded"
        await scene.admit(key(budget_tokens=120), tokens=30)
        await scene.admit(key(), tokens=10**9)
        running.settle(5)
        held.settle(5)

    asyncio.run(scene())


def test_a_waiting_client_is_told_its_place() -> None:
    """Whoever waits is told a place, again and again, and 0 when the turn has come; whoever does not wait is told nothing."""

    async def scene() -> None:
        scene = Scene(max_running_responses=1)
        told: list[int] = []

        async def on_position(position: int) -> None:
            await asyncio.sleep(0)
            told.append(position)

        first = await scene.admission.admit(key("a"), Demand(n=1), on_position)
        assert told == []
        second = scene.waiting(key("b"))
        await turn_until(lambda: scene.admission.queue_depth == 1)
        third = asyncio.create_task(scene.admission.admit(key("c"), Demand(n=1), on_position))
        await turn_until(lambda: 2 in told)
        first.settle(0)
        await turn_until(lambda: 1 in told)
        (await second).settle(0)
        (await third).settle(0)
        assert list(dict.fromkeys(told)) == [2, 1, 0]

    asyncio.run(scene())


def test_a_full_queue_refuses() -> None:
    """Neither all keys together may have too many requests wait for a model, nor one key at all; refused ones hold nothing, and
    another model's queue is not full."""

    async def scene() -> None:
        scene = Scene(max_running_responses=1, max_queued_requests=3, max_queued_requests_per_key=2)
        running = await scene.admit(key("a"))
        waiting = [scene.waiting(key("a")), scene.waiting(key("a"))]
        await turn_until(lambda: scene.admission.queue_depth == 2)
        error = await scene.refused(key("a", tpm=100), tokens=100)
        assert (error.code, error.status, error.retry_after_s) == ("queue_full", 429, 10)
        assert "of this key" in error.message
        waiting.append(scene.waiting(key("b")))
        await turn_until(lambda: scene.admission.queue_depth == 3)
        assert "3 requests for this model are already waiting" in (await scene.refused(key("c"))).message
        waiting.append(scene.waiting(key("c"), model="another"))
        await turn_until(lambda: scene.admission.queue_depth == 4)
        running.settle(0)
        for task in asyncio.as_completed(waiting):
            (await task).settle(0)
        await scene.admit(key("a", tpm=100), tokens=100)

    asyncio.run(scene())


def test_nobody_waits_for_ever() -> None:
    """After the queue's time limit a request is refused, with its place, and the place is given up."""

    async def scene() -> None:
        scene = Scene(max_running_responses=1, queue_timeout_s=60)
        await scene.admit(key("a"))
        late = scene.waiting(key("b"))
        await turn_until(lambda: scene.admission.queue_depth == 1)
        scene.now += 60
        with pytest.raises(DceError, match=re.escape("waited 60 s and is still number 1")) as caught:
            await late
        assert caught.value.code == "queue_full"
        assert scene.admission.queue_depth == 0

    asyncio.run(scene())


def test_a_larger_capacity_lets_the_waiting_begin() -> None:
    """Settings that are loaded anew count for those who wait."""

    async def scene() -> None:
        scene = Scene(max_running_responses=1)
        await scene.admit(key("a"))
        second = scene.waiting(key("b"))
        await turn_until(lambda: scene.admission.queue_depth == 1)
        scene.admission.reconfigure(GatewaySettings(max_running_responses=2))
        await second

    asyncio.run(scene())


def test_backends_that_come_and_go() -> None:
    """What a model's backends can run bounds what runs, within the operator's limit; who waits begins when more of them are there."""

    async def scene() -> None:
        size: list[int | None] = [2]

        def pools(model: str) -> list[Pool]:
            return [Pool(models=frozenset({model}), size=size[0])] if size[0] is not None else []

        scene = Scene(max_running_responses=5)
        scene.admission = Admission(GatewaySettings(max_running_responses=5), scene._used, pools, tell_every_s=0.001)
        await scene.admit(key("a"), 2)
        waiting = scene.waiting(key("b"), 3)
        await turn_until(lambda: scene.admission.queue_depth == 1)
        size[0] = 100
        (await waiting).settle(0)
        size[0] = None
        await scene.admit(key("b"), 3)
        assert scene.admission.running == 5

    asyncio.run(scene())


def test_a_burst_for_one_model_holds_up_no_other() -> None:
    """While many wait for a model whose backend is full, a request for a model whose backend is idle begins at once, of the same key
    and of another; each who waits is told the place among those for the same model."""

    async def scene() -> None:
        scene = Scene()
        scene.admission = Admission(
            GatewaySettings(),
            scene._used,
            lambda model: [Pool(models=frozenset({model}), size=2)],
            tell_every_s=0.001,
        )
        tickets = [await scene.admission.admit(key("a"), Demand(n=1, model="busy")) for _ in range(2)]
        burst = [asyncio.create_task(scene.admission.admit(key("a"), Demand(n=1, model="busy"))) for _ in range(10)]
        await turn_until(lambda: scene.admission.queue_depth == 10)
        idle = [await scene.admission.admit(key(name), Demand(n=1, model="idle")) for name in "ab"]
        told: list[int] = []

        async def on_position(position: int) -> None:
            told.append(position)

        third = asyncio.create_task(scene.admission.admit(key("c"), Demand(n=1, model="idle"), on_position))
        await turn_until(lambda: told)
        assert set(told) == {1}
        idle.pop().settle(0)
        idle.append(await third)
        assert not any(task.done() for task in burst)
        for ticket in [*tickets, *idle]:
            ticket.settle(0)
        for task in asyncio.as_completed(burst):
            (await task).settle(0)
        assert (scene.admission.running, scene.admission.queue_depth) == (0, 0)

    asyncio.run(scene())


def test_cancelled_at_every_await_it_holds_nothing() -> None:
    """Whichever await of a waiting request is interrupted, its place, tokens and budget are free again, and others go on."""

    async def scene(step: int) -> bool:
        scene = Scene(max_running_responses=1)
        who = key("me", tpm=1000, budget_tokens=1000)
        blocker = await scene.admit(key("a"))
        told: list[int] = []

        async def on_position(position: int) -> None:
            await asyncio.sleep(0)
            told.append(position)
            if len(told) == 3:
                blocker.settle(0)

        async def whole() -> None:
            (await scene.admission.admit(who, Demand(n=1, tokens=1000), on_position)).settle(0)

        was_cancelled = await cast("Awaitable[bool]", cancelled_at(step, whole()))
        blocker.settle(0)
        assert (scene.admission.running, scene.admission.queue_depth) == (0, 0)
        (await scene.admit(who, tokens=1000)).settle(0)
        return was_cancelled

    steps = 0
    while asyncio.run(scene(steps)):
        steps += 1
    assert steps >= 5


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.integers(1, 4), st.sampled_from(("settle", "twice", "cancel", "cancel later"))
        ),
        max_size=20,
    )
)
def test_whatever_happens_to_requests_everything_comes_back(asked: list[tuple[str, int, str]]) -> None:
    """Requests that end, end twice, or are cancelled while waiting or after: nothing runs, nobody waits, no token is missing."""

    async def scene() -> None:
        scene = Scene(max_running_responses=4)
        limits = {name: key(name, tpm=10**6, budget_tokens=10**6, concurrency=4) for name in "abc"}

        async def one(name: str, n: int, fate: str) -> None:
            ticket = await scene.admission.admit(limits[name], Demand(n=n, tokens=100))
            try:
                await asyncio.sleep(0)
                if fate == "cancel later":
                    raise asyncio.CancelledError
                if fate == "twice":
                    ticket.settle(0)
            finally:
                ticket.settle(0)

        tasks = [asyncio.create_task(one(*row)) for row in asked]
        await asyncio.sleep(0)
        for task, (_, _, fate) in zip(tasks, asked, strict=True):
            if fate == "cancel":
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (scene.admission.running, scene.admission.queue_depth) == (0, 0)
        for name in "abc":
            (await scene.admit(limits[name], 4, 10**6)).settle(0)

    asyncio.run(scene())


def test_a_key_that_is_revoked_while_it_waits_does_not_begin() -> None:
    """When its turn comes the request is refused, its tokens and its place are given back, and the next one begins at once."""

    async def scene() -> None:
        stage = Scene(max_running_responses=1)
        first = await stage.admit(key("a"))
        gone, next_one = stage.waiting(key("b", tpm=100)), stage.waiting(key("c"))
        await turn_until(lambda: stage.admission.queue_depth == 2)
        stage.revoked.add("b")
        first.settle(0)
        with pytest.raises(DceError) as caught:
            await gone
        assert caught.value.code == "invalid_key"
        (await next_one).settle(0)
        stage.revoked.clear()
        (await stage.admit(key("b", tpm=100), tokens=100)).settle(0)
        assert (stage.admission.queue_depth, stage.admission.running) == (0, 0)

    asyncio.run(scene())


def test_settling_a_ticket_again_changes_nothing() -> None:
    """A ticket is settled once, however often it is asked to: tokens are neither charged nor given back a second time."""

    async def scene() -> None:
        scene, who = Scene(), key(tpm=1_000, budget_tokens=1_000)
        ticket = await scene.admit(who, tokens=600)
        ticket.settle(500)
        ticket.settle(0)
        ticket.settle(500)
        assert (await scene.refused(who, tokens=501)).code == "rate_limited"
        await scene.admit(who, tokens=500)

    asyncio.run(scene())


def test_the_end_of_a_request_starts_the_next_at_once() -> None:
    """A waiting request starts when another ends, not when it is next told its position."""

    async def scene() -> None:
        scene = Scene(tell_every_s=3600.0, max_running_responses=1)
        first = await scene.admit(key("a"))
        second = scene.waiting(key("b"))
        await turn_until(lambda: scene.admission.queue_depth == 1)
        first.settle(0)
        async with asyncio.timeout(30):
            await second

    asyncio.run(scene())


def test_a_changed_budget_period_is_another_budget() -> None:
    """What counts against a budget is what was used in its own period: after a change the ledger is asked again."""

    async def scene() -> None:
        scene = Scene()
        (await scene.admit(key(budget_tokens=1_000, budget_period="day"), tokens=900)).settle(900)
        await scene.refused(key(budget_tokens=1_000, budget_period="day"), tokens=200)
        scene.used["k"] = 50
        await scene.admit(key(budget_tokens=1_000, budget_period="month"), tokens=900)
        assert len(scene.asked_since) == 2

    asyncio.run(scene())


def test_a_request_of_exactly_the_limit_is_admitted() -> None:
    """`max_n` and `concurrency` are the most that is allowed, not one more than that."""

    async def scene() -> None:
        (await Scene().admit(key(max_n=5), n=5)).settle(0)
        (await Scene().admit(key(concurrency=5), n=5)).settle(0)

    asyncio.run(scene())


def test_retrying_after_the_told_time_succeeds() -> None:
    """Retry-After is whole seconds, rounded up: a client that waits so long is admitted."""

    async def scene() -> None:
        scene, who = Scene(), key(rpm=40)  # one in 1.5 s
        for _ in range(40):
            (await scene.admit(who)).settle(0)
        refused = await scene.refused(who)
        assert refused.retry_after_s == 2
        scene.now += 1.0
        await scene.refused(who)
        scene.now += 1.0
        await scene.admit(who)

    asyncio.run(scene())
