"""A gateway over a real socket that follows a script byte by byte, and notes what it was asked and when the client left."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import msgspec

Step = bytes | asyncio.Event
"""Bytes to send as they are, or something to wait for. A script's end closes the connection."""


class Asked(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def head(status: int = 200, kind: str = "text/event-stream", extra: str = "") -> bytes:
    """An answer's head without a length: the body ends with the connection."""
    return f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\n{extra}\r\n".encode()


def stream_head(stream_id: str = "s1") -> bytes:
    """The head of an event stream, chunked, so that a cut can be told from an end."""
    return head(extra=f"x-dce-stream-id: {stream_id}\r\ntransfer-encoding: chunked\r\n")


def piece(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"
DONE = piece(b"data: [DONE]\n\n") + END


def frame(index: int, content: str = "", **more: object) -> bytes:
    """One SSE frame of a choice, as an HTTP chunk. `more`: finish_reason, error, thinking, tokens, model."""
    delta = {"content": content} if content else {}
    if "thinking" in more:
        delta["reasoning"] = str(more["thinking"])
    choice = {"index": index, "delta": delta, "finish_reason": more.get("finish_reason")}
    if "error" in more:
        choice["error"] = more["error"]
    chunk: dict[str, object] = {"choices": [choice], "model": more.get("model", "fake")}
    if "tokens" in more:
        chunk["usage"] = {"completion_tokens": more["tokens"]}
    return piece(b"data: " + msgspec.json.encode(chunk) + b"\n\n")


def json_answer(value: object, status: int = 200, extra: str = "") -> bytes:
    """A whole JSON answer."""
    return head(status, "application/json", extra) + msgspec.json.encode(value)


class FakeGateway:
    """Follows the i-th script on the i-th connection (the last one again and again)."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.scripts = list(scripts)
        self.asked: list[Asked] = []
        self.has_asked = asyncio.Event()
        self.client_left = asyncio.Event()
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def serve(cls, *scripts: Sequence[Step]) -> AsyncIterator["FakeGateway"]:
        """Serves on a free port of loopback."""
        gateway = cls(*scripts)
        server = await asyncio.start_server(gateway._answer, "127.0.0.1", 0)
        gateway.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield gateway
        finally:
            server.close()
            await server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:] if line}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            script = self.scripts[min(len(self.asked), len(self.scripts) - 1)]
            self.asked.append(Asked(method, path, headers, body))
            self.has_asked.set()
            leaving = asyncio.create_task(self._watch(reader))
            for step in script:
                if isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    writer.write(step)
                    await writer.drain()
            leaving.cancel()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            await reader.read()
            self.client_left.set()
