"""One POST to a backend: the only place where a request of the gateway's is put on the wire."""

from collections.abc import Sequence

from dce.gateway.backends.backend import Backend
from dce.gateway.backends.faults import backend_fault
from dce.gateway.backends.transport import Exchange, Transport, json_headers, request_head

MAX_FAULT_BYTES = 64 * 1024
"""Most that is read of a backend's refusal: one echoed a 114 MB prompt."""


async def post(
    transport: Transport,
    backend: Backend,
    path: str,
    pieces: Sequence[bytes],
    request_id: str,
    traceparent: str = "",
) -> Exchange:
    """A POST to a fixed path of a backend; anything but 200 becomes its error. `traceparent`: of the span it hangs below, if any."""
    trace = {"traceparent": traceparent} if traceparent else None
    headers = json_headers(backend.settings.key, request_id, trace)
    head = request_head("POST", backend.prefix + path, backend.address, headers, sum(map(len, pieces)))
    exchange = await transport.open(backend.address, [head, *pieces])
    if exchange.status != 200:
        raise backend_fault(exchange.status, await exchange.read(MAX_FAULT_BYTES), path)
    return exchange
