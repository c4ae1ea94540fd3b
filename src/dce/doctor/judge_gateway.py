"""Is it a DCE gateway, and does it accept the key? Replies to findings; pure. The middle of the troubleshooting tree.

Invariant: whatever a server answers, the finding has a code of wire/errors.py, the fact as observed, and one next step.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from dce.doctor.answers import OWNER, dce_error, describe, is_html, is_service, models_of, owners_of
from dce.doctor.findings import Answer, Failure, Finding, Reply, failing
from dce.doctor.judge_between import interloper, misrouted, no_answer
from dce.doctor.target import Target
from dce.wire.errors import CODES, ErrorBody

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

_HEALTH = "GET /healthz"

_IN_BETWEEN = frozenset({301, 302, 303, 307, 308, 407, 408, 429, 502, 503, 504, 511, *range(520, 531)})
"""Statuses of /healthz that show something between here and a gateway; with another one, it is asked what the server is."""

IDENTITY_PATHS = tuple(dict.fromkeys(other.path for other in OTHER_SERVERS if other.path != "/healthz"))


def judge_gateway(reply: Reply, at_root: Reply | None, replies: Mapping[str, Reply], target: Target) -> Finding:
    """`/healthz`: is it a DCE gateway? `at_root` is the answer to the same request at the host's root, sent when the URL has a path;
    `replies` are the server's answers at `IDENTITY_PATHS`."""
    if is_gateway(reply):
        return Finding(detail=f"a DCE gateway answers at {target.base}")
    if at_root is not None and is_gateway(at_root):
        detail = f"the gateway is at {target.origin}, not under {target.prefix}"
        fix = f"Set DCE_URL to {target.origin}"
        if isinstance(reply, Answer) and dce_error(reply):
            fix += f", or have the proxy remove {target.prefix} before it forwards (Caddy: `handle_path`)"
        return failing("not_a_gateway", detail, fix)
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    if error := dce_error(reply):  # /healthz never fails: the gateway saw another path
        return misrouted(error, _HEALTH, target)
    if reply.status in _IN_BETWEEN:
        return interloper(reply, _HEALTH, target)
    return _other_server(reply, replies, target)


def is_gateway(reply: Reply) -> bool:
    """Whether an answer to /healthz comes from a DCE gateway."""
    return isinstance(reply, Answer) and reply.status == 200 and is_service(reply)


def _other_server(reply: Answer, replies: Mapping[str, Reply], target: Target) -> Finding:
    shown = describe(reply)
    by_path = {**replies, "/healthz": reply}
    for other in OTHER_SERVERS:
        seen = by_path.get(other.path)
        if isinstance(seen, Answer) and other.pattern.search(_words(seen)):
            fact = f"{target.base} is {other.what}: {describe(seen)}"
            return failing("not_a_gateway", fact, other.fix.format(base=target.origin))
    if reply.status in (401, 403):
        return interloper(reply, _HEALTH, target)
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
    asked = "POST /api/dce/proxy"
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    error = dce_error(reply)
    if error is None and 200 <= reply.status < 300:
        found = interloper(reply, asked, target)
        detail = f"an empty request without a key was accepted, which the gateway never does; {found.detail}"
        return failing("not_a_gateway", detail, found.fix)
    if error is None:
        return interloper(reply, asked, target)
    if error.code == "route_not_found":
        return misrouted(error, asked, target)
    if trouble := _changed_on_the_way(error, has_key=False):
        return trouble
    asks = "as expected" if error.code in _KEY_CODES else "so it asks for none: --insecure, or the legacy profile"
    return Finding(detail=f"/api/dce/proxy answers ({reply.status} {error.code} without a key, {asks})")


def judge_key(reply: Reply, has_key: bool, target: Target) -> Finding:
    """The served models, requested with the key: the answer must be the gateway's. Later steps check what it says."""
    asked = "GET /v1/models"
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    error = dce_error(reply)
    if error is None:
        served, owners = models_of(reply), owners_of(reply)
        if served is None:
            return interloper(reply, asked, target)
        if any(owner != OWNER for owner in owners):
            detail = f"{asked} is answered by another server, whose models are owned by {', '.join(owners[:3])}: {describe(reply)}"
            fix = "A proxy forwards /v1/ to the model server itself, past the gateway: let it forward /v1/ to the gateway, too."
            return failing("route_not_found", detail, fix)
    elif error.code == "route_not_found":
        return misrouted(error, asked, target)
    elif not has_key and error.code == "missing_key":
        return failing("missing_key", error.message)
    elif trouble := _changed_on_the_way(error, has_key=has_key):
        return trouble
    return Finding(detail="the key is accepted" if has_key else "the gateway asks for no key (--insecure)")


def _changed_on_the_way(error: ErrorBody, *, has_key: bool) -> Finding | None:
    """The finding when the gateway's refusal shows that a proxy changed the request, or that the key is wrong."""
    if "HTTP/1.0" in error.message:
        fix = f"A proxy speaks HTTP/1.0 to the gateway, which cannot carry streams. {error.hint}"
        return failing("invalid_request", error.message, fix)
    adds = "A proxy adds an Authorization header of its own: remove it there (in nginx no `proxy_set_header Authorization`, in Caddy no "
    adds += "`header_up Authorization`)."
    if "more than one Authorization" in error.message:
        return failing("invalid_key", f"a second Authorization header arrived that was not sent: {error.message}", adds)
    if error.code not in _KEY_CODES:
        return None
    is_bearer_missing = error.code == "missing_key" and "Bearer KEY" in error.message
    if not has_key and (error.code != "missing_key" or is_bearer_missing):
        return failing("invalid_key", f"an Authorization header arrived that was not sent: {error.message}", adds)
    if has_key and is_bearer_missing:
        return failing("missing_key", f"another Authorization header arrived than was sent: {error.message}", adds)
    if has_key and error.code == "missing_key":
        fix = "A proxy removes the Authorization header: check the reverse proxy or HTTP proxy."
        return failing("missing_key", "the key was sent but did not arrive", fix)
    if not has_key:
        return None
    also = (
        " If the key is right, a proxy changes the Authorization header on the way."
        if error.code == "invalid_key"
        else ""
    )
    return failing(error.code, error.message, (error.hint or CODES[error.code].hint) + also)
