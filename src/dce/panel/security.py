"""Who may talk to the panel: this machine's user, in a page that the panel itself served.

The panel can change files, and any web page can send requests to a local port. So every request passes one gate before any route:
the Host header must be on the allow-list (DNS rebinding), the browser must say that the request comes from our own page (cross-site
requests), and the session cookie must be there. A session is a signed-in browser. A route is closed unless its path is in `public`.

The printed URL carries a one-time token. The gate exchanges it for an HttpOnly, SameSite=Strict cookie, and redirects, so that the token
is no longer in the address bar, the history or the Referer.
"""

import hmac
import secrets
from collections.abc import Collection, Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dce.panel.http_responses import error_response, html_response
from dce.panel.limits import MAX_OPEN_TOKENS
from dce.wire.errors import DceError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The only addresses that the panel binds, and the only host names it accepts."""

TOKEN_BYTES = 32
NONCE_BYTES = 16

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def check_host(host: str) -> None:
    """Raises DceError forbidden unless `host` is loopback: the panel writes files, so it must not be reachable from a network."""
    if host not in LOOPBACK:
        raise DceError(
            "forbidden",
            f"the panel does not listen on {host}: it can change files, so it serves only this machine",
            hint="Use --host 127.0.0.1; from another machine, forward the port (ssh -L 8765:127.0.0.1:8765 HOST).",
        )


class Access:
    """The secrets of one server: the session that the cookie identifies, and the one-time tokens that are exchanged for it."""

    def __init__(self) -> None:
        self._session = secrets.token_urlsafe(TOKEN_BYTES)
        self._tokens: dict[str, None] = {}

    def mint(self) -> str:
        """A new token for one exchange."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._tokens[token] = None
        while len(self._tokens) > MAX_OPEN_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        return token

    def redeem(self, token: str) -> str | None:
        """The session for an unused token, once; None for any other text."""
        for known in tuple(self._tokens):
            if hmac.compare_digest(known.encode(), token.encode()):
                del self._tokens[known]
                return self._session
        return None

    def is_session(self, value: str) -> bool:
        """Whether `value` identifies the session."""
        return hmac.compare_digest(self._session.encode(), value.encode())


class Gate:
    """Pure ASGI: passes a request to `app` or refuses it. Sets the security headers on every response."""

    def __init__(self, app: ASGIApp, access: Access, port: int, public: Collection[str] = ()) -> None:
        self._app = app
        self._access = access
        self._public = frozenset(public)
        names = [f"[{name}]" if ":" in name else name for name in LOOPBACK]
        self._hosts = frozenset(f"{name}:{port}" for name in names) | (frozenset(names) if port == 80 else frozenset())
        self._origins = frozenset(f"http://{host}" for host in self._hosts)
        # Cookies ignore the port, so two panels on one machine need two names.
        self.cookie = f"dce_panel_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        scope.setdefault("state", {})["nonce"] = nonce

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers["content-security-policy"] = content_security_policy(nonce)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        try:
            self._check_source(scope["method"], headers)
            if scope["path"] in self._public or self._has_session(headers):
                await self._enter(scope, receive, send_guarded)
            elif scope["path"] == "/" and scope["method"] == "GET":
                await self._exchange(scope, headers, receive, send_guarded)
            else:
                raise DceError("forbidden", "this request carries no session cookie of this panel")
        except DceError as error:
            await error_response(error)(scope, receive, send_guarded)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_signed_in_again = scope["path"] == "/" and "token" in _query(scope)
        if is_signed_in_again:  # the browser has a session: only the token must leave the address bar
            await html_response("", status=303, headers={"location": "/"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _check_source(self, method: str, headers: Headers) -> None:
        """Raises forbidden unless the request names this server and comes from its own page, or from no page at all."""
        host = headers.get("host", "")
        if host not in self._hosts:
            raise DceError("forbidden", f"the panel does not accept requests for the host {host!r}")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin not in self._origins:
            raise DceError("forbidden", f"requests from the origin {origin!r} are refused")
        if site is not None and site not in ("same-origin", "none"):
            raise DceError("forbidden", "requests that another site's page sends are refused", hint=_BY_HAND)
        # A missing Origin is no pass: a request that changes something must say where it comes from.
        if method not in _SAFE_METHODS and origin is None and site != "same-origin":
            raise DceError("forbidden", f"a {method} request without an Origin header is refused")

    def _has_session(self, headers: Headers) -> bool:
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(headers.get("cookie", ""))
        except CookieError:
            return False
        return self.cookie in jar and self._access.is_session(jar[self.cookie].value)

    async def _exchange(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        # A browser may prefetch an address before the user presses Enter; that must not use the token up.
        is_prefetch = "prefetch" in headers.get("sec-purpose", headers.get("purpose", ""))
        token = _query(scope).get("token", "")
        session = None if is_prefetch else self._access.redeem(token)
        if session is None:
            fact = (
                "this link was already used, or belongs to an earlier run"
                if token
                else "this page needs the link that the panel printed"
            )
            error = DceError("forbidden", fact, hint=_NEW_LINK)
            page = html_response(_CLOSED_PAGE.format(fact=fact, hint=_NEW_LINK), status=error.status)
            wants_page = "text/html" in headers.get("accept", "")
            await (page if wants_page else error_response(error))(scope, receive, send)
            return
        cookie = f"{self.cookie}={session}; Path=/; HttpOnly; SameSite=Strict"
        await html_response("", status=303, headers={"location": "/", "set-cookie": cookie})(scope, receive, send)


def content_security_policy(nonce: str) -> str:
    """Allows only our own files, and the editor's styles by the nonce: no frames, plugins, other hosts or inline scripts."""
    return (
        "default-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; object-src 'none'; "
        f"style-src 'self' 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _query(scope: Scope) -> Mapping[str, str]:
    parsed = parse_qs(scope["query_string"].decode("latin-1"))
    return {name: values[0] for name, values in parsed.items()}


_BY_HAND = "Paste the panel's URL into the address bar instead of following a link from another page."
_NEW_LINK = "Run `dce panel` again, or press Enter in the terminal where it runs, to get a fresh link."
_CLOSED_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>DCE</title><h1>This browser is not signed in</h1><p>The panel refused the page: {fact}.</p><p>{hint}</p></html>"""
