"""What is behind the gateway: backend, model, context, limits, one token, streaming, cancellation. Replies to findings; pure.

What must hold: whatever comes back, the finding has a code of wire/errors.py, the fact as it was seen, and one next step.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from dce.doctor.answers import dce_error, describe, models_of, no_answer
from dce.doctor.findings import Answer, Dropped, Failure, Finding, Paced, Reply, Streamed, failing
from dce.doctor.target import Target
from dce.wire.asking import ANY_MODEL
from dce.wire.errors import CODES, Hop
from dce.wire.nearest import MODEL_CUTOFF, advice, did_you_mean, nearest

LIMIT_CODES = ("rate_limited", "quota_exceeded", "queue_full", "model_not_allowed")
"""Refusals that are about what this key may have, not about anything being broken."""

MIN_SPREAD = 0.5
"""Events that were sent over some time must come over at least half of it: clumped by a proxy they come all at once, and a
network or a busy machine shifts single ones but does not gather the first and the last."""

_UNBUFFER: Mapping[str, str] = {
    "nginx": "In nginx's location: `proxy_buffering off; proxy_http_version 1.1; gzip off;`, and no "
    "`proxy_ignore_headers X-Accel-Buffering` (deploy/nginx.conf has it whole).",
    "caddy": "In Caddy's reverse_proxy block: `flush_interval -1`, and no `encode` for text/event-stream (deploy/Caddyfile has it whole).",
}
"""Part of a Server header → how that server is told to pass events on at once."""


def is_ready(reply: Reply) -> bool:
    """Whether an answer to /readyz says that all is well."""
    return isinstance(reply, Answer) and reply.status == 200


def judge_backend(reply: Reply, tried: Streamed | None, target: Target) -> Finding:
    """`/readyz`: a backend is up and serves a model. It tells no detail; `tried` is a request made to be told why not."""
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    if is_ready(reply):
        return Finding(detail="the gateway reaches a backend that serves a model")
    told = tried.failure if tried and isinstance(tried.failure, Answer) else reply
    error = dce_error(told)
    if error and CODES[error.code].hop is Hop.BACKEND:
        return failing(error.code, error.message, error.hint)
    return failing("no_healthy_backend", f"/readyz: {describe(reply)}")


def judge_model(reply: Reply, wanted: str | None, target: Target) -> Finding:
    """The served models, against the one that is asked for."""
    if isinstance(reply, Failure):
        return no_answer(reply, target)
    error = dce_error(reply)
    if error:
        return failing(error.code, error.message, error.hint)
    served = models_of(reply)
    if served is None:
        return failing("backend_error", f"/v1/models: {describe(reply)}")
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
    """The model's context against what the workspace counts on: its `context` and `max_tokens` settings."""
    served = (models_of(reply) if isinstance(reply, Answer) else None) or {}
    window = served.get(served_name(served, wanted) or "", 0)
    if not window:
        known = "the server does not tell how many tokens fit"
        if context:
            return Finding(detail=f"{known}; the workspace counts on {context:,}")
        return Finding(
            detail=known,
            fix="Set it, so that prompts are checked before they are sent: `dce settings set context TOKENS`.",
        )
    if max_tokens and max_tokens >= window:
        return Finding(
            detail=f"{window:,} tokens fit, and the workspace keeps {max_tokens:,} free for the answer: no prompt has room",
            fix=f"`dce settings set max_tokens {window // 4}`, or have the operator raise --max-model-len.",
        )
    if context and context > window:
        return Finding(
            detail=f"the workspace counts on {context:,} tokens, {window:,} fit: longer prompts would be made and then refused",
            fix="Let the server say it: `dce settings set context ''` (or correct the model card).",
        )
    kept = f", {window - max_tokens:,} of them for the prompt" if max_tokens else ""
    return Finding(detail=f"{window:,} tokens fit{kept}")


def judge_limits(streamed: Streamed, now: float) -> Finding:
    """Whether the key's limits let a request through, and if not, when they will. `now`: seconds since the epoch."""
    place = streamed.queue_position
    if isinstance(streamed.failure, Failure) and streamed.failure.kind == "timeout" and place:
        return failing(
            "queue_full",
            f"the request still waits in the gateway's queue, at place {place}: more is asked for than the backends can run",
            "Wait, or ask the operator for room (docs/operations/capacity.md).",
        )
    refusal = streamed.failure if isinstance(streamed.failure, Answer) else None
    error = dce_error(refusal) if refusal else None
    if refusal is None or error is None or error.code not in LIMIT_CODES:
        waited = "" if place is None else ", after a wait in the gateway's queue"
        return Finding(detail=f"the key's limits let a request through{waited}")
    when = _when(refusal.retry_after, now)
    return failing(error.code, f"{error.message}{f'; {when}' if when else ''}", error.hint)


