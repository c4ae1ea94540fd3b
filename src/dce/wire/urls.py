"""The base URL in whatever address people paste: often the endpoint from another tool's settings. Pure.

Each caller has its own table of endings, on purpose: a gateway has routes that an inference server lacks, and the root of an OpenAI API
may be `/v1` or not.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address

from dce.wire.hosts import is_this_machine

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^/:?#\[\]@\s]+)(:\d+)?(?=[/?#]|$)")


def base_of(url: str, endings: Sequence[str]) -> str:
    """`url` without the first of `endings` that it has and without trailing slashes; a path prefix is kept."""
    base = url.strip().rstrip("/")
    ending = next((ending for ending in endings if base.endswith(ending)), "")
    return base.removesuffix(ending).rstrip("/")


def with_scheme(url: str) -> str:
    """`url` with a scheme. Without one, a server on this machine or in a private network is asked by http, since it seldom has a
    certificate, and any other by https, since the key must not cross the internet in clear. What is no host stays as it is."""
    url = url.strip()
    host = None if _SCHEME.match(url) else _HOST.match(url)
    if host is None or (url.isalnum() and url.lower() != "localhost"):  # one word may be anything
        return url
    return f"{'http' if _is_near(host[1]) else 'https'}://{url}"


def _is_near(host: str) -> bool:
    """Whether a host is certainly in this machine's own network: a private address, or a name without a domain."""
    if is_this_machine(host):
        return True
    try:
        return ip_address(host.strip("[]")).is_private
    except ValueError:
        return "." not in host and not host.startswith("[")


def same_server(url: str, other: str) -> bool:
    """Whether two URLs, given in any form, are written for the same address."""
    return with_scheme(url).rstrip("/") == with_scheme(other).rstrip("/")
