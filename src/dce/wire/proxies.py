"""Which proxy of the environment a server is asked through, with NO_PROXY as people write it.

The HTTP client's own reading of NO_PROXY fails on IPv6 addresses in brackets and on networks, and every request with it. Invariant: an
entry that cannot be read matches nothing and harms nothing. Pure.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from dce.wire.hosts import is_this_machine


def proxy_for(url: str, proxies: Mapping[str, str]) -> str:
    """The proxy for `url` of a table like `urllib.request.getproxies`: by scheme, `all`, and `no` for the exceptions."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # no URL: the request says so
        return ""
    host = (parts.hostname or "").lower().rstrip(".")
    if is_this_machine(host):
        return ""
    if any(_matches(entry, host, port) for entry in proxies.get("no", "").replace(" ", ",").split(",")):
        return ""
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def proxies_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The table of a set of environment variables, as `urllib.request.getproxies` makes it: `HTTP_PROXY` and its kind in either case.
    The lower-case variable counts if both are set, and in a CGI program `HTTP_PROXY` is a request's header and does not count."""
    found: dict[str, str] = {}
    for name, value in sorted(environ.items()):  # upper case sorts first, so the lower-case variable overwrites it
        scheme, _, ending = name.rpartition("_")
        if ending.lower() != "proxy" or not scheme:
            continue
        if "REQUEST_METHOD" in environ and name == "HTTP_PROXY":
            continue
        found.pop(scheme.lower(), None)
        if value:
            found[scheme.lower()] = value
    return found


def shown(proxy: str) -> str:
    """A proxy without its user and password."""
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _matches(entry: str, host: str, port: int) -> bool:
    entry = entry.strip().lower().partition("://")[2] or entry.strip().lower()
    if entry in ("", "*"):
        return entry == "*"
    if entry.startswith("["):
        entry, _, tail = entry[1:].partition("]")
        wanted = tail.removeprefix(":")
    elif entry.count(":") == 1:
        entry, _, wanted = entry.partition(":")
    else:
        wanted = ""
    if wanted and wanted != str(port):
        return False
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:  # a name on one side
        name = entry.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
