"""The client's HTTP requests: what is loaded when, and the error for each kind of failure. Sockets are real."""

import asyncio
import subprocess
import sys

import httpx2
import pytest

from dce.wire.errors import DceError
from dce.workspace.generating.gateway_errors import GATEWAY
from dce.workspace.http.link import HttpLink

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def _loaded(code: str) -> set[str]:
    """Which of the heavy modules a fresh interpreter has loaded after `code`."""
    heavy = ("httpx2", "httpcore2", "h11", "rich", "pygments")
    tell = f"{code}\nimport sys\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    return set(subprocess.run([sys.executable, "-c", tell], capture_output=True, check=True, text=True).stdout.split())


@pytest.mark.parametrize(
    "module", ["dce.workspace.workspace", "dce.workspace.generating.providers", "dce.workspace.generating.privacy"]
)
def test_nothing_is_loaded_before_a_server_is_asked(module: str) -> None:
    """Opening a workspace loads no HTTP client."""
    assert _loaded(f"import {module}") == set()


def test_a_link_that_is_not_used_loads_nothing() -> None:
    """Creating a provider, as every command does, loads no HTTP client; the first request does, without the library's command line."""
    code = "from dce.workspace.generating.provider import GatewayProvider\nprovider = GatewayProvider('http://127.0.0.1:9', None)"
    assert _loaded(code) == set()
    assert _loaded(f"{code}\nimport asyncio\nasyncio.run(provider._link.client().__aenter__())") == {
        "httpx2",
        "httpcore2",
        "h11",
    }


def _error(answer: bytes) -> DceError:
    """The client's error for a server that reads a request, sends `answer` and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def run() -> DceError:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(DceError) as caught:
                async with HttpLink(url, "sk-secret", GATEWAY, 5.0).client() as client:
                    await client.json("GET", "/", b"")
        return caught.value

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (b"", "gateway_unreachable", "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\ncontent-ty", "gateway_unreachable", "cannot be reached"),
        (b"220 mail.example.org ESMTP\r\n\r\n", "not_a_gateway", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "not_a_gateway", "does not speak HTTP"),
        (HEAD + b"content-length: 9\r\n\r\n{}", "gateway_unreachable", "in the middle of its answer"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n", "gateway_unreachable", "in the middle of its answer"),
        (HEAD + b"content-length: 1\r\n\r\n{", "not_a_gateway", "JSON"),
    ],
    ids=["nothing", "half a head", "another protocol", "broken head", "half a body", "half of the chunks", "half JSON"],
)
def test_each_way_to_fail_is_told_as_itself(answer: bytes, code: str, said: str) -> None:
    """A server that closes, one that does not speak HTTP and one that breaks off in its answer are different errors."""
    error = _error(answer)
    assert error.code == code
    assert said in error.message


def test_a_refused_connection_says_so() -> None:
    """The error has the system's reason, not the library's sentence about attempts, for one address and for several."""
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(DceError) as caught:
            asyncio.run(_ask(HttpLink(f"http://{host}:9", None, GATEWAY, 5.0)))
        assert caught.value.code == "gateway_unreachable"
        assert "[Errno 111]" in caught.value.message or "refused" in caught.value.message.lower()


async def _ask(link: HttpLink) -> None:
    async with link.client() as client:
        await client.json("GET", "/", b"")


def test_a_key_that_no_header_holds_is_not_told() -> None:
    """A line break in the key is an input error; the library would print the whole header."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def run() -> DceError:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(DceError) as caught:
                await _ask(HttpLink(url, "sk-sec\nret", GATEWAY, 5.0))
        return caught.value

    error = asyncio.run(run())
    assert error.code == "invalid_input"
    assert "sk-sec" not in error.message + error.hint


def test_a_tls_server_that_hangs_up_is_no_plain_one() -> None:
    """A connection that ends during the handshake is not reported as a port without TLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async def run() -> DceError:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(DceError) as caught:
                await _ask(HttpLink(url, None, GATEWAY, 5.0))
        return caught.value

    error = asyncio.run(run())
    assert error.code == "gateway_unreachable"
    assert "does not speak TLS" not in error.hint


def test_silence_has_its_own_error() -> None:
    """A server that accepts a request and goes silent is a timeout, whether its answer has begun or not."""

    class Silent(httpx2.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            yield b"{"
            raise httpx2.ReadTimeout("silence")

    def late(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("silence")

    def begun(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "application/json"}, stream=Silent())

    for answer in (late, begun):
        with pytest.raises(DceError) as caught:
            asyncio.run(_ask(HttpLink("http://x", None, GATEWAY, 5.0, httpx2.MockTransport(answer))))
        assert caught.value.code == "gateway_timeout"
