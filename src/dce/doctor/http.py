"""Small HTTP requests to the gateway: answers are bounded, failures classified, and nothing a server does raises an exception."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import h11
import httpx2
import msgspec

from dce.doctor.findings import Answer, Failure, Reply
from dce.doctor.handshake import fault_of
from dce.doctor.target import Target
from dce.wire.causes import causes

CONNECT_TIMEOUT_S = 5.0
"""Timeout of a name lookup, a connection or a handshake: beyond it a person sees a hang."""

ANSWER_TIMEOUT_S = 10.0
"""Timeout of a small HTTP answer."""

MAX_BODY_BYTES = 256 * 1024
"""How much of an answer is read: enough for a list of models, too little to exhaust memory."""

REDACTED = "(the key)"

MIN_SECRET = 8
"""A shorter key is no secret, and could be a word of an honest answer."""

_WAITS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""Not failures: Python's TLS raises them while it waits, and they end up in the context of whatever ended the wait."""


class Http:
    """One HTTP client for one target. The key is sent only where the caller asks for it."""

    def __init__(self, target: Target, key: str | None, tls: ssl.SSLContext) -> None:
        self._target = target
        self._key = {"Authorization": f"Bearer {key}"} if key else {}
        self._secret = key if key and len(key) >= MIN_SECRET else ""
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,
            verify=tls,
            proxy=target.proxy or None,
            trust_env=False,  # the target already holds the environment's proxy
        )

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        with_key: bool = False,
        at_root: bool = False,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> Reply:
        """One request, to the base address or to the host's root."""
        url = (self._target.origin if at_root else self._target.base) + path
        headers = dict(self._key) if with_key else {}
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream(method, url, content=content, headers=headers) as response,
            ):
                return await self.answer(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return failure_of(error)

    async def answer(self, response: httpx2.Response) -> Answer:
        """An answer with the beginning of its body, without the key: a page may repeat what was sent, and is quoted in part."""
        seen = await _answer_of(response)
        if not self._secret:
            return seen
        texts = {
            name: getattr(seen, name).replace(self._secret, REDACTED) for name in ("server", "location", "authenticate")
        }
        body = seen.body.replace(self._secret.encode("utf-8", "replace"), REDACTED.encode())
        return msgspec.structs.replace(seen, body=body, **texts)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        timeout_s: float,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        """An open response to a request sent with the key. Raises what httpx2 raises."""
        timeout = httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        sent = {**self._key, **(headers or {})}
        url = self._target.base + path
        async with self._client.stream(method, url, json=body, headers=sent, timeout=timeout) as response:
            yield response


async def _answer_of(response: httpx2.Response) -> Answer:
    """An answer with the beginning of its body."""
    body = b""
    received_at = time.time()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= MAX_BODY_BYTES:
            break
    headers = response.headers
    return Answer(
        status=response.status_code,
        content_type=headers.get("content-type", ""),
        server=headers.get("server", ""),
        location=headers.get("location", ""),
        retry_after=headers.get("retry-after", ""),
        date=headers.get("date", ""),
        encoding=headers.get("content-encoding", ""),
        authenticate=headers.get("www-authenticate", ""),
        received_at=received_at,
        body=body[:MAX_BODY_BYTES],
    )


def failure_of(error: Exception) -> Failure:
    """What an exception of the socket, TLS or HTTP layer means: decided by type, the outermost cause first."""
    led = [cause for cause in causes(error) if not isinstance(cause, _WAITS)]
    text = str(led[-1]) or str(error) or type(error).__name__
    if early := _refusal_of(error, led):
        return early
    for cause in led:
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = getattr(cause, "verify_message", "") or str(cause)
            return Failure(kind="certificate", text=what, fault=fault_of(cause))
        if isinstance(cause, ssl.SSLError):
            return Failure(kind="tls", text=getattr(cause, "reason", "") or text)
        if isinstance(cause, TimeoutError | httpx2.TimeoutException):
            return Failure(kind="timeout", text="no answer in time")
        if isinstance(cause, ConnectionResetError | ConnectionAbortedError | BrokenPipeError | httpx2.ReadError):
            return Failure(kind="closed", text="the connection was closed without an answer")
        if isinstance(
            cause, httpx2.LocalProtocolError
        ):  # its message contains the header's value, which may be the key
            return Failure(kind="protocol", text="the request is not valid HTTP: check the key for a line break")
    if isinstance(error, httpx2.RemoteProtocolError) and not any(
        isinstance(cause, h11.RemoteProtocolError) for cause in led
    ):
        return Failure(kind="closed", text="the connection was closed without an answer")
    return Failure(kind="protocol" if isinstance(error, httpx2.ProtocolError) else "unreachable", text=text)


def _refusal_of(error: Exception, led: Sequence[BaseException]) -> Failure | None:
    """A connection that was refused, by the address or by the HTTP proxy."""
    if any(isinstance(cause, ConnectionRefusedError) for cause in led):  # by one address or, in a group, by several
        return Failure(kind="refused", text="connection refused")
    if isinstance(error, httpx2.ProxyError):  # its own words, such as "407 Proxy Authentication Required"
        return Failure(kind="proxy", text=str(error) or "it refused the request")
    return None
