"""The table of routes: how a request's row is found, and what a client that asked for the wrong path or method is told.

A path is matched exactly, but for one trailing slash, which clients add to base URLs. HEAD is answered wherever a row takes GET and does
not stream. A new route is a row.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from dce.gateway.access.auth import Headers, Principal
from dce.gateway.front.dialects import OWN, Dialect, dialect_at
from dce.gateway.front.request import Request
from dce.wire.errors import DceError

Handler = Callable[[Request], Awaitable[None]]
Credential = Callable[[Headers, dict[str, str]], Principal]
"""Finds the caller from the headers and the path's values, for a route whose key may be elsewhere than in a header."""

_SEGMENT = r"[A-Za-z0-9_-]{1,64}"
_REST = r"[^/\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,199}"
"""Model names contain slashes and dots."""
_KEYS = re.compile(r"dce_[A-Za-z0-9_-]+|(?<=/legacy/).+")
"""Keys, also mistyped ones: the legacy profile has one in a path."""
_OLLAMA = re.compile(r"/api/(chat|generate|tags|show|embed|embeddings|version)")


class Route(msgspec.Struct, frozen=True):
    """One route. `{name}` in a pattern stands for one path segment, `{name*}` for all the rest of the path."""

    method: str
    pattern: str
    handler: Handler
    is_public: bool = False
    dialect: Dialect = OWN
    """How bodies are read and errors written."""
    is_streamed: bool = False
    """Whether the answer is an event stream: a HEAD request for it makes no sense."""
    credential: Credential | None = None
    """How the caller is found, if not by the headers."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods it answers."""
        return (self.method, "HEAD") if self.method == "GET" and not self.is_streamed else (self.method,)


class WrongMethod(DceError):
    """The path exists, the method does not. `methods`: those that do."""

    def __init__(self, path: str, method: str, methods: Sequence[str]) -> None:
        super().__init__(
            "method_not_allowed", f"{shown(path)} does not take {method[:20]}", hint=f"Use {' or '.join(methods)}."
        )
        self.methods = tuple(methods)


class Routes:
    """Finds a request's route by its path; nothing is joined, decoded or guessed."""

    def __init__(self, rows: Iterable[Route]) -> None:
        self.rows = tuple(rows)
        self._compiled = [(_compiled(row.pattern), row) for row in self.rows]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its path values. Raises route_not_found or method_not_allowed."""
        exact = path.removesuffix("/")
        other: dict[str, None] = {}
        for pattern, row in self._compiled:
            match = pattern.fullmatch(exact)
            if match and method in row.methods:
                return row, match.groupdict()
            if match:
                other.update(dict.fromkeys(row.methods))
        if other:
            raise WrongMethod(path, method, list(other))
        raise DceError(
            "route_not_found", f"the gateway has no such route: {method[:20]} {shown(path)}", hint=self._hint(path)
        )

    def _hint(self, path: str) -> str:
        """The next step for somebody who asked for an unknown path: most have a base URL with too much or too little in it."""
        asked = path.rstrip("/")
        for row in self.rows:
            if row.pattern.startswith("/v1/") and asked.endswith(row.pattern.removeprefix("/v1")):
                return f"The route is {row.pattern}: {dialect_at(row.pattern).base_url}."
        below = [row.pattern for row in self.rows if row.pattern.startswith("/v1/") and "{" not in row.pattern]
        if asked == "/v1" or asked.startswith("/v1/"):
            return f"Below /v1 there are {', '.join(dict.fromkeys(below))}."
        if _OLLAMA.fullmatch(asked):
            return "Ollama's API is not served: choose an OpenAI-compatible provider with the base URL https://HOST/v1."
        return (
            ""
            if asked.startswith("/api/dce")
            else "DCE clients need DCE_URL=https://HOST, OpenAI clients https://HOST/v1."
        )


def _compiled(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"\{(\w+)(\*?)\}", pattern)
    rest = zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
    return re.compile(
        pieces[0] + "".join(f"(?P<{name}>{_REST if star else _SEGMENT}){text}" for name, star, text in rest)
    )


def shown(path: str) -> str:
    """A path for logs and messages: without a key, and not endless."""
    return _KEYS.sub("(key)", path)[:200]
