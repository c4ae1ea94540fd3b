"""The state of one backend, without I/O."""

from typing import Literal

import pytest

from dce.gateway.kinds import LlamaCpp, Model, Vllm
from dce.gateway.settings import BackendSettings
from dce.gateway.upstream import Discovery, Upstream
from dce.wire.errors import DceError


def test_an_unasked_backend_is_down() -> None:
    """Nothing is believed of a backend before it has answered."""
    upstream = Upstream(BackendSettings(url="http://h:1"))
    assert not upstream.is_up
    assert not upstream.serves("m")


def test_up_down_and_up_again() -> None:
    """What it serves counts while it answers; an answer ends its fault."""
    upstream = Upstream(BackendSettings(url="http://h:1/prefix"))
    found = Discovery(kind=Vllm(), models=(Model(id="m"),))
    upstream.discovered(found)
    assert upstream.serves("m")
    assert not upstream.serves("other")
    upstream.failed(DceError("backend_timeout", "slow"))
    assert not upstream.serves("m")
    upstream.discovered(found)
    assert upstream.serves("m")
    assert (upstream.url, upstream.prefix, upstream.address.port) == ("http://h:1/prefix", "/prefix", 1)


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
    upstream = Upstream(BackendSettings(url="http://h:1", n_strategy=strategy))
    upstream.discovered(Discovery(kind=LlamaCpp(), models=(), native_limit=limit))
    assert upstream.plan(n) == plan
