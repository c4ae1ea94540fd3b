"""The connectivity tree over real sockets: each broken hop is named, with its code and a fix."""

import asyncio
import socket
from collections.abc import Mapping

import msgspec
import pytest

from dce.doctor.findings import Check, Diagnosis
from dce.doctor.tree import NOT_TRIED, STEPS, Options, examine
from dce.wire.errors import CODES
from tests.doctor.scripted import HEALTHY, KEY, NOT_FOUND, Route, error_answer, json_answer, serve, sse_answer


def diagnose(url: str, *, key: str | None = KEY, model: str | None = None) -> Diagnosis:
    return asyncio.run(examine(Options(url=url, key=key, model=model), {}))


def diagnose_server(
    routes: Mapping[str, Route], *, key: str | None = KEY, model: str | None = None, path: str = ""
) -> Diagnosis:
    async def run() -> Diagnosis:
        async with serve(routes) as url:
            return await examine(Options(url=url + path, key=key, model=model), {})

    return asyncio.run(run())


def failed(diagnosis: Diagnosis) -> Check:
    return next(check for check in diagnosis.checks if check.ok is False)


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_all_well() -> None:
    """Against a healthy gateway every step passes and the diagnosis says so."""
    diagnosis = diagnose_server(HEALTHY, model="smollm2-135m")
    assert diagnosis.ok, diagnosis
    assert (diagnosis.failing_hop, diagnosis.code) == (None, None)
    assert [check.name for check in diagnosis.checks] == [step.name for step in STEPS if step.name != "tls"]
    assert all(check.ok and check.detail for check in diagnosis.checks)


def test_json_shape() -> None:
    """The JSON form has exactly the promised fields."""
    value = msgspec.to_builtins(diagnose_server(HEALTHY))
    assert list(value) == ["ok", "failing_hop", "code", "checks", "elapsed_s"]
    assert all(list(check) == ["hop", "name", "ok", "detail", "fix"] for check in value["checks"])


PAGE: Route = (200, "Content-Type: text/html\r\n", b"<html><head><title>Hotel Wi-Fi</title></head></html>")
VLLM: Route = (404, "Content-Type: application/json\r\nServer: uvicorn\r\n", b'{"detail":"Not Found"}')
EXPRESS: Route = (404, "Content-Type: text/html\r\n", b"<pre>Cannot GET /healthz</pre>")
NGINX_502: Route = (502, "Server: nginx\r\nContent-Type: text/html\r\n", b"<title>502 Bad Gateway</title>")
MODELS, READY, PROXY, HEALTH = "GET /v1/models", "GET /readyz", "POST /api/dce/proxy", "GET /healthz"

NOT_READY = json_answer(503, {"ok": False, "service": "dce-gateway"})

