"""The gateway behind a real Caddy and a real nginx with the shipped files: TLS, nothing kept back, a client that goes frees the GPU."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dce.doctor.findings import Check, Diagnosis
from dce.doctor.tree import Options, examine
from tests.fakes.chain import PROXY, SLOW, Answer, Chain, check_sound, error_of, eventually
from tests.real.proxies import Front, caddy, nginx

SILENCE_S = 3.0

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A gateway with a scripted backend."""
    with Chain(tmp_path / "chain") as chain:
        yield chain


@pytest.fixture(params=[caddy, nginx], ids=["caddy", "nginx"])
def front(chain: Chain, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Front]:
    """Each of the two with its shipped file."""
    start: Callable[[Chain, Path], AbstractContextManager[Front]] = request.param
    with start(chain, tmp_path) as front:
        yield front


def diagnose(front: Front, chain: Chain, url: str = "") -> Diagnosis:
    return asyncio.run(examine(Options(url=url or front.url, key=chain.key, silence_s=SILENCE_S), front.environ))


def failed(diagnosis: Diagnosis) -> Check:
    return next(check for check in diagnosis.checks if check.ok is False)


def test_the_doctor_is_content(front: Front, chain: Chain) -> None:
    """Through it every hop is well: a trusted certificate, events one by one, a dropped response ended at the backend."""
    chain.behave(tokens=10_000, delay_s=SLOW)
    diagnosis = diagnose(front, chain)
    assert diagnosis.ok, diagnosis
    said = {check.name: check.detail for check in diagnosis.checks}
    assert "certificate trusted" in said["tls"]
    assert "nothing buffers them" in said["streaming"]
    assert "stopped at the backend" in said["cancel"]


def test_a_whole_stream(front: Front, chain: Chain) -> None:
    """Ten responses come through whole, in order and with their end."""
    chain.behave()
    with front.client(chain.key) as client, client.stream("POST", PROXY, json=chain.body(n=10)) as response:
        check_sound(Answer(response).rest(), 10)


def test_frames_come_while_the_stream_is_open(front: Front, chain: Chain) -> None:
    """What a backend has said is with the client although the backend says nothing more; the client's going frees it."""
    chain.behave(fault="stall")
    with front.client(chain.key) as client, client.stream("POST", PROXY, json=chain.body(n=2)) as response:
        Answer(response).until(lambda seen: all(seen.texts().get(index) for index in range(2)))
        assert chain.fake.open_streams == 2
    eventually(chain.is_idle)
    assert chain.fake.aborted == 2


def test_a_large_prompt(front: Front, chain: Chain) -> None:
    """A prompt of 4 MB comes through; one of more than max_body_bytes is refused."""
    chain.behave()
    with front.client(chain.key) as client:
        large = chain.body(messages=[{"role": "user", "content": "x" * 4_000_000}], stream=False)
        assert client.post(PROXY, json=large).status_code == 200
        assert client.post(PROXY, content=b" " * (50 * 1024 * 1024 + 1)).status_code == 413


@pytest.mark.parametrize("start", [caddy, nginx], ids=["caddy", "nginx"])
def test_the_gateways_own_refusal_of_a_large_body(
    tmp_path: Path, start: Callable[[Chain, Path], AbstractContextManager[Front]]
) -> None:
    """A body that the web server lets through and the gateway does not: its 413 arrives, not a 502 for a connection that was reset."""
    with Chain(tmp_path / "chain", max_body_bytes=1_000_000) as chain, start(chain, tmp_path) as front:
        for content in (b"x" * 20_000_000, iter([b"x" * 1_000_000] * 20)):
            with front.client(chain.key) as client:
                answer = client.post(PROXY, content=content)
            assert (answer.status_code, error_of(answer)["code"]) == (413, "body_too_large")


def test_a_gateway_that_is_down(front: Front, chain: Chain) -> None:
    """The web server is told from the gateway behind it."""
    chain.server.stop()
    diagnosis = diagnose(front, chain)
    assert (failed(diagnosis).name, diagnosis.code) == ("gateway", "gateway_unreachable")
    assert "reverse proxy" in failed(diagnosis).detail


def test_plain_http_to_its_tls_port(front: Front, chain: Chain) -> None:
    """http:// to its port: the doctor says https://."""
    diagnosis = diagnose(front, chain, front.url.replace("https:", "http:"))
    assert (failed(diagnosis).name, diagnosis.code) == ("gateway", "not_a_gateway")
    assert "https://" in failed(diagnosis).fix


def test_an_nginx_that_keeps_events_back(chain: Chain, tmp_path: Path) -> None:
    """With nginx's own default of buffering, the doctor says that events are kept back and names nginx's settings."""
    changes = {"proxy_buffering off;": "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"}
    with nginx(chain, tmp_path, changes) as front:
        diagnosis = diagnose(front, chain)
    assert (failed(diagnosis).name, diagnosis.code) == ("streaming", "stream_buffered"), diagnosis
    assert "proxy_buffering off" in failed(diagnosis).fix


def test_compressing_alone_is_no_alarm(chain: Chain, tmp_path: Path) -> None:
    """A compressor that lets every event go at once is not blamed."""
    changes = {"gzip off;": "gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 0;"}
    with nginx(chain, tmp_path, changes) as front:
        assert diagnose(front, chain).ok


