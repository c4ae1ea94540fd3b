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


class Upstream:
    """One backend. `in_flight` counts its running responses; health.py writes the discovery, nothing else does."""

    def __init__(self, settings: BackendSettings) -> None:
        self.settings = settings
        self.address, self.prefix = Address.of(settings.url)
        self.in_flight = 0
        self.fault: DceError | None = DceError("no_healthy_backend", f"{settings.url} has not been reached yet")
        self.kind: Kind = KINDS[-1]
        self.models: tuple[Model, ...] = ()

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

    def is_fanout(self) -> bool:
        """Whether N responses are N requests (else one request with n=N)."""
        choice = self.settings.n_strategy
        return (self.kind.n_strategy if choice == "auto" else choice) == "fanout"

    def discovered(self, discovery: Discovery) -> None:
        """It answered."""
        self.kind = discovery.kind
        self.models = discovery.models
        self.fault = None

    def failed(self, fault: DceError) -> None:
        """It did not. What it served is kept for the error messages."""
        self.fault = fault
