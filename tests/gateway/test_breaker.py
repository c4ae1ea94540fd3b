"""The breaker: a table of states, moved by a clock and a chance that the test holds."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.backends.breaker import TRANSITIONS, Breaker, BreakerLimits, BreakerState, Signal

LIMITS = BreakerLimits(failures=3, first_wait_s=1, max_wait_s=8)


class Scene:
    """A breaker whose time stands still until the test moves it."""

    def __init__(self, chance: float = 1.0, **limits: Any) -> None:
        self.now = 100.0
        self.breaker = Breaker(
            BreakerLimits(**limits) if limits else LIMITS, clock=lambda: self.now, chance=lambda: chance
        )

    def fail(self, times: int = 1) -> "Scene":
        """So many requests, one after the other, fail."""
        for _ in range(times):
            self.now += 0.001
            self.breaker.failed(self.breaker.started())
        return self


def test_several_failures_in_a_row_open_it() -> None:
    """Two of three leave it closed; a success in between begins the count anew; the third in a row opens it."""
    scene = Scene().fail(2)
    assert scene.breaker.admits()
    scene.breaker.succeeded()
    assert scene.fail(2).breaker.state is BreakerState.CLOSED
    assert scene.fail().breaker.state is BreakerState.OPEN
    assert not scene.breaker.admits()


def test_failures_at_the_same_time_are_one() -> None:
    """A backend that dies under a hundred responses has failed once: those that began before its failure do not count again."""
    scene = Scene()
    started = [scene.breaker.started() for _ in range(100)]
    scene.now += 5
    for moment in started:
        scene.breaker.failed(moment)
    assert (scene.breaker.failures, scene.breaker.state) == (1, BreakerState.CLOSED)


def test_one_request_is_the_trial_and_decides() -> None:
    """When its wait is over one request is let through, no second; its success closes, its failure opens for twice as long."""
    scene = Scene().fail(3)
    waits = [scene.breaker.wait_s]
    scene.now += 1
    assert scene.breaker.admits()
    moment = scene.breaker.started()
    states = [scene.breaker.state]
    assert not scene.breaker.admits()
    scene.now += 0.5
    scene.breaker.failed(moment)
    waits.append(scene.breaker.wait_s)
    assert waits == [1, 2]
    scene.now += 2
    scene.breaker.started()
    scene.breaker.succeeded()
    states.append(scene.breaker.state)
    assert states == [BreakerState.HALF_OPEN, BreakerState.CLOSED]
    assert scene.fail(3).breaker.wait_s == 1


def test_the_wait_is_bounded_and_jittered() -> None:
    """It doubles to its bound and no further; chance takes up to half of it away, so that gateways do not come back in step."""
    for chance, longest in ((1.0, 8.0), (0.0, 4.0)):
        scene = Scene(chance).fail(3)
        for _ in range(40):
            scene.now += scene.breaker.wait_s
            scene.fail()
        assert scene.breaker.wait_s == longest


def test_a_trial_whose_client_goes_teaches_nothing() -> None:
    """The next request is the trial, at once."""
    scene = Scene().fail(3)
    scene.now += 1
    scene.breaker.started()
    scene.breaker.abandoned()
    assert scene.breaker.state is BreakerState.OPEN
    assert scene.breaker.admits()


def test_an_old_stream_that_ends_well_closes_it() -> None:
    """What succeeds shows that the backend works, whenever it began."""
    scene = Scene().fail(3)
    scene.breaker.succeeded()
    assert scene.breaker.admits()


@pytest.mark.parametrize(("state", "signal"), sorted(set(product(BreakerState, Signal)) - set(TRANSITIONS)))
def test_any_other_move_is_a_mistake_of_ours(state: BreakerState, signal: Signal) -> None:
    """What the table does not hold raises instead of passing silently."""
    with pytest.raises(KeyError):
        TRANSITIONS[state, signal]


MOVES = st.lists(
    st.tuples(st.sampled_from(["start", "succeed", "fail", "abandon", "wait"]), st.floats(0, 20)), max_size=60
)


@given(MOVES)
def test_no_order_of_events_breaks_it(moves: list[tuple[str, float]]) -> None:
    """Whatever happens in whatever order: nothing raises, and however it stands, waiting long enough lets a request through."""
    scene = Scene()
    running: list[float] = []
    for verb, number in moves:
        if verb == "wait":
            scene.now += number
        elif verb == "start":
            running.append(scene.breaker.started())
        elif running:
            moment = running.pop(int(number) % len(running))
            if verb == "fail":
                scene.breaker.failed(moment)
            else:
                (scene.breaker.succeeded if verb == "succeed" else scene.breaker.abandoned)()
        assert scene.breaker.wait_s <= LIMITS.max_wait_s
    while running:
        running.pop()
        scene.breaker.abandoned()
    scene.now += LIMITS.max_wait_s
    assert scene.breaker.admits()


def test_a_failed_trial_opens_it_whatever_the_limit_has_become() -> None:
    """The trial decides alone: after a reload that allows more failures in a row, a failed one still opens the breaker."""
    scene = Scene().fail(3)
    scene.now += 1
    moment = scene.breaker.started()
    scene.breaker.limits = BreakerLimits(failures=10, first_wait_s=1, max_wait_s=8)
    scene.now += 1
    scene.breaker.failed(moment)
    assert (scene.breaker.state, scene.breaker.trips) == (BreakerState.OPEN, 2)


def test_failures_of_requests_sent_while_it_was_open_change_nothing() -> None:
    """With no other backend left, requests are sent to one whose breaker is open; that they fail too is no news."""
    scene = Scene().fail(3)
    before = scene.breaker.wait_s
    scene.now += 0.25
    moment = scene.breaker.started()
    scene.now += 0.25
    scene.breaker.failed(moment)
    assert (scene.breaker.state, scene.breaker.trips) == (BreakerState.OPEN, 1)
    assert scene.breaker.wait_s == pytest.approx(before - 0.5)
