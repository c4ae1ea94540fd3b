"""The composition root: settings to objects to an ASGI app. The only place of the gateway that constructs."""

import asyncio
import contextlib
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dce.gateway.access.admission import Admission
from dce.gateway.access.auth import Authenticator
from dce.gateway.access.keys import KeyStore
from dce.gateway.accounting.ledger import Ledger
from dce.gateway.accounting.metrics import Metrics, Now
from dce.gateway.admin import LocalOnly, Status, admin_routes
from dce.gateway.backends.catalog import Catalog
from dce.gateway.backends.failover import Dispatcher
from dce.gateway.backends.health import Discoverer
from dce.gateway.backends.pools import pools_of
from dce.gateway.backends.routing import POLICIES
from dce.gateway.backends.transport import Timeouts, Transport
from dce.gateway.backends.upstream import Upstream
from dce.gateway.diagnostics import Diagnostics
from dce.gateway.drain import Drain
from dce.gateway.endpoints import PublicApp, routes
from dce.gateway.paths.accounts import Accounts
from dce.gateway.paths.forward import Forwarder
from dce.gateway.paths.intake import Intake
from dce.gateway.paths.proxy import Proxy
from dce.gateway.privacy import Privacy
from dce.gateway.reload import applicable, breaker_limits, changed_names, new_upstreams
from dce.gateway.settings import GatewaySettings
from dce.gateway.streaming.live import Directory
from dce.gateway.tracing import Tracing, tracing_of
from dce.wire.errors import DceError
from dce.wire.hosts import is_this_machine


class Gateway:
    """Everything of one gateway. `app` serves; the lifespan starts and stops the rest."""

    def __init__(
        self, settings: GatewaySettings, tracing: Tracing | None = None, chance: Callable[[], float] = random.random
    ) -> None:
        """`tracing`: another than the settings'. `chance` spreads retries: from 0 to 1."""
        self.settings = settings
        self._chance = chance
        self._tracing = tracing or tracing_of(settings)
        self.keys = KeyStore(Path(settings.data_dir))
        try:
            refuse_exposed(settings)
            _refuse_keyless(settings, self.keys)
            self.ledger = Ledger(Path(settings.data_dir), settings.ledger_keep_days)
        except DceError:
            self.keys.close()
            raise
        self.drain = Drain(settings.shutdown_timeout_s)
        self.metrics = Metrics()
        self.accounts = Accounts(self.ledger.add, self.metrics)
        self.upstreams = [upstream for upstream, _ in new_upstreams([], settings, chance)]
        """The list itself stays the same one when settings are reloaded."""
        self._transport = Transport(_timeouts(settings))
        self.discoverer = Discoverer(self.upstreams, self._transport, settings.discovery_interval_s)
        self.directory = Directory()
        self.admission = Admission(
            settings,
            self.ledger.used,
            lambda model: pools_of(model, self.upstreams),
            check_key=_anyone if settings.insecure else self.keys.check,
        )
        self._public = self._composed(settings, self.upstreams)
        self._reloading = asyncio.Lock()
        self.metrics.watch(self._now())
        self.admin = PublicApp(
            admin_routes(self.metrics, Status(self.upstreams, self.ledger, self.drain, self._counts), self.drain),
            LocalOnly((settings.admin_host, settings.admin_name)),
        )

    def _composed(self, settings: GatewaySettings, upstreams: Sequence[Upstream]) -> PublicApp:
        """The path of requests, from these settings on; it changes nothing of what lives longer."""
        catalog = Catalog(tuple(upstreams), settings.aliases, settings.default_model)
        dispatcher = Dispatcher(
            catalog,
            POLICIES[settings.routing](),
            settings.max_retries,
            chance=self._chance,
            on_retry=self.metrics.request_retried,
        )
        intake = Intake(settings, catalog, dispatcher, self._transport, self.admission, self.accounts)
        return PublicApp(
            routes(
                Proxy(intake, self.directory),
                Forwarder(intake),
                catalog,
                Diagnostics(self.directory),
                Privacy(settings),
                self.drain,
            ),
            Authenticator(self.keys, insecure=settings.insecure, is_salted=settings.isolate_prefix_cache),
            self.drain,
            self.metrics,
            self._tracing,
        )

    async def reload(self, wanted: GatewaySettings) -> list[str]:
        """Other settings for whatever begins from now on; gives the names of those that differ, also of those that take a
        restart. Raises before anything is changed, or not at all."""
        async with self._reloading:
            settings = applicable(self.settings, wanted)
            planned = new_upstreams(self.upstreams, settings, self._chance)
            upstreams = [upstream for upstream, _ in planned]
            public = self._composed(settings, upstreams)
            # New backends are known before the first request can ask for their models.
            await asyncio.gather(*(self.discoverer.probe(one) for one in upstreams if one not in self.upstreams))
            for upstream, row in planned:
                upstream.settings, upstream.breaker.limits = row, breaker_limits(settings)
            gone = [upstream for upstream in self.upstreams if upstream not in upstreams]
            changed = changed_names(self.settings, wanted)
            self.upstreams[:] = upstreams
            self.settings, self._public = settings, public
            self._transport.timeouts = _timeouts(settings)
            self.discoverer.watch(upstreams, settings.discovery_interval_s)
            self.admission.reconfigure(settings)
            self.drain.patience_s = settings.shutdown_timeout_s
            self.ledger.keep(settings.ledger_keep_days)
            for upstream in gone:
                self._transport.drop_resting(upstream.address)
            return changed

    @property
    def is_idle(self) -> bool:
        """Whether no request is at a backend or waits for one."""
        return self.accounts.open == 0 and self.admission.queue_depth == 0

    def _now(self) -> Now:
        return Now(
            streams=lambda: self.accounts.open,
            queue_depth=lambda: self.admission.queue_depth,
            backends=lambda: self.upstreams,
            models=lambda: len(Catalog(self.upstreams, self.settings.aliases, "").models()),
            is_draining=lambda: self.drain.is_on,
            ledger_pending=lambda: self.ledger.pending,
            ledger_dropped=lambda: self.ledger.dropped,
            ledger_fault=lambda: self.ledger.fault,
            free_bytes=lambda: _free_bytes(self.settings.data_dir),
        )

    def _counts(self) -> dict[str, Any]:
        return {
            "streams": {"active": self.accounts.open},
            "queue": {"depth": self.admission.queue_depth, "running_responses": self.admission.running},
        }

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI entry."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._public(scope, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        self.ledger.start()
        # The first discovery comes before the first request, so that a gateway that listens knows its models.
        await self.discoverer.probe_all()
        discovering = asyncio.create_task(self.discoverer.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        discovering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await discovering
        await self.directory.close()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def close(self) -> None:
        """Closes the connections to the backends and the databases; the ledger's last rows are written before."""
        self._transport.close()
        await asyncio.sleep(0)  # a loop that ends with open connections leaves their callbacks behind
        await asyncio.to_thread(self.ledger.close)
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)
        self.keys.close()

    def discard(self) -> None:
        """Closes the databases of a gateway that has never served."""
        self.ledger.close()
        self.keys.close()


