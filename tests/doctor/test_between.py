"""Real gateways behind faulty proxies: each fault is named with its hop, its cause and its fix, and healthy setups stay green."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dce.doctor.findings import Check, Diagnosis, Failure, SilenceProbe
from dce.doctor.judge_passage import judge_silence
from dce.doctor.target import read_target
from dce.doctor.tree import Options, examine
from dce.gateway.settings import BackendSettings
from tests.doctor.between import RESET, Ask, Faults, proxy
from tests.doctor.scripted import Route, json_answer
from tests.fakes.chain import Chain, eventually, free_port

HTML = "Content-Type: text/html\r\n"
LOGIN = (200, HTML, b"<html><head><title>Sign in - Example Corp</title></head><body>Password:</body></html>")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One real gateway with a scripted backend, behind all the proxies."""
    with Chain(tmp_path_factory.mktemp("between")) as chain:
        chain.behave()
        yield chain


def page(status: int, title: str, headers: str = "") -> Route:
    """A web server's error page."""
    return status, HTML + headers, f"<html><head><title>{title}</title></head><body>{title}</body></html>".encode()


def diagnose(
    chain: Chain, faults: Faults, path: str = "", environ: Mapping[str, str] | None = None, url: str = ""
) -> Diagnosis:
    async def run() -> Diagnosis:
        async with proxy(chain.server.url, faults) as front:
            variables = {name: value.replace("FRONT", front) for name, value in (environ or {}).items()}
            return await examine(Options(url=(url or front) + path, key=chain.key, silence_s=1.0), variables)

    return asyncio.run(run())


def failed(diagnosis: Diagnosis) -> Check:
    return next(check for check in diagnosis.checks if check.ok is False)


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
    "511": (on("", page(511, "Hotel")), "", "gateway", "gateway", "not_a_gateway", ("captive portal", "«Hotel»")),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_between_is_named(chain: Chain, name: str) -> None:
    """The failing step, its hop and code, the cause with the beginning of what came, and the fix; never the model server's fault."""
    faults, path, step, hop, code, words = CASES[name]
    diagnosis = diagnose(chain, faults, path)
    check = failed(diagnosis)
    assert (check.name, diagnosis.failing_hop, diagnosis.code) == (step, hop, code), check
    told = f"{check.detail} {check.fix}"
    assert [word for word in words if word not in told] == [], told
    assert "inference server" not in told


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


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_setup_stays_green(chain: Chain, name: str) -> None:
    """Behind a proxy that is configured correctly every step passes without a warning."""
    faults, path = HEALTHY[name]
    diagnosis = diagnose(chain, faults, path)
    assert diagnosis.ok, diagnosis
    assert not [check for check in diagnosis.checks if check.fix or not check.ok]
    assert diagnosis.elapsed_s > 0


def test_through_the_environments_proxy(chain: Chain) -> None:
    """Through an HTTP proxy of the environment every step passes, and the first line names the proxy without its password."""
    environ = {"http_proxy": "FRONT", "NO_PROXY": "[::1],fd07::/64"}
    diagnosis = diagnose(chain, Faults(), environ=environ, url="http://gateway.test:3001")
    assert diagnosis.ok, diagnosis
    assert "go through the proxy http://127.0.0.1:" in diagnosis.checks[0].detail


def test_the_doctors_own_requests_ask_no_model(chain: Chain) -> None:
    """The large request, the one with source code and the DELETE reach the gateway and no backend."""
    chain.fake.requests.clear()
    faults = Faults()
    assert diagnose(chain, faults).ok
    large = [ask for ask in faults.seen if len(ask.body) > 1_000_000]
    assert [(ask.method, ask.path) for ask in large] == [("POST", "/api/dce/proxy")]
    assert any(b"DROP TABLE" in ask.body for ask in faults.seen)
    assert [ask.method for ask in faults.seen if ask.method not in ("GET", "POST")] == ["DELETE"]
    assert len(chain.fake.posts()) == 2  # the token, and the response that is dropped
    assert all(len(post.body) < 10_000 for post in chain.fake.posts())


def test_a_key_that_is_quoted_back_is_not_shown(chain: Chain) -> None:
    """A page that repeats the request's headers does not bring the key into the diagnosis."""
    echo = Faults(
        answer=lambda ask: (500, "", ask.header("authorization").encode()) if ask.path == "/v1/models" else None
    )
    check = failed(diagnose(chain, echo))
    assert "Bearer (the key)" in check.detail
    assert chain.key not in check.detail + check.fix


def test_a_longer_silence_that_is_cut_is_a_warning() -> None:
    """A cut after the time in which a heartbeat comes is a warning: streams survive it."""
    seen = SilenceProbe(asked_s=120, promised_s=120, quiet_s=60, failure=Failure(kind="closed", text="closed"))
    finding = judge_silence(seen, read_target("http://h", {}))
    assert (finding.code, "60 s of silence" in finding.detail, "idle timeout" in finding.fix) == ("", True, True)


@pytest.mark.parametrize("fault", ["error_200", "error_at_once"])
def test_a_backend_that_answers_an_error_with_200(tmp_path: Path, fault: str) -> None:
    """An error in an answer with status 200, as a body or as the first event, is the backend's, with its words."""
    with Chain(tmp_path) as chain:
        chain.behave(fault=fault)
        diagnosis = diagnose(chain, Faults())
    check = failed(diagnosis)
    assert (check.name, diagnosis.failing_hop, diagnosis.code) == ("token", "backend", "backend_error"), check
    assert "CUDA out of memory" in check.detail or "EngineCore encountered" in check.detail


def test_a_gateway_that_is_its_own_backend(tmp_path: Path) -> None:
    """A gateway whose backend is itself is named as that, and the fix is the backend's address, not a key or a restart."""
    port = free_port()
    with Chain(tmp_path, port=port, backends=(BackendSettings(url=f"http://127.0.0.1:{port}"),)) as chain:
        (itself,) = chain.server.gateway.backends
        eventually(lambda: itself.fault is not None and "itself" in itself.fault.message)
        diagnosis = diagnose(chain, Faults())
    check = failed(diagnosis)
    assert (check.name, diagnosis.failing_hop, diagnosis.code) == ("backend", "backend", "no_healthy_backend")
    assert "is this gateway itself" in check.detail
    assert "address of the model server" in check.fix


def test_the_whole_is_bounded(chain: Chain) -> None:
    """When the time of the whole diagnosis is over, the step that runs is stopped and says so."""
    options = Options(url=chain.server.url, key=chain.key, silence_s=1.0, total_s=-1.0)
    diagnosis = asyncio.run(examine(options, {}))
    check = failed(diagnosis)
    assert diagnosis.code == "gateway_timeout"
    assert "took longer" in check.detail
