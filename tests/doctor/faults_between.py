"""What stands between a developer and a gateway, and what the doctor must say of each: a table, and the faults that it is made of."""

from collections.abc import Callable
from dataclasses import replace

from tests.doctor.between import RESET, Ask, Faults
from tests.doctor.scripted import Route, json_answer

HTML = "Content-Type: text/html\r\n"
LOGIN = (200, HTML, b"<html><head><title>Sign in - Example Corp</title></head><body>Password:</body></html>")


def page(status: int, title: str, headers: str = "") -> Route:
    """A web server's error page."""
    return status, HTML + headers, f"<html><head><title>{title}</title></head><body>{title}</body></html>".encode()


def on(words: str, answer: Route | str) -> Faults:
    """Answers requests whose "METHOD /path" begins so."""
    return Faults(answer=lambda ask: answer if f"{ask.method} {ask.path}".startswith(words) else None)


def on_body(part: bytes, answer: Route | str) -> Faults:
    """Answers requests whose body has this in it."""
    return Faults(answer=lambda ask: answer if part in ask.body else None)


def changing(change: Callable[[Ask], Ask]) -> Faults:
    """Forwards something else."""
    return Faults(change=change)


def moved(to: Callable[[str], str], status: int = 301, words: str = "") -> Faults:
    """Redirects paths to others, if they differ."""

    def answer(ask: Ask) -> Route | None:
        is_meant = f"{ask.method} {ask.path}".startswith(words) and to(ask.path) != ask.path
        return (status, f"Location: {to(ask.path)}\r\n", b"") if is_meant else None

    return Faults(answer=answer)


def slashed(path: str) -> str:
    return path.rstrip("/") + "/"


def renamed(change: Callable[[str], str]) -> Faults:
    """Forwards requests under another path."""
    return changing(lambda ask: replace(ask, path=change(ask.path)))


def authorized(value: str) -> Callable[[Ask], Ask]:
    """Replaces the Authorization header, where there is one."""

    def change(ask: Ask) -> Ask:
        has_one = bool(ask.header("authorization"))
        return ask.without("authorization").with_header(f"Authorization: {value}") if has_one else ask

    return change


def second(ask: Ask) -> Ask:
    return ask.with_header("Authorization: Basic eDp5") if ask.header("authorization") else ask


def uncommented(piece: bytes) -> bytes:
    return piece.replace(b": keep-alive\n", b"x: keep-alive")


def sized(limit: int, answer: Route | str) -> Faults:
    """Refuses larger bodies."""
    return Faults(answer=lambda ask: answer if len(ask.body) > limit else None)


def cdn(status: int) -> Faults:
    """A CDN's own error, for requests to a model."""
    return on_body(b"Say hello", page(status, f"example.org | {status}: error", "Server: cloudflare\r\n"))


BASIC = page(401, "401 Authorization Required", 'WWW-Authenticate: Basic realm="Staff"\r\n')
VLLM = json_answer(200, {"object": "list", "data": [{"id": "fake-7b", "owned_by": "vllm"}]})
PROXY, MODELS, READY = "POST /api/dce/proxy", "GET /v1/models", "GET /readyz"

