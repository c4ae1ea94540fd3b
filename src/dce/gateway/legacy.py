"""The legacy profile: the original extension, unmodified. Off by default. See docs/operations/legacy.md.

That extension cannot send a key. Its key therefore stands in the URL, or the operator names one whose limits then hold for everyone who
comes without. Invariant: no request is served without a key, whatever the mode, and an injected key always has a limit.
"""

from pathlib import Path

from dce.gateway.access.auth import Authenticator, Headers, Principal
from dce.gateway.access.keys import Key, KeyStore
from dce.gateway.front.request import Request
from dce.gateway.paths.profiles import LEGACY
from dce.gateway.paths.proxy import Proxy
from dce.gateway.route_table import Route
from dce.gateway.settings import GatewaySettings
from dce.wire.errors import DceError

PREFIX = "/api/dce/legacy"
_KEY_HEADERS = (b"authorization", b"x-api-key")


def bound_key(settings: GatewaySettings, keys: KeyStore) -> Key | None:
    """The key that stands for callers without one; None if there is no such key, by the settings. Raises invalid_input for settings that
    would make the gateway an open relay."""
    if settings.legacy == "off":
        return None
    if settings.insecure:
        raise _refused(
            "the legacy profile needs keys, and --insecure has none", "Drop --insecure, or set legacy to off."
        )
    if settings.legacy != "injected":
        return None
    create = f"dce gateway keys create legacy --rpm 60 --concurrency 4 --data-dir {Path(settings.data_dir)}"
    if not settings.legacy_key:
        fact = "legacy = injected without legacy_key would let anyone use the gateway"
        raise _refused(fact, f"Create a key with limits and name it in legacy_key: {create}")
    try:
        key = keys.named(settings.legacy_key)
    except DceError as error:
        raise _refused(f"legacy_key: {error.message}", f"Create one with limits: {create}") from None
    if not _is_limited(key):
        fact = f"legacy_key: the key {key.name!r} has no limit, so the gateway would be an open relay"
        raise _refused(fact, f"Give it one: dce gateway keys edit {key.name} --rpm 60 --concurrency 4")
    return key


class Legacy:
    """The rows of the legacy profile, first in the table of routes."""

    def __init__(self, settings: GatewaySettings, keys: KeyStore, authenticator: Authenticator, proxy: Proxy) -> None:
        self._settings = settings
        self._keys = keys
        self._authenticator = authenticator
        self._proxy = proxy

    def rows(self) -> list[Route]:
        """None if the profile is off."""
        generate = self._proxy.generate_legacy
        in_route = Route("POST", f"{PREFIX}/{{key}}", generate, dialect=LEGACY, credential=self._of_route)
        injected = Route("POST", "/api/dce/proxy", self._generate, credential=self._injected)
        return {"off": [], "route": [in_route], "injected": [injected]}[self._settings.legacy]

    async def _generate(self, request: Request) -> None:
        """A caller without a key is the original; one with a key is a client of DCE."""
        if _has_key(request.scope["headers"]):
            await self._proxy.generate(request)
            return
        request.dialect = LEGACY
        await self._proxy.generate_legacy(request)

    def _of_route(self, headers: Headers, values: dict[str, str]) -> Principal:
        if _has_key(headers):
            raise DceError("invalid_key", "the request has a key in its path and another in a header")
        return self._authenticator.principal([(b"authorization", b"Bearer " + values["key"].encode())])

    def _injected(self, headers: Headers, values: dict[str, str]) -> Principal:
        """The caller's own key, or the bound one. It is looked up each time: revoking it closes the door at once."""
        del values
        if _has_key(headers):
            return self._authenticator.principal(headers)
        try:
            key = self._keys.named(self._settings.legacy_key)
        except DceError:  # its name is nobody's who has no key
            key = None
        if key is None or not _is_limited(key):  # its limits may have been taken away since the start
            raise DceError(
                "missing_key",
                "the gateway takes no requests without a key now",
                hint="Ask its operator: the key of the legacy profile is revoked, expired or without a limit.",
            )
        return self._authenticator.holder(key)


def _has_key(headers: Headers) -> bool:
    return any(name in _KEY_HEADERS for name, _ in headers)


def _is_limited(key: Key) -> bool:
    limits = key.limits
    return any((limits.rpm, limits.tpm, limits.concurrency, limits.budget_tokens))


def _refused(fact: str, hint: str) -> DceError:
    return DceError("invalid_input", fact, hint=hint)