def _when(retry_after: str, now: float) -> str:
    if not (retry_after.isascii() and retry_after.isdigit()) or len(retry_after) > 9:
        return ""
    seconds = int(retry_after)
    at = datetime.fromtimestamp(now + seconds, UTC)
    return f"it renews in {seconds:,} s, at {at:%Y-%m-%d %H:%M:%S} UTC"


def judge_token(streamed: Streamed) -> Finding:
    """One token through the whole chain."""
    if isinstance(streamed.failure, Failure):
        if streamed.failure.kind == "timeout":
            return failing("backend_timeout", "no token came in time")
        return failing("stream_interrupted", f"the stream broke: {streamed.failure.text}", "Look at the gateway's log.")
    if isinstance(streamed.failure, Answer):
        error = dce_error(streamed.failure)
        if error:
            return failing(error.code, error.message, error.hint)
        return failing("backend_error", f"no stream came: {describe(streamed.failure)}")
    if not streamed.is_done or not streamed.finish_reason:
        detail = "the stream ended before its end was told"
        return failing(
            "stream_interrupted", detail, "Something on the way cuts streams: look at time-outs and buffering."
        )
    if streamed.first_token_s is None:
        return Finding(detail="a response came through; the model ended it without a word")
    return Finding(detail=f"one token came through in {streamed.first_token_s:.2f} s")


def is_clumped(paced: Paced) -> bool:
    """Whether events that were sent one after the other came together."""
    if len(paced.sent_ms) < 2 or paced.sent_ms[-1] <= 0:
        return False
    return paced.came_ms[-1] < paced.sent_ms[-1] * MIN_SPREAD


def judge_streaming(paced: Paced, target: Target) -> Finding:
    """The paced stream: do events come one by one? Independent of how fast the model is."""
    if isinstance(paced.failure, Answer):
        error = dce_error(paced.failure)
        if error and error.code == "route_not_found":
            return Finding(detail="not measured: this gateway is older than the check")
        if error and error.code in LIMIT_CODES:
            return Finding(detail=f"not measured: {error.message}")
        return failing("stream_interrupted", f"the paced stream was refused: {describe(paced.failure)}")
    if isinstance(paced.failure, Failure) or not paced.is_done:
        why = paced.failure.text if paced.failure else "it ended before its end"
        fix = "Something on the way cuts connections that are quiet for a tenth of a second: look at its time-outs."
        return failing("stream_interrupted", f"the paced stream broke: {why}", fix)
    count, span = len(paced.sent_ms), paced.sent_ms[-1]
    if not is_clumped(paced):
        return Finding(
            detail=f"{count} events, sent over {span} ms, came over {paced.came_ms[-1]} ms: nothing keeps them back"
        )
    packed = f" They came compressed ({paced.encoding})." if paced.encoding else ""
    by = f" (it answers as {paced.server[:60]})" if paced.server else ""
    detail = f"{count} events, sent over {span} ms, came within {paced.came_ms[-1]} ms: something on the way keeps them back{by}.{packed}"
    return failing("stream_buffered", detail, unbuffer(paced.server, target))


def unbuffer(server: str, target: Target) -> str:
    """What to set on the server that answered. Without a telling name, all of them, and the client's own HTTP proxy."""
    for name, fix in _UNBUFFER.items():
        if name in server.casefold():
            return fix
    through = f"The HTTP proxy {target.proxy} may be it: set NO_PROXY to the gateway's host. " if target.proxy else ""
    return through + " ".join(_UNBUFFER.values())


def judge_cancellation(dropped: Dropped) -> Finding:
    """A response dropped in its midst: does the gateway stop paying for it?"""
    if isinstance(dropped.failure, Answer):
        error = dce_error(dropped.failure)
        if error and error.code in (*LIMIT_CODES, "route_not_found"):
            return Finding(detail=f"not tried: {error.message}")
        return failing("stream_interrupted", f"what runs could not be asked: {describe(dropped.failure)}")
    if isinstance(dropped.failure, Failure):
        return failing("stream_interrupted", f"the stream broke: {dropped.failure.text}", "Look at the gateway's log.")
    if not dropped.was_running:
        return Finding(detail="the response had ended before it could be dropped; nothing runs")
    if not dropped.is_running:
        return Finding(detail=f"a dropped response was ended at the backend within {max(dropped.waited_s, 0.01):.2f} s")
    by = f" ({dropped.server[:60]})" if dropped.server else ""
    return failing(
        "cancel_lost",
        f"a response that was dropped {dropped.waited_s:.0f} s ago still runs: something on the way{by} goes on reading it",
        "Whatever stands before the gateway must close its side when the client goes; in nginx: `proxy_ignore_client_abort off;` (the "
        "default) and `proxy_buffering off;`. Until then `dce stop` still works, closing a terminal does not.",
    )


def _names(served: Mapping[str, int], but: str = "") -> str:
    names = [name for name in served if name != but]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
