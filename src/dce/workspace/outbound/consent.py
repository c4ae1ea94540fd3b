"""Which hosts the user of this workspace has agreed to contact.

What must always hold: nothing goes to another host before the user agrees: no prompt, no key, and no request without either. A URL
can come from a committed `config.toml`, and a cloned repository must not be able to make this machine contact a host. Consent is
stored by host and port in the workspace's own store, which is never committed. Consent to HTTPS and to plain HTTP are separate.
"""

from urllib.parse import urlsplit

from dce.wire.errors import DceError
from dce.wire.hosts import is_this_machine
from dce.workspace.record.meta import MetaStore

KEY = "consent:"
"""Prefix of the keys in the store's meta table; the host follows."""


def host_of(url: str) -> str:
    """Host and port of a URL, as shown to the user."""
    return urlsplit(url).netloc.rpartition("@")[2].casefold()


def is_here(url: str) -> bool:
    """Whether a URL points to this machine, or is empty."""
    return not url or is_this_machine(urlsplit(url).hostname or "")


class Consents:
    """The consents given in one workspace."""

    def __init__(self, store: MetaStore) -> None:
        self._store = store

    def covers(self, url: str) -> bool:
        """Whether the host at `url` may be contacted."""
        return is_here(url) or self._store.get(_key(url)) is not None

    def give(self, url: str) -> None:
        """Remembers that the host at `url` may be contacted."""
        self._store.set(_key(url), "yes")

    def require(self, url: str, what: str) -> None:
        """Raises consent_needed unless the host may be contacted; `what` says what the request would do."""
        if not self.covers(url):
            raise DceError("consent_needed", f"{host_of(url)} has not been contacted yet: this would {what}.")


def _key(url: str) -> str:
    # Consent to HTTPS is not consent to send the same unencrypted.
    return KEY + ("" if urlsplit(url).scheme.lower() == "https" else "http://") + host_of(url)
