"""The steps both data paths take before a request has a backend: its body and meter, its model, its turn in the queue."""

from collections import Counter
from collections.abc import Iterable

from dce.gateway.access.admission import Admission, Demand, OnPosition, Ticket
from dce.gateway.backends.busy import OnBusy
from dce.gateway.backends.catalog import Catalog
from dce.gateway.backends.failover import Dispatcher
from dce.gateway.backends.kinds import Model
from dce.gateway.backends.transport import Transport
from dce.gateway.front.request import Request
from dce.gateway.paths.metering import Metering, RequestMeter
from dce.gateway.settings import GatewaySettings
from dce.wire.errors import DceError


class Intake:
    """The parts of a gateway that every request uses, on either path."""

    def __init__(
        self,
        settings: GatewaySettings,
        catalog: Catalog,
        dispatcher: Dispatcher,
        transport: Transport,
        admission: Admission,
        metering: Metering,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.dispatcher = dispatcher
        self.transport = transport
        self.admission = admission
        self._metering = metering
        self._loading: Counter[str] = Counter()
        """Requests that wait for a backend to load, by key."""

    async def begin(self, request: Request) -> tuple[bytes, RequestMeter]:
        """Reads the body; returns it with a meter that starts at its last byte."""
        body = await request.body(self.settings.max_body_bytes)
        return body, self._metering.begin(request)

    def model(self, request: Request, asked: str) -> Model:
        """The served model that a name means for the request's key. Raises what `Catalog.resolve` raises."""
        return self.catalog.resolve(asked, request.principal.limits.models)

    async def served(self, request: Request, asked: str, tell: OnBusy) -> Model:
        """Like `model`, but waits while the backends that could serve it are still loading; `tell` is called meanwhile."""
        wait, key = self.dispatcher.busy_wait(), request.principal.key_id
        while True:
            try:
                return self.model(request, asked)
            except DceError as error:
                # As in the queue: each waiting request holds its prompt in memory.
                is_room = self._loading[key] < self.settings.max_queued_requests_per_key
                is_room = is_room and self._loading.total() < self.settings.max_queued_requests
                if not is_room or not wait.has_time(error):
                    raise
                self._loading[key] += 1
                try:
                    await wait.wait(error, tell)
                finally:
                    self._loading -= Counter({key: 1})

    async def admit(self, meter: RequestMeter, demand: Demand, tell: OnPosition | None) -> Ticket:
        """Waits for the request's turn; `tell` is called with its position meanwhile. Raises what `Admission.admit` raises."""
        return await meter.waiting(self.admission.admit(meter.request.principal, demand, tell))


def dropped_header(names: Iterable[str]) -> tuple[bytes, bytes]:
    """The header that tells a client which of its fields went no further. A name is a caller's text: only plain ones are repeated."""
    plain = [name for name in names if name.replace(".", "_").isidentifier() and name.isascii()]
    return b"x-dce-dropped-fields", ", ".join(plain)[:500].encode()
