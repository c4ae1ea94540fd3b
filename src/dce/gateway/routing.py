"""Which backend: pure policies, one class each, behind one method."""

from collections.abc import Sequence
from typing import Protocol

from dce.gateway.upstream import Upstream
from dce.wire.errors import DceError


class Policy(Protocol):
    """Chooses among the backends that serve a model."""

    def choose(self, candidates: Sequence[Upstream]) -> Upstream:
        """One of them. Raises no_healthy_backend when there is none."""


class LeastLoaded:
    """The one with the fewest running responses; the first of equals, so that a lone client keeps its prefix cache."""

    def choose(self, candidates: Sequence[Upstream]) -> Upstream:
        if not candidates:
            raise DceError("no_healthy_backend", "the backend that served this model has just gone away")
        return min(candidates, key=lambda upstream: upstream.in_flight)
