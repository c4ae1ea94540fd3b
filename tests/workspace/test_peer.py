"""Why there was no answer, with the error naming the server that was asked."""

import asyncio
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import getproxies

import pytest

from dce.wire.errors import DceError
from dce.wire.proxies import proxies_of, proxy_for
from dce.workspace.generating.gateway_errors import GATEWAY
from dce.workspace.generating.openai_errors import SERVER
from dce.workspace.http.client import download
from dce.workspace.http.link import HttpLink
from dce.workspace.http.peer import Peer

FAULTS = Path(__file__).parents[1] / "fixtures" / "faults"

PEERS = pytest.mark.parametrize("peer", [GATEWAY, SERVER], ids=["gateway", "server"])


async def _models(link: HttpLink) -> list[dict[str, Any]]:
    async with link.client() as client:
        return await client.models("/models")


async def _asked(peer: Peer, reply: bytes | None, scheme: str = "http") -> DceError:
    """The error from a server that sends `reply` and closes; None: nothing listens."""

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
    """A refused connection is reported in the system's words, with the code and hop of the server that was asked."""
    error = asyncio.run(_asked(peer, None))
    assert (error.code, error.hop) == (peer.unreachable, peer.hop)
    assert error.hint
    assert "--backend" not in error.hint
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
    """A connection that closes before the answer means that the server is down, not that it does not speak HTTP."""
    assert asyncio.run(_asked(peer, reply)).code == peer.unreachable


@PEERS
def test_tls_to_a_plain_port(peer: Peer) -> None:
    """A port without TLS is reported as that, with the next step."""
    error = asyncio.run(_asked(peer, b"HTTP/1.1 400 Bad Request\r\n\r\n", "https"))
    assert error.code == peer.unreachable
    assert "http://" in error.hint


@PEERS
@pytest.mark.parametrize("body", [b"[1", b'{"data": 5}'])
def test_an_answer_that_is_not_the_one_asked_for(peer: Peer, body: bytes) -> None:
    """Invalid or unexpected JSON is an error of the server that was asked; the URL is quoted as given."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    error = asyncio.run(_asked(peer, head + body))
    assert (error.code, error.hop) == (peer.foreign, peer.hop)
    assert "/gateway/models" in error.message


def test_a_url_that_is_none_names_who_was_asked() -> None:
    """An unusable address is reported as the gateway's or the server's."""
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
def test_a_proxy_is_asked_for_other_machines_only(url: str, is_trusted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to this machine ignore the environment's proxy, which could not reach it and would read them."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.test:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert proxy_for(url, getproxies()) == ("http://proxy.test:3128" if is_trusted else "")


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_used"),
    [
        ("localhost,127.0.0.1,::1,[::1]", "http://model.test:8000", True),
        ("127.0.0.1,fd07::/64", "http://[fd07::5]:8000", False),
        ("127.0.0.1,fd07::/64", "http://[fd08::5]:8000", True),
        ("[fd07::5]", "http://[fd07::5]:8000", False),
        ("[fd07::5]:9", "http://[fd07::5]:8000", True),
        ("10.0.0.0/8", "http://10.1.2.3:8000", False),
        ("10.0.0.0/8", "http://11.1.2.3:8000", True),
        ("model.test", "http://a.model.test", False),
        (".model.test, other", "http://a.model.test", False),
        ("*.model.test", "http://a.model.test", False),
        ("odel.test", "http://model.test", True),
        ("model.test:8000", "http://model.test:8000", False),
        ("model.test:8000", "http://model.test:80", True),
        ("http://model.test", "http://model.test", False),
        ("*", "http://model.test", False),
        (",[, ]:::, 1/2/3", "http://model.test", True),
        ("", "http://model.test:port", False),
    ],
)
def test_no_proxy_is_read_as_people_write_it(no_proxy: str, url: str, is_used: bool) -> None:
    """Brackets, networks, ports, dots and stars are understood; unreadable entries match nothing and cause no error."""
    assert bool(proxy_for(url, {"no": no_proxy, "http": "proxy.test:3128"})) is is_used


@pytest.mark.parametrize(
    ("proxy", "code"),
    [
        ("http://user:pass@127.0.0.1:1", "unreachable"),
        ("socks9://127.0.0.1:1", "invalid_input"),
        ("socks5://127.0.0.1:1", "invalid_input"),
        ("http://127.0.0.1:port", "invalid_input"),
        ("http://[bad", "unreachable"),
    ],
)
def test_a_proxy_that_leads_nowhere_is_named(proxy: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead or invalid proxy is a client error: it is named without its password, and the hint does not say to start a server."""
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "localhost,[::1]")
    for peer in (GATEWAY, SERVER):
        with pytest.raises(DceError) as caught:
            asyncio.run(_models(HttpLink("http://model.test:8000", None, peer, 5.0)))
        error = caught.value
        assert (error.code, error.hop) == (peer.unreachable if code == "unreachable" else code, "client")
        assert "NO_PROXY" in error.hint
        assert "pass" not in error.message
        assert "the proxy" in error.message


