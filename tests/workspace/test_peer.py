"""Why there was no answer, said of the server that was asked."""

import asyncio
from typing import Any

import pytest

from dce.wire.errors import DceError
from dce.workspace.generating.gateway_errors import GATEWAY
from dce.workspace.generating.openai_errors import SERVER
from dce.workspace.http.link import HttpLink
from dce.workspace.http.peer import Peer

PEERS = pytest.mark.parametrize("peer", [GATEWAY, SERVER], ids=["gateway", "server"])


async def _models(link: HttpLink) -> list[dict[str, Any]]:
    async with link.client() as client:
        return await client.models("/models")


async def _asked(peer: Peer, reply: bytes | None, scheme: str = "http") -> DceError:
    """What asking a server gives that sends `reply` and closes; None: nobody listens."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(reply or b"")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if reply is None:
        server.close()
        await server.wait_closed()
    try:
        with pytest.raises(DceError) as caught:
            await _models(HttpLink(f"{scheme}://127.0.0.1:{port}/gateway", None, peer, 5.0))
    finally:
        server.close()
    return caught.value


@PEERS
def test_nobody_listens(peer: Peer) -> None:
    """A refused connection is told in the system's words, with the code and the hop of whoever was asked."""
    error = asyncio.run(_asked(peer, None))
    assert (error.code, error.hop) == (peer.unreachable, peer.hop)
    assert "refused" in error.message or "Connect call failed" in error.message


@PEERS
def test_what_speaks_no_http(peer: Peer) -> None:
    """Another service's greeting is a wrong address, not a server that is down."""
    error = asyncio.run(_asked(peer, b"SSH-2.0-OpenSSH_9.6\r\n\r\n"))
    assert (error.code, error.hop) == (peer.foreign, peer.hop)
    assert "does not speak HTTP" in error.message


@PEERS
@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\ncont"], ids=["nothing", "half a head"])
def test_a_server_that_closes(peer: Peer, reply: bytes) -> None:
    """A connection that closes before the answer is a server that is not there, not one that speaks no HTTP."""
    assert asyncio.run(_asked(peer, reply)).code == peer.unreachable


@PEERS
def test_tls_to_a_plain_port(peer: Peer) -> None:
    """A port without TLS is told by its cause, with the next step."""
    error = asyncio.run(_asked(peer, b"HTTP/1.1 400 Bad Request\r\n\r\n", "https"))
    assert error.code == peer.unreachable
    assert "http://" in error.hint


@PEERS
@pytest.mark.parametrize("body", [b"[1", b'{"data": 5}'])
def test_an_answer_that_is_not_the_one_asked_for(peer: Peer, body: bytes) -> None:
    """JSON that is none, or of another form, is a fault of whoever was asked; the URL is told as it was given."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    error = asyncio.run(_asked(peer, head + body))
    assert (error.code, error.hop) == (peer.foreign, peer.hop)
    assert "/gateway/models" in error.message


def test_a_url_that_is_none_names_who_was_asked() -> None:
    """An address that nothing can be sent to is told as the gateway's or the server's."""
    for peer in (GATEWAY, SERVER):
        with pytest.raises(DceError, match=f"{peer.name}'s URL is not usable") as caught:
            asyncio.run(_models(HttpLink("ftp://h", None, peer, 5.0)))
        assert caught.value.code == "invalid_input"


@pytest.mark.parametrize(
    ("url", "is_trusted"),
    [
        ("http://localhost:1", False),
        ("http://127.0.0.2:1", False),
        ("http://[::1]:1", False),
        ("http://[::ffff:127.0.0.1]:1", False),
        ("https://models.example.org", True),
        ("http://127.evil.example:1", True),
        ("http://localhost.evil.example:1", True),
    ],
)
def test_a_proxy_is_asked_for_other_machines_only(url: str, is_trusted: bool) -> None:
    """What goes to this machine goes through no proxy of the environment, which could not reach it and would read it."""
    assert HttpLink(url, None, GATEWAY, 1.0)._new_client()._client.trust_env is is_trusted
