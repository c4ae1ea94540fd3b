"""Which backend: policies are pure, so their promises are checked on many cases."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.gateway.access.auth import Principal
from dce.gateway.backends.backend import Backend
from dce.gateway.backends.breaker import Breaker, BreakerLimits
from dce.gateway.backends.routing import (
    LOAD_FACTOR,
    POLICIES,
    PREFIX_CHARS,
    AffinityKey,
    LeastLoaded,
    PrefixAffinity,
    Session,
    affinity_key,
    place,
    prefix_of,
    usable,
)
from dce.gateway.settings import BackendSettings, load_settings
from dce.wire.errors import DceError

NOBODY = AffinityKey()


def backends(*loads: int, capacity: int | None = None) -> list[Backend]:
    """Backends with that many running responses."""
    rows = [
        Backend(BackendSettings(url=f"http://h:{at + 1}", max_responses=capacity), Breaker(BreakerLimits(failures=1)))
        for at in range(len(loads))
    ]
    for row, load in zip(rows, loads, strict=True):
        row.in_flight = load
    return rows


def test_the_least_loaded_is_chosen_and_the_first_of_equals() -> None:
    """A free backend is preferred; a lone client stays with one, so that its prefix cache is used."""
    assert LeastLoaded().choose(backends(3, 1, 2), NOBODY).address.port == 2
    assert LeastLoaded().choose(backends(0, 0), NOBODY).address.port == 1


def test_every_routing_setting_has_its_policy() -> None:
    """The names in the settings are the names of the policies."""
    for name in POLICIES:
        assert load_settings(None, {}, routing=name).routing == name
    with pytest.raises(DceError, match="routing"):
        load_settings(None, {}, routing="random")


def test_no_candidate_is_an_error_of_the_backend_hop() -> None:
    """A model whose last backend has just gone is said to have none."""
    with pytest.raises(DceError) as caught:
        usable([])
    assert caught.value.code == "no_healthy_backend"


def test_an_open_breaker_leaves_a_backend_out_while_another_can_be_used() -> None:
    """A failing backend is passed over; when all fail, they are asked all the same, so that nobody shuts the others out."""
    one, two = backends(0, 5)
    one.lease(1).end(DceError("backend_error", "boom"))
    assert list(usable([one, two])) == [two]
    two.lease(1).end(DceError("backend_error", "boom"))
    assert list(usable([one, two])) == [one, two]


def test_requests_that_begin_alike_meet_again() -> None:
    """Same caller and same beginning: the same backend, whatever comes after it; another caller's need not be the same."""
    rows = backends(0, 0, 0, 0, 0)
    long = "x" * PREFIX_CHARS
    keys = [
        affinity_key(Principal(key_id="k", name="n", cache_salt="s"), "", {"prompt": long + end})
        for end in ("a", "b" * 99)
    ]
    assert len({PrefixAffinity().choose(rows, key).url for key in keys}) == 1
    others = {PrefixAffinity().choose(rows, AffinityKey(owner=f"s{at}", prefix=long)).url for at in range(60)}
    assert others == {row.url for row in rows}


@given(st.lists(st.text(max_size=20), min_size=1, max_size=30, unique=True), st.integers(0, 4))
def test_only_the_keys_of_a_backend_that_goes_move(prefixes: list[str], gone: int) -> None:
    """Rendezvous hashing: when one of five goes, every key that was elsewhere stays where it was."""
    rows = backends(0, 0, 0, 0, 0)
    left = [row for at, row in enumerate(rows) if at != gone]
    for prefix in prefixes:
        key = AffinityKey(owner="o", prefix=prefix)
        before = PrefixAffinity().choose(rows, key)
        if before is not rows[gone]:
            assert PrefixAffinity().choose(left, key) is before


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.text(max_size=5))
def test_a_favourite_backend_is_not_flooded(loads: list[int], prefix: str) -> None:
    """Whatever the key, the chosen one has less than its share of the running responses times the load factor, rounded up."""
    rows = backends(*loads)
    chosen = PrefixAffinity().choose(rows, AffinityKey(prefix=prefix))
    assert chosen.in_flight < LOAD_FACTOR * (sum(loads) + 1) / len(loads) + 1


def test_one_caller_s_flood_spreads() -> None:
    """A hundred running responses to one prompt are on all backends, none with more than a quarter above its share."""
    rows = backends(0, 0, 0, 0)
    for _ in range(100):
        PrefixAffinity().choose(rows, AffinityKey(prefix="same")).in_flight += 1
    assert max(row.in_flight for row in rows) <= 100 / 4 * LOAD_FACTOR + 1


