"""Draining: once begun nothing new begins, and it is over when nothing runs or the time is up."""

import pytest

from dce.gateway.drain import Drain
from dce.wire.errors import DceError


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_before_it_begins_nothing_is_refused() -> None:
    """Without a signal an idle gateway goes on."""
    drain = Drain(5, Clock())
    drain.refuse()
    assert (drain.is_on, drain.left_s, drain.is_over(is_idle=True)) == (False, 5, False)


def test_it_refuses_with_the_time_that_is_left() -> None:
    """From then on new work is 503 `draining` with Retry-After; running work may go on until the deadline."""
    clock = Clock()
    drain = Drain(5, clock)
    drain.begin()
    clock.now += 1.5
    with pytest.raises(DceError) as caught:
        drain.refuse()
    assert (caught.value.code, caught.value.status, caught.value.retry_after_s) == ("draining", 503, 4)
    assert [drain.is_over(is_idle=idle) for idle in (False, True)] == [False, True]
    clock.now += 3.5
    assert drain.is_over(is_idle=False)


def test_a_second_begin_changes_nothing_unless_it_names_a_time() -> None:
    """Two signals do not give more time; the operator can."""
    clock = Clock()
    drain = Drain(5, clock)
    drain.begin()
    clock.now += 2
    drain.begin()
    assert drain.left_s == 3
    drain.begin(60)
    assert drain.left_s == 60
