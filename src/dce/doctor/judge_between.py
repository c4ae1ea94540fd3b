"""What answers in the gateway's place: a proxy, a CDN, a filter, a login page, another server. Replies to findings; pure.

Invariant: an answer counts as the gateway's only if it has a form that no other server uses: an error with one of DCE's codes and hops,
`service: dce-gateway`, a model owned by `dce`. Every finding about another answer quotes its beginning.
"""

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from dce.doctor.answers import describe, is_html
from dce.doctor.findings import Answer, Failure, Finding, failing
from dce.doctor.judge_network import judge_tls, proxy_refuses
from dce.doctor.target import Target
from dce.wire.errors import ErrorBody, Hop

_FORWARD = "It must forward /api/dce/, /v1/, /tokenize, /healthz and /readyz unchanged (see the Caddyfile and nginx.conf in deploy/)."

_OWN_PAGES = "It must not put its own pages in place of the gateway's errors (in nginx `proxy_intercept_errors off;`)."

_REDIRECTS = (301, 302, 303, 307, 308)

_CDN: Mapping[int, tuple[str, str]] = {
    520: ("gateway_unreachable", "got an answer from the server behind it that it could not use"),
    521: ("gateway_unreachable", "was refused by the server behind it"),
    522: ("gateway_timeout", "could not connect to the server behind it"),
    523: ("gateway_unreachable", "has no route to the server behind it"),
    524: ("gateway_timeout", "waited for the server behind it for as long as it ever waits (100 s at Cloudflare)"),
    525: ("gateway_unreachable", "could not agree on TLS with the server behind it"),
    526: ("gateway_unreachable", "does not trust the certificate of the server behind it"),
    527: ("gateway_unreachable", "lost its connection to the server behind it"),
    530: ("gateway_unreachable", "cannot resolve the name of the server behind it"),
}
"""Statuses that only CDNs send: the code, and what the CDN says with it."""


def interloper(reply: Answer, asked: str, target: Target) -> Finding:
    """The finding for an answer to `asked` ("METHOD /path") that is not the gateway's."""
    shown = f"{asked}: {describe(reply)}"
    if reply.status in _REDIRECTS and reply.location:
        return redirected(reply, asked, target)
    if reply.status == 511:
        detail = f"the network requires a login (captive portal): {shown}"
        return failing("not_a_gateway", detail, "Log in to the network in a browser.")
    if reply.status == 407:
        return proxy_refuses(Failure(kind="proxy", text=f"407, it requires a login: {describe(reply)}"), target)
    if reply.status in _CDN:
        code, what = _CDN[reply.status]
        fix = "The gateway's operator must look behind the CDN: is the gateway up, and does the CDN use its address, port and certificate?"
        if reply.status == 524:
            fix = "Let the CDN's name for the gateway be DNS only (not proxied), or raise its timeout for answers."
        return failing(code, f"a CDN {what}: {shown}", fix)
    if reply.status == 401 or (reply.status == 403 and reply.authenticate):
        return _asks_for_a_login(reply, shown)
    by_status = _BY_STATUS.get(reply.status)
    if by_status:
        code, fact, fix = by_status
        return failing(code, f"{fact}: {shown}", fix)
    if is_html(reply) and reply.status < 300:
        fix = (
            "Open the address in a browser and log in, if this is a login page; the operator of a login in front of the gateway (single "
            f"sign-on) must exempt programs from it. {_FORWARD}"
        )
        return failing("not_a_gateway", f"a web page answers in the gateway's place: {shown}", fix)
    fix = f"Something between here and the gateway answers in its place: check the rules of each proxy. {_OWN_PAGES} {_FORWARD}"
    return failing("not_a_gateway", f"another server answers: {shown}", fix)


