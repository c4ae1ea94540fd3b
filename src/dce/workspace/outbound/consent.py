"""Which hosts the user of this workspace has agreed to contact.

What must always hold: nothing at all goes to another host before that: no prompt, no key, and no request that carries neither. An
address can come from a committed `config.toml`, so a cloned repository must not be able to make this machine call somewhere. Agreement is
kept in the workspace's own store, which is never committed, by host and port; over plain HTTP it counts for plain HTTP only.
"""

from urllib.parse import urlsplit

from dce.wire.errors import DceError
from dce.wire.hosts import is_this_machine
from dce.workspace.record.meta import MetaStore

KEY = "consent:"
"""Prefix in the store's meta table: the host behind it."""


def host_of(url: str) -> str:
    """Host and port of an address, as a person is shown them."""
    return urlsplit(url).netloc.rpartition("@")[2].casefold()


def is_here(url: str) -> bool:
    """Whether an address is on this machine, or is none."""
    return not url or is_this_machine(urlsplit(url).hostname or "")


class Consents:
    """The agreements of one workspace."""

    def __init__(self, store: MetaStore) -> None:
        self._store = store

    def covers(self, url: str) -> bool:
        """Whether the host at `url` may be contacted."""
        return is_here(url) or self._store.get(_key(url)) is not None

    def give(self, url: str) -> None:
        """Remembers that it may."""
        self._store.set(_key(url), "yes")

    def require(self, url: str, what: str) -> None:
        """Raises consent_needed, saying `what` the host would be asked for, unless it may be contacted."""
        if not self.covers(url):
            raise DceError("consent_needed", f"{host_of(url)} has not been contacted yet: this would {what}.")


def _key(url: str) -> str:
    # Whoever agreed to https has not agreed to send the same in the clear.
    return KEY + ("" if urlsplit(url).scheme.lower() == "https" else "http://") + host_of(url)
