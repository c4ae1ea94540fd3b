"""Cross-origin requests of scripts in web pages (CORS). Off unless the operator names the pages' origins.

A browser asks before it sends a key (`OPTIONS`, the preflight), and shows a script only answers that name its origin: errors too. No
cookie is ever used, so credentials are not allowed: a page needs a key like any other client.
"""

import re
from collections.abc import Sequence

from dce.gateway.access.auth import Headers
from dce.wire.errors import DceError

METHODS = "GET, HEAD, POST, DELETE"
SHOWN = "x-request-id, retry-after, x-dce-stream-id, x-dce-dropped-fields, x-dce-queued"
"""Headers of an answer that a script may read."""
MAX_AGE_S = 600
MAX_NAMES_BYTES = 2_048

_NAMES = re.compile(rb"[A-Za-z0-9_-]+(\s*,\s*[A-Za-z0-9_-]+)*")

Fields = list[tuple[bytes, bytes]]


class Cors:
    """Which origins may use the gateway, and what their browsers are told."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def headers(self, headers: Headers) -> Fields:
        """What an answer to this request must say; nothing if the setting is empty."""
        if not self._origins:
            return []
        origin = _value(headers, b"origin")
        vary = (b"vary", b"origin")  # a cache must not show one page what was answered to another
        if not self._is_allowed(origin):
            return [vary]
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", SHOWN.encode()),
            vary,
        ]

    def preflight(self, method: str, headers: Headers) -> Fields | None:
        """The answer to a browser's question, without the fields of `headers`; None if it is none, or of a page that is not allowed."""
        given = list(headers)
        is_asked = method == "OPTIONS" and _value(given, b"access-control-request-method")
        if not is_asked or not self._is_allowed(_value(given, b"origin")):
            return None
        names = _value(given, b"access-control-request-headers")
        is_plain = len(names) <= MAX_NAMES_BYTES and _NAMES.fullmatch(names)
        fields = [
            (b"access-control-allow-methods", METHODS.encode()),
            (b"access-control-max-age", str(MAX_AGE_S).encode()),
        ]
        if is_plain:  # `*` would not include Authorization
            fields.append((b"access-control-allow-headers", names))
        if _value(given, b"access-control-request-private-network") == b"true":
            fields.append((b"access-control-allow-private-network", b"true"))
        return fields

    def refuse(self, method: str, headers: Headers) -> None:
        """Refuses a browser's question about a page that is not allowed, whatever the path, and says how to allow it."""
        given = list(headers)
        if method == "OPTIONS" and _value(given, b"origin") and _value(given, b"access-control-request-method"):
            raise DceError(
                "method_not_allowed",
                "web pages of this origin may not use the gateway",
                hint="The operator can allow the page's origin with the setting `cors_origins`.",
            )

    def _is_allowed(self, origin: bytes) -> bool:
        return bool(origin) and (origin in self._origins or b"*" in self._origins)


def _value(headers: Headers, wanted: bytes) -> bytes:
    """The only value of a header; empty if there is none, or several."""
    values = [value for name, value in headers if name == wanted]
    return values[0] if len(values) == 1 else b""
