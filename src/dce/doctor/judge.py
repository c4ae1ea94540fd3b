"""What a reply means: pure functions from what the probe saw to a finding. This is the troubleshooting tree itself.

What must hold: whatever a server answers, the finding has a code of wire/errors.py, the fact as it was seen, and one next step.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from dce.doctor.findings import Answer, Connected, Failure, Finding, Reply, Resolved, Streamed, failing
from dce.doctor.target import Target
from dce.wire.errors import CODES, ErrorBody, Hop, decode_error

SERVICE = "dce-gateway"
"""What /healthz says of itself."""

ANY_MODEL = ("", "local-model", "default")
"""Names that a gateway takes for "whatever is served": none, and what the original client sends."""

_TITLE = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)
_KEY_CODES = ("missing_key", "invalid_key", "expired_key")

_FOREIGN: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"llama\.cpp|ollama", re.IGNORECASE),
        "an inference server itself (llama.cpp or Ollama)",
        "Start a gateway before it, `dce gateway serve --backend URL`, and set DCE_URL to the gateway.",
    ),
    (
        re.compile(r'\{"detail":\s*"(Not Found|Method Not Allowed)"\}'),
        "a Python API server, such as vLLM itself",
        "Set DCE_URL to the gateway before it; without one: `dce gateway serve --backend URL`.",
    ),
    (
        re.compile(r"Cannot (GET|POST) /"),
        "the earlier Node.js proxy, or another Express server",
        "Ask the operator for the DCE gateway's address, or start it: `dce gateway serve`.",
    ),
    (
        re.compile(r"plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server", re.IGNORECASE),
        "a server that wants TLS",
        "Set DCE_URL to the same address with https://",
    ),
)
"""Answers of servers that are not the gateway, by words in their body or Server header: what it is, and what to do."""


def judge_name(reply: Resolved | Failure, target: Target) -> Finding:
    """Name resolution."""
    host, _ = target.first_hop
    if isinstance(reply, Resolved):
        via = f" (the HTTP proxy of the environment, on the way to {target.host})" if target.proxy else ""
        addresses = ", ".join(reply.addresses[:3])
        return Finding(detail=f"{host}{via} is {addresses}" if addresses != host else f"{host} is an address{via}")
    fix = "Check the spelling of DCE_URL's host; then this machine's DNS, VPN or hosts file."
    if target.proxy:
        fix = "Check the proxy named in HTTP_PROXY/HTTPS_PROXY, or set NO_PROXY to the gateway's host."
    return failing("gateway_unreachable", f"the name {host!r} cannot be resolved: {reply.text}", fix)


def judge_connection(reply: Connected | Failure, target: Target) -> Finding:
    """The TCP connection."""
    host, port = target.first_hop
    where = f"{host}:{port}"
    if isinstance(reply, Connected):
        risk = ""
        if target.scheme == "http" and not target.is_loopback:
            risk = "; plain http to another machine: the key and the code travel readable"
        return Finding(detail=f"connected to {where} in {reply.elapsed_s * 1000:.0f} ms{risk}")
    if reply.kind == "refused":
        fix = f"Nothing listens on {where}. Start the gateway there (`dce gateway serve`), or correct the port in DCE_URL."
        return failing("gateway_unreachable", f"{where} refused the connection", fix)
    if reply.kind == "timeout":
        fix = (
            "A firewall or VPN drops the connection, or the host is down: ask whoever runs the network or the gateway."
        )
        return failing("gateway_timeout", f"{where} did not answer", fix)
    return failing("gateway_unreachable", f"{where} cannot be reached: {reply.text}", "Check the network and VPN.")


def judge_tls(reply: Connected | Failure, target: Target) -> Finding:
    """The TLS handshake."""
    if isinstance(reply, Connected):
        return Finding(detail=f"{reply.tls}, certificate trusted")
    code = "gateway_timeout" if reply.kind == "timeout" else "gateway_unreachable"
    if reply.kind == "certificate":
        fix = (
            "If it is signed by your own authority, set SSL_CERT_FILE to its certificate; "
            "else the gateway's name or certificate is wrong: tell its operator."
        )
        return failing(code, f"the certificate of {target.host} is not accepted: {reply.text}", fix)
    fix = f"If the gateway has no TLS, use http://{target.host}:{target.port}; else look at the log of what ends TLS there."
    return failing(code, f"no TLS with {target.host}:{target.port}: {reply.text}", fix)


def judge_gateway(reply: Reply, at_root: Reply | None, target: Target) -> Finding:
    """`/healthz`: is it a DCE gateway? `at_root` is the same question at the host's root, asked when the URL has a path."""
    if is_gateway(reply):
        return Finding(detail=f"a DCE gateway answers at {target.base}")
    if at_root is not None and is_gateway(at_root):
        detail = f"the gateway is at {target.origin}, not under {target.prefix}"
        return failing("not_a_gateway", detail, f"Set DCE_URL to {target.origin}")
    if isinstance(reply, Failure):
        return _no_answer(reply, target)
    return _foreign(reply, target)


