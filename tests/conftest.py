"""How hypothesis looks for examples: in every run the same ones, so that a run says something about the change and not about luck.

`HYPOTHESIS_PROFILE=search .venv/bin/python -m pytest …` looks for new ones, ten times as many where a test names no number of its own;
`--hypothesis-seed=N` makes such a search repeatable. What a search finds becomes an `@example` of its test.
"""

import os

from hypothesis import HealthCheck, settings

SLOWNESS = [HealthCheck.too_slow]
"""That a machine is slow says nothing about the code; for the same reason there is no deadline."""

settings.register_profile("same", derandomize=True, deadline=None, database=None, suppress_health_check=SLOWNESS)
settings.register_profile("search", max_examples=1000, deadline=None, suppress_health_check=SLOWNESS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
