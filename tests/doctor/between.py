"""A tiny reverse proxy with faults, over real sockets, in front of any server: what stands between a developer and a gateway."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, urlsplit

from tests.doctor.scripted import Route


@dataclass(frozen=True)
class Ask:
    """A request on its way: its method, path, header lines and body."""

    method: str
    path: str
    headers: tuple[str, ...]
    body: bytes = b""

    def header(self, name: str) -> str:
        """The value of a header, "" if it has none."""
        return next(
            (line.partition(":")[2].strip() for line in self.headers if line.lower().startswith(f"{name}:")), ""
        )

    def without(self, name: str) -> "Ask":
        """The same without a header."""
        return replace(self, headers=tuple(line for line in self.headers if not line.lower().startswith(f"{name}:")))

    def with_header(self, line: str) -> "Ask":
        """The same with one more header."""
        return replace(self, headers=(*self.headers, line))


RESET = "reset"
"""An answer that is none: the connection is closed."""


@dataclass(frozen=True)
class Faults:
    """What the proxy does wrong. `answer`: its own answer to a request, `RESET`, or None to forward it. `change`: what it forwards.
    `cut_s`: how long it lets the server be silent. `most`: how many bytes of an answer it passes."""

    answer: Callable[[Ask], Route | str | None] = lambda _: None
    change: Callable[[Ask], Ask] = lambda ask: ask
    passes: Callable[[bytes], bytes] = lambda piece: piece
    version: str = "1.1"
    cut_s: float = 60.0
    most: int = 1 << 40
    seen: list[Ask] = field(default_factory=list)


@asynccontextmanager
async def proxy(backend_url: str, faults: Faults) -> AsyncIterator[str]:
    """A proxy in front of `backend_url`; gives its address. It also takes the requests of an HTTP proxy (a whole URL as the path)."""
    server = await asyncio.start_server(lambda r, w: _serve(r, w, urlsplit(backend_url), faults), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, backend: SplitResult, faults: Faults
) -> None:
    try:
        ask = await _read(reader)
        faults.seen.append(ask)
        own = faults.answer(ask)
        if own is None:
            await _forward(ask, writer, backend, faults)
        elif not isinstance(own, str):
            status, headers, body = own
            writer.write(
                f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the doctor's bare TCP check, or a client that has gone
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Ask:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path = first.split(" ")[:2]
    parts = urlsplit(path)
    path = (parts.path + (f"?{parts.query}" if parts.query else "")) if parts.scheme else path
    length = re.search(r"content-length: (\d+)", head.lower())
    return Ask(method, path, tuple(lines), await reader.readexactly(int(length[1]) if length else 0))


async def _forward(ask: Ask, writer: asyncio.StreamWriter, backend: SplitResult, faults: Faults) -> None:
    back_reader, back_writer = await asyncio.open_connection(backend.hostname, backend.port)
    try:
        sent = faults.change(ask).without("connection")
        head = "\r\n".join(
            (f"{sent.method} {sent.path} HTTP/{faults.version}", *sent.headers, "Connection: close", "", "")
        )
        back_writer.write(head.encode() + sent.body)
        left = faults.most
        while left > 0:
            async with asyncio.timeout(faults.cut_s):
                piece = await back_reader.read(65_536)
            if not piece:
                break
            writer.write(faults.passes(piece[:left]))
            left -= len(piece)
            await writer.drain()
    except TimeoutError:
        pass
    finally:
        back_writer.transport.abort()
