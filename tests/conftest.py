"""How hypothesis looks for examples, and how the tests are shared out among processes.

Hypothesis: in every run the same ones, so that a run says something about the change and not about luck.

`HYPOTHESIS_PROFILE=search .venv/bin/python -m pytest …` looks for new ones, ten times as many where a test names no number of its own;
`--hypothesis-seed=N` makes such a search repeatable. What a search finds becomes an `@example` of its test.
"""

import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

REAL = "tests/real/"

SLOWNESS = [HealthCheck.too_slow]
"""That a machine is slow says nothing about the code; for the same reason there is no deadline."""

settings.register_profile("same", derandomize=True, deadline=None, database=None, suppress_health_check=SLOWNESS)
settings.register_profile("search", max_examples=1000, deadline=None, suppress_health_check=SLOWNESS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


class OneRealPartAtATime(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Shares the tests out by file. All of tests/real go to one worker, first of all: they take longest, and two models, or two browsers
    that are looked at, would starve each other."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return REAL if file.startswith(REAL) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """The order in which `make test` and `make test-all` share the tests out among processes."""
    config.option.loadscopereorder = False
    return OneRealPartAtATime(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on real parts come first."""
    items.sort(key=lambda item: not item.nodeid.startswith(REAL))
