"""Any bytes, at each place where bytes of strangers are read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS

ROOT = Path(__file__).parents[2]
FUZZ_S = 15
RUNS = {
    "sse_decoder": 100_000,
    "frame_splitter": 200_000,
    "body_editor": 400_000,
    "backend_stream": 40_000,
    "http_front": 30_000,
}
"""As many as two cores do in about that time: a faster machine looks at the same inputs, a slower one at the first of them."""


def mutated(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Bytes near something that is right: pieces of the seeds, joined, with noise between."""
    part = st.sampled_from(seeds).flatmap(lambda seed: st.integers(0, len(seed)).map(lambda at: seed[:at]))
    return st.lists(st.one_of(part, st.sampled_from(seeds), st.binary(max_size=20)), max_size=6).map(b"".join)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes(name: str) -> None:
    """Right bytes, broken ones and their mixtures break nothing."""

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(st.one_of(st.binary(max_size=300), mutated(tuple(SEEDS[name]))))
    def holds(data: bytes) -> None:
        TARGETS[name](data)

    for seed in SEEDS[name]:
        TARGETS[name](seed)
    holds()


@pytest.mark.real
@pytest.mark.parametrize("name", TARGETS)
def test_guided_by_coverage(name: str) -> None:
    """atheris, looking for new branches in the same way in every run, finds nothing that breaks."""
    command = [sys.executable, "-m", "tests.fuzz", name, str(FUZZ_S), "-seed=1", f"-runs={RUNS[name]}"]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "stat::number_of_executed_units" in ran.stderr