def test_a_session_stays_whatever_it_says() -> None:
    """A conversation that names itself keeps its backend; without a name its beginning decides; names are one caller's own."""
    rows = backends(0, 0, 0, 0, 0)
    said = [Session().choose(rows, AffinityKey(owner="o", session="s", prefix=prefix)).url for prefix in "abcdefgh"]
    assert len(set(said)) == 1
    unnamed = Counter(Session().choose(rows, AffinityKey(owner="o", prefix=prefix)).url for prefix in "abcdefgh")
    assert len(unnamed) > 1
    owners = {Session().choose(rows, AffinityKey(owner=owner, session="s")).url for owner in "abcdefgh"}
    assert len(owners) > 1


def test_text_that_looks_like_a_field_is_no_key() -> None:
    """A prompt that contains `"user": "x"` names no session: only the parsed field and the header do."""
    principal = Principal(key_id="k", name="n", cache_salt="salt")
    tricky = '{"user": "somebody", "X-DCE-Session": "s"}'
    assert affinity_key(principal, "", {"messages": [{"role": "user", "content": tricky}]}).session == ""
    assert affinity_key(principal, "", {"user": "ann"}).session == "ann"
    assert affinity_key(principal, "header", {"user": "ann"}).session == "header"
    assert affinity_key(principal, "", {"user": ["no text"]}).session == ""
    assert affinity_key(principal, "x" * 9000, {}).session == "x" * 200


@pytest.mark.parametrize(
    ("fields", "prefix"),
    [
        ({"prompt": "abc"}, "abc"),
        ({"prompt": ["abc", "def"]}, "abcdef"),
        ({"prompt": [1, 2, 3]}, "[1, 2, 3]"),
        ({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]}, "SU"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "T"}]}]}, "T"),
        ({"system": [{"type": "text", "text": "S"}], "messages": [{"content": "U"}]}, "SU"),
        ({"instructions": "I", "input": [{"role": "user", "content": [{"type": "input_text", "text": "T"}]}]}, "IT"),
        ({"input": "text"}, "text"),
        ({"messages": [{"content": "a" * 3000}, {"content": "b" * 3000}]}, "a" * 3000 + "b" * 1096),
        ({"messages": 5, "prompt": None, "input": [[1, 2], [3]]}, "[1, 2][3]"),
        ({}, ""),
    ],
)
def test_the_beginning_of_every_dialect_is_found(fields: dict[str, Any], prefix: str) -> None:
    """Instructions first, then messages, as the model will read them; token ids count too; odd shapes are no fault here."""
    assert prefix_of(fields) == prefix


def test_n_responses_stay_together() -> None:
    """One computation of the prompt serves all: other backends are not used while there is room, or while nobody knows."""
    for capacity in (None, 10):
        chosen, other = backends(0, 0, capacity=capacity)
        assert place(10, chosen, [chosen, other]) == [(chosen, 10)]


def test_responses_without_room_go_to_idle_backends() -> None:
    """Those that would wait go where nothing runs; a busy one is left alone, and with nobody idle all wait where they belong."""
    chosen, busy, idle = backends(6, 1, 0, capacity=8)
    assert place(10, chosen, [chosen, busy, idle]) == [(chosen, 2), (idle, 8)]
    assert place(10, chosen, [chosen, busy]) == [(chosen, 10)]
    assert place(2, chosen, [chosen, busy, idle]) == [(chosen, 2)]
    full, idle = backends(8, 0, capacity=8)
    assert place(5, full, [full, idle]) == [(idle, 5)]


@given(st.integers(1, 20), st.lists(st.integers(0, 12), min_size=1, max_size=5), st.none() | st.integers(1, 10))
def test_every_response_has_exactly_one_place(n: int, loads: list[int], capacity: int | None) -> None:
    """N in all, nowhere a part of none, and no idle backend is given more than it has room for."""
    rows = backends(*loads, capacity=capacity)
    placed = place(n, rows[0], rows)
    assert sum(count for _, count in placed) == n
    assert all(count > 0 for _, count in placed)
    assert len({row.url for row, _ in placed}) == len(placed)
    for row, count in placed:
        assert row is rows[0] or (row.in_flight == 0 and (capacity is None or count <= capacity))