CASES: dict[str, tuple[Faults, str, str, str, str, tuple[str, ...]]] = {
    # name: (faults, path of DCE_URL, step, hop, code, words of the detail and the fix)
    "slash": (moved(slashed), "", "gateway", "gateway", "route_not_found", ("slash at its end", "turn that off")),
    "slash, POST": (
        moved(slashed, 308, PROXY),
        "",
        "route",
        "gateway",
        "route_not_found",
        ("slash at its end", "POST"),
    ),
    "slash, models": (moved(slashed, 307, MODELS), "", "key", "gateway", "route_not_found", ("slash at its end",)),
    "slash, prefix": (moved(slashed), "/dce", "gateway", "gateway", "route_not_found", ("slash at its end",)),
    "moved to a prefix": (
        moved(lambda path: path if path.startswith("/llm") else f"/llm{path}"),
        "",
        "gateway",
        "gateway",
        "not_a_gateway",
        ("Set DCE_URL to http://127.0.0.1:", "/llm"),
    ),
    "moved to a host": (
        moved(lambda path: f"https://www.example.org{path}"),
        "",
        "gateway",
        "gateway",
        "not_a_gateway",
        ("another host", "https://www.example.org;", "captive portal"),
    ),
    "captive portal": (
        moved(lambda path: "http://login.hotel.test/welcome", 302),
        "",
        "gateway",
        "gateway",
        "not_a_gateway",
        ("captive portal", "Log in to the network"),
    ),
    "single sign-on": (
        moved(lambda path: f"/oauth2/start?rd={path}", 302, PROXY),
        "",
        "route",
        "gateway",
        "not_a_gateway",
        ("single sign-on", "exempt"),
    ),
    "redirect to itself": (
        Faults(answer=lambda ask: (302, f"Location: {ask.path}\r\n", b"")),
        "",
        "gateway",
        "gateway",
        "not_a_gateway",
        ("to itself",),
    ),
    "prefix kept": (
        Faults(answer=lambda ask: None if ask.path.startswith("/dce/") else page(404, "404 Not Found")),
        "/dce",
        "gateway",
        "gateway",
        "route_not_found",
        ("adds or removes a prefix", "handle_path /dce/*", "proxy_pass http://GATEWAY/;"),
    ),
    "prefix kept, root works": (
        Faults(),
        "/dce",
        "gateway",
        "gateway",
        "not_a_gateway",
        ("Set DCE_URL to http://127.0.0.1:", "remove /dce"),
    ),
    "prefix added": (
        renamed(lambda path: f"/llm{path}"),
        "",
        "gateway",
        "gateway",
        "route_not_found",
        ("adds or removes a prefix", "proxy_pass http://GATEWAY;"),
    ),
    "/api stripped": (
        renamed(lambda path: path.removeprefix("/api")),
        "",
        "body",
        "gateway",
        "route_not_found",
        ("another path", "POST /dce/proxy", "proxy_pass"),
    ),
    "/v1 stripped": (
        renamed(lambda path: path.removeprefix("/v1")),
        "",
        "key",
        "gateway",
        "route_not_found",
        ("another path", "GET /models"),
    ),
    "404, models": (
        on(MODELS, page(404, "404 Not Found", "Server: nginx\r\n")),
        "",
        "key",
        "gateway",
        "route_not_found",
        ("«404 Not Found»", "nginx", "forward /api/dce/, /v1/"),
    ),
    "404, readyz": (on(READY, page(404, "Nope")), "", "backend", "gateway", "route_not_found", ("«Nope»", "/readyz")),
    "404, token": (on_body(b"Say hello", page(404, "Nope")), "", "token", "gateway", "route_not_found", ("«Nope»",)),
    "404, streamcheck": (
        on("GET /api/dce/streamcheck", page(404, "Nope")),
        "",
        "streaming",
        "gateway",
        "route_not_found",
        ("«Nope»",),
    ),
    "404, streams": (
        Faults(answer=lambda ask: page(404, "Nope") if ask.path == "/api/dce/streams" else None),
        "",
        "cancel",
        "gateway",
        "route_not_found",
        ("«Nope»",),
    ),
    "Basic": (on("", BASIC), "", "gateway", "gateway", "invalid_key", ('Basic realm="Staff"', "auth_basic off")),
    "Basic, models": (on(MODELS, BASIC), "", "key", "gateway", "invalid_key", ("own login", "auth_basic off")),
    "Basic, POST": (on(PROXY, BASIC), "", "route", "gateway", "invalid_key", ("own login", "auth_basic off")),
    "Basic, readyz": (on(READY, BASIC), "", "backend", "gateway", "invalid_key", ("own login", "auth_basic off")),
    "Basic, token": (on_body(b"Say hello", BASIC), "", "token", "gateway", "invalid_key", ("own login",)),
    "idle": (Faults(cut_s=0.4), "", "silence", "gateway", "stream_interrupted", ("s of silence", "proxy_read_timeout")),
    "1 MB": (
        sized(1_000_000, page(413, "413 Request Entity Too Large", "Server: nginx\r\n")),
        "",
        "body",
        "gateway",
        "body_too_large",
        ("4 MB", "413 Request Entity Too Large", "client_max_body_size 50m;"),
    ),
    "1 MB, reset": (
        sized(1_000_000, RESET),
        "",
        "body",
        "gateway",
        "body_too_large",
        ("closed", "client_max_body_size"),
    ),
    "1 MB, 403": (sized(1_000_000, page(403, "Blocked")), "", "body", "gateway", "body_too_large", ("«Blocked»",)),
    "DELETE, 405": (
        on("DELETE", page(405, "Not Allowed")),
        "",
        "delete",
        "gateway",
        "route_not_found",
        ("stop", "limit_except"),
    ),
    "DELETE, 403": (
        on("DELETE", page(403, "Blocked")),
        "",
        "delete",
        "gateway",
        "route_not_found",
        ("stop", "«Blocked»"),
    ),
    "DELETE, 200": (on("DELETE", (200, "", b"")), "", "delete", "gateway", "route_not_found", ("stop", "HTTP 200")),
    "DELETE, reset": (on("DELETE", RESET), "", "delete", "gateway", "gateway_timeout", ("stop", "DELETE")),
    "filter": (
        on_body(b"DROP TABLE", page(403, "Blocked")),
        "",
        "body",
        "gateway",
        "not_a_gateway",
        ("content filter", "«Blocked»"),
    ),
    "filter, 200": (
        on_body(b"<script>", page(200, "Oops")),
        "",
        "body",
        "gateway",
        "not_a_gateway",
        ("content filter",),
    ),
    "filter, reset": (on_body(b"/etc/passwd", RESET), "", "body", "gateway", "not_a_gateway", ("content filter",)),
    "second login": (
        changing(second),
        "",
        "key",
        "gateway",
        "invalid_key",
        ("second Authorization", "proxy_set_header"),
    ),
    "other login": (
        changing(authorized("Basic eDp5")),
        "",
        "key",
        "gateway",
        "missing_key",
        ("another Authorization",),
    ),
    "login added": (
        changing(lambda ask: ask.with_header("Authorization: Basic eDp5")),
        "",
        "route",
        "gateway",
        "invalid_key",
        ("that was not sent", "proxy_set_header Authorization"),
    ),
    "key added": (
        changing(lambda ask: ask.with_header("Authorization: Bearer dce_wrong")),
        "",
        "route",
        "gateway",
        "invalid_key",
        ("that was not sent",),
    ),
    "no login": (
        changing(lambda ask: ask.without("authorization")),
        "",
        "key",
        "gateway",
        "missing_key",
        ("did not arrive", "removes the Authorization"),
    ),
    "CDN 520": (cdn(520), "", "token", "gateway", "gateway_unreachable", ("a CDN", "520", "cloudflare")),
    "CDN 524": (cdn(524), "", "token", "gateway", "gateway_timeout", ("a CDN", "100 s", "DNS only")),
    "login page on POST": (
        on("POST", LOGIN),
        "",
        "route",
        "gateway",
        "not_a_gateway",
        ("Sign in - Example Corp", "log in"),
    ),
    "login page on models": (on(MODELS, LOGIN), "", "key", "gateway", "not_a_gateway", ("Sign in - Example Corp",)),
    "no heartbeats": (
        Faults(passes=uncommented),
        "",
        "silence",
        "gateway",
        "stream_interrupted",
        ("heartbeats", "removes"),
    ),
    "small answers": (
        Faults(most=900_000),
        "",
        "silence",
        "gateway",
        "stream_interrupted",
        ("was cut after", "size of answers"),
    ),
    "HTTP/1.0": (
        Faults(version="1.0"),
        "",
        "route",
        "gateway",
        "invalid_request",
        ("HTTP/1.0", "proxy_http_version 1.1"),
    ),
    "vLLM at /v1": (on(MODELS, VLLM), "", "key", "gateway", "route_not_found", ("owned by vllm", "past the gateway")),
    "502, models": (
        on(MODELS, page(502, "Bad")),
        "",
        "key",
        "gateway",
        "gateway_unreachable",
        ("«Bad»", "Start the gateway"),
    ),
    "504, token": (
        on_body(b"Say hello", page(504, "Late")),
        "",
        "token",
        "gateway",
        "gateway_timeout",
        ("«Late»", "timeouts"),
    ),
    "429, models": (on(MODELS, page(429, "Slow")), "", "key", "gateway", "rate_limited", ("«Slow»", "limit_req")),
    "empty JSON, readyz": (
        on(READY, json_answer(200, {})),
        "",
        "backend",
        "gateway",
        "not_a_gateway",
        ("another server",),
    ),
    "another API": (
        on(
            PROXY, json_answer(400, {"error": {"message": "no key", "type": "x", "code": "missing_key", "param": None}})
        ),
        "",
        "route",
        "gateway",
        "not_a_gateway",
        ("another server answers", "no key"),
    ),
    "own pages, 401": (
        on(PROXY, page(401, "Denied", "WWW-Authenticate: Bearer\r\n")),
        "",
        "route",
        "gateway",
        "not_a_gateway",
        ("in place of the gateway's refusal", "proxy_intercept_errors off;"),
    ),
    "own pages, 400": (
        on_body(b'"doctor"', page(400, "Bad")),
        "",
        "body",
        "gateway",
        "not_a_gateway",
        ("«Bad»", "proxy_intercept_errors off;"),
    ),
    "own pages, 404": (
        on("DELETE", page(404, "Lost")),
        "",
        "delete",
        "gateway",
        "route_not_found",
        ("«Lost»", "proxy_intercept_errors off;"),
    ),
    "503, token": (
        on_body(b"Say hello", page(503, "Busy")),
        "",
        "token",
        "gateway",
        "gateway_unreachable",
        ("«Busy»", "limit_req"),
    ),
    "403": (
        on(MODELS, page(403, "Forbidden")),
        "",
        "key",
        "gateway",
        "not_a_gateway",
        ("web application firewall", "«Forbidden»"),
    ),
    "408": (on(MODELS, page(408, "Slow")), "", "key", "gateway", "gateway_timeout", ("gave up waiting",)),
    "no answer, models": (on(MODELS, RESET), "", "key", "gateway", "not_a_gateway", ("closed without an answer",)),
    "no answer, token": (
        on_body(b"Say hello", RESET),
        "",
        "token",
        "gateway",
        "stream_interrupted",
        ("broke", "timeouts"),
    ),
    "no answer, silence": (
        on("GET /api/dce/streamcheck?", RESET),
        "",
        "silence",
        "gateway",
        "stream_interrupted",
        ("broke", "idle timeout"),
    ),
    "407": (on("", page(407, "Proxy")), "", "gateway", "client", "gateway_unreachable", ("407",)),
    "511": (on("", page(511, "Hotel")), "", "gateway", "gateway", "not_a_gateway", ("captive portal", "«Hotel»")),
}

HEALTHY: dict[str, tuple[Faults, str]] = {
    "plain": (Faults(), ""),
    "prefix removed": (renamed(lambda path: path.removeprefix("/dce")), "/dce"),
    "long prefix": (renamed(lambda path: path.removeprefix("/a/b/dce")), "/a/b/dce/"),
    "headers in lower case": (
        changing(
            lambda ask: replace(
                ask, headers=tuple(line.lower() if "auth" not in line.lower() else line for line in ask.headers)
            )
        ),
        "",
    ),
    "name of the header in lower case": (
        changing(
            lambda ask: replace(
                ask, headers=tuple(line.replace("Authorization", "authorization") for line in ask.headers)
            )
        ),
        "",
    ),
    "other headers added": (
        changing(lambda ask: ask.with_header("X-Forwarded-For: 10.0.0.1").with_header("Via: 1.1 x")),
        "",
    ),
}
