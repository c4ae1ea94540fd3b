"""The steps behind the gateway: backend, model, context, limits, one token, streaming, cancellation. Replies to findings; pure.

Invariant: whatever comes back, the finding has a code of wire/errors.py, the fact as observed, and one next step.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from dce.doctor.answers import dce_error, is_service, models_of
from dce.doctor.findings import Answer, CancelProbe, Failure, Finding, PacingProbe, Reply, TokenProbe, failing
from dce.doctor.judge_between import broke, interloper, no_answer
from dce.doctor.target import Target
from dce.wire.asking import ANY_MODEL
from dce.wire.errors import CODES, Hop
from dce.wire.nearest import MODEL_CUTOFF, advice, did_you_mean, nearest
from dce.wire.retry_after import retry_after_s

LIMIT_CODES = ("rate_limited", "quota_exceeded", "queue_full", "model_not_allowed")
"""Refusals because of the key's limits: nothing is broken."""

MIN_SPREAD = 0.5
"""Events must arrive over at least this share of the time they were sent over. Buffered by a proxy they arrive all at once; a network
or a busy machine delays single events but does not bring the first and the last together."""

_UNBUFFER: Mapping[str, str] = {
    "nginx": "In nginx's location: `proxy_buffering off; proxy_http_version 1.1; gzip off;`, and no "
    "`proxy_ignore_headers X-Accel-Buffering` (see deploy/nginx.conf).",
    "caddy": "In Caddy's reverse_proxy block: `flush_interval -1`, and no `encode` for text/event-stream (see deploy/Caddyfile).",
}
"""Part of a Server header → how to turn off that server's buffering."""


def is_ready(reply: Reply) -> bool:
    """Whether an answer to /readyz says the gateway is ready."""
    return isinstance(reply, Answer) and reply.status == 200 and is_service(reply)


def judge_backend(reply: Reply, tried: TokenProbe | None, target: Target) -> Finding:
    """`/readyz`: a backend is up and serves a model. It gives no detail; `tried` is a request sent to learn why not."""
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    if is_ready(reply):
        return Finding(detail="the gateway reaches a backend that serves a model")
    if not is_service(reply) and not dce_error(reply):
        return interloper(reply, "GET /readyz", target)
    refusal = tried.failure if tried and isinstance(tried.failure, Answer) else reply
    error = dce_error(refusal)
    if error and CODES[error.code].hop is Hop.BACKEND:
        return failing(error.code, error.message, error.hint)
    return failing("no_healthy_backend", "/readyz: the gateway is up, but no backend serves a model")


def judge_model(reply: Reply, wanted: str | None, target: Target) -> Finding:
    """The served models, against the requested one."""
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    error = dce_error(reply)
    if error:
        return failing(error.code, error.message, error.hint)
    served = models_of(reply)
    if served is None:
        return interloper(reply, "GET /v1/models", target)
    if not served:
        return failing("no_healthy_backend", "no model is served", "Start the inference server with a model.")
    name = served_name(served, wanted)
    if name is not None:
        window = f", context of {served[name]:,} tokens" if served[name] else ""
        others = f"; also served: {_names(served, name)}" if len(served) > 1 else ""
        return Finding(detail=f"{name} is served{window}{others}")
    guess = did_you_mean(nearest(str(wanted), served, MODEL_CUTOFF))
    detail = f"no model {wanted!r}; served: {_names(served)}"
    hint = advice(guess, "Use a served name, or leave the model out to get the default.")
    return failing("model_not_found", detail, hint)


def served_name(served: Mapping[str, int], wanted: str | None) -> str | None:
    """The model that answers a request for `wanted`: the first one served when any will do; None when it is not served."""
    if wanted is None or wanted in ANY_MODEL:
        return next(iter(served), None)
    return wanted if wanted in served else None


def judge_context(reply: Reply, wanted: str | None, context: int | None, max_tokens: int | None) -> Finding:
    """The model's context against what the workspace expects: its `context` and `max_tokens` settings."""
    served = (models_of(reply) if isinstance(reply, Answer) else None) or {}
    window = served.get(served_name(served, wanted) or "", 0)
    if not window:
        known = "the server does not report its context size"
        if context:
            return Finding(detail=f"{known}; the workspace expects {context:,} tokens")
        return Finding(
            detail=known,
            fix="Set it, so that prompts are checked before they are sent: `dce settings set context TOKENS`.",
        )
    if max_tokens and max_tokens >= window:
        return Finding(
            detail=f"the context is {window:,} tokens, and the workspace reserves {max_tokens:,} for the answer: no room for a prompt",
            fix=f"`dce settings set max_tokens {window // 4}`, or ask the operator to raise --max-model-len.",
        )
    if context and context > window:
        return Finding(
            detail=f"the workspace expects {context:,} tokens of context, the model has {window:,}: longer prompts would be built and then refused",
            fix="Use the server's value: `dce settings set context ''` (or correct the model card).",
        )
    for_prompt = f", {window - max_tokens:,} of them for the prompt" if max_tokens else ""
    return Finding(detail=f"context of {window:,} tokens{for_prompt}")


def judge_limits(probe: TokenProbe, now: float) -> Finding:
    """Whether the key's limits allow a request now, and if not, when they will. `now`: seconds since the epoch."""
    place = probe.queue_position
    if isinstance(probe.failure, Failure) and probe.failure.kind == "timeout" and place:
        return failing(
            "queue_full",
            f"the request is still number {place} in the gateway's queue: the backends have more work than they can run",
            "Wait, or ask the operator for more capacity (docs/operations/capacity.md).",
        )
    refusal = probe.failure if isinstance(probe.failure, Answer) else None
    error = dce_error(refusal) if refusal else None
    if refusal is None or error is None or error.code not in LIMIT_CODES:
        waited = "" if place is None else ", after a wait in the gateway's queue"
        return Finding(detail=f"the key's limits allow a request{waited}")
    when = _when(refusal.retry_after, now)
    return failing(error.code, f"{error.message}{f'; {when}' if when else ''}", error.hint, error.hop)


