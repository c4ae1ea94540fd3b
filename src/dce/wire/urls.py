"""Server addresses: the base URL in whatever people paste, and whether a host is this machine. Pure.

People paste the endpoint they find in another tool's settings. Each caller has its own table of endings, on purpose: a gateway has
routes that an inference server lacks, and the root of an OpenAI API may be `/v1` or not.
"""

import ipaddress
from collections.abc import Sequence


def base_of(url: str, endings: Sequence[str]) -> str:
    """`url` without the first of `endings` that it has and without trailing slashes; a path prefix is kept."""
    base = url.strip().rstrip("/")
    ending = next((ending for ending in endings if base.endswith(ending)), "")
    return base.removesuffix(ending).rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host (an address or a name) is this machine. Never by how a name begins: `127.example.org` is anybody's."""
    try:
        return host.casefold() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # any other name, whatever it resolves to
        return False