_BY_STATUS: Mapping[int, tuple[str, str, str]] = {
    403: (
        "not_a_gateway",
        "something in front of the gateway refuses the request: an access rule, or a content filter (web application firewall)",
        "Find who answers (the web server, CDN or firewall in front of the gateway) and exempt the gateway's paths from its rules.",
    ),
    404: (
        "route_not_found",
        "a proxy answers in the gateway's place and does not know the path",
        f"{_FORWARD} {_OWN_PAGES}",
    ),
    405: ("route_not_found", "a proxy answers in the gateway's place and does not take the method", _FORWARD),
    501: ("route_not_found", "a proxy answers in the gateway's place and does not take the method", _FORWARD),
    408: ("gateway_timeout", "a proxy gave up waiting", "Raise the proxy's timeouts (see deploy/nginx.conf)."),
    413: (
        "body_too_large",
        "a proxy limits the size of requests",
        "Raise its limit to the gateway's max_body_bytes; in nginx `client_max_body_size 50m;`, whose default is 1 MB.",
    ),
    429: (
        "rate_limited",
        "a proxy in front of the gateway limits requests",
        "Wait, or exempt the gateway from that limit: it has its own for each key (in nginx `limit_req`, `limit_conn`).",
    ),
    502: (
        "gateway_unreachable",
        "a reverse proxy is up, the gateway behind it is not",
        "Start the gateway, and check the address that the proxy forwards to.",
    ),
    503: (
        "gateway_unreachable",
        "a reverse proxy is up, the gateway behind it is not, or the proxy limits requests",
        "Start the gateway, check the address that the proxy forwards to, and its limits (in nginx `limit_req` and `limit_conn` answer so).",
    ),
    504: (
        "gateway_timeout",
        "a reverse proxy waited in vain for the gateway behind it",
        "Check the gateway, the address that the proxy forwards to, and the proxy's timeouts (in nginx `proxy_read_timeout 2h;`).",
    ),
}
"""The status of an answer that is not the gateway's: the code, what it means, what to do."""


def _asks_for_a_login(reply: Answer, shown: str) -> Finding:
    if reply.authenticate.casefold().startswith("bearer"):  # the gateway's own header, with another body
        detail = f"a proxy puts its own page in place of the gateway's refusal: {shown}"
        return failing("not_a_gateway", detail, f"{_OWN_PAGES} {_FORWARD}")
    how = f" ({' '.join(reply.authenticate.split())[:80]})" if reply.authenticate else ""
    fix = (
        "Turn that login off for /api/dce/, /v1/, /tokenize, /healthz and /readyz (in nginx `auth_basic off;`): the gateway checks keys "
        "itself, and a request has only one Authorization header."
    )
    detail = f"a proxy in front of the gateway asks for its own login{how}; the answer is not by the gateway: {shown}"
    return failing("invalid_key", detail, fix)


def redirected(reply: Answer, asked: str, target: Target) -> Finding:
    """The finding for a redirect. DCE follows none: a POST would lose its body, and the key would go elsewhere."""
    path = asked.partition(" ")[2]
    said = f"{asked} redirects to {reply.location[:200]}"
    try:
        to = urlsplit(urljoin(target.base + path, reply.location))
    except ValueError:  # such as http://[
        to = urlsplit("")
    if not to.hostname:
        return failing("not_a_gateway", said, "Correct the redirect in the proxy in front of the gateway.")
    is_same_host = to.hostname == target.host
    if not to.path.removesuffix("/").endswith(path):
        return _redirected_elsewhere(said, is_same_host=is_same_host)
    base_path = to.path.removesuffix("/").removesuffix(path)
    new_base = f"{to.scheme}://{to.netloc.rpartition('@')[2]}{base_path}"
    if not is_same_host:
        fix = f"If that host is the gateway's, set DCE_URL to {new_base}; if not, log in to the network in a browser (captive portal)."
        return failing("not_a_gateway", f"{said}: another host", fix)
    if base_path == target.prefix and to.path != target.prefix + path:
        fix = (
            "A proxy in front of the gateway adds or removes the slash at the end of paths, and a redirected POST is lost: turn that off "
            f"for the gateway's paths. {_FORWARD}"
        )
        return failing("route_not_found", f"{said}: the same path but for a slash at its end", fix)
    if new_base == target.base:
        fix = f"Correct the redirect in the proxy. {_FORWARD}"
        return failing("not_a_gateway", f"{said}: to itself, without end", fix)
    if target.scheme == "https" and to.scheme != "https":
        fix = (
            "Correct the redirect in the proxy, which does not know that it is behind TLS (X-Forwarded-Proto). Do not follow it: plain HTTP "
            "shows the key to anyone on the network path."
        )
        return failing("not_a_gateway", f"{said}: from TLS to plain HTTP", fix)
    why = "to TLS" if to.scheme != target.scheme else "a proxy adds or removes a prefix, or a port"
    return failing("not_a_gateway", f"{said}: {why}", f"Set DCE_URL to {new_base}")


