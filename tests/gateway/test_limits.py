"""The arithmetic of limits, in a time that the tests make up."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.access.limits import NO_LIMITS, Bucket, Budget, Limits, period_end, period_start

AMOUNTS = st.lists(st.tuples(st.floats(0, 90), st.integers(1, 50)), max_size=60)


def at(text: str) -> float:
    """A UTC moment."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_full_bucket_gives_a_minutes_worth_and_then_makes_wait() -> None:
    """Sixty a minute are sixty at once, then one a second."""
    bucket = Bucket(60, now=0.0)
    for _ in range(60):
        assert bucket.wait_s(1, 0.0) == 0
        bucket.take(1, 0.0)
    assert bucket.wait_s(1, 0.0) == pytest.approx(1)
    assert bucket.wait_s(1, 0.25) == pytest.approx(0.75)
    assert bucket.wait_s(1, 1.0) == 0


@given(AMOUNTS, st.integers(1, 1000))
def test_whoever_waits_as_told_is_served_and_the_rate_holds(asked: list[tuple[float, int]], per_minute: int) -> None:
    """After `wait_s` the amount may be taken, and what was taken never exceeds the rate plus one bucket and one request."""
    bucket, now, taken = Bucket(per_minute, 0.0), 0.0, 0
    for pause, amount in asked:
        now += pause
        now += bucket.wait_s(amount, now)
        assert bucket.wait_s(amount, now) == 0
        bucket.take(amount, now)
        taken += amount
        assert taken <= per_minute * (1 + now / 60) + max(0, amount - per_minute) + 0.01


def test_more_than_a_bucket_holds_waits_for_a_full_one_and_leaves_it_in_debt() -> None:
    """A prompt larger than a minute's tokens passes once the minute is unused, and the next one waits until it is paid for."""
    bucket = Bucket(100, now=0.0)
    bucket.take(50, 0.0)
    assert bucket.wait_s(250, 0.0) == pytest.approx(30)
    bucket.take(250, 30.0)
    assert bucket.wait_s(1, 30.0) == pytest.approx(151 * 0.6)


def test_what_was_taken_too_much_or_too_little_is_corrected() -> None:
    """An estimate is settled in both directions, and a bucket never holds more than its minute."""
    bucket = Bucket(100, now=0.0)
    bucket.take(80, 0.0)
    bucket.give_back(70, 0.0)
    assert bucket.level == pytest.approx(90)
    bucket.give_back(-40, 0.0)
    assert bucket.level == pytest.approx(50)
    bucket.give_back(500, 0.0)
    assert bucket.level == pytest.approx(100)


def test_a_changed_limit_keeps_what_was_used() -> None:
    """Raising a limit frees the difference at once, lowering it takes the difference away."""
    bucket = Bucket(10, now=0.0)
    bucket.take(10, 0.0)
    bucket.resize(30, 0.0)
    assert bucket.wait_s(20, 0.0) == 0
    assert bucket.wait_s(21, 0.0) > 0
    bucket.resize(5, 0.0)
    assert bucket.wait_s(1, 0.0) > 0


def test_a_clock_that_stands_or_turns_back_gives_nothing() -> None:
    """Time that goes backwards neither fills a bucket nor breaks it."""
    bucket = Bucket(60, now=100.0)
    bucket.take(60, 100.0)
    assert bucket.wait_s(1, 40.0) == pytest.approx(1)
    assert bucket.wait_s(1, 101.0) == 0


