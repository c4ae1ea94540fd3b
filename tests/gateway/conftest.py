"""The chains that gateway tests share: one of each kind of backend for the whole run, or one of a test's own settings."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.fakes.chain import Chain
from tests.fakes.vllm import Behaviour, FakeVllm

OWNERS = {"fanout": "vllm", "native": "llamacpp"}


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Chain]]:
    """A chain with a vLLM (one request per response) and one with a llama.cpp (one request for all)."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                Chain(tmp_path_factory.mktemp(name), fake=FakeVllm(behaviour=Behaviour(owned_by=owner)))
            )
            for name, owner in OWNERS.items()
        }


@pytest.fixture(params=OWNERS)
def both(standing: dict[str, Chain], request: pytest.FixtureRequest) -> Chain:
    """Each of the two, as good as new."""
    standing[request.param].behave()
    return standing[request.param]


@pytest.fixture
def chain(standing: dict[str, Chain]) -> Chain:
    """The chain with a vLLM, as good as new."""
    standing["fanout"].behave()
    return standing["fanout"]


@pytest.fixture
def native(standing: dict[str, Chain]) -> Chain:
    """The chain with a llama.cpp, as good as new."""
    standing["native"].behave()
    return standing["native"]


@pytest.fixture
def make_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Chain]]:
    """A chain with settings of the test's own: `make_chain(idle_timeout_s=0.1)`; `owned_by` says what backend it has."""
    with ExitStack() as stack:

        def make(owned_by: str = "vllm", fake: FakeVllm | None = None, **settings: Any) -> Chain:
            backend = fake or FakeVllm(behaviour=Behaviour(owned_by=owned_by))
            return stack.enter_context(Chain(tmp_path_factory.mktemp("chain"), fake=backend, **settings))

        yield make
