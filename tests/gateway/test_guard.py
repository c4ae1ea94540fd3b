"""Connections that clients leave, half or whole, and offers that are ignored. What guards refuse is in test_security_bytes.py."""

import gc
import json
import socket
import struct
import time
import weakref
from collections.abc import Callable

import pytest

from dce.gateway.front.probe import BEFORE_ANSWER
from tests.fakes.chain import PROXY, Chain, drained, eventually, raw_request
from tests.fakes.vllm import MODEL

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def test_a_reset_connection_is_forgotten_at_once(chain: Chain) -> None:
    """A client that resets a resting connection is not kept for the rest of the keep-alive time, timer, buffers and all."""
    connections = chain.server._server.server_state.connections
    before = set(connections)
    client = raw_request(chain.server.url, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    eventually(lambda: len(connections - before) == 1)
    (mine,) = connections - before
    kept = weakref.ref(mine)
    del mine
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    client.close()
    eventually(lambda: gc.collect() >= 0 and kept() is None)


# -- half closed -------------------------------------------------------------------------------------------------------


def request(
    chain: Chain, path: str, *, connection: str = "keep-alive", more: str = "", n: int = 1, is_stream: bool
) -> bytes:
    """A whole request as bytes."""
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "n": n, "stream": is_stream})
    return (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {chain.key}\r\nconnection: {connection}\r\n{more}"
        f"content-length: {len(body)}\r\n\r\n{body}"
    ).encode()


def half_closed(chain: Chain, data: bytes, *, wait_s: float = 0.0) -> bytes:
    """Everything the gateway says to a client that sends this and then closes its sending side."""
    with raw_request(chain.server.url, data) as connection:
        time.sleep(wait_s)
        connection.shutdown(socket.SHUT_WR)
        return drained(connection)


@pytest.mark.parametrize("path", [PROXY, "/v1/chat/completions"])
@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("wait_s", [0.0, 0.1])
def test_a_half_closed_client_gets_its_whole_answer(both: Chain, path: str, is_stream: bool, wait_s: float) -> None:
    """A client that closes its sending side, at once or in the middle of the answer, gets all of it, and then the connection ends."""
    both.behave(delay_s=0.02, tokens=20)
    answer = half_closed(both, request(both, path, is_stream=is_stream), wait_s=wait_s)
    before, _, after = answer.partition(b"HTTP/1.1 200 OK\r\n")
    assert before.replace(BEFORE_ANSWER, b"") == b""
    assert BEFORE_ANSWER not in after
    if is_stream:
        assert b"data: [DONE]\n\n" in answer
        assert answer.endswith(b"0\r\n\r\n")
    else:
        assert json.loads(after.partition(b"\r\n\r\n")[2])["choices"]
    eventually(both.is_idle)
    assert len(both.fake.posts()) == 1


def test_every_request_of_a_half_closed_client_is_answered(chain: Chain) -> None:
    """Requests sent one after the other before the client closed its sending side are all answered, in order."""
    chain.behave(delay_s=0.005)
    first, second = (request(chain, path, is_stream=False) for path in (PROXY, "/v1/chat/completions"))
    answer = half_closed(chain, first + b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" + second)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.index(b'"responses"') < answer.index(b"dce-gateway") < answer.rindex(b"chat.completion")


def test_a_half_request_gets_no_answer(chain: Chain) -> None:
    """A client that closes before its request is whole gets nothing: half a prompt is no prompt."""
    whole = request(chain, PROXY, is_stream=False)
    for data in (whole[:-5], whole[:30], b""):
        assert half_closed(chain, data) == b""
    assert chain.fake.posts() == []


def test_what_follows_a_whole_request_may_be_half(make_chain: Callable[..., Chain]) -> None:
    """The beginning of a next request, which will never be whole, does not cost a half-closed client the answer to the whole one."""
    chain = make_chain(head_timeout_s=0.2)
    chain.behave(delay_s=0.05, tokens=20)
    answer = half_closed(chain, request(chain, PROXY, is_stream=False) + b"GET /heal", wait_s=0.05)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 1
    assert b'"responses"' in answer


def test_a_client_that_goes_before_its_second_answer_frees_its_backend(chain: Chain) -> None:
    """Of several requests on one connection, the one that is being answered is the one that a client's going ends."""
    chain.behave(delay_s=0.02, tokens=2000)
    health = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    client = raw_request(chain.server.url, health + request(chain, PROXY, is_stream=False))
    eventually(chain.fake.posts)
    client.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    client.close()
    eventually(chain.is_idle, within_s=20)


@pytest.mark.parametrize(("path", "is_stream"), [(PROXY, True), (PROXY, False), ("/v1/chat/completions", True)])
def test_a_client_that_goes_altogether_frees_its_backend(both: Chain, path: str, is_stream: bool) -> None:
    """A client that closes the connection, at once or after closing its sending side, ends its backend request long before its end."""
    for goes in (lambda client: None, lambda client: client.shutdown(socket.SHUT_WR)):
        leave(both, path, is_stream, goes)


def leave(chain: Chain, path: str, is_stream: bool, goes: Callable[[socket.socket], None]) -> None:
    """A client that goes while its backend is silent."""
    chain.behave(fault="mute")
    client = raw_request(chain.server.url, request(chain, path, is_stream=is_stream))
    eventually(chain.fake.posts)
    goes(client)
    client.close()
    eventually(chain.is_idle, within_s=20)


# -- offers to upgrade -------------------------------------------------------------------------------------------------

OFFERS = {
    "h2c": ("Upgrade, HTTP2-Settings", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"),
    "websocket": ("keep-alive, Upgrade", "upgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n"),
    "several": ("upgrade", "upgrade: h2c\r\nupgrade: foo/2\r\n"),
}


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("cut", [0, 1, 7, 40])
def test_an_offer_to_upgrade_is_ignored(chain: Chain, offer: str, cut: int) -> None:
    """A request that offers to upgrade is answered as HTTP/1.1, body and all, however its bytes arrive, and so is the next one."""
    connection, more = OFFERS[offer]
    data = request(chain, PROXY, connection=connection, more=more, is_stream=False)
    data += b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    with raw_request(chain.server.url, b"") as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), cut or len(data)):
            client.sendall(data[at : at + (cut or len(data))])
        answer = drained(client)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b"101" not in answer.partition(b"\r\n")[0]
    (sent,) = chain.fake.posts()
    assert not {"upgrade", "http2-settings"} & set(sent.headers)


def test_many_offers_on_one_connection(chain: Chain) -> None:
    """Each request of a connection may offer it; a chunked body is read as one."""
    offer = b"host: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
    many = (b"GET /healthz HTTP/1.1\r\n" + offer + b"\r\n") * 20
    body = json.dumps({"prompt": "hi", "stream": False}).encode()
    head = b"POST %b HTTP/1.1\r\nauthorization: Bearer %b\r\ntransfer-encoding: chunked\r\n" % (
        PROXY.encode(),
        chain.key.encode(),
    )
    chunked = head + offer + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    last = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    with raw_request(chain.server.url, many + chunked + last) as client:
        assert drained(client).count(b"HTTP/1.1 200 OK\r\n") == 22


@pytest.mark.parametrize("target", [b"example.org:443", b"/healthz"])
def test_the_gateway_is_no_tunnel(chain: Chain, target: bytes) -> None:
    """CONNECT, which asks for a tunnel to another host, is refused."""
    with raw_request(chain.server.url, b"CONNECT " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n") as client:
        assert drained(client).startswith(b"HTTP/1.1 400 ")
