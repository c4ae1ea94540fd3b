"""A tiny HTTP server that answers what a test scripts, over a real socket: any gateway, healthy or not, or something else."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from dce.wire.errors import CODES

KEY = "dce_right"

Route = tuple[int, str, bytes]
"""Status, extra header lines, body."""


def json_answer(status: int, value: object) -> Route:
    """A JSON answer."""
    return status, "Content-Type: application/json\r\n", json.dumps(value).encode()


def error_answer(status: int, code: str, message: str = "as scripted") -> Route:
    """An error in DCE's form."""
    return json_answer(
        status,
        {"error": {"message": message, "type": "api_error", "code": code, "hop": CODES[code].hop}},
    )


def sse_answer(*data: str) -> Route:
    """A stream of events."""
    return 200, "Content-Type: text/event-stream\r\n", "".join(f"data: {line}\n\n" for line in data).encode()


_TOKEN = '{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}'
_END = '{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}'

HEALTHY: Mapping[str, Route] = {
    "GET /healthz": json_answer(200, {"ok": True, "service": "dce-gateway"}),
    "GET /readyz": json_answer(200, {"ok": True, "service": "dce-gateway"}),
    "GET /v1/models": error_answer(401, "missing_key"),
    "GET /v1/models +key": json_answer(
        200, {"data": [{"id": "smollm2-135m", "owned_by": "dce", "max_model_len": 8192}]}
    ),
    "POST /api/dce/proxy": error_answer(401, "missing_key"),
    "POST /api/dce/proxy +key": sse_answer(_TOKEN, _END, "[DONE]"),
    "POST /api/dce/proxy +code": error_answer(400, "invalid_request"),
    "POST /api/dce/proxy +large": error_answer(400, "invalid_request"),
    "POST /api/dce/proxy +plain": error_answer(400, "invalid_request"),
    "DELETE * +key": error_answer(404, "route_not_found"),
    "GET /api/dce/streamcheck +key": sse_answer('{"frame":0,"sent_ms":0}', '{"frame":1,"sent_ms":0}', "[DONE]"),
    "GET /api/dce/streams +key": json_answer(200, {"streams": []}),
}
"""An older gateway with which all is well. `+key` rows answer requests with `KEY`; a wrong key gets `+wrong` or the plain row; `+code`,
`+large` and `+plain` rows answer the doctor's requests that a gateway refuses for their content. `DELETE *` is any path."""

NOT_FOUND: Route = (404, "Content-Type: text/html\r\n", b"<html><title>404 Not Found</title></html>")


@asynccontextmanager
async def serve(
    routes: Mapping[str, Route], tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """Serves `routes` ("METHOD /path", or "*" for all) and gives the base address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(1)
            if first == b"\x16":  # a TLS hello: answered as servers without TLS do
                status, headers, body = 400, "", b""
            else:
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                declared = re.search(r"content-length: (\d+)", head.lower())
                sent = await reader.readexactly(int(declared[1]) if declared else 0)
                status, headers, body = _choose(routes, head, sent)
            length = f"Content-Length: {len(body)}\r\n"
            writer.write(f"HTTP/1.1 {status} X\r\n{headers}{length}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the doctor's bare TCP check
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"{'https' if tls else 'http'}://{shown}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def _choose(routes: Mapping[str, Route], head: str, sent: bytes) -> Route:
    method, path = head.split(" ")[:2]
    name = f"{method} {'*' if method == 'DELETE' else path.partition('?')[0]}"
    lower = head.lower()
    suffix = " +key" if f"bearer {KEY}" in lower else " +wrong" if "authorization:" in lower else ""
    if suffix == " +key" and (kind := re.search(rb'"doctor":"(\w+)"', sent)):
        suffix = f" +{kind[1].decode()}"
    return routes.get(name + suffix) or routes.get(name) or routes.get("*") or NOT_FOUND