CASES: dict[str, tuple[dict[str, Route], str, str, str, str]] = {
    # name: (changed routes, step, hop, code, a word of the detail or fix)
    "web page": ({HEALTH: PAGE}, "gateway", "gateway", "not_a_gateway", "Hotel Wi-Fi"),
    "vLLM itself": ({HEALTH: VLLM}, "gateway", "gateway", "not_a_gateway", "vLLM"),
    "Express proxy": ({HEALTH: EXPRESS}, "gateway", "gateway", "not_a_gateway", "Node.js"),
    "bare 404": ({HEALTH: (404, "", b"")}, "gateway", "gateway", "not_a_gateway", "HTTP 404"),
    "reverse proxy without a gateway": ({HEALTH: NGINX_502}, "gateway", "gateway", "gateway_unreachable", "nginx"),
    "redirect": (
        {HEALTH: (302, "Location: https://login.example.org/\r\n", b"")},
        "gateway",
        "gateway",
        "not_a_gateway",
        "redirects",
    ),
    "wants TLS": (
        {HEALTH: (400, "", b"Client sent an HTTP request to an HTTPS server.")},
        "gateway",
        "gateway",
        "not_a_gateway",
        "https://",
    ),
    "HTTP proxy login": ({HEALTH: (407, "", b"")}, "gateway", "client", "gateway_unreachable", "login"),
    "route missing": ({PROXY: NOT_FOUND}, "route", "gateway", "route_not_found", "forward /api/dce/"),
    "route missing, said by DCE": (
        {PROXY: error_answer(404, "route_not_found")},
        "route",
        "gateway",
        "route_not_found",
        "under another path",
    ),
    "route open": ({PROXY: json_answer(200, {})}, "route", "gateway", "not_a_gateway", "without a key"),
    "revoked key": (
        {MODELS + " +key": error_answer(401, "invalid_key")},
        "key",
        "gateway",
        "invalid_key",
        "DCE_API_KEY",
    ),
    "expired key": ({MODELS + " +key": error_answer(401, "expired_key")}, "key", "gateway", "expired_key", "new key"),
    "key lost on the way": (
        {MODELS + " +key": error_answer(401, "missing_key")},
        "key",
        "gateway",
        "missing_key",
        "Authorization",
    ),
    "login before the gateway": (
        {MODELS + " +key": (401, "", b"nginx says no")},
        "key",
        "gateway",
        "invalid_key",
        "not by the gateway",
    ),
    "no backend": (
        {READY: NOT_READY, PROXY + " +key": error_answer(503, "no_healthy_backend", "gpu1:8000 refused")},
        "backend",
        "backend",
        "no_healthy_backend",
        "gpu1:8000 refused",
    ),
    "backend down, bare": (
        {READY: NOT_READY},
        "backend",
        "backend",
        "no_healthy_backend",
        "inference server",
    ),
    "backend dies before the models": (
        {MODELS + " +key": error_answer(502, "backend_unreachable")},
        "model",
        "backend",
        "backend_unreachable",
        "inference server",
    ),
    "nothing served": (
        {MODELS + " +key": json_answer(200, {"data": []})},
        "model",
        "backend",
        "no_healthy_backend",
        "no model",
    ),
    "backend refuses the token": (
        {PROXY + " +key": error_answer(502, "backend_error", "CUDA out of memory")},
        "token",
        "backend",
        "backend_error",
        "CUDA",
    ),
    "error in the stream": (
        {PROXY + " +key": sse_answer('{"error":{"message":"engine died","code":"backend_error","hop":"backend"}}')},
        "token",
        "backend",
        "backend_error",
        "engine died",
    ),
    "stream cut": (
        {PROXY + " +key": sse_answer('{"choices":[{"index":0,"delta":{"content":"H"}}]}')},
        "token",
        "gateway",
        "stream_interrupted",
        "stopped before",
    ),
    "stream that is a page": ({PROXY + " +key": PAGE}, "token", "gateway", "not_a_gateway", "Hotel"),
}


@pytest.mark.parametrize("name", CASES)
def test_broken_hop(name: str) -> None:
    """The failing step, its hop, its code and its fix are named; the steps after it are not tried."""
    changes, step, hop, code, word = CASES[name]
    diagnosis = diagnose_server({**HEALTHY, **changes})
    check = failed(diagnosis)
    assert (check.name, check.hop, diagnosis.failing_hop, diagnosis.code) == (step, hop, hop, code), diagnosis
    assert word in check.detail + check.fix
    assert check.fix
    after = diagnosis.checks[diagnosis.checks.index(check) + 1 :]
    assert all((later.ok, later.detail) == (None, NOT_TRIED) for later in after)


def test_no_key() -> None:
    """Without a key the missing key is named, not a wrong one."""
    assert diagnose_server(HEALTHY, key=None).code == "missing_key"


def test_wrong_key_is_not_shown() -> None:
    """A key that is refused appears nowhere in the diagnosis."""
    routes = {**HEALTHY, MODELS + " +wrong": error_answer(401, "invalid_key")}
    diagnosis = diagnose_server(routes, key="dce_secret_wrong")
    assert diagnosis.code == "invalid_key"
    assert b"dce_secret_wrong" not in msgspec.json.encode(diagnosis)


def test_insecure_gateway() -> None:
    """A gateway that wants no key is well, and the key step says that it wants none."""
    open_routes = {name.removesuffix(" +key"): route for name, route in HEALTHY.items() if name.endswith("+key")}
    routes = {**HEALTHY, **open_routes, PROXY: error_answer(400, "invalid_request")}
    diagnosis = diagnose_server({**routes, READY: NOT_READY}, key=None)
    assert diagnosis.code == "no_healthy_backend"
    assert "asks for no key" in next(check.detail for check in diagnosis.checks if check.name == "key")