def _fixture(name: str) -> dict[str, str]:
    """The variables of a reported environment."""
    lines = (FAULTS / name / "env").read_text("utf-8").split()
    return dict(line.split("=", 1) for line in lines)


def _set(monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str]) -> None:
    """Only these proxies."""
    for name in getproxies():
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def test_the_reported_environment_names_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """[16]: brackets in NO_PROXY and a dead proxy: the proxy is named as the client's fault, by a request and by a download."""
    environ = _fixture("16-no-proxy-with-ipv6")
    _set(monkeypatch, environ)
    with pytest.raises(DceError) as asked:
        asyncio.run(_models(HttpLink(environ["DCE_URL"], None, GATEWAY, 5.0)))
    with pytest.raises(DceError) as loaded:
        download(f"{environ['DCE_URL']}/tokenizer.json", 100, 5.0)
    for error in (asked.value, loaded.value):
        assert (error.code, error.hop) == ("gateway_unreachable", "client")
        assert environ["HTTP_PROXY"] in error.message
        assert "NO_PROXY" in error.hint
        assert "inference server" not in error.hint


def test_socks_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy whose package is missing is named, with the package, by a request and by a download."""
    _set(monkeypatch, {"ALL_PROXY": "socks5://127.0.0.1:1080"})
    with pytest.raises(DceError) as asked:
        asyncio.run(_models(HttpLink("http://model.test:8000", None, SERVER, 5.0)))
    with pytest.raises(DceError) as loaded:
        download("http://model.test/tokenizer.json", 100, 5.0)
    for error in (asked.value, loaded.value):
        assert (error.code, error.hop) == ("invalid_input", "client")
        assert "socks5://127.0.0.1:1080" in error.message
        assert "pip install socksio" in error.hint


def _serve_file(answers: Mapping[str, bytes]) -> ThreadingHTTPServer:
    """A web server in a thread: a path, or as a proxy a whole URL, to the bytes of an answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(answers.get(self.path, b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n"))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_a_download_goes_through_the_proxy_of_each_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download reads NO_PROXY as requests do, and a redirect to another host goes through that host's proxy."""
    file = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
    proxy = _serve_file({"http://far.test/tokenizer.json": file + b"far!"})
    moved = b"HTTP/1.1 302 X\r\nlocation: http://far.test/tokenizer.json\r\ncontent-length: 0\r\n\r\n"
    near = _serve_file({"/near": file + b"near", "/moved": moved})
    _set(monkeypatch, {"http_proxy": f"http://127.0.0.1:{proxy.server_port}", "NO_PROXY": "[::1],fd07::/64"})
    try:
        assert download(f"http://127.0.0.1:{near.server_port}/near", 100, 5.0) == b"near"
        assert download("http://far.test/tokenizer.json", 100, 5.0) == b"far!"
        assert download(f"http://127.0.0.1:{near.server_port}/moved", 100, 5.0) == b"far!"
    finally:
        for server in (proxy, near):
            server.shutdown()
            server.server_close()


@pytest.mark.parametrize(
    ("environ", "table"),
    [
        ({"HTTP_PROXY": "http://a", "http_proxy": "http://b"}, {"http": "http://b"}),
        ({"HTTP_PROXY": "http://a", "http_proxy": ""}, {}),
        ({"All_Proxy": "socks5://a", "NO_PROXY": "x"}, {"all": "socks5://a", "no": "x"}),
        ({"HTTP_PROXY": "http://a", "REQUEST_METHOD": "GET"}, {}),
        ({"NO": "1", "HTTP": "x", "_PROXY": "y", "PROXY": "z"}, {}),
    ],
)
def test_the_doctor_reads_the_environment_as_requests_do(
    environ: dict[str, str], table: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor's table of proxies is the one that Python makes of the same variables."""
    assert proxies_of(environ) == table
    _set(monkeypatch, environ)
    assert {name: value for name, value in getproxies().items() if name} == table


def test_a_missing_file_of_authorities_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An SSL_CERT_FILE that names no file is reported as that."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(DceError) as caught:
        asyncio.run(_models(HttpLink("https://model.test:8000", None, SERVER, 5.0)))
    assert caught.value.code == "invalid_input"
    assert "SSL_CERT_FILE" in caught.value.hint
    with pytest.raises(DceError) as loaded:
        download("https://model.test/tokenizer.json", 100, 5.0)
    assert loaded.value.message == caught.value.message
