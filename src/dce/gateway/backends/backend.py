"""The state of one backend: address, health, served models, load and circuit breaker. No I/O."""

from collections.abc import Callable

import msgspec

from dce.gateway.backends.breaker import Breaker, BreakerState
from dce.gateway.backends.faults import Verdict, verdict
from dce.gateway.backends.kinds import KINDS, Kind, Model
from dce.gateway.backends.transport import Address
from dce.gateway.settings import BackendSettings
from dce.wire.errors import DceError, ErrorBody
from dce.wire.refusals import Refusals

_DOUBTS = frozenset({"backend_unreachable", "stream_interrupted", "model_not_found", "backend_unauthorized"})
"""Request errors after which our information about a backend may be out of date: it is probed again at once."""


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend reported about itself."""

    kind: Kind
    models: tuple[Model, ...]
    native_limit: int | None = None


class BackendStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One backend as the operator sees it. `failures` counts consecutive incidents, `in_flight` running responses."""

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
    """One backend. health.py updates what it serves, leases its load and breaker; nothing else changes it."""

    def __init__(self, settings: BackendSettings, breaker: Breaker | None = None) -> None:
        self.settings = settings
        self.address, self.prefix = Address.of(settings.url)
        self.in_flight = 0
        self.breaker = breaker or Breaker()
        self.fault: DceError | None = DceError("no_healthy_backend", f"{settings.url} has not been reached yet")
        self.kind: Kind = KINDS[-1]
        self.models: tuple[Model, ...] = ()
        self.native_limit: int | None = None
        self.refusals = Refusals({})
        """Fields that it has refused."""
        self.on_doubt: Callable[[Backend], None] | None = None
        """Called when a request's error contradicts what discovery knows; set by the discoverer."""

    @property
    def url(self) -> str:
        """Its base URL, which is also its name in logs."""
        return self.settings.url

    @property
    def is_up(self) -> bool:
        """Whether it answered the last probe."""
        return self.fault is None

    @property
    def capacity(self) -> int | None:
        """Responses it can run at once, None if neither the backend nor the operator says."""
        return self.settings.max_responses or self.native_limit

    @property
    def status(self) -> BackendStatus:
        """Its entry in `/status`."""
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
        """How N responses are divided into requests: one each (fan-out), or as many per request as the server takes (native)."""
        choice = self.settings.n_strategy
        is_fanout = (self.kind.n_strategy if choice == "auto" else choice) == "fanout"
        size = 1 if is_fanout else self.native_limit or n
        return [list(range(first, min(first + size, n))) for first in range(0, n, size)]

    def takes(self, n: int) -> bool:
        """Whether one request for N responses, planned for another backend, can be sent here unchanged."""
        return len(self.plan(n)) == 1

    def lease(self, weight: int) -> "Lease":
        """Reserves load for a request of `weight` responses."""
        return Lease(self, weight)

    def discovered(self, discovery: Discovery) -> None:
        """A probe succeeded."""
        self.kind = discovery.kind
        self.models = discovery.models
        self.native_limit = discovery.native_limit
        self.fault = None

    def failed(self, fault: DceError) -> None:
        """A probe failed. The models are kept for error messages."""
        self.fault = fault
        self.refusals.forget()  # what comes back may be another server


class Lease:
    """One request's share of a backend's load, from before it is sent to its end. Released once, however often it is ended."""

    def __init__(self, backend: Backend, weight: int) -> None:
        self.backend = backend
        self._weight = weight
        self._is_over = False
        backend.in_flight += weight
        self._began_at = backend.breaker.started()

    def end(self, error: DceError | None = None) -> None:
        """The backend has finished the request, with or without an error; the breaker is told."""
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
        """The request was dropped by our side: that says nothing about the backend."""
        if not self._is_over:
            self._give_back()
            self.backend.breaker.abandoned()

    def _give_back(self) -> None:
        self._is_over = True
        self.backend.in_flight -= self._weight