@pytest.mark.parametrize(
    ("period", "now", "start", "end"),
    [
        ("day", "2027-01-31T23:59:59", "2027-01-31T00:00:00", "2027-02-01T00:00:00"),
        ("month", "2027-01-31T23:59:59", "2027-01-01T00:00:00", "2027-02-01T00:00:00"),
        ("month", "2027-12-01T00:00:00", "2027-12-01T00:00:00", "2028-01-01T00:00:00"),
        ("month", "2028-02-29T12:00:00", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
    ],
)
def test_periods_are_those_of_the_calendar(period: str, now: str, start: str, end: str) -> None:
    """A day and a month begin and end at midnight UTC."""
    known = msgspec.convert({"budget_period": period}, Limits).budget_period
    assert period_start(known, at(now)) == at(start)
    assert period_end(known, at(now)) == at(end)


def test_the_whole_life_of_a_key_is_a_period_without_end() -> None:
    """A budget in total never renews."""
    assert period_start("total", at("2027-01-01T00:00:00")) == 0
    assert period_end("total", at("2027-01-01T00:00:00")) is None


def test_a_budget_counts_what_is_set_aside_and_what_is_used() -> None:
    """Reserved tokens are not free; settled ones are used, and only as many as were."""
    now = at("2027-01-01T10:00:00")
    budget = Budget(1000, "day", now, used=100)
    budget.reserve(500)
    assert budget.left(now) == 400
    budget.settle(500, 30, now)
    assert budget.left(now) == 870


def test_a_new_period_is_a_new_budget_but_keeps_what_runs() -> None:
    """At midnight what was used is forgotten, what is set aside for running requests is not."""
    budget = Budget(1000, "day", at("2027-01-01T23:00:00"), used=900)
    budget.reserve(50)
    morning = at("2027-01-02T00:00:01")
    assert budget.left(morning) == 950
    budget.settle(50, 70, morning)
    assert budget.left(morning) == 930
    assert budget.left(at("2027-01-03T00:00:00")) == 1000


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=30))
def test_whatever_runs_in_whatever_order_the_budget_ends_at_what_was_used(requests: list[tuple[int, int]]) -> None:
    """When everything has ended nothing is set aside any more."""
    budget = Budget(10_000, "total", 0.0)
    for reserved, _ in requests:
        budget.reserve(reserved)
    for reserved, used in reversed(requests):
        budget.settle(reserved, used, 1.0)
    assert budget.left(1.0) == 10_000 - sum(used for _, used in requests)


@pytest.mark.parametrize("wrong", [{"rpm": 0}, {"max_n": -1}, {"weight": 0}, {"budget_period": "week"}, {"tpm": 1.5}])
def test_a_limit_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    """Zero requests a minute is no limit but a revoked key: there is another word for that."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Limits)
    assert msgspec.convert({}, Limits) == NO_LIMITS


def test_a_quiet_hour_saves_up_one_minute() -> None:
    """A bucket never holds more than a minute's worth, however long nothing was taken."""
    bucket = Bucket(60, now=0.0)
    assert bucket.wait_s(60, 3600.0) == 0
    bucket.take(60, 3600.0)
    assert bucket.wait_s(1, 3600.0) == pytest.approx(1)


def test_time_that_turned_back_is_not_counted_twice() -> None:
    """After a clock was set back, the bucket fills again only from the latest time it has seen."""
    bucket = Bucket(60, now=100.0)
    bucket.take(60, 100.0)
    assert bucket.wait_s(1, 40.0) == pytest.approx(1)
    assert bucket.wait_s(1, 100.5) == pytest.approx(0.5)


def test_a_clock_set_back_over_midnight_does_not_renew_a_budget() -> None:
    """Only a later period is a new one."""
    budget = Budget(1000, "day", at("2027-01-02T00:10:00"), used=900)
    assert budget.left(at("2027-01-01T23:50:00")) == 100
    assert budget.left(at("2027-01-02T00:20:00")) == 100


def test_a_request_that_ends_in_the_next_period_counts_there() -> None:
    """Tokens count in the period in which their request ends, even if nobody asked for the budget since it began."""
    budget = Budget(1000, "day", at("2027-01-01T23:00:00"), used=900)
    budget.reserve(50)
    morning = at("2027-01-02T00:00:01")
    budget.settle(50, 70, morning)
    assert budget.left(morning) == 930
