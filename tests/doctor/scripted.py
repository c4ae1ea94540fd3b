"""A tiny HTTP server that answers what a test scripts, over a real socket: any gateway, healthy or not, or something else."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

KEY = "dce_right"

Route = tuple[int, str, bytes]
"""Status, extra header lines, body."""


def json_answer(status: int, value: object) -> Route:
    """A JSON answer."""
    return status, "Content-Type: application/json\r\n", json.dumps(value).encode()


def error_answer(status: int, code: str, message: str = "as scripted") -> Route:
    """An error in DCE's form."""
    return json_answer(status, {"error": {"message": message, "type": "api_error", "code": code, "hop": ""}})


def sse_answer(*data: str) -> Route:
    """A stream of events."""
    return 200, "Content-Type: text/event-stream\r\n", "".join(f"data: {line}\n\n" for line in data).encode()


_TOKEN = '{"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}'
_END = '{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}'

HEALTHY: Mapping[str, Route] = {
    "GET /healthz": json_answer(200, {"ok": True, "service": "dce-gateway"}),
    "GET /readyz": json_answer(200, {"ok": True}),
    "GET /v1/models": error_answer(401, "missing_key"),
    "GET /v1/models +key": json_answer(200, {"data": [{"id": "smollm2-135m", "max_model_len": 8192}]}),
    "POST /api/dce/proxy": error_answer(401, "missing_key"),
    "POST /api/dce/proxy +key": sse_answer(_TOKEN, _END, "[DONE]"),
    "GET /api/dce/streamcheck +key": sse_answer('{"frame":0,"sent_ms":0}', '{"frame":1,"sent_ms":0}', "[DONE]"),
    "GET /api/dce/streams +key": json_answer(200, {"streams": []}),
}
"""A gateway with which all is well. `+key` rows answer requests with `KEY`; a wrong key gets `+wrong` or the plain row."""

NOT_FOUND: Route = (404, "Content-Type: text/html\r\n", b"<html><title>404 Not Found</title></html>")


@asynccontextmanager
async def serve(routes: Mapping[str, Route], tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serves `routes` ("METHOD /path", or "*" for all) and gives the base address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(1)
            if first == b"\x16":  # a TLS hello: answered as servers without TLS do
                status, headers, body = 400, "", b""
            else:
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                status, headers, body = _choose(routes, head)
            length = f"Content-Length: {len(body)}\r\n"
            writer.write(f"HTTP/1.1 {status} X\r\n{headers}{length}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the doctor's bare TCP check
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def _choose(routes: Mapping[str, Route], head: str) -> Route:
    method, path = head.split(" ")[:2]
    name = f"{method} {path}"
    lower = head.lower()
    suffix = " +key" if f"bearer {KEY}" in lower else " +wrong" if "authorization:" in lower else ""
    return routes.get(name + suffix) or routes.get(name) or routes.get("*") or NOT_FOUND
