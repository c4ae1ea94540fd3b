"""The admin listener: figures for the operator, draining, and nothing for a page in a browser."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from dce import __version__
from dce.gateway.access.keys import KeyStore
from dce.gateway.admin import LocalOnly
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.wire.errors import DceError
from tests.fakes.chain import SLOW, Chain, client_of, drained, error_of, eventually, free_port, raw_request
from tests.fakes.vllm import MODEL
from tests.gateway.test_failover import two_backends


@pytest.fixture
def admin(make_chain: Callable[..., Chain]) -> Iterator[tuple[Chain, httpx2.Client]]:
    """A chain whose gateway has its admin listener, and a client of that."""
    chain = make_chain(no_admin=False, shutdown_timeout_s=60.0)
    with client_of(chain.server.admin_url, "") as client:
        yield chain, client


def test_it_shows_what_happened(admin: tuple[Chain, httpx2.Client]) -> None:
    """Metrics in Prometheus' format and a status with version, backends and ledger, after a request was answered."""
    chain, client = admin
    chain.ask(n=3)
    metrics = client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'dce_gateway_requests_total{code="200",route="/api/dce/proxy"} 1.0' in metrics.text
    assert f'dce_gateway_backend_up{{backend="{chain.fake.url}"}} 1.0' in metrics.text
    status = client.get("/status").json()
    assert (status["version"], status["is_draining"], status["ledger"]["dropped_rows"]) == (__version__, False, 0)
    (backend,) = status["backends"]
    assert (backend["url"], backend["is_up"], backend["models"]) == (chain.fake.url, True, [MODEL])


def test_it_shows_what_was_refused_before_it_had_a_route(admin: tuple[Chain, httpx2.Client]) -> None:
    """A request that the guard refuses is in the metrics, though no route has seen it."""
    chain, client = admin
    with raw_request(chain.server.url, b"GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n") as connection:
        assert drained(connection).startswith(b"HTTP/1.1 400 ")
    text = client.get("/metrics").text
    assert 'dce_gateway_refused_total{code="invalid_request"} 1.0' in text
    assert 'dce_gateway_requests_total{code="400"' not in text


def test_it_shows_what_was_sent_again(tmp_path: Path) -> None:
    """A backend that fails: the request that went to another one, its breaker and its trip are in the metrics."""
    with two_backends(tmp_path, no_admin=False, breaker_failures=1) as (chain, _):
        chain.behave(fault="engine_dead")
        chain.ask(n=1)
        with client_of(chain.server.admin_url, "") as client:
            text = client.get("/metrics").text
    assert f'dce_gateway_breaker_trips_total{{backend="{chain.fake.url}"}} 1.0' in text
    assert f'dce_gateway_breaker_open{{backend="{chain.fake.url}"}} 1.0' in text
    assert f'dce_gateway_retries_total{{backend="{chain.fake.url}",to="other"}} 1.0' in text


def test_the_public_listener_has_none_of_it(admin: tuple[Chain, httpx2.Client]) -> None:
    """With any key, metrics and status are unknown routes where everybody is."""
    chain, _ = admin
    for path in ("/metrics", "/status", "/drain"):
        assert error_of(chain.client.get(path))["code"] == "route_not_found"


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "evil.example:3002"}, {"origin": "http://evil.example"}, {"origin": "null"}],
    ids=str,
)
def test_a_page_in_a_browser_gets_nothing(admin: tuple[Chain, httpx2.Client], headers: dict[str, str]) -> None:
    """A name that was pointed here (DNS rebinding) and a form of another site are refused, and nothing drains."""
    chain, client = admin
    for method, path in (("GET", "/metrics"), ("GET", "/status"), ("POST", "/drain")):
        assert error_of(client.request(method, path, headers=headers))["code"] == "forbidden"
    assert not chain.server.gateway.drain.is_on


