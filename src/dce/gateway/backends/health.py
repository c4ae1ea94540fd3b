"""Health checks and model discovery: probes the backends periodically and updates their `Backend` state, nothing else.

A backend that starts late, restarts with another model, or dies is noticed within `discovery_interval_s`, without restarting the
gateway; at once if a request notices first.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from dce.gateway.backends.backend import Backend, Discovery
from dce.gateway.backends.faults import backend_fault
from dce.gateway.backends.kinds import recognise
from dce.gateway.backends.transport import Transport, json_headers, request_head
from dce.wire.errors import DceError

log = logging.getLogger("dce.gateway")

PROBE_HEADER = b"x-dce-probe"
"""Marks a probe with a random value, by which the gateway recognises its own."""

PROBE_TIMEOUT_S = 10.0
"""Maximum wait for /v1/models: an API server busy with a huge prompt may answer late, but not this late."""
DOWN_INTERVAL_S = 1.0
"""How often a backend that is down is probed: after starting one, nobody should have to wait for the gateway to notice."""
DOUBT_PAUSE_S = 0.25
"""Minimum time between probes triggered by requests: a storm of failures must not become a storm of probes."""
MAX_PROBE_BYTES = 4 * 1024 * 1024


class Discoverer:
    """Keeps the backends' state up to date."""

    def __init__(self, backends: Sequence[Backend], transport: Transport, interval_s: float) -> None:
        self._transport = transport
        self._probes: dict[str, bool] = {}
        """The marks of the probes in flight → whether the probe has come back to this gateway."""
        self._doubted: set[Backend] = set()
        self._has_doubts = asyncio.Event()
        self._take(backends, interval_s)

    def watch(self, backends: Sequence[Backend], interval_s: float) -> None:
        """Replaces the list of backends to probe; they are probed at once."""
        self._take(backends, interval_s)
        self._doubted = set(backends)
        self._has_doubts.set()

    def _take(self, backends: Sequence[Backend], interval_s: float) -> None:
        self._backends = tuple(backends)
        self._interval_s = interval_s
        for backend in backends:
            backend.on_doubt = self._doubt

    async def run(self) -> None:
        """Probes all backends forever, the first time after one interval; more often while one is down, and at once for a backend
        that a request's error cast doubt on."""
        while True:
            is_any_down = not all(backend.is_up for backend in self._backends)
            try:
                async with asyncio.timeout(min(self._interval_s, DOWN_INTERVAL_S) if is_any_down else self._interval_s):
                    await self._has_doubts.wait()
            except TimeoutError:
                await self.probe_all()
            else:
                await self._resolve_doubts()

    def notice(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """A request for the models has come in. If it is one of this gateway's own probes, the probed backend is this gateway."""
        mark = dict(headers).get(PROBE_HEADER, b"").decode("latin-1")
        if mark in self._probes:
            self._probes[mark] = True

    def _doubt(self, backend: Backend) -> None:
        self._doubted.add(backend)
        self._has_doubts.set()

    async def _resolve_doubts(self) -> None:
        doubted, self._doubted = self._doubted, set()
        self._has_doubts.clear()
        await asyncio.gather(*(self.probe(backend) for backend in doubted))
        await asyncio.sleep(DOUBT_PAUSE_S)

    async def probe_all(self) -> None:
        """Probes every backend once, all at the same time."""
        await asyncio.gather(*(self.probe(backend) for backend in self._backends))

    async def probe(self, backend: Backend) -> None:
        """Probes one backend and records what it serves, or why the probe failed; logs any change."""
        known = _state_of(backend)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                backend.discovered(await self._ask_marked(backend))
        except TimeoutError:
            backend.failed(
                DceError("backend_timeout", f"{backend.url}/v1/models did not answer within {PROBE_TIMEOUT_S:g} s")
            )
        except DceError as error:
            backend.failed(error)
        if (state := _state_of(backend)) != known:
            reason = {"reason": backend.fault.message} if backend.fault else {}
            level = logging.INFO if backend.is_up else logging.WARNING
            log.log(level, "a backend", extra={"fields": {**state, **reason}})

    async def _ask_marked(self, backend: Backend) -> Discovery:
        """What a backend serves. Raises no_healthy_backend if it is this gateway: it would send each request to itself, without end."""
        mark = secrets.token_hex(8)
        self._probes[mark] = False
        found: Discovery | DceError
        try:
            found = await self._ask(backend, mark)
        except DceError as error:
            found = error
        finally:
            is_this_gateway = self._probes.pop(mark)
        if is_this_gateway:
            raise DceError(
                "no_healthy_backend",
                f"{backend.url} is this gateway itself, not a model server",
                hint="Give --backend (or `url` of the backend) the address of the model server; behind a web server, not the web server's.",
            )
        if isinstance(found, DceError):
            raise found
        return found

    async def _ask(self, backend: Backend, mark: str) -> Discovery:
        answer = await self._get(backend, "/v1/models", {PROBE_HEADER.decode(): mark})
        data = answer.get("data")
        if not isinstance(data, list):
            raise DceError(
                "backend_error",
                f"{backend.url}/v1/models did not return a list of models",
                hint="Check that the URL is an OpenAI-compatible server.",
            )
        cards = [card for card in data if isinstance(card, dict)]
        kind = recognise(cards)
        props = await self._get(backend, kind.props_path) if kind.props_path else {}
        return Discovery(kind=kind, models=tuple(kind.models(cards)), native_limit=kind.native_limit(props))

    async def _get(self, backend: Backend, path: str, extra: dict[str, Any] | None = None) -> Mapping[str, Any]:
        headers = json_headers(backend.settings.key, "discovery", extra)
        head = request_head("GET", backend.prefix + path, backend.address, headers, 0)
        exchange = await self._transport.open(backend.address, [head], PROBE_TIMEOUT_S)
        body = await exchange.read(MAX_PROBE_BYTES)
        if exchange.status != 200:
            raise backend_fault(exchange.status, body, f"{backend.url}{path}", exchange.retry_after_s)
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise DceError(
                "backend_error",
                f"{backend.url}{path} did not return JSON",
                hint="Check that the URL is an OpenAI-compatible server.",
            )
        return value


def _state_of(backend: Backend) -> dict[str, Any]:
    """The state whose changes are logged."""
    if backend.fault is not None:
        return {"backend": backend.url, "state": "down", "code": backend.fault.code}
    return {
        "backend": backend.url,
        "state": "up",
        "kind": backend.kind.name,
        "models": [model.id for model in backend.models],
    }
