"""The doctor's questions: name, connection, TLS, HTTP, one token. Every effect is here, has a deadline, and never raises:
what goes wrong comes back as a `Failure`.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import httpx
import msgspec

from dce.doctor.findings import Answer, Connected, Failure, Reply, Resolved, Streamed
from dce.doctor.target import Target
from dce.wire.chat import DONE, BadChunk, Chunk, read_chunks
from dce.wire.sse import Decoder

CONNECT_TIMEOUT_S = 5.0
"""For a name, a connection, a handshake: beyond it a person sees a hang."""

ANSWER_TIMEOUT_S = 10.0
"""For a small HTTP answer."""

TOKEN_TIMEOUT_S = 60.0
"""For the first token: a busy server queues, a cold model warms up."""

MAX_BODY_BYTES = 256 * 1024
"""Read of an answer: a list of models fits, a foreign page cannot fill the memory."""

PROXY_PATH = "/api/dce/proxy"


class Probe:
    """Asks one gateway. An async context manager that owns its HTTP client."""

    def __init__(self, target: Target, key: str | None) -> None:
        self._target = target
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._tls = httpx.create_ssl_context()
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,
            verify=self._tls,
            proxy=target.proxy or None,
            trust_env=False,  # what the environment says of proxies is in the target
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def resolve(self) -> Resolved | Failure:
        """The addresses of the first hop's name."""
        host, port = self._target.first_hop
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            return Failure(kind="timeout", text="no answer from the name server")
        except (socket.gaierror, UnicodeError) as error:
            return Failure(kind="dns", text=str(error))
        return Resolved(addresses=tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))

    async def connect(self) -> Connected | Failure:
        """A TCP connection to the first hop, closed again."""
        host, port = self._target.first_hop
        return await self._open(host, port, None)

    async def handshake(self) -> Connected | Failure:
        """A TLS handshake with the gateway, trusting what the HTTP client trusts."""
        return await self._open(self._target.host, self._target.port, self._tls)

    async def _open(self, host: str, port: int, context: ssl.SSLContext | None) -> Connected | Failure:
        started = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(host, port, ssl=context)
        except (OSError, ssl.SSLError) as error:
            return failure_of(error)
        peer = writer.get_extra_info("peername")
        version = writer.get_extra_info("ssl_object").version() or "" if context else ""
        writer.transport.abort()
        return Connected(peer=str(peer[0]), elapsed_s=time.monotonic() - started, tls=version)

    async def health(self) -> Reply:
        """`/healthz` at the base address."""
        return await self._ask("GET", f"{self._target.base}/healthz")

    async def health_at_root(self) -> Reply:
        """`/healthz` at the host's root: where the gateway is when the URL's path is wrong."""
        return await self._ask("GET", f"{self._target.origin}/healthz")

    async def route(self) -> Reply:
        """An empty request without a key to the system's own endpoint: a gateway refuses it in its own words."""
        return await self._ask("POST", f"{self._target.base}{PROXY_PATH}", content=b"{}")

    async def models(self) -> Reply:
        """The served models, asked for with the key."""
        return await self._ask("GET", f"{self._target.base}/v1/models", headers=self._headers)

    async def ready(self) -> Reply:
        """`/readyz`: whether a backend is up and serves a model."""
        return await self._ask("GET", f"{self._target.base}/readyz")

    async def token(self, model: str | None) -> Streamed:
        """One token of one response, streamed."""
        body = {
            "messages": [{"role": "user", "content": "Say hello."}],
            "n": 1,
            "max_tokens": 1,
            "stream": True,
        } | ({"model": model} if model else {})
        started = time.monotonic()
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT_S), self._stream(body) as response:
                if response.status_code != 200:
                    return Streamed(failure=await _answer(response))
                return await self._first_token(response, started)
        except (httpx.HTTPError, OSError) as error:
            return Streamed(failure=failure_of(error))

    async def _first_token(self, response: httpx.Response, started: float) -> Streamed:
        seen = Streamed()
        if "event-stream" not in response.headers.get("content-type", ""):
            return Streamed(failure=await _answer(response))
        async for data in _events(response):
            if data == DONE:
                return msgspec.structs.replace(seen, is_done=True)
            try:
                chunks = read_chunks(data)
            except BadChunk as error:
                return msgspec.structs.replace(seen, failure=Failure(kind="protocol", text=str(error)))
            for chunk in chunks:
                seen = _add(seen, chunk, time.monotonic() - started)
        return seen

    @asynccontextmanager
    async def _stream(self, body: dict[str, object]) -> AsyncIterator[httpx.Response]:
        url = f"{self._target.base}{PROXY_PATH}"
        timeout = httpx.Timeout(TOKEN_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        async with self._http.stream("POST", url, json=body, headers=self._headers, timeout=timeout) as response:
            yield response

    async def _ask(
        self, method: str, url: str, *, content: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        sent = {"Content-Type": "application/json", **(headers or {})} if content is not None else headers
        try:
            async with (
                asyncio.timeout(ANSWER_TIMEOUT_S),
                self._http.stream(method, url, content=content, headers=sent) as response,
            ):
                return await _answer(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return failure_of(error)


def _add(seen: Streamed, chunk: Chunk, elapsed_s: float) -> Streamed:
    error = chunk.error or next((choice.error for choice in chunk.choices if choice.error), None)
    if error:
        body = msgspec.json.encode({"error": error})
        return msgspec.structs.replace(seen, failure=Answer(status=200, content_type="text/event-stream", body=body))
    for choice in chunk.choices:
        if seen.first_token_s is None and (choice.text or choice.thinking):
            seen = msgspec.structs.replace(seen, first_token_s=elapsed_s)
        if choice.finish_reason:
            seen = msgspec.structs.replace(seen, finish_reason=choice.finish_reason)
    return seen


async def _events(response: httpx.Response) -> AsyncIterator[str]:
    decoder = Decoder(MAX_BODY_BYTES)
    async for piece in response.aiter_bytes():
        for event in decoder.feed(piece):
            yield event.data
    for event in decoder.flush():
        yield event.data


async def _answer(response: httpx.Response) -> Answer:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= MAX_BODY_BYTES:
            break
    return Answer(
        status=response.status_code,
        content_type=response.headers.get("content-type", ""),
        server=response.headers.get("server", ""),
        location=response.headers.get("location", ""),
        body=body[:MAX_BODY_BYTES],
    )


def failure_of(error: Exception) -> Failure:
    """What an exception of the socket, TLS or HTTP layer means: the innermost cause knows best."""
    causes = list(_causes(error))
    text = str(causes[-1]) or str(error) or type(error).__name__
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Failure(kind="certificate", text=getattr(cause, "verify_message", "") or str(cause))
        if isinstance(cause, ssl.SSLError):
            return Failure(kind="tls", text=getattr(cause, "reason", "") or text)
        if isinstance(cause, ConnectionRefusedError):
            return Failure(kind="refused", text="connection refused")
        if isinstance(cause, TimeoutError | httpx.TimeoutException):
            return Failure(kind="timeout", text="no answer in time")
        if isinstance(cause, ConnectionResetError | ConnectionAbortedError | BrokenPipeError | httpx.ReadError):
            return Failure(kind="closed", text="the connection was closed without an answer")
    if "refused" in text or "Multiple exceptions" in text:
        return Failure(kind="refused", text="connection refused")
    if isinstance(error, httpx.ProtocolError):
        kind = "closed" if "disconnected without sending" in text else "protocol"
        return Failure(kind="closed" if kind == "closed" else "protocol", text=text)
    return Failure(kind="unreachable", text=text)


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        if isinstance(at, BaseExceptionGroup):
            chain.extend(at.exceptions)
        at = at.__cause__ or at.__context__
    return chain
