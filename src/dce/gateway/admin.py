"""The admin listener: metrics, status, drain. For the operator on this machine; web pages in a browser get nothing.

It asks for no key, so it listens on a loopback address. A page that points its own host name at that address (DNS rebinding) is
recognised by the Host header, one that submits a form by its Origin.
"""

import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from dce import __version__
from dce.gateway.access.auth import Headers, Principal
from dce.gateway.accounting.ledger import Ledger
from dce.gateway.accounting.metrics import CONTENT_TYPE, Metrics
from dce.gateway.backends.backend import Backend
from dce.gateway.drain import Drain
from dce.gateway.front.request import Request
from dce.gateway.route_table import Route, Routes
from dce.wire.errors import DceError

OPERATOR = Principal(key_id="", name="operator")
MAX_DRAIN_S = 86_400.0


class LocalOnly:
    """Accepts requests whose Host is an IP address, `localhost` or a name the operator configured."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = {"localhost", *(name.lower() for name in names if name)}

    def principal(self, headers: Headers) -> Principal:
        """The operator. Raises forbidden for a request from a web page."""
        values = list(headers)
        if any(name == b"origin" for name, _ in values):
            raise _forbidden("the request comes from a page in a browser")
        host = next((value.decode("latin-1") for name, value in values if name == b"host"), "")
        if not self._is_ours(_without_port(host).lower()):
            raise _forbidden(f"the request's Host is {host[:100]!r}")
        return OPERATOR

    def _is_ours(self, host: str) -> bool:
        try:
            ip_address(host)
        except ValueError:
            return host in self._names
        return True  # a page loaded by name never has an IP address as its Host


class Status:
    """The content of `/status`, read on request."""

    def __init__(
        self,
        backends: Sequence[Backend],
        ledger: Ledger,
        drain: Drain,
        counts: Callable[[], dict[str, Any]],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._backends = backends
        self._ledger = ledger
        self._drain = drain
        self._counts = counts
        self._wall = wall
        self._started_at = wall()

    def read(self) -> dict[str, Any]:
        """The status as JSON. Names, counts and times; no key, no content."""
        return {
            "version": __version__,
            "started_at": self._started_at,
            "uptime_s": round(self._wall() - self._started_at, 3),
            "is_draining": self._drain.is_on,
            "backends": [backend.status for backend in self._backends],
            "ledger": {
                "pending_rows": self._ledger.pending,
                "dropped_rows": self._ledger.dropped,
                "fault": self._ledger.fault,
            },
            **self._counts(),
        }


def admin_routes(metrics: Metrics, status: Status, drain: Drain) -> Routes:
    """The routes of the admin listener."""

    async def show_metrics(request: Request) -> None:
        body = metrics.text()
        await request.start(
            200,
            [
                (b"content-type", CONTENT_TYPE.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
            ],
        )
        await request.finish(body)

    async def show_status(request: Request) -> None:
        await request.answer(200, status.read())

    async def begin_drain(request: Request) -> None:
        drain.begin(_patience(request.query("patience_s")))
        await request.answer(202, {"is_draining": True, "left_s": round(drain.left_s, 3)})

    return Routes(
        [
            Route("GET", "/metrics", show_metrics),
            Route("GET", "/status", show_status),
            Route("POST", "/drain", begin_drain),
        ]
    )


def _patience(text: str) -> float | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and float(text) <= MAX_DRAIN_S):
        raise DceError("invalid_request", f"patience_s must be a whole number of seconds up to {MAX_DRAIN_S:,.0f}")
    return float(text)


def _without_port(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _forbidden(fact: str) -> DceError:
    hint = "Use an address, such as http://127.0.0.1:3002, and no browser page; `admin_name` allows another host name."
    return DceError("forbidden", f"the admin listener answers only this machine's operator: {fact}", hint=hint)
