"""The composition root: builds the gateway's objects and ASGI apps from the settings. Nothing else does."""

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
from dce.gateway.accounting.metrics import GaugeSources, Metrics
from dce.gateway.admin import LocalOnly, Status, admin_routes
from dce.gateway.backends.backend import Backend
from dce.gateway.backends.catalog import Catalog
from dce.gateway.backends.failover import Dispatcher
from dce.gateway.backends.health import Discoverer
from dce.gateway.backends.pools import pools_of
from dce.gateway.backends.routing import POLICIES
from dce.gateway.backends.transport import Timeouts, Transport
from dce.gateway.diagnostics import Diagnostics
from dce.gateway.drain import Drain
from dce.gateway.endpoints import PublicApp, routes
from dce.gateway.front.cors import Cors
from dce.gateway.legacy import Legacy, bound_key
from dce.gateway.paths.forward import Forwarder
from dce.gateway.paths.intake import Intake
from dce.gateway.paths.lookups import Lookups
from dce.gateway.paths.metering import Metering
from dce.gateway.paths.proxy import Proxy
from dce.gateway.privacy import Privacy
from dce.gateway.reload import applicable, breaker_limits, changed_names, new_backends
from dce.gateway.revoking import RunningRequests
from dce.gateway.settings import GatewaySettings
from dce.gateway.streaming.live import DetachedLimits, Directory
from dce.gateway.tracing import Tracing, tracing_of
from dce.wire.errors import DceError
from dce.wire.hosts import is_this_machine


