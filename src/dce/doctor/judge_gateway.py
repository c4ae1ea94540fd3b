"""Is it a DCE gateway, and does it accept the key? Replies to findings; pure. The middle of the troubleshooting tree.

Invariant: whatever a server answers, the finding has a code of wire/errors.py, the fact as observed, and one next step.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from dce.doctor.answers import dce_error, describe, is_html, json_of, no_answer
from dce.doctor.findings import Answer, Failure, Finding, Reply, failing
from dce.doctor.target import Target
from dce.wire.errors import CODES

SERVICE = "dce-gateway"
"""The `service` in a gateway's /healthz."""

MAX_CLOCK_SKEW_S = 60.0
"""A larger difference between two clocks should be fixed; a slow answer explains a few seconds."""

_KEY_CODES = ("missing_key", "invalid_key", "expired_key")

_START_ONE = (
    "Set DCE_URL to the gateway in front of it; if there is none, start one: `dce gateway serve --backend {base}`."
)


class OtherServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is not a DCE gateway: the path that identifies it, a pattern in that path's answer (Server header, then body),
    what it is, and what to do."""

    path: str
    pattern: re.Pattern[str]
    what: str
    fix: str


OTHER_SERVERS: tuple[OtherServer, ...] = (
    OtherServer(
        path="/health/liveliness",
        pattern=re.compile(r"I'm alive!"),
        what="a LiteLLM proxy",
        fix="Set DCE_URL to a DCE gateway; to keep LiteLLM, make it a backend of the gateway: "
        "`dce gateway serve --backend {base}`.",
    ),
    OtherServer(path="/version", pattern=re.compile(r'\{"version":\s*"[^"]+"\}'), what="vLLM itself", fix=_START_ONE),
    OtherServer(
        path="/",
        pattern=re.compile(r"llama\.cpp|Ollama is running", re.IGNORECASE),
        what="an inference server itself (llama.cpp or Ollama)",
        fix=_START_ONE,
    ),
    OtherServer(
        path="/",
        pattern=re.compile(r"Open WebUI", re.IGNORECASE),
        what="Open WebUI",
        fix="Set DCE_URL to the DCE gateway; Open WebUI is a client of such servers, not one of them.",
    ),
    OtherServer(
        path="/",
        pattern=re.compile(r"Welcome to nginx|Caddy works|Apache2? .*Default Page|It works!", re.IGNORECASE),
        what="a web server's default page: it forwards nothing to a gateway at this name and port",
        fix="On the server, configure this site to forward to the gateway (see the Caddyfile and nginx.conf in deploy/), then reload it.",
    ),
    OtherServer(
        path="/healthz",
        pattern=re.compile(r"llama\.cpp|ollama", re.IGNORECASE),
        what="an inference server itself (llama.cpp or Ollama)",
        fix=_START_ONE,
    ),
    OtherServer(
        path="/healthz",
        pattern=re.compile(r'\{"detail":\s*"(Not Found|Method Not Allowed)"\}'),
        what="a Python API server, such as vLLM itself",
        fix=_START_ONE,
    ),
    OtherServer(
        path="/healthz",
        pattern=re.compile(r"Cannot (GET|POST) /"),
        what="the earlier Node.js proxy, or another Express server",
        fix="Ask the operator for the DCE gateway's address, or start it: `dce gateway serve`.",
    ),
    OtherServer(
        path="/healthz",
        pattern=re.compile(r"plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server", re.IGNORECASE),
        what="a server that expects TLS",
        fix="Set DCE_URL to the same address with https://",
    ),
)
"""Servers that people mistake for the gateway, most certain first. The paths are requested, without the key, when /healthz is not a
DCE gateway's."""

IDENTITY_PATHS = tuple(dict.fromkeys(other.path for other in OTHER_SERVERS if other.path != "/healthz"))


def judge_gateway(reply: Reply, at_root: Reply | None, replies: Mapping[str, Reply], target: Target) -> Finding:
    """`/healthz`: is it a DCE gateway? `at_root` is the answer to the same request at the host's root, sent when the URL has a path;
    `replies` are the server's answers at `IDENTITY_PATHS`."""
    if is_gateway(reply):
        return Finding(detail=f"a DCE gateway answers at {target.base}")
    if at_root is not None and is_gateway(at_root):
        detail = f"the gateway is at {target.origin}, not under {target.prefix}"
        return failing("not_a_gateway", detail, f"Set DCE_URL to {target.origin}")
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    return _intermediary(reply, target) or _other_server(reply, replies, target)


def is_gateway(reply: Reply) -> bool:
    """Whether an answer to /healthz comes from a DCE gateway."""
    return isinstance(reply, Answer) and reply.status == 200 and json_of(reply).get("service") == SERVICE


