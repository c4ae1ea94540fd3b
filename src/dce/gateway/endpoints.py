"""The public listener: a table of routes, and what every request gets: an id, a key check, the error shape, a log line.

Closed by default: a route must be declared public, and an unknown path requires a key like any other.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Sequence
from typing import Any, Protocol

from dce.gateway.access.auth import Headers, Principal, anthropic_headers
from dce.gateway.accounting.metrics import Metrics
from dce.gateway.backends.catalog import Catalog
from dce.gateway.diagnostics import Diagnostics
from dce.gateway.drain import Drain
from dce.gateway.front.connection import connection_of
from dce.gateway.front.cors import Cors
from dce.gateway.front.dialects import EMBEDDINGS, MESSAGES, OPENAI, RESPONSES, Dialect, dialect_at
from dce.gateway.front.request import ClientGone, Request
from dce.gateway.paths.forward import Forwarder
from dce.gateway.paths.lookups import Lookups
from dce.gateway.paths.proxy import Proxy
from dce.gateway.privacy import Privacy
from dce.gateway.revoking import RunningRequests
from dce.gateway.route_table import Route, Routes, WrongMethod, shown
from dce.gateway.tracing import Tracing
from dce.wire.errors import CODES, DceError

log = logging.getLogger("dce.gateway")

SERVICE = "dce-gateway"
GONE = 499
"""The status, in metrics, of a request whose client disconnected before the answer; nginx uses the same number."""
LAST_WORD_S = 10.0
"""How long a client may take to read the error that ends its stream: after that its connection is closed."""


def routes(
    proxy: Proxy,
    forwarder: Forwarder,
    lookups: Lookups,
    catalog: Catalog,
    diagnostics: Diagnostics,
    privacy: Privacy,
    drain: Drain,
    legacy: Sequence[Route] = (),
) -> Routes:
    """The routes of the public listener. `legacy`: rows that come before all others."""

    async def healthz(request: Request) -> None:
        await request.answer(200, {"ok": True, "service": SERVICE})

    async def readyz(request: Request) -> None:
        is_ready = bool(catalog.models()) and not drain.is_on
        await request.answer(200 if is_ready else 503, {"ok": is_ready, "service": SERVICE})

    return Routes(
        [
            *legacy,
            Route("POST", "/api/dce/proxy", proxy.generate),
            Route("POST", "/api/dce/generate", proxy.generate_whole),
            Route("GET", "/api/dce/streamcheck", diagnostics.streamcheck, is_streamed=True),
            Route("GET", "/api/dce/streams", diagnostics.streams),
            Route("GET", "/api/dce/streams/{id}", proxy.resume, is_streamed=True),
            Route("DELETE", "/api/dce/streams/{id}", proxy.stop_stream),
            Route("DELETE", "/api/dce/streams/{id}/choices/{index}", proxy.stop_choice),
            Route("POST", "/v1/chat/completions", forwarder.forward, dialect=OPENAI),
            Route("POST", "/v1/completions", forwarder.forward, dialect=OPENAI),
            Route("POST", "/v1/responses", forwarder.forward, dialect=RESPONSES),
            Route("POST", "/v1/messages", forwarder.forward, dialect=MESSAGES),
            Route("POST", "/v1/messages/count_tokens", lookups.count_message, dialect=MESSAGES),
            Route("POST", "/v1/embeddings", forwarder.forward, dialect=EMBEDDINGS),
            Route("GET", "/v1/models", lookups.models, dialect=OPENAI),
            Route("GET", "/v1/models/{model*}", lookups.model, dialect=OPENAI),
            Route("POST", "/tokenize", lookups.tokenize, dialect=OPENAI),
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
    """The ASGI app of a listener. `drain` refuses new work, `metrics` counts, `tracing` traces, `cors` admits web pages; the admin listener
    has none of them."""

    def __init__(
        self,
        table: Routes,
        authenticator: Gatekeeper,
        drain: Drain | None = None,
        metrics: Metrics | None = None,
        tracing: Tracing | None = None,
        running: RunningRequests | None = None,
        cors: Cors | None = None,
    ) -> None:
        self._cors = cors or Cors(())
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
        method, path, headers = request.scope["method"], request.scope["path"], request.scope["headers"]
        request.dialect = _dialect_of(path, request)
        request.headers += self._cors.headers(headers)
        if (fields := self._cors.preflight(method, headers)) is not None:
            request.headers += fields
            await request.no_content()
            return
        self._cors.refuse(method, headers)
        if request.dialect is MESSAGES:
            headers = anthropic_headers(headers)
        try:
            route, values = self._routes.find(method, path)
        except DceError as error:
            self._authenticator.principal(headers)
            if isinstance(error, WrongMethod):
                request.headers.append((b"allow", ", ".join(error.methods).encode()))
            raise
        request.route, request.path_values = route.pattern, values
        request.dialect = request.dialect if route.dialect is OPENAI else route.dialect
        if not route.is_public:
            _refuse_old_http(request)
            request.principal = (
                self._authenticator.principal(headers)
                if route.credential is None
                else route.credential(headers, values)
            )
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
            "path": shown(request.scope["path"]),
            "status": request.status,
            "outcome": outcome,
            "key_id": request.principal.key_id,
            "duration_ms": round(duration_s * 1000, 1),
            **request.log_fields,
        }
        log.info("request", extra={"fields": fields})


def _dialect_of(path: str, request: Request) -> Dialect:
    """The dialect of a path. The list of models is one for both APIs: who sends Anthropic's version header reads its errors."""
    dialect = dialect_at(path)
    return MESSAGES if dialect is OPENAI and request.header(b"anthropic-version") else dialect


def _refuse_old_http(request: Request) -> None:
    """Refuses HTTP/1.0, which has no chunks: the end of a stream would look like a broken connection. Public routes accept it."""
    if request.scope["http_version"] == "1.0":
        raise DceError(
            "invalid_request",
            "the request uses HTTP/1.0, which cannot carry a stream",
            hint="Use HTTP/1.1; behind nginx, set `proxy_http_version 1.1;`.",
        )
