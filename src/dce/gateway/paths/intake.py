"""The steps that both data paths take with a request before it has a backend: its body and account, its model, its turn."""

from dce.gateway.access.admission import Admission, Demand, OnPosition, Ticket
from dce.gateway.backends.catalog import Catalog
from dce.gateway.backends.failover import Dispatcher
from dce.gateway.backends.kinds import Model
from dce.gateway.backends.transport import Transport
from dce.gateway.front.request import Request
from dce.gateway.paths.accounts import Account, Accounts
from dce.gateway.settings import GatewaySettings


class Intake:
    """The parts of a gateway that a request passes, whichever path it takes."""

    def __init__(
        self,
        settings: GatewaySettings,
        catalog: Catalog,
        dispatcher: Dispatcher,
        transport: Transport,
        admission: Admission,
        accounts: Accounts,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.dispatcher = dispatcher
        self.transport = transport
        self.admission = admission
        self._accounts = accounts

    async def begin(self, request: Request) -> tuple[bytes, Account]:
        """The body, and the account that runs from its last byte on."""
        body = await request.body(self.settings.max_body_bytes)
        return body, self._accounts.begin(request)

    def model(self, request: Request, asked: str) -> Model:
        """The served model that a name means to the request's key. Raises as `Catalog.resolve`."""
        return self.catalog.resolve(asked, request.principal.limits.models)

    async def admit(self, account: Account, demand: Demand, tell: OnPosition | None) -> Ticket:
        """Waits for the request's turn; `tell` learns its place meanwhile. Raises as `Admission.admit`."""
        return await account.waiting(self.admission.admit(account.request.principal, demand, tell))