def is_gateway(reply: Reply) -> bool:
    """Whether an answer to /healthz is a DCE gateway's."""
    return isinstance(reply, Answer) and reply.status == 200 and _json(reply).get("service") == SERVICE


def _no_answer(reply: Failure, target: Target) -> Finding:
    if reply.kind == "timeout":
        return failing(
            "gateway_timeout",
            f"{target.base} takes connections but does not answer",
            "The server there is stuck or speaks no HTTP: restart the gateway, and look at its log.",
        )
    fix = f"Something other than an HTTP server is on port {target.port}, or it wants TLS (https://): check DCE_URL."
    return failing("not_a_gateway", f"{target.base} does not answer as an HTTP server: {reply.text}", fix)


def _foreign(reply: Answer, target: Target) -> Finding:
    shown = describe(reply)
    if reply.status in (301, 302, 303, 307, 308):
        https = "https://" + target.base.removeprefix("http://")
        is_tls_redirect = target.scheme == "http" and reply.location.startswith(f"https://{target.host}")
        fix = (
            f"Set DCE_URL to {https}" if is_tls_redirect else "Log in to the network in a browser, or correct DCE_URL."
        )
        return failing("not_a_gateway", f"{target.base} redirects to {reply.location[:200]}", fix)
    if reply.status == 407:
        fix = "Put the proxy's user and password into HTTPS_PROXY, or set NO_PROXY to the gateway's host."
        return failing("gateway_unreachable", "the HTTP proxy on the way wants a login", fix)
    if reply.status in (502, 503, 504):
        fix = "The web server before the gateway is reached, the gateway behind it is not: start it, and check the address it is forwarded to."
        return failing("gateway_unreachable", f"a reverse proxy answers {shown}", fix)
    words = f"{reply.server}\n{reply.body[:4096].decode('utf-8', 'replace')}"
    for pattern, what, fix in _FOREIGN:
        if pattern.search(words):
            return failing("not_a_gateway", f"{target.base} is {what}: {shown}", fix)
    if _is_html(reply):
        fix = "Check host, port and path of DCE_URL; in a guest network, log in with a browser first."
        return failing("not_a_gateway", f"{target.base} answers with a web page: {shown}", fix)
    return failing("not_a_gateway", f"{target.base} is another server: {shown}")


def judge_route(reply: Reply, target: Target) -> Finding:
    """An empty POST without a key to /api/dce/proxy: the gateway must refuse it in its own words."""
    if isinstance(reply, Failure):
        return _no_answer(reply, target)
    error = dce_error(reply)
    if error and error.code != "route_not_found":
        return Finding(detail=f"/api/dce/proxy answers ({reply.status} {error.code} without a key, as it should)")
    if reply.status in (404, 405):
        fix = (
            "The host is reached, the route is not there: restart the gateway with a current version, "
            "and let what stands before it forward /api/dce/ and /v1/ unchanged."
        )
        return failing("route_not_found", f"POST /api/dce/proxy: {describe(reply)}", fix)
    if 200 <= reply.status < 300:
        detail = f"POST /api/dce/proxy took an empty request without a key: {describe(reply)}"
        return failing("not_a_gateway", detail)
    fix = "Something between here and the gateway answers in its place: check its rules for /api/dce/."
    return failing("not_a_gateway", f"POST /api/dce/proxy: {describe(reply)}", fix)


