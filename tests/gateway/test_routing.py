"""Which backend."""

import pytest

from dce.gateway.routing import LeastLoaded
from dce.gateway.settings import BackendSettings
from dce.gateway.upstream import Upstream
from dce.wire.errors import DceError


def upstreams(*loads: int) -> list[Upstream]:
    """Backends with that many running responses."""
    rows = [Upstream(BackendSettings(url=f"http://h:{at + 1}")) for at in range(len(loads))]
    for row, load in zip(rows, loads, strict=True):
        row.in_flight = load
    return rows


def test_the_least_loaded_is_chosen_and_the_first_of_equals() -> None:
    """A free backend is preferred; a lone client stays with one, so that its prefix cache is used."""
    assert LeastLoaded().choose(upstreams(3, 1, 2)).address.port == 2
    assert LeastLoaded().choose(upstreams(0, 0)).address.port == 1


def test_no_candidate_is_an_error_of_the_backend_hop() -> None:
    """A model whose last backend has just gone is said to have none."""
    with pytest.raises(DceError) as caught:
        LeastLoaded().choose([])
    assert caught.value.code == "no_healthy_backend"
