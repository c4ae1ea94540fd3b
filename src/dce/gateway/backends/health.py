"""Asks the backends what they are and what they serve, again and again; changes Upstream state and nothing else.

A backend that appears late, is restarted with another model or dies is noticed within `discovery_interval_s`, without
restarting the gateway; at once if a request meets it first.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dce.gateway.backends.faults import backend_fault
from dce.gateway.backends.kinds import recognise
from dce.gateway.backends.transport import Transport, json_headers, request_head
from dce.gateway.backends.upstream import Discovery, Upstream
from dce.wire.errors import DceError

log = logging.getLogger("dce.gateway")

PROBE_TIMEOUT_S = 10.0
"""Longest wait for /v1/models: an API server busy with a huge prompt may answer late, but not this late."""
DOWN_INTERVAL_S = 1.0
"""How often a backend that is down is asked: whoever has just started one should not wait for the gateway to notice."""
DOUBT_PAUSE_S = 0.25
"""Least time between two probes that requests have asked for: a storm of failures is not a storm of probes."""
MAX_PROBE_BYTES = 4 * 1024 * 1024


class Discoverer:
    """Keeps the upstreams' state true."""

    def __init__(self, upstreams: Sequence[Upstream], transport: Transport, interval_s: float) -> None:
        self._transport = transport
        self._doubted: set[Upstream] = set()
        self._has_doubts = asyncio.Event()
        self._take(upstreams, interval_s)

    def watch(self, upstreams: Sequence[Upstream], interval_s: float) -> None:
        """From now on these are asked, the first time at once."""
        self._take(upstreams, interval_s)
        self._doubted = set(upstreams)
        self._has_doubts.set()

    def _take(self, upstreams: Sequence[Upstream], interval_s: float) -> None:
        self._upstreams = tuple(upstreams)
        self._interval_s = interval_s
        for upstream in upstreams:
            upstream.on_doubt = self._doubt

    async def run(self) -> None:
        """Probes all backends for ever, the first time after one interval; sooner while one of them is down, and one that a
        request had reason to doubt at once."""
        while True:
            is_any_down = not all(upstream.is_up for upstream in self._upstreams)
            try:
                async with asyncio.timeout(min(self._interval_s, DOWN_INTERVAL_S) if is_any_down else self._interval_s):
                    await self._has_doubts.wait()
            except TimeoutError:
                await self.probe_all()
            else:
                await self._resolve_doubts()

    def _doubt(self, upstream: Upstream) -> None:
        self._doubted.add(upstream)
        self._has_doubts.set()

    async def _resolve_doubts(self) -> None:
        doubted, self._doubted = self._doubted, set()
        self._has_doubts.clear()
        await asyncio.gather(*(self.probe(upstream) for upstream in doubted))
        await asyncio.sleep(DOUBT_PAUSE_S)

    async def probe_all(self) -> None:
        """Probes every backend once, all at the same time."""
        await asyncio.gather(*(self.probe(upstream) for upstream in self._upstreams))

    async def probe(self, upstream: Upstream) -> None:
        """Asks one backend and records what it said, or why it could not be asked; the log says what is new."""
        known = _state_of(upstream)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                upstream.discovered(await self._ask(upstream))
        except TimeoutError:
            upstream.failed(
                DceError("backend_timeout", f"{upstream.url}/v1/models did not answer within {PROBE_TIMEOUT_S:g} s")
            )
        except DceError as error:
            upstream.failed(error)
        if (state := _state_of(upstream)) != known:
            reason = {"reason": upstream.fault.message} if upstream.fault else {}
            level = logging.INFO if upstream.is_up else logging.WARNING
            log.log(level, "a backend", extra={"fields": {**state, **reason}})

    async def _ask(self, upstream: Upstream) -> Discovery:
        answer = await self._get(upstream, "/v1/models")
        data = answer.get("data")
        if not isinstance(data, list):
            raise DceError(
                "backend_error",
                f"{upstream.url}/v1/models did not answer with a list of models",
                hint="Is that URL an OpenAI-compatible server?",
            )
        cards = [card for card in data if isinstance(card, dict)]
        kind = recognise(cards)
        props = await self._get(upstream, kind.props_path) if kind.props_path else {}
        return Discovery(kind=kind, models=tuple(kind.models(cards)), native_limit=kind.native_limit(props))

    async def _get(self, upstream: Upstream, path: str) -> Mapping[str, Any]:
        headers = json_headers(upstream.settings.key, "discovery")
        head = request_head("GET", upstream.prefix + path, upstream.address, headers, 0)
        exchange = await self._transport.open(upstream.address, [head], PROBE_TIMEOUT_S)
        body = await exchange.read(MAX_PROBE_BYTES)
        if exchange.status != 200:
            raise backend_fault(exchange.status, body, f"{upstream.url}{path}")
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise DceError(
                "backend_error",
                f"{upstream.url}{path} did not answer with JSON",
                hint="Is that URL an OpenAI-compatible server?",
            )
        return value


def _state_of(upstream: Upstream) -> dict[str, Any]:
    """What is worth a line in the log when it changes."""
    if upstream.fault is not None:
        return {"backend": upstream.url, "state": "down", "code": upstream.fault.code}
    return {
        "backend": upstream.url,
        "state": "up",
        "kind": upstream.kind.name,
        "models": [model.id for model in upstream.models],
    }