def _intermediary(reply: Answer, target: Target) -> Finding | None:
    """The finding when something between here and the gateway answered in its place."""
    shown = describe(reply)
    if reply.status in (301, 302, 303, 307, 308):
        https = "https://" + target.base.removeprefix("http://")
        if target.scheme == "http" and reply.location.startswith(f"https://{target.host}"):
            return failing(
                "not_a_gateway", f"{target.base} redirects to {reply.location[:200]}", f"Set DCE_URL to {https}"
            )
        detail = f"{target.base} redirects to {reply.location[:200]}: a network's login page (captive portal), or another site"
        return failing("not_a_gateway", detail, "Log in to the network in a browser, or correct DCE_URL.")
    if reply.status == 511:
        detail = f"the network requires a login (captive portal): {shown}"
        return failing("not_a_gateway", detail, "Log in to the network in a browser.")
    if reply.status == 407:
        fix = "Put the proxy's user and password into HTTPS_PROXY, or set NO_PROXY to the gateway's host."
        return failing("gateway_unreachable", "the HTTP proxy requires a login", fix)
    if reply.status in (502, 503, 504):
        fix = "The reverse proxy is up, the gateway behind it is not: start the gateway, and check the address the proxy forwards to."
        return failing("gateway_unreachable", f"a reverse proxy answers {shown}", fix)
    return None


def _other_server(reply: Answer, replies: Mapping[str, Reply], target: Target) -> Finding:
    shown = describe(reply)
    by_path = {**replies, "/healthz": reply}
    for other in OTHER_SERVERS:
        seen = by_path.get(other.path)
        if isinstance(seen, Answer) and other.pattern.search(_words(seen)):
            fact = f"{target.base} is {other.what}: {describe(seen)}"
            return failing("not_a_gateway", fact, other.fix.format(base=target.origin))
    if is_html(reply):
        fix = "Check host, port and path of DCE_URL; on a guest network, log in with a browser first."
        return failing("not_a_gateway", f"{target.base} answers with a web page: {shown}", fix)
    return failing("not_a_gateway", f"{target.base} is another server: {shown}")


def _words(reply: Answer) -> str:
    return f"{reply.server}\n{reply.body[:4096].decode('utf-8', 'replace')}"


def judge_clock(reply: Reply) -> Finding:
    """The Date header against this machine's clock. Never fails: a wrong clock is a warning that names its consequences."""
    gateway_time = _date(reply.date) if isinstance(reply, Answer) else None
    if gateway_time is None or not isinstance(reply, Answer):
        return Finding(detail="the gateway's answer has no date to compare clocks with")
    skew_s = reply.received_at - gateway_time
    if abs(skew_s) <= MAX_CLOCK_SKEW_S:
        return Finding(detail="this machine's clock and the gateway's agree")
    return Finding(
        detail=f"this machine's clock is {_duration(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} the gateway's: keys and "
        "certificates seem to expire at the wrong time, and times here and in the gateway's log do not match",
        fix="Turn on network time on the machine whose clock is wrong (`timedatectl set-ntp true`).",
    )


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _duration(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def judge_route(reply: Reply, target: Target) -> Finding:
    """An empty POST without a key to /api/dce/proxy: the gateway must refuse it with one of its own errors."""
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    error = dce_error(reply)
    if error and error.code != "route_not_found":
        asks = "as expected" if error.code in _KEY_CODES else "so it asks for none: --insecure, or the legacy profile"
        return Finding(detail=f"/api/dce/proxy answers ({reply.status} {error.code} without a key, {asks})")
    if reply.status in (404, 405):
        fix = (
            "The host answers but the route does not exist: restart the gateway with a current version, "
            "and make any proxy in front of it forward /api/dce/ and /v1/ unchanged."
        )
        return failing("route_not_found", f"POST /api/dce/proxy: {describe(reply)}", fix)
    if 200 <= reply.status < 300:
        detail = f"POST /api/dce/proxy accepted an empty request without a key: {describe(reply)}"
        return failing("not_a_gateway", detail)
    fix = "Something between here and the gateway answers in its place: check its rules for /api/dce/."
    return failing("not_a_gateway", f"POST /api/dce/proxy: {describe(reply)}", fix)


def judge_key(reply: Reply, has_key: bool, target: Target) -> Finding:
    """The served models, requested with the key. Only a refusal of the key matters here; later steps check the rest."""
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    error = dce_error(reply)
    if error and error.code in _KEY_CODES:
        if error.code == "missing_key" and has_key:
            fix = "A proxy removes the Authorization header: check the reverse proxy or HTTP proxy."
            return failing("missing_key", "the key was sent but did not arrive", fix)
        return failing(error.code, error.message)
    if reply.status in (401, 403) and (error is None or error.code not in CODES):
        fix = "A proxy in front of the gateway requires its own login: check the reverse proxy's rules."
        return failing("invalid_key", f"refused, but not by the gateway: {describe(reply)}", fix)
    return Finding(detail="the key is accepted" if has_key else "the gateway asks for no key (--insecure)")