def _redirected_elsewhere(said: str, *, is_same_host: bool) -> Finding:
    if is_same_host:
        detail = f"{said}: a login page in front of the gateway (single sign-on), or another site"
        return failing("not_a_gateway", detail, f"The operator must exempt the gateway's paths from it. {_FORWARD}")
    detail = f"{said}: a network's login page (captive portal), a login in front of the gateway (single sign-on), or another site"
    fix = "Log in to the network in a browser, or correct DCE_URL; the operator of a login in front of the gateway must exempt programs from it."
    return failing("not_a_gateway", detail, fix)


def misrouted(error: ErrorBody, asked: str, target: Target) -> Finding:
    """The finding when the gateway itself says that it has no such route: the path changed on the way."""
    how = (
        f"If DCE_URL has the right path, the proxy must remove {target.prefix} and nothing else: in nginx "
        f"`location {target.prefix}/ {{ proxy_pass http://GATEWAY/; }}`, in Caddy `handle_path {target.prefix}/*`."
        if target.prefix
        else "A proxy must not change the path: in nginx `proxy_pass http://GATEWAY;` without anything after the port, in Caddy `handle`, not "
        "`handle_path`, and no `rewrite`."
    )
    detail = f"the gateway was reached, but {asked} arrived under another path, because a proxy adds or removes a prefix: {error.message}"
    return failing("route_not_found", detail, f"{how} {_FORWARD}")


def no_answer(reply: Failure, target: Target) -> Finding:
    """The finding for an HTTP request that got no answer."""
    if reply.other_speech == "tls":
        return failing(
            "not_a_gateway",
            f"{target.host}:{target.port} expects TLS, and the request was plain HTTP",
            f"Set DCE_URL to https://{target.base.removeprefix('http://')}",
        )
    if reply.kind in ("certificate", "tls") and target.scheme == "https":
        return judge_tls(reply, target)
    if reply.kind == "proxy":
        return proxy_refuses(reply, target)
    by = f" (through the proxy {target.proxy_name} from the environment)" if target.proxy else ""
    if reply.kind == "timeout":
        return failing(
            "gateway_timeout",
            f"{target.base}{by} accepts connections but does not answer",
            "The server there is stuck or is not an HTTP server: restart the gateway and check its log.",
        )
    fix = f"Port {target.port} is not an HTTP server, or it expects TLS (https://): check DCE_URL."
    if target.proxy:
        fix = f"Check that proxy, or add {target.host} to NO_PROXY; then check DCE_URL."
    return failing("not_a_gateway", f"{target.base}{by} does not answer as an HTTP server: {reply.text}", fix)


def broke(what: str, reply: Failure | None, fix: str) -> Finding:
    """The finding for a stream that broke without a word. The gateway ends every stream with `[DONE]` or an error, so the cause is
    between here and there."""
    why = reply.text if reply else "it stopped before its final event"
    return failing("stream_interrupted", f"{what} broke: {why}", fix, Hop.GATEWAY)
