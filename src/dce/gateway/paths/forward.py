"""The /v1 routes that generate: a request forwarded to a backend that serves its model, and answered byte for byte."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from dce.gateway.access.admission import Demand
from dce.gateway.backends.backend import Backend
from dce.gateway.backends.busy import OnBusy, tell_nobody
from dce.gateway.backends.failover import Attempts
from dce.gateway.backends.faults import fault_in, ran_too_long
from dce.gateway.backends.kinds import Model
from dce.gateway.backends.routing import affinity_key
from dce.gateway.backends.transport import Exchange
from dce.gateway.front.body import ForwardBody, encode_request, read_forward, with_fields
from dce.gateway.front.bounds import responses_in
from dce.gateway.front.request import NO_BUFFERING, Request
from dce.gateway.paths.backend_call import post
from dce.gateway.paths.entries import RelayResult
from dce.gateway.paths.intake import Intake, dropped_header
from dce.gateway.paths.metering import RequestMeter, ended_by
from dce.gateway.paths.queue_notice import QueuedRelay
from dce.gateway.paths.waiting import until_finished
from dce.gateway.streaming.relay import Relay
from dce.gateway.streaming.tail import Tail, read_tail
from dce.wire.errors import DceError

_Done = TypeVar("_Done")


class Forwarder:
    """Answers the /v1 routes that generate."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._settings = intake.settings

    async def forward(self, request: Request) -> None:
        """Forwards an OpenAI request to a backend that serves its model, and relays the answer byte for byte."""
        body, meter = await self._intake.begin(request)
        allowed = frozenset(self._settings.allowed_fields)
        ask = read_forward(body, max_n=self._settings.max_n, dialect=request.dialect, allowed=allowed)
        if ask.dropped:
            request.headers.append(dropped_header(ask.dropped))
        meter.text_bytes = ask.text_bytes
        queued = QueuedRelay(request, self._settings.heartbeat_s)
        tell = queued.busy if ask.is_stream else tell_nobody
        model = await meter.waiting(self._intake.served(request, ask.model, tell))
        ticket = await self._intake.admit(meter, _demand(ask, model), queued.tell if ask.is_stream else None)
        try:
            await self._forward(meter, ask, model, tell)
        finally:
            ticket.settle(meter.tokens)

    async def _forward(self, meter: RequestMeter, ask: ForwardBody, model: Model, tell: OnBusy) -> None:
        request, n = meter.request, responses_in(ask.fields)
        key = affinity_key(request.principal, request.header(b"x-dce-session"), ask.fields)
        attempts = self._intake.dispatcher.one(model.id, key, n)
        meter.open(model.id, n)
        passed = _Passed()
        deadline = _Deadline(self._settings.total_timeout_s)
        try:
            exchange = await deadline.keep(attempts.open(lambda backend: self._send(meter, ask, model, backend), tell))
            if _is_stream(exchange, ask):
                passed.relay = Relay(exchange, request.connection, request.id, request.dialect)
                await self._relay_events(request, exchange.status, passed.relay, deadline)
                if not passed.relay.is_expired:
                    attempts.lease.end(passed.relay.error)
            else:
                body = await deadline.keep(self._whole(exchange, attempts, request.dialect.answer))
                if ask.is_stream:  # a client that waits for events would take it for an empty answer
                    raise DceError("backend_error", "the backend did not answer a streaming request with a stream")
                passed.body = body
                await request.answer(exchange.status, passed.body)
        except DceError as error:
            passed.fault = error
            raise
        finally:
            attempts.lease.abandon()
            meter.settle_relay(passed.relayed(n, attempts.backend.url), ended_by(request))

    async def _send(self, meter: RequestMeter, ask: ForwardBody, model: Model, backend: Backend) -> Exchange:
        request = meter.request
        pieces = _forward_pieces(ask, model, {**backend.kind.salted(request.principal.cache_salt), **ask.added})
        meter.sent()
        exchange = await post(self._intake.transport, backend, request.route, pieces, request.id, request.traceparent)
        if _is_stream(exchange, ask):
            # vLLM sends its head before it queues and prefills: until an event arrives, another backend may still take over.
            await exchange.first_bytes(self._settings.head_patience_s)
        return exchange

    async def _whole(self, exchange: Exchange, attempts: Attempts, answer: str) -> bytes:
        try:
            body = await exchange.read()
        except DceError as error:
            attempts.lease.end(error)
            raise
        fault = fault_in(body, answer)
        attempts.lease.end(fault)
        if fault is not None:
            raise fault
        return body

    async def _relay_events(self, request: Request, status: int, relay: Relay, deadline: "_Deadline") -> None:
        """Relays an event stream to its end."""
        timer = asyncio.get_running_loop().call_at(deadline.at, relay.expire, deadline.total_s)
        try:
            if not request.is_started:
                await request.start(status, NO_BUFFERING)
            request.connection.on_writable = relay.resume
            relay.start()
            await until_finished(relay, request, self._settings)
            await request.finish(patience_s=self._settings.write_stall_timeout_s)
        finally:
            timer.cancel()
            relay.close()


