"""What the backends of a model can run at once, and with which other models they share it."""

from dce.gateway.access.fair_queue import Pool
from dce.gateway.backends.backend import Backend, Discovery
from dce.gateway.backends.kinds import Model, Vllm
from dce.gateway.backends.pools import capacity_of, pools_of
from dce.gateway.settings import BackendSettings
from dce.wire.errors import DceError


def made(*models: str, size: int | None = None, native_limit: int | None = None) -> Backend:
    """A backend that is up and serves these models."""
    backend = Backend(BackendSettings(url="http://x:1", max_responses=size))
    rows = tuple(Model(id=name) for name in models)
    backend.discovered(Discovery(kind=Vllm(), models=rows, native_limit=native_limit))
    return backend


def pool(size: int, *models: str) -> Pool:
    """These models' pool."""
    return Pool(models=frozenset(models), size=size)


def test_what_backends_run_at_once() -> None:
    """The sum of what they say; not known if one of them does not say, or if there is none."""
    assert capacity_of([made(size=4), made(native_limit=10)]) == 14
    assert capacity_of([made(size=4), made()]) is None
    assert capacity_of([]) is None


def test_models_on_different_backends_share_nothing() -> None:
    """Each has the pool of its own backends."""
    backends = [made("a", size=4), made("a", size=2), made("b", size=8)]
    assert pools_of("a", backends) == [pool(6, "a")]
    assert pools_of("b", backends) == [pool(8, "b")]


def test_models_on_one_backend_share_it() -> None:
    """One pool for both."""
    backends = [made("a", "b", size=4)]
    assert pools_of("a", backends) == pools_of("b", backends) == [pool(4, "a", "b")]


def test_a_pool_within_another() -> None:
    """A model that one of two backends serves has that one's pool within the pool of both, where the other model may take all."""
    backends = [made("a", "b", size=4), made("b", size=8), made("c", size=1)]
    assert pools_of("a", backends) == [pool(4, "a"), pool(12, "a", "b")]
    assert pools_of("b", backends) == [pool(12, "a", "b")]


def test_connected_through_others() -> None:
    """Backends that share a model with one that shares a model belong together."""
    backends = [made("a", size=1), made("a", "b", size=2), made("b", "c", size=4), made("d", size=8)]
    assert pools_of("a", backends) == [pool(3, "a"), pool(7, "a", "b", "c")]
    assert pools_of("c", backends) == [pool(4, "c"), pool(7, "a", "b", "c")]
    assert pools_of("d", backends) == [pool(8, "d")]


def test_what_is_not_known_bounds_nothing() -> None:
    """A backend that does not say leaves its pools out, not those of others; one that is down and a model that is gone have none."""
    down = made("a", size=5)
    down.failed(DceError("backend_unreachable", "gone"))
    backends = [made("a", size=4), made("b"), down]
    assert pools_of("a", backends) == [pool(4, "a")]
    assert pools_of("b", backends) == []
    assert pools_of("gone", backends) == []