def judge_key(reply: Reply, has_key: bool, target: Target) -> Finding:
    """The served models, asked for with the key. Only a refusal of the key counts here; later steps judge the rest."""
    if isinstance(reply, Failure):
        return _no_answer(reply, target)
    error = dce_error(reply)
    if error and error.code in _KEY_CODES:
        if error.code == "missing_key" and has_key:
            fix = "Something on the way removes the Authorization header: check the reverse proxy or HTTP proxy."
            return failing("missing_key", "the key was sent but did not arrive", fix)
        return failing(error.code, error.message)
    if reply.status in (401, 403) and (error is None or error.code not in CODES):
        fix = "Something before the gateway wants its own login: check the reverse proxy's rules."
        return failing("invalid_key", f"refused, not by the gateway: {describe(reply)}", fix)
    return Finding(detail="the key is accepted" if has_key else "the gateway wants no key (--insecure)")


def is_ready(reply: Reply) -> bool:
    """Whether an answer to /readyz says that all is well."""
    return isinstance(reply, Answer) and reply.status == 200


def judge_backend(reply: Reply, tried: Streamed | None, target: Target) -> Finding:
    """`/readyz`: a backend is up and serves a model. It tells no detail; `tried` is a request made to be told why not."""
    if isinstance(reply, Failure):
        return _no_answer(reply, target)
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
        return _no_answer(reply, target)
    error = dce_error(reply)
    if error:
        return failing(error.code, error.message, error.hint)
    served = models_of(reply)
    if served is None:
        return failing("backend_error", f"/v1/models: {describe(reply)}")
    if not served:
        return failing("no_healthy_backend", "no model is served", "Start the inference server with a model.")
    if wanted is None or wanted in ANY_MODEL or wanted in served:
        name = wanted if wanted and wanted in served else next(iter(served))
        window = f", context of {served[name]:,} tokens" if served[name] else ""
        others = f"; also served: {_names(served, name)}" if len(served) > 1 else ""
        return Finding(detail=f"{name} is served{window}{others}")
    near = difflib.get_close_matches(wanted, served, n=1, cutoff=0.4)
    guess = f"Did you mean {near[0]}? " if near else ""
    detail = f"no model {wanted!r}; served: {_names(served)}"
    return failing("model_not_found", detail, f"{guess}Use a served name, or leave the model out to get the default.")


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
        return failing("backend_error", f"POST /api/dce/proxy: {describe(streamed.failure)}")
    if not streamed.is_done or not streamed.finish_reason:
        detail = "the stream ended before its end was told"
        return failing(
            "stream_interrupted", detail, "Something on the way cuts streams: look at time-outs and buffering."
        )
    if streamed.first_token_s is None:
        return Finding(detail="a response came through; the model ended it without a word")
    return Finding(detail=f"one token came through in {streamed.first_token_s:.2f} s")


def dce_error(reply: Answer) -> ErrorBody | None:
    """The error of an answer if it is in DCE's own form: a code that we know."""
    error = decode_error(reply.body)
    return error if error and error.code in CODES else None


def models_of(reply: Answer) -> dict[str, int] | None:
    """Served model → context window in tokens (0 unknown); None when the answer is no list of models."""
    entries = _json(reply).get("data")
    if reply.status != 200 or not isinstance(entries, list):
        return None
    models: dict[str, int] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            window = entry.get("max_model_len")
            models[entry["id"]] = window if isinstance(window, int) else 0
    return models


def describe(reply: Answer) -> str:
    """An answer in a few words: status, server, and its title or first words."""
    server = f" from {reply.server[:60]}" if reply.server else ""
    title = _TITLE.search(reply.body)
    words = " ".join((title[1] if title else reply.body[:400]).decode("utf-8", "replace").split())[:120]
    return f"HTTP {reply.status}{server}" + (f" «{words}»" if words else "")


def _is_html(reply: Answer) -> bool:
    return "html" in reply.content_type or reply.body.lstrip()[:1] == b"<"


def _json(reply: Answer) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _names(served: Mapping[str, int], but: str = "") -> str:
    names = [name for name in served if name != but]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
