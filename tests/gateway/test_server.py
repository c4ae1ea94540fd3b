"""Listening and stopping."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.wire.errors import DceError
from tests.fakes.chain import SLOW, Chain, drained, error_of, eventually, raw_listener, raw_post, raw_request
from tests.fakes.vllm import FakeVllm


@pytest.fixture
def data_dir(tmp_path: Path) -> str:
    """A data folder with a key."""
    keys = KeyStore(tmp_path)
    keys.create("alice")
    keys.close()
    return str(tmp_path)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_taken_port_is_named(data_dir: str, host: str) -> None:
    """A port that somebody has is refused with the address and the way out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DceError, match=f"{host}:{port}") as caught:
            GatewayServer(GatewaySettings(data_dir=data_dir, host=host, port=port))
        assert "--port" in caught.value.hint


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "999.1.1.1"])
def test_an_address_that_is_not_ours_is_named(data_dir: str, host: str) -> None:
    """A host that this machine does not have is refused by name."""
    with pytest.raises(DceError, match=host):
        GatewayServer(GatewaySettings(data_dir=data_dir, host=host, port=0))


def test_it_listens_on_ipv6(data_dir: str) -> None:
    """On an IPv6 address the URL has its brackets and works."""
    with FakeVllm() as fake:
        settings = GatewaySettings(data_dir=data_dir, host="::1", port=0, backends=(BackendSettings(url=fake.url),))
        with GatewayServer(settings) as server:
            assert server.url == f"http://[::1]:{server.port}"
            with socket.create_connection(("::1", server.port), timeout=5) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                assert b"200 OK" in connection.recv(1000)


def test_stopping_ends_streams_visibly(make_chain: Callable[..., Chain]) -> None:
    """A gateway that is stopped in the middle leaves its backends idle, and no client takes the end for a sound one."""
    chain = make_chain(shutdown_timeout_s=0.0)
    chain.behave(delay_s=SLOW, tokens=100_000)
    with chain.stream(n=10) as answer:
        answer.until(lambda seen: len(seen.choices) == 10)
        chain.server.stop()
        answer.rest()
    assert not answer.is_done
    assert answer.error["code"] == "draining"
    eventually(lambda: chain.fake.open_streams == 0)


def test_stopping_before_an_answer_has_begun_says_draining(make_chain: Callable[..., Chain]) -> None:
    """A request that waits for its backend while the gateway stops is answered in the error shape, worth trying again."""
    chain = make_chain(shutdown_timeout_s=0.0)
    with raw_listener() as deaf:
        chain.server.gateway.backends[0].address = deaf
        with raw_request(chain.server.url, raw_post(chain.key, chain.body(n=2))) as connection:
            eventually(lambda: chain.in_flight == 2)
            chain.server.stop()
            head, _, body = drained(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503")
    assert b'"code":"draining"' in body


def test_stopping_waits_for_streams_within_its_time(make_chain: Callable[..., Chain]) -> None:
    """A stream that ends within the shutdown timeout ends sound."""
    chain = make_chain(shutdown_timeout_s=60.0)
    chain.behave(delay_s=SLOW, tokens=20)
    with chain.stream(n=3) as answer:
        answer.until(lambda seen: len(seen.choices) == 3)
        chain.server._server.should_exit = True
        chain.server._server.wake()
        answer.rest()
    assert answer.is_done
    assert answer.ends() == {index: ["stop"] for index in range(3)}


def test_two_gateways_share_one_data_folder(make_chain: Callable[..., Chain], chain: Chain) -> None:
    """Keys made for one count at the other when they share the folder; streams are each one's own."""
    backends = (BackendSettings(url=chain.fake.url),)
    settings = GatewaySettings(data_dir=str(chain.folder), backends=backends, port=0)
    with GatewayServer(settings) as second:
        response = chain.client.get(f"{second.url}/v1/models")
        assert response.status_code == 200
        assert error_of(chain.client.delete(f"{second.url}/api/dce/streams/{'0' * 32}"))["code"] == "route_not_found"