def _when(retry_after: str, now: float) -> str:
    wait_s = retry_after_s(retry_after, now)
    if wait_s is None:
        return ""
    seconds = math.ceil(wait_s)
    try:
        at = datetime.fromtimestamp(now + seconds, UTC)
    except (ValueError, OverflowError):
        return ""
    return f"it renews in {seconds:,} s, at {at:%Y-%m-%d %H:%M:%S} UTC"


def judge_token(probe: TokenProbe, target: Target) -> Finding:
    """One token through the whole chain."""
    fix = "A proxy cuts streams: check its timeouts and buffering, and whether it limits the size of answers; then check the gateway's log."
    if isinstance(probe.failure, Failure):
        if probe.failure.kind == "timeout":
            return failing("backend_timeout", "no token arrived in time")
        return broke("the stream", probe.failure, fix)
    if isinstance(probe.failure, Answer):
        error = dce_error(probe.failure)
        if error:
            return failing(error.code, error.message, error.hint, error.hop)
        return interloper(probe.failure, "POST /api/dce/proxy", target)
    if not probe.is_done or not probe.finish_reason:
        return broke("the stream", None, fix)
    if probe.first_token_s is None:
        fix = "The model writes nothing: check its chat template and the backend's log, or ask it with a longer max_tokens."
        return Finding(detail="a response arrived; the model ended it without any text", fix=fix)
    return Finding(detail=f"one token arrived in {probe.first_token_s:.2f} s")


def is_clumped(paced: PacingProbe) -> bool:
    """Whether events that were sent one after the other arrived together."""
    if len(paced.sent_ms) < 2 or paced.sent_ms[-1] <= 0:
        return False
    return paced.came_ms[-1] < paced.sent_ms[-1] * MIN_SPREAD


def judge_streaming(paced: PacingProbe, target: Target) -> Finding:
    """The paced stream: do events arrive one by one? Independent of how fast the model is."""
    if isinstance(paced.failure, Answer):
        error = dce_error(paced.failure)
        if error and error.code == "route_not_found":
            return Finding(detail="not measured: this gateway is too old for this check")
        if error and error.code in LIMIT_CODES:
            return Finding(detail=f"not measured: {error.message}")
        return _refused(paced.failure, "GET /api/dce/streamcheck", target)
    if isinstance(paced.failure, Failure) or not paced.is_done:
        fix = "A proxy cuts streams short, whatever comes in them: check its timeouts for a whole answer."
        return broke("the paced stream", paced.failure, fix)
    count, span = len(paced.sent_ms), paced.sent_ms[-1]
    if not is_clumped(paced):
        return Finding(
            detail=f"{count} events, sent over {span} ms, arrived over {paced.came_ms[-1]} ms: nothing buffers them"
        )
    packed = f" They arrived compressed ({paced.encoding})." if paced.encoding else ""
    by = f" (it answers as {paced.server[:60]})" if paced.server else ""
    detail = (
        f"{count} events, sent over {span} ms, arrived within {paced.came_ms[-1]} ms: a proxy buffers them{by}.{packed}"
    )
    return failing("stream_buffered", detail, unbuffer(paced.server, target))


def _refused(reply: Answer, asked: str, target: Target) -> Finding:
    """The finding for a refusal of a route that every gateway answers."""
    error = dce_error(reply)
    return failing(error.code, f"{asked}: {error.message}", error.hint) if error else interloper(reply, asked, target)


def unbuffer(server: str, target: Target) -> str:
    """The setting of the server that answered. If its name is unknown, those of all servers, and the client's HTTP proxy."""
    for name, fix in _UNBUFFER.items():
        if name in server.casefold():
            return fix
    through = (
        f"The cause may be the HTTP proxy {target.proxy_name}: set NO_PROXY to the gateway's host. "
        if target.proxy
        else ""
    )
    return through + " ".join(_UNBUFFER.values())


def judge_cancellation(dropped: CancelProbe, target: Target) -> Finding:
    """A response dropped halfway: does the gateway stop generating it?"""
    if isinstance(dropped.failure, Answer):
        error = dce_error(dropped.failure)
        if error and error.code in (*LIMIT_CODES, "route_not_found"):
            return Finding(detail=f"not tried: {error.message}")
        return _refused(dropped.failure, "GET /api/dce/streams", target)
    if isinstance(dropped.failure, Failure):
        return broke("the stream", dropped.failure, "Check the timeouts of proxies on the way, then the gateway's log.")
    if not dropped.was_running:
        return Finding(detail="the response ended before it could be dropped; nothing is running")
    if not dropped.is_running:
        return Finding(
            detail=f"a dropped response was stopped at the backend within {max(dropped.waited_s, 0.01):.2f} s"
        )
    by = f" ({dropped.server[:60]})" if dropped.server else ""
    return failing(
        "cancel_lost",
        f"a response dropped {dropped.waited_s:.0f} s ago is still running: a proxy{by} keeps reading it",
        "The proxy in front of the gateway must close its connection when the client disconnects; in nginx: `proxy_ignore_client_abort off;` "
        "(the default) and `proxy_buffering off;`. Until then `dce stop` works, but closing a terminal does not stop anything.",
    )


def _names(served: Mapping[str, int], but: str = "") -> str:
    names = [name for name in served if name != but]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
