"""The fair queue's promises: capacity, order within a key, shares by weight, nobody starves, every place is left once."""

import random
from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.access.fair_queue import FairQueue, Pool, Pools, QueuedRequest

KEYS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.sampled_from(KEYS), st.integers(1, 12)),
        st.tuples(st.just("leave"), st.integers(0, 1000), st.just(0)),
    ),
    max_size=80,
)

MODELS = ("p", "q", "both", "apart", "unknown")
SHARED = frozenset({"p", "q", "both"})


def pools(model: str) -> list[Pool]:
    """p and q each have a backend of 3, `both` is served by both of them, `apart` by one of 2, of `unknown` nothing is known."""
    rows = {
        "p": [Pool(models=frozenset({"p"}), size=3), Pool(models=SHARED, size=6)],
        "q": [Pool(models=frozenset({"q"}), size=3), Pool(models=SHARED, size=6)],
        "both": [Pool(models=SHARED, size=6)],
        "apart": [Pool(models=frozenset({"apart"}), size=2)],
    }
    return rows.get(model, [])


def a_pool_each(size: int) -> Pools:
    """Every model has backends of its own, of that size."""
    return lambda model: [Pool(models=frozenset({model}), size=size)]


def begin_all(queue: FairQueue) -> list[QueuedRequest]:
    """Everybody whose turn it is, in order."""
    began = []
    while (place := queue.begin_next()) is not None:
        began.append(place)
    return began


def drain(queue: FairQueue) -> list[QueuedRequest]:
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
    places: list[QueuedRequest] = []
    arrived: dict[str, deque[QueuedRequest]] = {key: deque() for key in KEYS}
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


# -- several models ---------------------------------------------------------------------------------------------------


def test_a_saturated_model_holds_up_no_other() -> None:
    """Behind a hundred requests for a model that is full, one for a model with room begins at once, also one of the same key."""
    queue = FairQueue(1000, a_pool_each(2))
    busy = [queue.push("heavy", 1, model="busy") for _ in range(100)]
    assert begin_all(queue) == busy[:2]
    others = [queue.push(key, 2, model=model) for key, model in (("light", "idle"), ("heavy", "quiet"))]
    assert begin_all(queue) == others
    assert queue.position(busy[2]) == 1
    assert queue.position(queue.push("light", 1, model="idle")) == 1


def test_models_on_one_backend_share_it_by_keys() -> None:
    """Of a pool of two models each key gets its share, not each model half: three keys that wait for one model get three times
    what a fourth gets that waits for the other."""
    queue = FairQueue(1000, lambda _model: [Pool(models=frozenset({"x", "y"}), size=1)])
    for _ in range(100):
        for key, model in (("a", "x"), ("b", "x"), ("c", "x"), ("d", "y")):
            queue.push(key, 1, model=model)
    begun = Counter(place.key for place in drain(queue)[:200])
    assert all(abs(begun[key] - 50) <= 2 for key in "abcd")


def test_room_that_models_share_is_not_taken_past_the_one_whose_turn_it_is() -> None:
    """A large request that lacks room in what its model shares with another is not overtaken by small ones for the other."""
    queue = FairQueue(1000, pools)
    first = [queue.push(key, 2, model="both") for key in "ab"]
    begin_all(queue)
    large = queue.push("c", 3, model="p")
    small = [queue.push("d", 1, model="q") for _ in range(9)]
    apart = queue.push("d", 1, model="apart")
    assert begin_all(queue) == [apart]
    queue.leave(first[0])
    assert begin_all(queue)[0] is large
    assert not all(place.is_running for place in small)


def test_the_whole_capacity_is_shared_by_models() -> None:
    """Where only the operator's limit bounds what runs, a request for another model begins after one of a burst, and a large one is
    not overtaken."""
    queue = FairQueue(4, lambda _model: ())
    burst = [queue.push("heavy", 2, model="busy") for _ in range(50)]
    begin_all(queue)
    other = queue.push("light", 4, model="idle")
    queue.leave(burst[0])
    assert begin_all(queue) == []
    queue.leave(burst[1])
    assert begin_all(queue) == [other]


def test_a_key_whose_turn_has_come_is_not_kept_waiting_by_its_own_requests_for_another_model() -> None:
    """A request that only its key's limit keeps holds up the key's later ones, whatever their model, until it has begun."""
    queue = FairQueue(1000, a_pool_each(4))
    running = [queue.push("me", 1, model="other", limit=4) for _ in range(3)]
    begin_all(queue)
    large = queue.push("me", 4, model="mine", limit=4)
    later = queue.push("me", 1, model="other", limit=4)
    assert begin_all(queue) == []
    for place in running[:2]:
        queue.leave(place)
        assert begin_all(queue) == []
    queue.leave(running[2])
    assert begin_all(queue) == [large]
    queue.leave(large)
    assert begin_all(queue) == [later]