@pytest.mark.parametrize(
    ("host", "is_let_in"),
    [
        (b"127.0.0.1:3002", True),
        (b"localhost", True),
        (b"LocalHost:1", True),
        (b"[::1]:3002", True),
        (b"10.1.2.3:3002", True),
        (b"gateway:3002", True),
        (b"gateway.evil.example", False),
        (b"127.0.0.1.evil.example", False),
        (b"localhost.", False),
        (b"", False),
    ],
)
def test_hosts(host: bytes, is_let_in: bool) -> None:
    """Addresses, localhost and the operator's own name are asked for by nobody else; any other name is refused."""
    gate = LocalOnly(("127.0.0.1", "gateway"))
    with contextlib.nullcontext() if is_let_in else pytest.raises(DceError, match="answers only this machine"):
        gate.principal([(b"host", host)])


def test_draining_lets_running_responses_finish(admin: tuple[Chain, httpx2.Client]) -> None:
    """From POST /drain on new work is 503 with Retry-After and readyz fails; what runs finishes, then the server ends."""
    chain, client = admin
    chain.behave(delay_s=SLOW, tokens=400)
    with chain.stream(n=2) as answer:
        answer.until(lambda seen: len(seen.choices) == 2)
        assert client.post("/drain").status_code == 202
        assert client.get("/status").json()["is_draining"] is True
        for path in ("/api/dce/proxy", "/v1/chat/completions", "/api/dce/generate"):
            refused = chain.post(path)
            assert (refused.status_code, error_of(refused)["code"]) == (503, "draining")
            assert int(refused.headers["retry-after"]) >= 1
        assert chain.client.get("/readyz").status_code == 503
        assert chain.client.get("/healthz").status_code == 200
        answer.rest()
    assert answer.ends() == {0: ["stop"], 1: ["stop"]}
    assert answer.is_done
    eventually(lambda: not chain.server.is_running)


def test_draining_has_a_deadline(admin: tuple[Chain, httpx2.Client]) -> None:
    """A response that does not end in time is ended by the gateway, which says so; then the server ends."""
    chain, client = admin
    chain.behave(delay_s=SLOW, tokens=1_000_000)
    with chain.stream(n=2) as answer:
        answer.until(lambda seen: len(seen.choices) == 2)
        assert client.post("/drain", params={"patience_s": "0"}).status_code == 202
        answer.rest()
    assert not answer.is_done
    assert answer.error["code"] == "draining"
    eventually(lambda: not chain.server.is_running)


def test_an_idle_gateway_ends_at_once(admin: tuple[Chain, httpx2.Client]) -> None:
    """With nothing to wait for, draining is over when it begins."""
    chain, client = admin
    assert client.post("/drain", params={"patience_s": "60"}).json()["is_draining"] is True
    eventually(lambda: not chain.server.is_running)


@pytest.mark.parametrize("patience", ["-1", "1e3", "x", "99999999"])
def test_a_wrong_patience(admin: tuple[Chain, httpx2.Client], patience: str) -> None:
    """What is no time changes nothing."""
    chain, client = admin
    assert error_of(client.post("/drain", params={"patience_s": patience}))["code"] == "invalid_request"
    assert not chain.server.gateway.drain.is_on


def settings_of(folder: Path, **settings: object) -> GatewaySettings:
    """Settings of a gateway with a key."""
    keys = KeyStore(folder)
    keys.create("tester")
    keys.close()
    backends = (BackendSettings(url="http://127.0.0.1:1"),)
    return GatewaySettings(**{"data_dir": str(folder), "backends": backends, "port": 0, **settings})  # type: ignore[arg-type]


def test_it_stands_on_this_machine_only(tmp_path: Path) -> None:
    """An admin address that others reach is refused unless the operator says so in so many words."""
    with pytest.raises(DceError, match="asks for no key"):
        GatewayServer(settings_of(tmp_path, admin_host="0.0.0.0"))
    with GatewayServer(settings_of(tmp_path, admin_host="0.0.0.0", admin_open=True)) as server:
        assert server.admin_url.startswith("http://0.0.0.0:")


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """An admin port that is in use is refused with the flag that changes it, and the public port is free again."""
    port = free_port()
    with GatewayServer(settings_of(tmp_path)) as first:
        taken = int(first.admin_url.rpartition(":")[2])
        with pytest.raises(DceError) as caught:
            GatewayServer(settings_of(tmp_path, port=port, admin_port=taken))
    assert "--admin-port" in caught.value.hint
    with GatewayServer(settings_of(tmp_path, port=port, no_admin=True)) as again:
        assert again.admin_url == ""