def test_model_missing_names_the_nearest() -> None:
    """A model that is not served: the served ones are named and the nearest is offered."""
    diagnosis = diagnose_server(HEALTHY, model="smolm2-135")
    assert (diagnosis.failing_hop, diagnosis.code) == ("model", "model_not_found")
    assert "Did you mean 'smollm2-135m'?" in failed(diagnosis).fix


def test_local_model_means_any() -> None:
    """The original client's `local-model` is whatever is served."""
    assert diagnose_server(HEALTHY, model="local-model").ok


def test_wrong_prefix() -> None:
    """A gateway that answers at the root, not under the URL's path, is found there."""
    diagnosis = diagnose_server(HEALTHY, path="/dce")
    assert diagnosis.code == "not_a_gateway"
    assert failed(diagnosis).fix.startswith("Set DCE_URL to http://127.0.0.1:")


@pytest.mark.parametrize("path", ["/api/dce/proxy", "/v1", "/v1/", "/"])
def test_pasted_route(path: str) -> None:
    """A URL that ends in a route of the gateway is taken for its base address."""
    assert diagnose_server(HEALTHY, path=path).ok


def test_refused_port() -> None:
    """A port on which nothing listens is the gateway's hop, with the port in the fix."""
    port = closed_port()
    diagnosis = diagnose(f"http://127.0.0.1:{port}")
    assert (failed(diagnosis).name, diagnosis.failing_hop, diagnosis.code) == ("tcp", "gateway", "gateway_unreachable")
    assert str(port) in failed(diagnosis).fix


def test_unknown_host() -> None:
    """A name that does not resolve is told apart from a port that refuses."""
    diagnosis = diagnose("http://no-such-host.invalid:3001")
    assert (failed(diagnosis).name, diagnosis.code) == ("dns", "gateway_unreachable")
    assert "no-such-host.invalid" in failed(diagnosis).detail


@pytest.mark.parametrize("url", ["ftp://host", "http://", "http://host:notaport", "http://[::1"])
def test_unreadable_url(url: str) -> None:
    """What is no URL is the client's own fault, and nothing is asked."""
    diagnosis = diagnose(url)
    assert (diagnosis.ok, diagnosis.failing_hop, diagnosis.code) == (False, "client", "invalid_input")
    assert [check.ok for check in diagnosis.checks] == [False] + [None] * len(STEPS)


def test_https_to_a_plain_server() -> None:
    """TLS against a server without it fails at the tls step and offers http://."""

    async def run() -> Diagnosis:
        async with serve(HEALTHY) as url:
            return await examine(Options(url=url.replace("http:", "https:"), key=KEY), {})

    diagnosis = asyncio.run(run())
    assert failed(diagnosis).name == "tls"
    assert "http://127.0.0.1" in failed(diagnosis).fix


def test_server_that_is_not_http() -> None:
    """A server that speaks another protocol is not a gateway."""

    async def run() -> Diagnosis:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example.org ESMTP\r\n")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await examine(Options(url=f"http://127.0.0.1:{port}"), {})

    diagnosis = asyncio.run(run())
    assert (failed(diagnosis).name, diagnosis.code) == ("gateway", "not_a_gateway")


def test_http_proxy_of_the_environment() -> None:
    """With HTTP_PROXY set the first hop is the proxy, and a proxy that is down is what is named."""
    port = closed_port()
    question = Options(url="http://dce.example.org")
    diagnosis = asyncio.run(examine(question, {"http_proxy": f"http://127.0.0.1:{port}"}))
    assert failed(diagnosis).name == "tcp"
    assert f"127.0.0.1:{port}" in failed(diagnosis).detail


def test_lines_come_as_they_are_known() -> None:
    """Every check is told once, in order."""
    lines: list[Check] = []

    async def run() -> Diagnosis:
        async with serve(HEALTHY) as url:
            return await examine(Options(url=url, key=KEY), {}, lines.append)

    diagnosis = asyncio.run(run())
    assert tuple(lines) == diagnosis.checks


def test_every_code_is_a_row() -> None:
    """Every code that the tree answers has a row in the error table."""
    for changes, _, _, code, _ in CASES.values():
        assert changes
        assert code in CODES