def test_a_request_larger_than_its_keys_lowered_limit_runs_alone() -> None:
    """A limit that is lowered while a request waits does not shut it in for ever."""
    queue = FairQueue(100)
    first, second = queue.push("me", 4, limit=4), queue.push("me", 4, limit=4)
    begin_all(queue)
    third = queue.push("me", 1, limit=2)
    assert begin_all(queue) == []
    queue.leave(first)
    assert begin_all(queue) == [second]
    queue.leave(second)
    assert begin_all(queue) == [third]


MODEL_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.sampled_from(KEYS), st.integers(1, 8), st.sampled_from(MODELS)),
        st.tuples(st.just("leave"), st.integers(0, 1000), st.just(0), st.just("")),
    ),
    max_size=80,
)


@given(MODEL_STEPS, st.integers(4, 12))
def test_whatever_models_are_asked_for_the_counts_hold(
    steps: list[tuple[str, str | int, int, str]], capacity: int
) -> None:
    """No pool runs more than its size and everything no more than the capacity, who waits lacks room or is held by its own key, a
    key's requests for a model begin in their order, and when all have left nothing is counted."""
    queue = FairQueue(capacity, pools)
    places: list[QueuedRequest] = []
    for what, which, n, model in steps:
        if what == "push":
            places.append(queue.push(str(which), n, model=model, limit=8))
        elif places:
            assert queue.leave(places.pop(int(which) % len(places)))
        before = {place for place in places if place.is_running}
        began = begin_all(queue)
        running = [place for place in places if place.is_running]
        waiting = [place for place in places if not place.is_running]
        assert {*began} == {*running} - before
        assert queue.running == sum(place.cost for place in running) <= capacity
        assert queue.depth == len(waiting) == sum(queue.depth_of(key) for key in KEYS)
        for name in MODELS:
            for pool in pools(name):
                assert sum(place.cost for place in running if place.model in pool.models) <= pool.size
            of_model = [place for place in waiting if place.model == name]
            assert sorted(queue.position(place) for place in of_model) == list(range(1, len(of_model) + 1))
            for key in KEYS:
                mine = [place for place in places if (place.key, place.model) == (key, name)]
                assert [place.is_running for place in mine] == sorted((p.is_running for p in mine), reverse=True)
        assert not waiting or running
    for place in places:
        queue.leave(place)
    assert (queue.running, queue.depth) == (0, 0)
    assert all(queue.depth_of(key) == 0 for key in KEYS)


@given(
    st.integers(0, 2**32),
    st.sampled_from(MODELS),
    st.integers(1, 8),
    st.booleans(),
)
def test_nobody_starves_whatever_the_others_ask_for(seed: int, model: str, n: int, is_own_key_busy: bool) -> None:
    """Keys that never stop asking for all models, also the same key for others, let a request begin within a bounded number of theirs."""
    chance = random.Random(seed)
    queue = FairQueue(8, pools)
    running: list[QueuedRequest] = []

    def ask(key: str) -> None:
        asked = chance.choice([name for name in MODELS if key != "me" or name != model])
        queue.push(key, chance.randint(1, 8), model=asked, limit=8)

    keys = [*KEYS, *(["me"] if is_own_key_busy else [])]
    for key in keys:
        for _ in range(8):
            ask(key)
    running += begin_all(queue)
    mine = queue.push("me", n, model=model, limit=8)
    ended = 0
    while not mine.is_running:
        assert ended < 300
        place = running.pop(chance.randrange(len(running)))
        queue.leave(place)
        ended += 1
        ask(place.key)
        running += begin_all(queue)


def test_a_key_that_was_away_has_saved_nothing_up() -> None:
    """A key that comes back, or comes for the first time, shares from then on: it does not run first for all the time it was away."""
    queue = FairQueue(1)
    running = queue.push("busy", 1)
    queue.begin_next()
    for _ in range(50):
        queue.push("busy", 1)
        queue.leave(running)
        began = queue.begin_next()
        assert began is not None
        running = began
    for key in ("busy", "new") * 5:
        queue.push(key, 1)
    queue.leave(running)
    order = [request.key for request in drain(queue)]
    assert order[:2].count("new") == 1
    assert [order[:4].count(key) for key in ("busy", "new")] == [2, 2]


def test_a_model_that_was_away_has_saved_nothing_up() -> None:
    """What is true of keys is true of models that share the capacity: a model asked for the first time does not run first for long."""
    queue = FairQueue(1)
    running = queue.push("a", 1, model="busy")
    queue.begin_next()
    for _ in range(50):
        queue.push("a", 1, model="busy")
        queue.leave(running)
        began = queue.begin_next()
        assert began is not None
        running = began
    for model in ("busy", "new", "newer") * 6:
        queue.push("a", 1, model=model)
    queue.leave(running)
    order = [request.model for request in drain(queue)]
    assert all(sorted(order[at : at + 3]) == ["busy", "new", "newer"] for at in range(3, 18, 3))