def _free_bytes(folder: str) -> int:
    """Room on a folder's disk; 0 if the disk is not there any more, which is no reason to lose all other figures."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _anyone(_key_id: str) -> None:
    """Without keys there is none that could end."""


def refuse_exposed(settings: GatewaySettings) -> None:
    """Closed by default: without keys only for this machine. Raises DceError invalid_input."""
    if settings.insecure and not settings.is_loopback:
        raise DceError(
            "invalid_input",
            f"--insecure with the address {settings.host} would be an open relay",
            hint="Bind 127.0.0.1, or create a key and drop --insecure.",
        )
    if not settings.no_admin and not settings.admin_open and not is_this_machine(settings.admin_host):
        raise DceError(
            "invalid_input",
            f"the admin listener takes no key, and others could reach it at {settings.admin_host}",
            hint="Leave admin_host at 127.0.0.1; or say admin_open if the network around it is yours alone.",
        )


def _refuse_keyless(settings: GatewaySettings, keys: KeyStore) -> None:
    """No keys, no service."""
    if not settings.insecure and not keys.has_live():
        raise DceError(
            "invalid_input",
            f"there is no key in {settings.data_dir}, so nobody could use this gateway",
            hint="Create one: dce gateway keys create NAME --data-dir DIR.",
        )


def _timeouts(settings: GatewaySettings) -> Timeouts:
    return Timeouts(
        connect_s=settings.connect_timeout_s,
        first_byte_s=settings.first_byte_timeout_s,
        idle_s=settings.idle_timeout_s,
        first_token_s=settings.first_token_timeout_s,
    )
