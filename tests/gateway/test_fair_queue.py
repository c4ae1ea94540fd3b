"""The fair queue's promises: capacity, order within a key, shares by weight, nobody starves, every place is left once."""

from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.access.fair_queue import FairQueue, Place

KEYS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.sampled_from(KEYS), st.integers(1, 12)),
        st.tuples(st.just("leave"), st.integers(0, 1000), st.just(0)),
    ),
    max_size=80,
)


def begin_all(queue: FairQueue) -> list[Place]:
    """Everybody whose turn it is, in order."""
    began = []
    while (place := queue.begin_next()) is not None:
        began.append(place)
    return began


def drain(queue: FairQueue) -> list[Place]:
    """Everybody in the order in which they begin when each ends at once."""
    order = []
    while (place := queue.begin_next()) is not None:
        order.append(place)
        queue.leave(place)
    return order


def test_alone_a_request_begins_at_once() -> None:
    """As long as there is room nobody waits."""
    queue = FairQueue(10)
    places = [queue.push("a", 5), queue.push("b", 5)]
    assert begin_all(queue) == places
    assert (queue.running, queue.depth) == (10, 0)
    third = queue.push("c", 1)
    assert begin_all(queue) == []
    assert (queue.position(third), queue.depth) == (1, 1)
    queue.leave(places[0])
    assert begin_all(queue) == [third]


def test_a_request_larger_than_everything_runs_alone() -> None:
    """More responses than the capacity begin when nothing else runs, and nothing begins beside them."""
    queue = FairQueue(4)
    small, large, last = queue.push("a", 1), queue.push("b", 10), queue.push("a", 1)
    assert begin_all(queue) == [small]
    queue.leave(small)
    assert begin_all(queue) == [large]
    queue.leave(large)
    assert begin_all(queue) == [last]


def test_a_light_key_waits_for_one_request_of_a_heavy_one() -> None:
    """Behind a hundred requests of another key, the only one of a key is next."""
    queue = FairQueue(1)
    heavy = [queue.push("heavy", 1) for _ in range(100)]
    begin_all(queue)
    light = queue.push("light", 1)
    assert queue.position(light) == 1
    queue.leave(heavy[0])
    assert begin_all(queue) == [light]


def test_shares_follow_the_weights() -> None:
    """Of two keys that always wait, one with weight 3 begins three times as many responses, whatever the size of its requests."""
    queue = FairQueue(1)
    waiting = {"a": 0, "b": 0}
    begun: Counter[str] = Counter()
    for _ in range(400):
        for key, n, weight in (("a", 1, 1.0), ("b", 6, 3.0)):
            while waiting[key] < 2:
                queue.push(key, n, weight=weight)
                waiting[key] += 1
        place = queue.begin_next()
        assert place is not None
        waiting[place.key] -= 1
        begun[place.key] += place.n
        queue.leave(place)
    assert abs(begun["b"] / begun["a"] - 3) < 0.1


def test_a_key_at_its_own_limit_holds_nobody_else_up() -> None:
    """A key with two responses at once has its third wait, and others pass; it has saved nothing up for later."""
    queue = FairQueue(100)
    mine = [queue.push("a", 1, limit=2) for _ in range(4)]
    others = [queue.push("b", 1) for _ in range(5)]
    assert set(begin_all(queue)) == {*mine[:2], *others}
    queue.leave(mine[0])
    assert begin_all(queue) == [mine[2]]


def test_an_edited_limit_counts_from_the_next_request() -> None:
    """Weight and limit are those of the key's newest request."""
    queue = FairQueue(100)
    queue.push("a", 1, limit=1)
    queue.push("a", 1, limit=1)
    assert len(begin_all(queue)) == 1
    queue.push("a", 1, limit=3)
    assert len(begin_all(queue)) == 2


def test_a_capacity_that_is_changed_while_responses_run() -> None:
    """What a request held is what it gives back, whatever the capacity is by then."""
    queue = FairQueue(4)
    first = queue.push("a", 10)
    begin_all(queue)
    queue.capacity = 20
    second = queue.push("a", 10)
    assert begin_all(queue) == [second]
    queue.leave(first)
    queue.leave(second)
    assert queue.running == 0


@given(STEPS, st.integers(1, 15))
def test_whatever_happens_the_counts_hold(steps: list[tuple[str, str | int, int]], capacity: int) -> None:
    """Never more than the capacity runs, a key's requests begin in their order, nobody can begin who still waits, and when all have
    left nothing is counted."""
    queue = FairQueue(capacity)
    places: list[Place] = []
    arrived: dict[str, deque[Place]] = {key: deque() for key in KEYS}
    for what, which, n in steps:
        if what == "push":
            place = queue.push(str(which), n)
            places.append(place)
            arrived[place.key].append(place)
        elif places:
            place = places.pop(int(which) % len(places))
            if place in arrived[place.key]:
                arrived[place.key].remove(place)
            assert queue.leave(place)
            assert not queue.leave(place)
        for place in begin_all(queue):
            assert arrived[place.key].popleft() is place
        running = [place for place in places if place.is_running]
        waiting = [place for place in places if not place.is_running]
        assert queue.running == sum(min(place.n, capacity) for place in running) <= capacity
        assert queue.depth == len(waiting)
        assert not waiting or running
        assert sorted(queue.position(place) for place in waiting) == list(range(1, len(waiting) + 1))
    for place in places:
        queue.leave(place)
    assert (queue.running, queue.depth) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 8)), max_size=40), st.integers(1, 3))
def test_a_place_is_what_it_says(asked: list[tuple[str, int]], weight: int) -> None:
    """If nobody else comes, requests begin in the order of the positions that they were told."""
    queue = FairQueue(1)
    blocker = queue.push("blocker", 1)
    queue.begin_next()
    places = [queue.push(key, n, weight=weight if key == "a" else 1) for key, n in asked]
    told = sorted(places, key=queue.position)
    queue.leave(blocker)
    assert drain(queue) == told


@given(st.lists(st.tuples(st.sampled_from(("x", "y")), st.integers(1, 8)), min_size=1, max_size=60))
def test_nobody_starves(others: list[tuple[str, int]]) -> None:
    """Between a request's arrival and its turn, another key begins at most its own share of responses and one request more."""
    queue = FairQueue(1)
    for key, n in others:
        queue.push(key, n)
    running = queue.begin_next()
    mine = queue.push("me", 4)
    ahead: Counter[str] = Counter()
    while True:
        assert running is not None
        queue.leave(running)
        running = queue.begin_next()
        if running is mine:
            break
        assert running is not None
        ahead[running.key] += running.n
        queue.push(running.key, running.n)  # the others never stop asking
    largest = max(n for _, n in others)
    assert all(n <= 4 + 2 * largest for n in ahead.values())
