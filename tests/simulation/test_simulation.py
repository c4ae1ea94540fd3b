"""The gateway under thousands of seeded worlds."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce.gateway.access.keys import KeyStore
from tests.simulation.world import Outcome, simulate

MEMORY = Path("/dev/shm")
"""Each world makes its databases anew; on a disk that would cost more than all the rest of it."""


@pytest.fixture(scope="module")
def keyed() -> Iterator[tuple[Path, str]]:
    """A data folder and a key, shared by all worlds."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None, prefix="dce-simulation-") as name:
        keys = KeyStore(Path(name))
        try:
            _, secret = keys.create("simulated")
        finally:
            keys.close()
        yield Path(name), secret


def check_telling(outcomes: list[Outcome], least_cuts: int) -> None:
    """The worlds were varied enough to mean something."""
    seen = [each for outcome in outcomes for each in outcome.seen]
    assert sum(each.cuts for each in seen) >= least_cuts
    for ends in ("is_done", "is_unknown", "has_left", "is_forward"):
        assert any(getattr(each, ends) for each in seen), f"no client's {ends}"
    codes = {error["code"] for each in seen for error in each.errors}
    assert codes >= {"backend_error", "stream_interrupted", "backend_unreachable", "backend_timeout"}


@pytest.mark.timeout(600)  # a quarter of a minute on two quiet cores, a minute beside other work
def test_a_thousand_worlds(keyed: tuple[Path, str]) -> None:
    """Every request ends once, nothing is kept, nothing is invented, no frame is missing or twice, usage counts once."""
    check_telling(simulate(range(1_000), *keyed), least_cuts=700)


@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.parametrize("block", range(1, 13))
def test_twelve_thousand_more(keyed: tuple[Path, str], block: int) -> None:
    """The same for 12,000 other seeds, with more than 10,000 cuts between them."""
    check_telling(simulate(range(1_000 * block, 1_000 * (block + 1)), *keyed), least_cuts=800)


def test_a_seed_is_a_world(keyed: tuple[Path, str]) -> None:
    """The same seed leads to the same end, so that what was found can be found again."""
    first, again = (simulate([7], *keyed)[0] for _ in range(2))
    for one, other in zip(first.seen, again.seen, strict=True):
        assert (one.texts, one.finishes, one.cuts, len(one.ids)) == (
            other.texts,
            other.finishes,
            other.cuts,
            len(other.ids),
        )
    assert first.served == again.served
