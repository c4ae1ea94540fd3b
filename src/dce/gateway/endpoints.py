"""The public listener: a table of routes, and what every request gets: an id, a key check, the error shape, a log line.

Closed by default: a route must be declared public, and an unknown path requires a key like any other.
"""

import asyncio
import contextlib
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from dce.gateway.access.auth import Headers, Principal
from dce.gateway.accounting.metrics import Metrics
from dce.gateway.backends.catalog import Catalog
from dce.gateway.diagnostics import Diagnostics
from dce.gateway.drain import Drain
from dce.gateway.front.connection import connection_of
from dce.gateway.front.dialects import EMBEDDINGS, MESSAGES, OPENAI, RESPONSES, Dialect
from dce.gateway.front.request import ClientGone, Request
from dce.gateway.paths.forward import Forwarder
from dce.gateway.paths.proxy import Proxy
from dce.gateway.privacy import Privacy
from dce.gateway.revoking import RunningRequests
from dce.gateway.tracing import Tracing
from dce.wire.errors import CODES, DceError

log = logging.getLogger("dce.gateway")

Handler = Callable[[Request], Awaitable[None]]

SERVICE = "dce-gateway"
GONE = 499
"""The status, in metrics, of a request whose client disconnected before the answer; nginx uses the same number."""
LAST_WORD_S = 10.0
"""How long a client may take to read the error that ends its stream: after that its connection is closed."""


class Route(msgspec.Struct, frozen=True):
    """One route. `{name}` in a pattern stands for one path segment."""

    method: str
    pattern: str
    handler: Handler
    is_public: bool = False
    dialect: Dialect = OPENAI
    """How bodies are read and errors written."""


