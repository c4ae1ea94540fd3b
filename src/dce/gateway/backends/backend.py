"""The state of one backend: where it is, whether it answers, what it serves, how much it is doing, how it fared. No I/O."""

from collections.abc import Callable

import msgspec

from dce.gateway.backends.breaker import Breaker, BreakerState
from dce.gateway.backends.faults import Verdict, verdict
from dce.gateway.backends.kinds import KINDS, Kind, Model
from dce.gateway.backends.transport import Address
from dce.gateway.settings import BackendSettings
from dce.wire.errors import DceError, ErrorBody

_DOUBTS = frozenset({"backend_unreachable", "stream_interrupted", "model_not_found", "backend_unauthorized"})
"""Errors of a request that say: what we know of this backend may be out of date. It is asked again at once."""


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend said of itself."""

    kind: Kind
    models: tuple[Model, ...]
    native_limit: int | None = None


class BackendStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One backend as the operator sees it. `failures` counts incidents in a row; `in_flight` running responses."""

    url: str
    is_up: bool
    kind: str
    models: tuple[str, ...]
    in_flight: int
    breaker: BreakerState
    failures: int
    retry_in_s: float
    fault: ErrorBody | None


class Backend:
    """One backend. health.py writes the discovery, leases the load and the breaker; nothing else changes it."""

    def __init__(self, settings: BackendSettings, breaker: Breaker | None = None) -> None:
        self.settings = settings
        self.address, self.prefix = Address.of(settings.url)
        self.in_flight = 0
        self.breaker = breaker or Breaker()
        self.fault: DceError | None = DceError("no_healthy_backend", f"{settings.url} has not been reached yet")
        self.kind: Kind = KINDS[-1]
        self.models: tuple[Model, ...] = ()
        self.native_limit: int | None = None
        self.on_doubt: Callable[[Backend], None] | None = None
        """Called when a request met something that discovery did not know; set by the discoverer."""

    @property
    def url(self) -> str:
        """Its base URL, its name in logs."""
        return self.settings.url

    @property
    def is_up(self) -> bool:
        """Whether it answered the last time it was asked."""
        return self.fault is None

    @property
    def capacity(self) -> int | None:
        """Responses it can run at the same time, None if neither it nor the operator says."""
        return self.settings.max_responses or self.native_limit

    @property
    def status(self) -> BackendStatus:
        """What `/status` shows of it."""
        return BackendStatus(
            url=self.url,
            is_up=self.is_up,
            kind=self.kind.name,
            models=tuple(model.id for model in self.models),
            in_flight=self.in_flight,
            breaker=self.breaker.state,
            failures=self.breaker.failures,
            retry_in_s=round(self.breaker.wait_s, 3),
            fault=self.fault.body() if self.fault else None,
        )

    def serves(self, model: str) -> bool:
        """Whether it serves the model now."""
        return self.is_up and any(served.id == model for served in self.models)

    def plan(self, n: int) -> list[list[int]]:
        """Which of N responses go in which request: one each (fan-out), or as many as the server takes in one (native)."""
        choice = self.settings.n_strategy
        is_fanout = (self.kind.n_strategy if choice == "auto" else choice) == "fanout"
        size = 1 if is_fanout else self.native_limit or n
        return [list(range(first, min(first + size, n))) for first in range(0, n, size)]

    def takes(self, n: int) -> bool:
        """Whether one request for N responses can be sent as it is, planned for another backend."""
        return len(self.plan(n)) == 1

    def lease(self, weight: int) -> "Lease":
        """Room for a request of that many responses."""
        return Lease(self, weight)

    def discovered(self, discovery: Discovery) -> None:
        """It answered."""
        self.kind = discovery.kind
        self.models = discovery.models
        self.native_limit = discovery.native_limit
        self.fault = None

    def failed(self, fault: DceError) -> None:
        """It did not. What it served is kept for the error messages."""
        self.fault = fault


class Lease:
    """One request's place on a backend, from before it is sent to its end: given back once, however often it is ended."""

    def __init__(self, backend: Backend, weight: int) -> None:
        self.backend = backend
        self._weight = weight
        self._is_over = False
        backend.in_flight += weight
        self._began_at = backend.breaker.started()

    def end(self, error: DceError | None = None) -> None:
        """The backend's part is over, well or with an error: that is its record."""
        if self._is_over:
            return
        self._give_back()
        judged = verdict(error)
        if judged is Verdict.WORKS:
            self.backend.breaker.succeeded()
        elif judged is Verdict.FAILED:
            self.backend.breaker.failed(self._began_at)
        else:
            self.backend.breaker.abandoned()
        if error is not None and error.code in _DOUBTS and self.backend.on_doubt is not None:
            self.backend.on_doubt(self.backend)

    def abandon(self) -> None:
        """Nobody wants it any more: that says nothing of the backend."""
        if not self._is_over:
            self._give_back()
            self.backend.breaker.abandoned()

    def _give_back(self) -> None:
        self._is_over = True
        self.backend.in_flight -= self._weight