class Gateway:
    """All objects of one gateway. `app` serves requests; the lifespan starts and stops the rest."""

    def __init__(
        self, settings: GatewaySettings, tracing: Tracing | None = None, chance: Callable[[], float] = random.random
    ) -> None:
        """`tracing`: overrides the settings. `chance`: a number from 0 to 1, to spread retries."""
        self.settings = settings
        self._chance = chance
        self._tracing = tracing or tracing_of(settings)
        self.keys = KeyStore(Path(settings.data_dir))
        try:
            refuse_exposed(settings)
            _refuse_keyless(settings, self.keys)
            bound_key(settings, self.keys)
            self.ledger = Ledger(Path(settings.data_dir), settings.ledger_keep_days)
        except DceError:
            self.keys.close()
            raise
        self.drain = Drain(settings.shutdown_timeout_s)
        self.metrics = Metrics()
        self.metering = Metering(self.ledger.add, self.metrics)
        self.backends = [backend for backend, _ in new_backends([], settings, chance)]
        """A reload changes the contents of this list, never the list object."""
        self._transport = Transport(_timeouts(settings))
        self.discoverer = Discoverer(self.backends, self._transport, settings.discovery_interval_s)
        self.directory = Directory(self._detached_limits)
        self._running = None if settings.insecure else RunningRequests(self.keys.revoked, self.directory)
        self.admission = Admission(
            settings,
            self.ledger.used,
            lambda model: pools_of(model, self.backends),
            check_key=_anyone if settings.insecure else self.keys.check,
        )
        self._public = self._composed(settings, self.backends)
        self._reloading = asyncio.Lock()
        self.metrics.watch(self._gauge_sources())
        self.admin = PublicApp(
            admin_routes(self.metrics, Status(self.backends, self.ledger, self.drain, self._counts), self.drain),
            LocalOnly((settings.admin_host, settings.admin_name)),
        )

    def _composed(self, settings: GatewaySettings, backends: Sequence[Backend]) -> PublicApp:
        """The request path for these settings. Changes nothing that outlives it."""
        catalog = Catalog(tuple(backends), settings.aliases, settings.default_model)
        dispatcher = Dispatcher(
            catalog,
            POLICIES[settings.routing](),
            settings.max_retries,
            chance=self._chance,
            on_retry=self.metrics.request_retried,
            busy_timeout_s=settings.busy_timeout_s,
        )
        intake = Intake(settings, catalog, dispatcher, self._transport, self.admission, self.metering)
        proxy = Proxy(intake, self.directory)
        authenticator = Authenticator(self.keys, insecure=settings.insecure, is_salted=settings.isolate_prefix_cache)
        return PublicApp(
            routes(
                proxy,
                Forwarder(intake),
                Lookups(intake),
                catalog,
                Diagnostics(self.directory),
                Privacy(settings),
                self.drain,
                Legacy(settings, self.keys, authenticator, proxy).rows(),
            ),
            authenticator,
            self.drain,
            self.metrics,
            self._tracing,
            self._running,
            Cors(settings.cors_origins),
        )

    async def reload(self, wanted: GatewaySettings) -> list[str]:
        """Applies settings to requests that start from now on. Returns the names of those that differ, including those that need a
        restart. Raises before anything is changed, or not at all."""
        async with self._reloading:
            settings = applicable(self.settings, wanted)
            bound_key(settings, self.keys)
            planned = new_backends(self.backends, settings, self._chance)
            backends = [backend for backend, _ in planned]
            public = self._composed(settings, backends)
            # New backends are probed before the first request can use their models.
            await asyncio.gather(*(self.discoverer.probe(one) for one in backends if one not in self.backends))
            for backend, row in planned:
                backend.settings, backend.breaker.limits = row, breaker_limits(settings)
            gone = [backend for backend in self.backends if backend not in backends]
            changed = changed_names(self.settings, wanted)
            self.backends[:] = backends
            self.settings, self._public = settings, public
            self._transport.timeouts = _timeouts(settings)
            self.discoverer.watch(backends, settings.discovery_interval_s)
            self.admission.reconfigure(settings)
            self.drain.patience_s = settings.shutdown_timeout_s
            self.ledger.keep(settings.ledger_keep_days)
            for backend in gone:
                self._transport.drop_resting(backend.address)
            return changed

    def _detached_limits(self) -> DetachedLimits:
        return DetachedLimits(
            total=self.settings.max_detached_streams, per_key=self.settings.max_detached_streams_per_key
        )

    @property
    def is_idle(self) -> bool:
        """Whether no request is at a backend or queued."""
        return self.metering.open == 0 and self.admission.queue_depth == 0

    def _gauge_sources(self) -> GaugeSources:
        return GaugeSources(
            streams=lambda: self.metering.open,
            queue_depth=lambda: self.admission.queue_depth,
            backends=lambda: self.backends,
            models=lambda: len(Catalog(self.backends, self.settings.aliases, "").models()),
            is_draining=lambda: self.drain.is_on,
            ledger_pending=lambda: self.ledger.pending,
            ledger_dropped=lambda: self.ledger.dropped,
            ledger_fault=lambda: self.ledger.fault,
            free_bytes=lambda: _free_bytes(self.settings.data_dir),
        )

    def _counts(self) -> dict[str, Any]:
        return {
            "streams": {"active": self.metering.open},
            "queue": {"depth": self.admission.queue_depth, "running_responses": self.admission.running},
        }

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI entry."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            if scope["path"].endswith("/v1/models"):
                self.discoverer.notice(scope["headers"])
            await self._public(scope, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        self.ledger.start()
        # Probed before the first request, so that a listening gateway knows its models.
        await self.discoverer.probe_all()
        discovering = asyncio.create_task(self.discoverer.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        discovering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await discovering
        if self._running is not None:
            self._running.close()
        await self.directory.close()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def close(self) -> None:
        """Closes the backend connections and the databases, after writing the ledger's last rows."""
        self._transport.close()
        await asyncio.sleep(0)  # lets the connections' close callbacks run before the loop ends
        await asyncio.to_thread(self.ledger.close)
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)
        self.keys.close()

    def discard(self) -> None:
        """Closes the databases of a gateway that never served."""
        self.ledger.close()
        self.keys.close()


def _free_bytes(folder: str) -> int:
    """Free space on a folder's disk; 0 if the disk is gone, so that the other metrics still work."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _anyone(_key_id: str) -> None:
    """The key check without keys: there is nothing to check."""


def refuse_exposed(settings: GatewaySettings) -> None:
    """Closed by default: without keys, only this machine may connect. Raises DceError invalid_input."""
    if settings.insecure and not settings.is_loopback:
        raise DceError(
            "invalid_input",
            f"--insecure on the address {settings.host} would let anyone use the gateway",
            hint="Listen on 127.0.0.1, or create a key and drop --insecure.",
        )
    if settings.insecure and "*" in settings.cors_origins:
        raise DceError(
            "invalid_input",
            "--insecure with cors_origins * would let every web page that this machine opens use the gateway",
            hint="Name the origins of the pages, or create a key and drop --insecure.",
        )
    if not settings.no_admin and not settings.admin_open and not is_this_machine(settings.admin_host):
        raise DceError(
            "invalid_input",
            f"the admin listener asks for no key, and other machines could reach it at {settings.admin_host}",
            hint="Leave admin_host at 127.0.0.1, or set admin_open if the network is private.",
        )


def _refuse_keyless(settings: GatewaySettings, keys: KeyStore) -> None:
    """Refuses to serve without any live key, unless `insecure` is set."""
    if not settings.insecure and not keys.has_live():
        raise DceError(
            "invalid_input",
            f"there is no live key in {settings.data_dir}, so nobody could use this gateway",
            hint="Create one: dce gateway keys create NAME --data-dir DIR.",
        )


def _timeouts(settings: GatewaySettings) -> Timeouts:
    return Timeouts(
        connect_s=settings.connect_timeout_s,
        first_byte_s=settings.first_byte_timeout_s,
        idle_s=settings.idle_timeout_s,
        first_token_s=settings.first_token_timeout_s,
    )
