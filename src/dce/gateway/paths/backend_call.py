"""One POST to a backend: the only place where a request of the gateway's is put on the wire."""

from collections.abc import Sequence

from dce.gateway.backends.faults import backend_fault
from dce.gateway.backends.transport import Exchange, Transport, json_headers, request_head
from dce.gateway.backends.upstream import Upstream

MAX_FAULT_BYTES = 64 * 1024
"""Most that is read of a backend's refusal: one echoed a 114 MB prompt."""


async def post(
    transport: Transport,
    upstream: Upstream,
    path: str,
    pieces: Sequence[bytes],
    request_id: str,
    traceparent: str = "",
) -> Exchange:
    """A POST to a fixed path of a backend; anything but 200 becomes its error. `traceparent`: of the span it hangs below, if any."""
    trace = {"traceparent": traceparent} if traceparent else None
    headers = json_headers(upstream.settings.key, request_id, trace)
    head = request_head("POST", upstream.prefix + path, upstream.address, headers, sum(map(len, pieces)))
    exchange = await transport.open(upstream.address, [head, *pieces])
    if exchange.status != 200:
        raise backend_fault(exchange.status, await exchange.read(MAX_FAULT_BYTES), path)
    return exchange
