"""The state of one backend: where it is, whether it answers, what it serves, how much it is doing. No I/O."""

import msgspec

from dce.gateway.kinds import KINDS, Kind, Model
from dce.gateway.settings import BackendSettings
from dce.gateway.transport import Address
from dce.wire.errors import DceError


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend said of itself."""

    kind: Kind
    models: tuple[Model, ...]
    native_limit: int | None = None


class Upstream:
    """One backend. `in_flight` counts its running responses; health.py writes the discovery, nothing else does."""

    def __init__(self, settings: BackendSettings) -> None:
        self.settings = settings
        self.address, self.prefix = Address.of(settings.url)
        self.in_flight = 0
        self.fault: DceError | None = DceError("no_healthy_backend", f"{settings.url} has not been reached yet")
        self.kind: Kind = KINDS[-1]
        self.models: tuple[Model, ...] = ()
        self.native_limit: int | None = None

    @property
    def url(self) -> str:
        """Its base URL, its name in logs."""
        return self.settings.url

    @property
    def is_up(self) -> bool:
        """Whether it answered the last time it was asked."""
        return self.fault is None

    def serves(self, model: str) -> bool:
        """Whether it serves the model now."""
        return self.is_up and any(served.id == model for served in self.models)

    def plan(self, n: int) -> list[list[int]]:
        """Which of N responses go in which request: one each (fan-out), or as many as the server takes in one (native)."""
        choice = self.settings.n_strategy
        is_fanout = (self.kind.n_strategy if choice == "auto" else choice) == "fanout"
        size = 1 if is_fanout else self.native_limit or n
        return [list(range(first, min(first + size, n))) for first in range(0, n, size)]

    def release(self, n: int) -> None:
        """N responses have ended here."""
        self.in_flight -= n

    def discovered(self, discovery: Discovery) -> None:
        """It answered."""
        self.kind = discovery.kind
        self.models = discovery.models
        self.native_limit = discovery.native_limit
        self.fault = None

    def failed(self, fault: DceError) -> None:
        """It did not. What it served is kept for the error messages."""
        self.fault = fault