class Routes:
    """Finds a request's route by exact path; nothing is normalised, joined or guessed."""

    def __init__(self, rows: Sequence[Route]) -> None:
        self.rows = tuple(rows)
        self._compiled = [
            (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[A-Za-z0-9_-]{1,64})", row.pattern)), row) for row in rows
        ]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its path values. Raises route_not_found."""
        other: list[str] = []
        for pattern, row in self._compiled:
            match = pattern.fullmatch(path)
            if match and row.method == method:
                return row, match.groupdict()
            if match:
                other.append(row.method)
        if other:
            raise DceError("route_not_found", f"{path} does not take {method}", hint=f"Use {' or '.join(other)}.")
        raise DceError("route_not_found", f"the gateway has no such route: {method} {path[:200]}")


def routes(
    proxy: Proxy, forwarder: Forwarder, catalog: Catalog, diagnostics: Diagnostics, privacy: Privacy, drain: Drain
) -> Routes:
    """The routes of the public listener."""

    async def healthz(request: Request) -> None:
        await request.answer(200, {"ok": True, "service": SERVICE})

    async def readyz(request: Request) -> None:
        is_ready = bool(catalog.models()) and not drain.is_on
        await request.answer(200 if is_ready else 503, {"ok": is_ready, "service": SERVICE})

    return Routes(
        [
            Route("POST", "/api/dce/proxy", proxy.generate),
            Route("POST", "/api/dce/generate", proxy.generate_whole),
            Route("GET", "/api/dce/streamcheck", diagnostics.streamcheck),
            Route("GET", "/api/dce/streams", diagnostics.streams),
            Route("GET", "/api/dce/streams/{id}", proxy.resume),
            Route("DELETE", "/api/dce/streams/{id}", proxy.stop_stream),
            Route("DELETE", "/api/dce/streams/{id}/choices/{index}", proxy.stop_choice),
            Route("POST", "/v1/chat/completions", forwarder.forward),
            Route("POST", "/v1/completions", forwarder.forward),
            Route("POST", "/v1/responses", forwarder.forward, dialect=RESPONSES),
            Route("POST", "/v1/messages", forwarder.forward, dialect=MESSAGES),
            Route("POST", "/v1/embeddings", forwarder.forward, dialect=EMBEDDINGS),
            Route("GET", "/v1/models", forwarder.models),
            Route("POST", "/tokenize", forwarder.tokenize),
            Route("GET", "/api/dce/privacy", privacy.answer, is_public=True),
            Route("GET", "/healthz", healthz, is_public=True),
            Route("GET", "/readyz", readyz, is_public=True),
        ]
    )


class Gatekeeper(Protocol):
    """Authenticates a request."""

    def principal(self, headers: Headers) -> Principal:
        """The caller. Raises DceError."""


class PublicApp:
    """The ASGI app of a listener. `drain` refuses new work, `metrics` counts, `tracing` traces; the admin listener has none."""

    def __init__(
        self,
        table: Routes,
        authenticator: Gatekeeper,
        drain: Drain | None = None,
        metrics: Metrics | None = None,
        tracing: Tracing | None = None,
        running: RunningRequests | None = None,
    ) -> None:
        self._routes = table
        self._authenticator = authenticator
        self._drain = drain
        self._metrics = metrics
        self._tracing = tracing
        self._running = running

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, from its id to its log line."""
        connection = connection_of(scope)
        request = Request(scope, receive, send, connection, secrets.token_hex(8))
        task = asyncio.current_task()
        assert task is not None
        began = time.perf_counter()
        connection.on_gone = task.cancel
        if self._running is not None:
            self._running.began(request, task)
        span = None
        if self._tracing is not None:
            span = self._tracing.begin(request)
            request.traceparent = span.traceparent
        outcome = "done"
        try:
            await self._answer(request)
        except DceError as error:
            outcome = error.code
            await self._fail(request, error)
        except ClientGone:
            outcome = "client_gone"
        except asyncio.CancelledError:
            # The client disconnected, its key was revoked, or a shutdown's time is up. The task ends here; unless the client is gone, it
            # can say why.
            refusal = request.refusal or DceError("draining", "the gateway is stopping")
            outcome = "client_gone" if connection.is_gone else refusal.code
            if not connection.is_gone:
                await self._fail(request, refusal)
        except Exception:
            outcome = "internal"
            log.exception("unexpected error", extra={"request_id": request.id})
            await self._fail(request, DceError("internal", "unexpected error in the gateway"))
        finally:
            connection.release()
            if self._running is not None:
                self._running.ended(request)
            self._log(request, outcome, time.perf_counter() - began)
            if span is not None:
                span.end(request, outcome)
            if self._metrics is not None:
                self._metrics.request_ended(request.route, request.status or GONE, outcome if outcome in CODES else "")

    async def _answer(self, request: Request) -> None:
        path = request.scope["path"]
        try:
            route, values = self._routes.find(request.scope["method"], path)
        except DceError:
            self._authenticator.principal(request.scope["headers"])
            raise
        request.route, request.dialect = route.pattern, route.dialect
        if not route.is_public:
            _refuse_old_http(request)
            request.principal = self._authenticator.principal(request.scope["headers"])
        request.path_values = values
        if self._drain is not None and route.method == "POST":
            self._drain.refuse()
        await route.handler(request)

    async def _fail(self, request: Request, error: DceError) -> None:
        """Sends an HTTP error if nothing was sent yet, otherwise an error event: never a silent end."""
        if not request.is_started:
            await request.fail(error)
        else:
            request.connection.write(request.dialect.event(error, request.id))
            with contextlib.suppress(RuntimeError):
                await request.finish(patience_s=LAST_WORD_S)

    def _log(self, request: Request, outcome: str, duration_s: float) -> None:
        """Writes one line per request: ids, counts and times; never a key, a prompt or an answer. All printable ASCII."""
        fields = {
            "request_id": request.id,
            "method": request.scope["method"],
            "path": request.scope["path"][:200],
            "status": request.status,
            "outcome": outcome,
            "key_id": request.principal.key_id,
            "duration_ms": round(duration_s * 1000, 1),
            **request.log_fields,
        }
        log.info("request", extra={"fields": fields})


def _refuse_old_http(request: Request) -> None:
    """Refuses HTTP/1.0, which has no chunks: the end of a stream would look like a broken connection. Public routes accept it."""
    if request.scope["http_version"] == "1.0":
        raise DceError(
            "invalid_request",
            "the request uses HTTP/1.0, which cannot carry a stream",
            hint="Use HTTP/1.1; behind nginx, set `proxy_http_version 1.1;`.",
        )