def _demand(ask: ForwardBody, model: Model) -> Demand:
    """The demand of a forwarded body. Each dialect names its maximum answer differently; embeddings have no answer to limit."""
    fields = ask.fields
    limits = [fields.get(name) for name in ("max_completion_tokens", "max_tokens", "max_output_tokens")]
    longest = next((limit for limit in limits if type(limit) is int and limit > 0), None)
    if "messages" not in fields and "prompt" not in fields and longest is None and not ask.is_stream:
        longest = 1
    return Demand.of(responses_in(fields), ask.text_bytes, longest, model.max_model_len, model=model.id)


class _Deadline:
    """The end of a request's maximum time at the backends."""

    def __init__(self, total_s: float) -> None:
        self.total_s = total_s
        self.at = asyncio.get_running_loop().time() + total_s

    async def keep(self, work: Awaitable[_Done]) -> _Done:
        """Awaits `work`; at the deadline it is cancelled and backend_timeout raised."""
        try:
            async with asyncio.timeout_at(self.at):
                return await work
        except TimeoutError:
            raise ran_too_long(self.total_s) from None


_STREAM_TYPES = frozenset({b"text/plain", b"application/octet-stream", b""})
"""Media types under which some servers send the event stream that they were asked for; what is none ends with an error event."""


def _is_stream(exchange: Exchange, ask: ForwardBody) -> bool:
    given = exchange.header(b"content-type").partition(b";")[0].strip().lower()
    return given == b"text/event-stream" or (ask.is_stream and given in _STREAM_TYPES)


class _Passed:
    """What has been forwarded of one answer: an event stream, a whole body, or nothing yet."""

    def __init__(self) -> None:
        self.relay: Relay | None = None
        self.body = b""
        self.fault: DceError | None = None

    def relayed(self, n: int, backend: str) -> RelayResult:
        """The result, for metering."""
        relay = self.relay
        if relay is None:
            tail = read_tail(self.body) if self.body else Tail()
            return RelayResult(n=n, backend=backend, tail=tail, is_whole=bool(self.body), fault=self.fault)
        tail = read_tail(relay.tail)
        return RelayResult(
            n=n,
            backend=backend,
            tail=tail,
            frames=relay.frames,
            first_at=relay.first_at,
            is_whole=relay.is_over and relay.error is None and not tail.error,
            fault=relay.error or tail.error or self.fault,
        )


def _forward_pieces(ask: ForwardBody, model: Model, own: Mapping[str, Any]) -> list[bytes]:
    """The body as received, or re-encoded if the model name or a removed field requires it, plus the gateway's own fields."""
    is_kept = ask.model == model.id and not ask.is_changed
    bulk = ask.raw if is_kept else encode_request({**ask.fields, "model": model.id})
    return with_fields(bulk.rstrip(), own) if own else [bulk]