NGINX: dict[str, tuple[dict[str, str], str, str, str]] = {
    # name: (changes, step, code, a word of the detail or the fix)
    "1 MB": ({"client_max_body_size 50m;": ""}, "body", "body_too_large", "client_max_body_size 50m;"),
    "idle": (
        {"proxy_read_timeout 2h;": "proxy_read_timeout 1s;"},
        "silence",
        "stream_interrupted",
        "proxy_read_timeout 2h;",
    ),
    "DELETE": (
        {"gzip off;": "gzip off; limit_except GET POST { deny all; }"},
        "delete",
        "route_not_found",
        "limit_except",
    ),
    "HTTP/1.0": (
        {"proxy_http_version 1.1;": "proxy_http_version 1.0;"},
        "route",
        "invalid_request",
        "proxy_http_version 1.1",
    ),
    "prefix": (
        {"proxy_pass http://dce_gateway;": "proxy_pass http://dce_gateway/llm/;"},
        "gateway",
        "route_not_found",
        "proxy_pass http://GATEWAY;",
    ),
    "/api stripped": (
        {"location / {": "location /api/ { proxy_pass http://dce_gateway/; }\n    location / {"},
        "body",
        "route_not_found",
        "POST /dce/proxy",
    ),
    "/v1 not forwarded": (
        {"location / {": "location /v1/ { root /nowhere; }\n    location / {"},
        "key",
        "route_not_found",
        "404 Not Found",
    ),
    "slash": (
        {"location / {": "rewrite ^(.*[^/])$ $1/ permanent;\n    location / {"},
        "gateway",
        "route_not_found",
        "slash at its end",
    ),
    "login": (
        {"location / {": "auth_basic Staff; auth_basic_user_file /dev/null;\n    location / {"},
        "gateway",
        "invalid_key",
        "auth_basic off",
    ),
    "own Authorization": (
        {"gzip off;": "gzip off; proxy_set_header Authorization 'Basic eDp5';"},
        "route",
        "invalid_key",
        "proxy_set_header Authorization",
    ),
    "no Authorization": (
        {"gzip off;": "gzip off; proxy_set_header Authorization '';"},
        "key",
        "missing_key",
        "removes the Authorization header",
    ),
}


@pytest.mark.parametrize("name", NGINX)
def test_an_nginx_that_is_wrong_is_named(chain: Chain, tmp_path: Path, name: str) -> None:
    """What an nginx does wrong fails its step, on the gateway's side, with nginx's own setting or words."""
    changes, step, code, word = NGINX[name]
    chain.behave()
    with nginx(chain, tmp_path, changes) as front:
        diagnosis = diagnose(front, chain)
    check = failed(diagnosis)
    assert (check.name, check.hop, diagnosis.code) == (step, "gateway", code), check
    assert word in check.detail + check.fix


CADDY_PROXY = "reverse_proxy {$DCE_GATEWAY:127.0.0.1:3001} {"
CADDY: dict[str, tuple[dict[str, str], str, str, str]] = {
    "filter": (
        {CADDY_PROXY: f"@drop method DELETE\n\trespond @drop 403\n\t{CADDY_PROXY}"},
        "delete",
        "route_not_found",
        "DELETE",
    ),
    "size": ({"max_size 52428800": "max_size 1MB"}, "body", "body_too_large", "4 MB"),
    "prefix": ({CADDY_PROXY: f"rewrite * /llm{{uri}}\n\t{CADDY_PROXY}"}, "gateway", "route_not_found", "`rewrite`"),
    "slash": (
        {CADDY_PROXY: f"redir /healthz /healthz/\n\t{CADDY_PROXY}"},
        "gateway",
        "route_not_found",
        "slash at its end",
    ),
}


@pytest.mark.parametrize("name", CADDY)
def test_a_caddy_that_is_wrong_is_named(chain: Chain, tmp_path: Path, name: str) -> None:
    """What a Caddy does wrong fails its step, on the gateway's side, with what came."""
    changes, step, code, word = CADDY[name]
    chain.behave()
    with caddy(chain, tmp_path, changes) as front:
        diagnosis = diagnose(front, chain)
    check = failed(diagnosis)
    assert (check.name, check.hop, diagnosis.code) == (step, "gateway", code), check
    assert word in check.detail + check.fix


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        (
            nginx,
            {"location / {": "location /dce/ {", "proxy_pass http://dce_gateway;": "proxy_pass http://dce_gateway/;"},
        ),
        (caddy, {CADDY_PROXY: f"uri strip_prefix /dce\n\t{CADDY_PROXY}"}),
    ],
    ids=["nginx", "caddy"],
)
def test_a_prefix_that_is_removed_is_healthy(
    chain: Chain, tmp_path: Path, start: Callable[..., AbstractContextManager[Front]], changes: dict[str, str]
) -> None:
    """Behind a web server that removes its prefix every hop is well."""
    chain.behave()
    with start(chain, tmp_path, changes) as front:
        diagnosis = diagnose(front, chain, f"{front.url}/dce")
    assert diagnosis.ok, diagnosis


def test_nginx_logs_no_content(chain: Chain, tmp_path: Path) -> None:
    """The access log of the shipped file holds the route and the request's id, and neither key nor prompt nor answer."""
    chain.behave()
    with nginx(chain, tmp_path) as front, front.client(chain.key) as client:
        secret = "canary-in-the-prompt"
        answer = client.post(PROXY, json=chain.body(messages=[{"role": "user", "content": secret}], stream=False))
        log = tmp_path / "access.log"
        eventually(lambda: answer.headers["x-request-id"] in log.read_text())
        assert PROXY in log.read_text()
        assert not [word for word in (secret, chain.key, "Grüße") if word in log.read_text()]
