"""The gateway being diagnosed: its parsed URL, and the environment's HTTP proxy on the way to it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from dce.wire.errors import DceError
from dce.wire.hosts import is_this_machine
from dce.wire.proxies import proxies_of, proxy_for, shown
from dce.wire.urls import base_of

_ROUTES = ("/api/dce/proxy", "/api/dce/generate", "/api/dce", "/v1/chat/completions", "/v1")
"""Paths that people paste after the base address; they are removed."""


_PROXY_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""The port of a proxy whose URL names none, by its scheme."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway should be. `proxy` is the URL of the HTTP proxy that requests go through, "" if there is none."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    proxy: str = ""

    @property
    def origin(self) -> str:
        """`scheme://host:port`, without the port if it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_usual = self.port == (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{host}" + ("" if is_usual else f":{self.port}")

    @property
    def base(self) -> str:
        """The base address that routes are appended to."""
        return self.origin + self.prefix

    @property
    def is_loopback(self) -> bool:
        """Whether the gateway is on this machine."""
        return is_this_machine(self.host)

    @property
    def proxy_name(self) -> str:
        """The HTTP proxy as messages name it: without user and password."""
        return shown(self.proxy)

    @property
    def first_hop(self) -> tuple[str, int]:
        """Host and port that a connection is actually made to: the HTTP proxy's, or the gateway's. Raises ValueError for a proxy
        whose URL has no valid port."""
        if not self.proxy:
            return self.host, self.port
        parts = urlsplit(self.proxy)
        return parts.hostname or "", parts.port or _PROXY_PORTS.get(parts.scheme, 80)


def read_target(url: str, environ: Mapping[str, str]) -> Target:
    """`url` as a target. Raises DceError `invalid_input` when it is not an http(s) URL."""
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError as error:
        raise _bad(url, str(error)) from None
    if parts.scheme not in ("http", "https"):
        raise _bad(url, f"the scheme is {parts.scheme!r}, not http or https")
    if not parts.hostname:
        raise _bad(url, "no host name")
    return Target(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or (443 if parts.scheme == "https" else 80),
        prefix=base_of(parts.path, _ROUTES),
        proxy=proxy_for(parts.geturl(), proxies_of(environ)),
    )


def _bad(url: str, why: str) -> DceError:
    return DceError(
        "invalid_input",
        f"{url!r} is not a valid gateway URL: {why}",
        hint="Give the gateway's address, such as --url http://127.0.0.1:3001 or DCE_URL=https://dce.example.org",
    )
