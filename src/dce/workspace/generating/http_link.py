"""HTTP to one server: answers of the kind that was asked for, everything else as a `DceError`.

What must always hold: connections belong to one call each, so that a link may be used from any event loop; the key is sent to this server
only and stands in no message.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from dce.wire.errors import DceError
from dce.workspace.generating.gateway_errors import error_of_transport

if TYPE_CHECKING:
    import httpx

SSE, JSON = "text/event-stream", "application/json"

CONNECT_TIMEOUT_S = 5.0
"""A server that can be reached answers the TCP and TLS handshake well within this."""

MAX_ERROR_BYTES = 64 * 1024
"""How much of an answer that is not what we asked for is read: an error body has 4 KB, a login page may be any size."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

ErrorOfAnswer = Callable[[int, Mapping[str, str], bytes, str], DceError]
"""Status, headers, beginning of the body, URL → what it means."""


class HttpLink:
    """The way to the server at `url`. `silence_s`: the longest it may say nothing."""

    def __init__(
        self,
        url: str,
        key: str | None,
        error_of_answer: ErrorOfAnswer,
        silence_s: float,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        self.url = url
        self._key = key
        self._error_of_answer = error_of_answer
        self._silence_s = silence_s
        self._transport = transport
        self._tls: ssl.SSLContext | None = None

    def client(self) -> "httpx.AsyncClient":
        """A client for one call."""
        from dce.workspace.light_httpx import httpx  # noqa: PLC0415 - see there

        parts = urlsplit(self.url)
        is_here = (parts.hostname or "") in _LOOPBACK
        if self._tls is None and self._transport is None:
            # Reading all the authorities takes 50 ms. A plain connection within this machine needs none; a context that trusts
            # nobody would refuse TLS there rather than let anybody through.
            is_plain = parts.scheme == "http" and is_here
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else httpx.create_ssl_context()
        return httpx.AsyncClient(
            base_url=self.url,
            headers={"authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(self._silence_s, connect=CONNECT_TIMEOUT_S),
            transport=self._transport,
            verify=self._tls or True,
            # A proxy from the environment cannot reach a server on this machine, and httpx would ask it to.
            trust_env=not is_here,
        )

    @asynccontextmanager
    async def answer(
        self, client: "httpx.AsyncClient", method: str, path: str, content: bytes, kind: str
    ) -> "AsyncIterator[httpx.Response]":
        """An open answer of success and of the media type `kind` ("" any). Raises DceError for anything else."""
        from dce.workspace.light_httpx import httpx  # noqa: PLC0415 - see there

        headers = {"accept": kind or "*/*", "content-type": JSON, "accept-encoding": "identity"}
        try:
            request = client.build_request(method, path, content=content, headers=headers)
            answer = await client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise error_of_transport(error, self.url) from error
        try:
            given = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if not answer.is_success or kind not in ("", given):
                raise self._error_of_answer(answer.status_code, answer.headers, await _beginning(answer), self.url)
            yield answer
        finally:
            await answer.aclose()

    async def json(self, client: "httpx.AsyncClient", method: str, path: str, content: bytes) -> dict[str, Any]:
        """A JSON object; another value is an empty one. Raises DceError."""
        from dce.workspace.light_httpx import httpx  # noqa: PLC0415 - see there

        async with self.answer(client, method, path, content, JSON) as answer:
            try:
                value = msgspec.json.decode(await answer.aread())
            except httpx.HTTPError as error:
                raise error_of_transport(error, self.url) from error
            except (msgspec.DecodeError, RecursionError) as error:
                raise DceError("not_a_gateway", f"{self.url}{path} gave JSON that is none") from error
        return value if isinstance(value, dict) else {}


async def _beginning(answer: "httpx.Response") -> bytes:
    """The first `MAX_ERROR_BYTES` of an answer, or what came of them."""
    from dce.workspace.light_httpx import httpx  # noqa: PLC0415 - see there

    found = bytearray()
    try:
        async for piece in answer.aiter_bytes():
            found += piece
            if len(found) >= MAX_ERROR_BYTES:
                break
    except httpx.HTTPError:
        pass
    return bytes(found)
