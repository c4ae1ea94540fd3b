"""Authentication. One credential, in one place: `Authorization: Bearer KEY`, or on Anthropic's routes `x-api-key`. Read from raw headers."""

from collections.abc import Iterable

import msgspec

from dce.gateway.access.keys import Key, KeyStore
from dce.gateway.access.limits import NO_LIMITS, Limits
from dce.wire.errors import DceError

Headers = Iterable[tuple[bytes, bytes]]


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The authenticated caller. `key_id` names the key in logs and owns the caller's streams; `cache_salt` goes to the backend
    only, and is empty when callers share the prefix cache."""

    key_id: str
    name: str
    cache_salt: str = ""
    limits: Limits = NO_LIMITS


ANONYMOUS = Principal(key_id="", name="anonymous")
"""Every caller when the gateway runs with --insecure (on a loopback address)."""


class Authenticator:
    """Turns headers into a Principal."""

    def __init__(self, keys: KeyStore, *, insecure: bool, is_salted: bool = True) -> None:
        self._keys = keys
        self._insecure = insecure
        self._is_salted = is_salted

    def principal(self, headers: Headers) -> Principal:
        """The caller, or DceError missing_key, invalid_key or expired_key."""
        if self._insecure:
            return ANONYMOUS
        values = [value for name, value in headers if name == b"authorization"]
        if not values:
            raise DceError("missing_key", "the request has no Authorization header", hint=_hint_of(headers))
        if len(values) > 1:
            raise DceError("invalid_key", "the request has more than one Authorization header")
        scheme, _, secret = values[0].strip().partition(b" ")
        if scheme.lower() != b"bearer" or not secret.strip():
            raise DceError("missing_key", "the Authorization header does not have the form `Bearer KEY`")
        return self.holder(self._keys.find(secret.strip().decode("latin-1")))

    def holder(self, key: Key) -> Principal:
        """The caller that a key stands for."""
        salt = self._keys.cache_salt(key) if self._is_salted else ""
        return Principal(key_id=key.id, name=key.name, cache_salt=salt, limits=key.limits)


def anthropic_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of a request to one of Anthropic's routes, its `x-api-key` as the Authorization header. If it has both, the latter counts:
    their clients send both when both variables are set."""
    given = list(headers)
    if any(name == b"authorization" for name, _ in given):
        return given
    return [(b"authorization", b"Bearer " + value) if name == b"x-api-key" else (name, value) for name, value in given]


def _hint_of(headers: Headers) -> str:
    """The next step for a key sent in the header another API uses."""
    if any(name == b"x-api-key" for name, _ in headers):
        return "x-api-key is read only on Anthropic's routes (/v1/messages): send `Authorization: Bearer KEY`."
    return ""
