"""What passes between here and the gateway: large requests, source code, DELETE, long silences, large answers. Pure.

Invariant: a step passes only on an answer that is surely the gateway's; a gateway that is too old for a check is said to be, and passes.
"""

from dce.doctor.answers import dce_error, describe
from dce.doctor.findings import Answer, BodyProbe, Failure, Finding, Reply, SilenceProbe, failing
from dce.doctor.judge_between import broke, interloper, misrouted, no_answer
from dce.doctor.target import Target
from dce.wire.errors import Hop

_POST = "POST /api/dce/proxy"

HEARTBEAT_S = 15.0
"""How often a gateway sends a heartbeat through a quiet stream, unless it is configured otherwise."""

MIN_SILENCE_S = HEARTBEAT_S + 2.0
"""A silence that every connection must survive: heartbeats come a little late."""

_SIZE_FIX = (
    "Raise the limit of each proxy on the way to the gateway's max_body_bytes (50 MB unless configured): in nginx `client_max_body_size 50m;`, "
    "whose default is 1 MB, in Caddy `request_body`, in IIS `maxAllowedContentLength`; in a web application firewall, its body limit."
)

_IDLE_FIX = (
    "Raise the idle timeout of each proxy, load balancer, firewall or VPN on the way: in nginx `proxy_read_timeout 2h;`, in HAProxy "
    "`timeout server` and `timeout client`, at AWS the load balancer's idle timeout."
)


def judge_body(seen: BodyProbe, target: Target) -> Finding:
    """A request with source code and a large one. The gateway must refuse both itself, which it does only after reading them."""
    code = _failing_small(seen, target)
    if code is not None or seen.large is None:
        return code or Finding(detail="not measured")
    size = f"{seen.sent / 1e6:.0f} MB"
    if isinstance(seen.large, Failure):
        return _unanswered_large(seen.large, size, target)
    error = dce_error(seen.large)
    if error and error.code == "body_too_large":
        fix = f"If prompts grow that large, ask the operator to raise max_body_bytes: {error.hint}"
        return Finding(
            detail=f"a request of {size} arrives, and the gateway itself refuses it: {error.message}", fix=fix
        )
    if error and error.code == "request_timeout":
        return Finding(detail=f"a request of {size} is too slow for the gateway: {error.message}", fix=error.hint)
    if error and error.code == "route_not_found":
        return misrouted(error, _POST, target)
    if error:
        return Finding(detail=f"source code and a request of {size} arrive")
    found = interloper(seen.large, _POST, target)
    if found.hop:  # the environment's proxy
        return found
    detail = f"a request of {size} is refused on the way, a small one is not: {describe(seen.large)}"
    return failing("body_too_large", detail, _SIZE_FIX)


def _failing_small(seen: BodyProbe, target: Target) -> Finding | None:
    """The finding when already a small request does not arrive."""
    error = dce_error(seen.code) if isinstance(seen.code, Answer) else None
    if error:
        return misrouted(error, _POST, target) if error.code == "route_not_found" else None
    is_filtered = isinstance(seen.plain, Answer) and dce_error(seen.plain) is not None
    if is_filtered:
        shown = describe(seen.code) if isinstance(seen.code, Answer) else seen.code.text
        fix = (
            "Exempt /api/dce/ and /v1/ from the content filter (web application firewall, data loss prevention, virus scanner) on the way: it "
            "takes source code in prompts for an attack."
        )
        detail = f"a request with source code is refused on the way, a plain one is not: a content filter: {shown}"
        return failing("not_a_gateway", detail, fix)
    if isinstance(seen.code, Failure):
        return no_answer(seen.code, target)
    return interloper(seen.code, _POST, target)


def _unanswered_large(reply: Failure, size: str, target: Target) -> Finding:
    if reply.kind == "timeout":
        detail = f"a request of {size} got no answer in time, a small one did: the line is slow, or a proxy holds large requests back"
        return failing("gateway_timeout", detail, f"Try from a faster line. {_SIZE_FIX}")
    if reply.kind in ("closed", "unreachable"):
        detail = f"the connection was closed while a request of {size} was sent; a small one was answered"
        return failing("body_too_large", detail, _SIZE_FIX)
    return no_answer(reply, target)


def judge_delete(reply: Reply, target: Target) -> Finding:
    """A DELETE of a stream that does not exist: the gateway must say so itself."""
    asked = "DELETE /api/dce/streams/…"
    lost = "stopping a response (`dce stop`) does not work"
    fix = (
        "Let the proxy on the way pass DELETE for /api/dce/: in nginx no `limit_except` and no `if ($request_method …)`, in a web application "
        "firewall the list of methods. It must not put its own pages in place of the gateway's errors (`proxy_intercept_errors off;`)."
    )
    if isinstance(reply, Failure):
        if reply.kind in ("proxy", "certificate", "tls"):
            return no_answer(reply, target)
        return failing("gateway_timeout", f"{asked} got no answer ({reply.text}), other requests did: {lost}", fix)
    error = dce_error(reply)
    if error:
        return Finding(
            detail=f"DELETE arrives ({reply.status} {error.code} for a stream that does not exist, as expected)"
        )
    return failing("route_not_found", f"{asked} is refused on the way, so {lost}: {describe(reply)}", fix)


def judge_silence(seen: SilenceProbe, target: Target) -> Finding:
    """A stream with a large event, heartbeats and a long silence."""
    if seen.asked_s <= 0:
        return Finding(detail="not measured (--silence 0)")
    if isinstance(seen.failure, Answer):
        error = dce_error(seen.failure)
        return Finding(detail=f"not measured: {error.message}") if error else interloper(seen.failure, _SILENT, target)
    if seen.promised_s is None:
        if seen.failure or not seen.is_done:
            return broke("the stream", seen.failure if isinstance(seen.failure, Failure) else None, _IDLE_FIX)
        return Finding(detail="not measured: this gateway is too old for this check")
    if seen.bytes < seen.promised_bytes:
        detail = f"an answer was cut after {seen.bytes:,} of {seen.promised_bytes:,} bytes"
        fix = "A proxy or filter on the way limits the size of answers: exempt the gateway's paths from that limit."
        return failing("stream_interrupted", detail, fix, Hop.GATEWAY)
    if not seen.is_done:
        return _cut(seen)
    if seen.comments < seen.promised_comments:
        detail = f"of {seen.promised_comments} heartbeats (comments in the stream) {seen.comments} arrived: a proxy removes them"
        fix = "Let the proxy pass text/event-stream unchanged: without heartbeats, a response that takes long to begin is given up."
        return failing("stream_interrupted", detail, fix, Hop.GATEWAY)
    megabytes = seen.promised_bytes / 1e6
    return Finding(detail=f"heartbeats, an answer of {megabytes:.0f} MB and {seen.promised_s:g} s of silence pass")


_SILENT = "GET /api/dce/streamcheck"


def _cut(seen: SilenceProbe) -> Finding:
    by = f" (it answers as {seen.server[:60]})" if seen.server else ""
    why = f": {seen.failure.text}" if isinstance(seen.failure, Failure) else ""
    detail = f"after {seen.quiet_s:.1f} s of silence the connection was cut{by}{why}"
    if seen.quiet_s >= MIN_SILENCE_S:
        return Finding(
            detail=f"{detail}. Streams survive that, because the gateway sends a heartbeat every {HEARTBEAT_S:g} s; requests that are not "
            "streamed do not",
            fix=_IDLE_FIX,
        )
    return failing("stream_interrupted", detail, _IDLE_FIX, Hop.GATEWAY)
