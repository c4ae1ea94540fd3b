"""Whether a host is this machine: what decides if text leaves it, if a proxy is asked, and if a listener is reachable. Pure.

What must always hold: only `localhost` and literal loopback addresses are this machine. Any other name is whatever a name server
says it is, also one that begins with `127.` or ends in `.localhost`; in doubt the answer is no, which costs a question and leaks nothing.
"""

from ipaddress import IPv6Address, ip_address

_NAME = "localhost"


def is_this_machine(host: str) -> bool:
    """Whether `host`, as a URL's host or a listener's address says it, is this machine for certain. No name is looked up."""
    if (
        host.isascii() and host.lower() == _NAME
    ):  # folding other alphabets would make `localhost` of names that are not it
        return True
    is_bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if is_bracketed else host)
    except ValueError:  # a name, or a number that only some systems take for an address (127.1, 0x7f000001)
        return False
    if not isinstance(address, IPv6Address):
        return address.is_loopback and not is_bracketed
    if address.scope_id is not None:  # what a zone stands for is the system's business
        return False
    return (address.ipv4_mapped or address).is_loopback
