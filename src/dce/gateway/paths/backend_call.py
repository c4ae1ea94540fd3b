"""One POST to a backend: the only place where the gateway sends a request for a caller."""

from collections.abc import Sequence

from dce.gateway.backends.backend import Backend
from dce.gateway.backends.faults import backend_fault
from dce.gateway.backends.transport import Exchange, Transport, json_headers, request_head

MAX_FAULT_BYTES = 64 * 1024
"""How much of a backend's error answer is read: one echoed a 114 MB prompt."""


async def post(
    transport: Transport,
    backend: Backend,
    path: str,
    pieces: Sequence[bytes],
    request_id: str,
    traceparent: str = "",
) -> Exchange:
    """A POST to a fixed path of a backend; any status but 200 raises the backend's error. `traceparent`: the parent span's, if any."""
    trace = {"traceparent": traceparent} if traceparent else None
    headers = json_headers(backend.settings.key, request_id, trace)
    head = request_head("POST", backend.prefix + path, backend.address, headers, sum(map(len, pieces)))
    exchange = await transport.open(backend.address, [head, *pieces])
    if exchange.status != 200:
        raise backend_fault(exchange.status, await exchange.read(MAX_FAULT_BYTES), path, exchange.retry_after_s)
    return exchange
