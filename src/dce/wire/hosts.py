"""Whether a host is this machine, which decides if text leaves it, if a proxy is used, and if a listener is reachable. Pure.

Invariant: only `localhost` and literal loopback addresses are this machine. Any other name is whatever a name server says, even one that
begins with `127.` or ends in `.localhost`; if in doubt the answer is no, which costs a question and leaks nothing.
"""

from ipaddress import IPv6Address, ip_address

_NAME = "localhost"


def is_this_machine(host: str) -> bool:
    """Whether `host` (a URL's host or a listener's address) is certainly this machine. Names are not looked up."""
    if (
        host.isascii() and host.lower() == _NAME
    ):  # ASCII only: case folding of other alphabets could turn another name into `localhost`
        return True
    is_bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if is_bracketed else host)
    except ValueError:  # a name, or a number that only some systems accept as an address (127.1, 0x7f000001)
        return False
    if not isinstance(address, IPv6Address):
        return address.is_loopback and not is_bracketed
    if address.scope_id is not None:  # the meaning of a zone depends on the system
        return False
    return (address.ipv4_mapped or address).is_loopback
