"""The HTTP client, built on httpx2: the connections of one call, answers of the requested kind, everything else as a `DceError`.

What must always hold: no httpx2 exception leaves this module. Loading httpx2 takes 0.1 s, so this module is imported only where a
server is about to be contacted; commands that contact none start without it.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2
import msgspec

from dce.wire.errors import DceError, Hop
from dce.wire.hosts import is_this_machine
from dce.wire.proxies import proxy_for
from dce.workspace.http.faults import FAULTS, PROXY_FAULTS, error_of_proxy, error_of_transport
from dce.workspace.http.peer import SSE, Peer

JSON = "application/json"

CONNECT_TIMEOUT_S = 5.0
"""A reachable server completes the TCP and TLS handshake well within this."""

MAX_REDIRECTS = 3
"""A server that answers with a slash too few or too many redirects once, perhaps again to TLS."""

_REDIRECTS = frozenset({307, 308})
"""The others turn a POST into a GET."""

MAX_ERROR_BYTES = 64 * 1024
"""How much of an unexpected answer is read: an error body has 4 KB, a login page can have any size."""

_FILE_HOST = Peer(
    name="the file's host",
    hop=Hop.CLIENT,
    unreachable="gateway_unreachable",
    silent="gateway_timeout",
    foreign="not_a_gateway",
    has_heartbeat=False,
    error_of_answer=lambda status, _headers, _content, url: DceError("invalid_input", f"{url} answered {status}"),
)
"""The host of a file that a setting names. It is not a hop of a generation, so its errors are errors of the setting."""


def tls_for(url: str) -> ssl.SSLContext:
    """The TLS context for `url`: authorities from SSL_CERT_FILE or SSL_CERT_DIR if set, otherwise this machine's. Raises DceError."""
    # Reading the authorities takes 30 to 50 ms. A plain HTTP connection to this machine needs none; a context without authorities
    # fails safe: it would refuse any TLS there.
    is_plain = urlsplit(url).scheme == "http" and _is_here(url)
    if is_plain:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        raise DceError(
            "invalid_input",
            f"the certificate authorities of this machine cannot be read: {error}",
            hint="Correct or unset SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from error


def _is_here(url: str) -> bool:
    return is_this_machine(urlsplit(url).hostname or "")


class Answer:
    """A successful answer of the right media type, whose body is still to be read."""

    def __init__(self, response: httpx2.Response, url: str, peer: Peer) -> None:
        self._response = response
        self._url = url
        self._peer = peer
        self.headers: Mapping[str, str] = response.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises DceError: the peer's `silent` code for silence, another if the connection is lost."""
        try:
            async for piece in self._response.aiter_bytes():
                yield piece
        except FAULTS as error:
            raise error_of_transport(error, self._url, self._peer, has_begun=True) from error


class HttpClient:
    """The connections of one call to the server at `url`. `silence_s`: the longest allowed silence."""

    def __init__(
        self,
        url: str,
        key: str | None,
        peer: Peer,
        silence_s: float,
        tls: ssl.SSLContext | None,
        transport: httpx2.AsyncBaseTransport | None,
        headers: Mapping[str, str],
    ) -> None:
        self._url = url
        self._peer = peer
        self._proxy = "" if transport else proxy_for(url, getproxies())
        try:
            self._client = httpx2.AsyncClient(
                base_url=url,
                headers=httpx2.Headers({"authorization": f"Bearer {key}"} if key else {}) | dict(headers),
                timeout=httpx2.Timeout(silence_s, connect=CONNECT_TIMEOUT_S),
                transport=transport,
                verify=tls or True,
                proxy=self._proxy or None,
                trust_env=False,  # httpx2 fails on a NO_PROXY with brackets or networks, and a netrc would replace the key
            )
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            if not self._proxy:
                raise error_of_transport(error, url, peer) from error
            raise error_of_proxy(error, url, self._proxy) from error

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._client.__aexit__(*error)

    @asynccontextmanager
    async def answer(self, method: str, path: str, content: bytes, kind: str) -> AsyncIterator[Answer]:
        """A successful open answer of media type `kind` ("": any; an event stream may come under each of the peer's `stream_types`). Raises DceError for anything else."""
        headers = {"accept": kind or "*/*", "content-type": JSON, "accept-encoding": "identity"}
        try:
            response = await self._sent(self._client.build_request(method, path, content=content, headers=headers))
        except FAULTS as error:
            if self._proxy and isinstance(error, PROXY_FAULTS):
                raise error_of_proxy(error, self._url, self._proxy, self._peer.unreachable) from error
            raise error_of_transport(error, self._url, self._peer) from error
        try:
            given = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            is_of_kind = given in self._peer.stream_types if kind == SSE else kind in ("", given)
            if not response.is_success or not is_of_kind:
                beginning = await _beginning(response)
                raise self._peer.error_of_answer(response.status_code, response.headers, beginning, self._url)
            yield Answer(response, self._url, self._peer)
        finally:
            await response.aclose()

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to a request, which is sent again where a 307 or 308 points to, if that is the same server."""
        response = await self._client.send(request, stream=True)
        for _ in range(MAX_REDIRECTS):
            target = _target(request, response)
            if target is None:
                break
            await response.aclose()
            request = httpx2.Request(request.method, target, headers=request.headers, content=request.content)
            response = await self._client.send(request, stream=True)
        return response

    async def json(self, method: str, path: str, content: bytes) -> dict[str, Any]:
        """The JSON object of the answer; {} for any other JSON value. Raises DceError."""
        async with self.answer(method, path, content, JSON) as answer:
            body = b"".join([piece async for piece in answer.pieces()])
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._peer.fault(self._peer.foreign, f"{self._url}{path} returned invalid JSON") from error
        return value if isinstance(value, dict) else {}

    async def models(self, path: str) -> list[dict[str, Any]]:
        """The items of the server's list of models. Raises DceError."""
        data = (await self.json("GET", path, b"")).get("data")
        if not isinstance(data, list):
            raise self._peer.fault(self._peer.foreign, f"{self._url}{path} is not a list of models")
        return [item for item in data if isinstance(item, dict)]


def _target(request: httpx2.Request, response: httpx2.Response) -> httpx2.URL | None:
    """Where a redirect leads that keeps method and body, None if there is none to follow: another host gets neither prompt nor key, and
    nothing that was sent by TLS goes on without."""
    if response.status_code not in _REDIRECTS or "location" not in response.headers:
        return None
    try:
        target = request.url.join(response.headers["location"])
    except (httpx2.InvalidURL, ValueError):
        return None
    old, new = request.url, target
    is_same = (old.scheme, old.host, old.port) == (new.scheme, new.host, new.port)
    is_upgrade = (
        (old.scheme, new.scheme, old.host) == ("http", "https", new.host) and old.port is None and new.port is None
    )
    return target if is_same or is_upgrade else None


async def _beginning(response: httpx2.Response) -> bytes:
    """The first `MAX_ERROR_BYTES` of an answer, or as much as arrived."""
    found = bytearray()
    try:
        async for piece in response.aiter_bytes():
            found += piece
            if len(found) >= MAX_ERROR_BYTES:
                break
    except FAULTS:
        pass
    return bytes(found)


class _ByEnvironment(httpx2.BaseTransport):
    """Sends each request through the environment's proxy for its own host, so a redirect to another host finds its proxy too."""

    def __init__(self) -> None:
        self._transports: dict[str, httpx2.HTTPTransport] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises what httpx2 raises, and DceError when the proxy or the certificate authorities are at fault."""
        url = str(request.url)
        proxy = proxy_for(url, getproxies())
        try:
            if url not in self._transports:
                self._transports[url] = httpx2.HTTPTransport(verify=tls_for(url), proxy=proxy or None)
        except (ImportError, ValueError, httpx2.InvalidURL) as error:
            raise error_of_proxy(error, url, proxy) from error
        try:
            return self._transports[url].handle_request(request)
        except PROXY_FAULTS as error:
            if not proxy:
                raise
            raise error_of_proxy(error, url, proxy, _FILE_HOST.unreachable) from error

    def close(self) -> None:
        """Closes its connections."""
        for transport in self._transports.values():
            transport.close()


def download(url: str, max_bytes: int, silence_s: float, transport: httpx2.BaseTransport | None = None) -> bytes:
    """Downloads the file at `url`, following redirects. Blocks. Raises DceError."""
    found = bytearray()
    has_begun = False
    try:
        with (
            httpx2.Client(
                transport=transport or _ByEnvironment(), timeout=silence_s, follow_redirects=True, trust_env=False
            ) as client,
            client.stream("GET", url) as response,
        ):
            has_begun = True
            if not response.is_success:
                raise _FILE_HOST.error_of_answer(response.status_code, response.headers, b"", url)
            for piece in response.iter_bytes():
                found += piece
                if len(found) > max_bytes:
                    raise DceError("invalid_input", f"it has more than {max_bytes:,} bytes")
    except FAULTS as error:
        raise error_of_transport(error, url, _FILE_HOST, has_begun=has_begun) from error
    return bytes(found)
