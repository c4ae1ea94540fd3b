"""The state of one backend, without I/O."""

from typing import Literal

import pytest

from dce.gateway.backends.backend import Backend, Discovery
from dce.gateway.backends.kinds import LlamaCpp, Model, Vllm
from dce.gateway.settings import BackendSettings
from dce.wire.errors import DceError, Hop


def test_an_unasked_backend_is_down() -> None:
    """Nothing is believed of a backend before it has answered."""
    backend = Backend(BackendSettings(url="http://h:1"))
    assert not backend.is_up
    assert not backend.serves("m")


def test_up_down_and_up_again() -> None:
    """What it serves counts while it answers; an answer ends its fault."""
    backend = Backend(BackendSettings(url="http://h:1/prefix"))
    found = Discovery(kind=Vllm(), models=(Model(id="m"),))
    backend.discovered(found)
    assert backend.serves("m")
    assert not backend.serves("other")
    backend.failed(DceError("backend_timeout", "slow"))
    assert not backend.serves("m")
    backend.discovered(found)
    assert backend.serves("m")
    assert (backend.url, backend.prefix, backend.address.port) == ("http://h:1/prefix", "/prefix", 1)


@pytest.mark.parametrize(
    ("strategy", "limit", "n", "plan"),
    [
        ("auto", None, 3, [[0, 1, 2]]),
        ("auto", 2, 5, [[0, 1], [2, 3], [4]]),
        ("auto", 10, 10, [list(range(10))]),
        ("native", None, 2, [[0, 1]]),
        ("fanout", 10, 3, [[0], [1], [2]]),
        ("auto", 4, 1, [[0]]),
    ],
)
def test_the_plan_holds_every_choice_once(
    strategy: Literal["auto", "fanout", "native"], limit: int | None, n: int, plan: list[list[int]]
) -> None:
    """Each choice is in exactly one request, and no request has more than the server takes."""
    backend = Backend(BackendSettings(url="http://h:1", n_strategy=strategy))
    backend.discovered(Discovery(kind=LlamaCpp(), models=(), native_limit=limit))
    assert backend.plan(n) == plan


def test_a_place_is_given_back_once() -> None:
    """However often and in whatever way a request is ended, its load goes once and its record is the first end's."""
    backend = Backend(BackendSettings(url="http://h:1"))
    one, two = backend.lease(10), backend.lease(1)
    assert backend.in_flight == 11
    one.end(DceError("backend_error", "boom"))
    one.end()
    one.abandon()
    assert (backend.in_flight, backend.breaker.failures) == (1, 1)
    two.abandon()
    two.end(DceError("backend_error", "boom"))
    assert (backend.in_flight, backend.breaker.failures) == (0, 1)


def test_only_faults_of_the_backend_are_held_against_it() -> None:
    """A refused request, a full backend and a client that went leave its record clean; an answer wipes it."""
    backend = Backend(BackendSettings(url="http://h:1"))
    backend.lease(1).end(DceError("backend_unreachable", "gone"))
    assert backend.breaker.failures == 1
    backend.lease(1).abandon()
    backend.lease(1).end(DceError("rate_limited", "full", hop=Hop.BACKEND, retry_after_s=2))
    assert backend.breaker.failures == 1
    backend.lease(1).end(DceError("prompt_too_long", "9000"))
    assert backend.breaker.failures == 0


def test_a_request_that_meets_something_new_raises_a_doubt() -> None:
    """An unknown model or a lost connection: what is known of the backend may be old; its own errors say nothing of that."""
    doubted: list[Backend] = []
    backend = Backend(BackendSettings(url="http://h:1"))
    backend.on_doubt = doubted.append
    for code in ("model_not_found", "backend_unreachable", "stream_interrupted", "backend_unauthorized"):
        backend.lease(1).end(DceError(code, "x"))
    for code in ("backend_error", "invalid_request", "backend_timeout"):
        backend.lease(1).end(DceError(code, "x"))
    assert doubted == [backend] * 4


def test_the_operator_sees_how_it_is() -> None:
    """Address, models, load, breaker and fault as plain data; never its key."""
    backend = Backend(BackendSettings(url="http://h:1", key="secret", max_responses=3))
    backend.discovered(Discovery(kind=Vllm(), models=(Model(id="m"),)))
    backend.lease(2)
    status = backend.status
    assert (status.url, status.kind, status.models, status.in_flight, status.is_up) == (
        "http://h:1", "vllm", ("m",), 2, True,
    )  # fmt: skip
    assert (status.breaker, status.failures, status.retry_in_s, status.fault) == ("closed", 0, 0.0, None)
    backend.failed(DceError("backend_timeout", "slow"))
    assert backend.status.fault is not None
    assert "secret" not in repr(backend.status)
    assert backend.capacity == 3


@pytest.mark.parametrize(("strategy", "takes"), [("fanout", [True, False]), ("native", [True, True])])
def test_a_request_fits_where_it_need_not_be_split(strategy: Literal["fanout", "native"], takes: list[bool]) -> None:
    """A request for several responses cannot be passed on to a backend that is sent one at a time."""
    backend = Backend(BackendSettings(url="http://h:1", n_strategy=strategy))
    assert [backend.takes(n) for n in (1, 5)] == takes
