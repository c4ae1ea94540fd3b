"""The environment as it is: proxies, exceptions and certificate authorities are named by the doctor, before anything is sent."""

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme

from dce.doctor.findings import Check, Diagnosis
from dce.doctor.handshake import trusted
from dce.doctor.tree import Options, examine
from tests.doctor.between import Ask, Faults, proxy
from tests.doctor.scripted import HEALTHY, KEY, Route, serve
from tests.doctor.test_tree import closed_port

FIXTURE = Path(__file__).parents[1] / "fixtures" / "faults" / "16-no-proxy-with-ipv6" / "env"


def diagnose(url: str, environ: Mapping[str, str]) -> Diagnosis:
    return asyncio.run(examine(Options(url=url, key=KEY), environ))


def failed(diagnosis: Diagnosis) -> Check:
    return next(check for check in diagnosis.checks if check.ok is False)


def told(check: Check) -> str:
    return f"{check.detail} {check.fix}"


def test_the_reported_environment() -> None:
    """[16]: NO_PROXY with brackets and a dead proxy: the proxy is named as the client's fault, and no server is to be started."""
    environ = dict(line.split("=", 1) for line in FIXTURE.read_text("utf-8").split())
    diagnosis = diagnose(environ["DCE_URL"], environ)
    check = failed(diagnosis)
    assert (check.name, diagnosis.failing_hop, diagnosis.code) == ("tcp", "client", "gateway_unreachable")
    assert environ["HTTP_PROXY"] in check.detail
    assert "add model.invalid to NO_PROXY" in check.fix
    assert "serve" not in told(check)
    assert "inference" not in told(check)


@pytest.mark.parametrize(
    ("environ", "word", "fix"),
    [
        ({"ALL_PROXY": "socks5://127.0.0.1:1080"}, "socks5://127.0.0.1:1080", "pip install socksio"),
        ({"all_proxy": "socks5h://127.0.0.1"}, "SOCKS needs the package", "pip install socksio"),
        ({"HTTP_PROXY": "ftp://127.0.0.1:21"}, "its URL is not usable", "HTTP_PROXY"),
        ({"HTTP_PROXY": "http://127.0.0.1:port"}, "its URL is not usable", "HTTP_PROXY"),
        ({"HTTP_PROXY": "http://[bad"}, "its URL is not usable", "NO_PROXY"),
        ({"HTTP_PROXY": "http://"}, "names no host", "NO_PROXY"),
        ({"SSL_CERT_FILE": "/no/such.pem"}, "/no/such.pem", "unset it"),
        ({"SSL_CERT_DIR": "/no/such"}, "no folder with certificates", "SSL_CERT_DIR"),
    ],
)
def test_what_is_wrong_with_it_is_said_first(environ: dict[str, str], word: str, fix: str) -> None:
    """A proxy that cannot be used and authorities that cannot be read fail the first step, as the client's own fault."""
    diagnosis = diagnose("http://gateway.test:3001", environ)
    check = failed(diagnosis)
    assert (check.name, diagnosis.failing_hop, diagnosis.code) == ("environment", "client", "invalid_input")
    assert word in check.detail
    assert fix in check.fix
    assert [later.ok for later in diagnosis.checks[1:]] == [None] * (len(diagnosis.checks) - 1)


def test_a_proxys_password_is_not_shown() -> None:
    """A proxy is named without its user and password, whatever is wrong with it."""
    for proxy_url in (
        "http://me:hunter2@127.0.0.1:port",
        f"http://me:hunter2@127.0.0.1:{closed_port()}",
        "socks5://me:hunter2@h",
    ):
        check = failed(diagnose("http://gateway.test", {"HTTP_PROXY": proxy_url}))
        assert "hunter2" not in told(check)
        assert proxy_url.partition("@")[2] in check.detail


def test_requests_to_this_machine_need_neither() -> None:
    """A gateway on this machine is asked directly: neither a proxy nor authorities matter."""

    async def run() -> Diagnosis:
        async with serve(HEALTHY) as url:
            return await examine(
                Options(url=url, key=KEY), {"HTTP_PROXY": "socks5://x", "SSL_CERT_FILE": "/no/such.pem"}
            )

    assert asyncio.run(run()).ok


def test_other_variables_are_no_proxies() -> None:
    """Variables that are merely called HTTP, ALL or NO set no proxy and no exception."""
    port = closed_port()
    check = failed(
        diagnose("http://gateway.test", {"HTTP": "http://other", "NO": "*", "http_proxy": f"http://127.0.0.1:{port}"})
    )
    assert f"127.0.0.1:{port}" in check.detail


def test_an_empty_folder_of_authorities_and_a_file_without_any(tmp_path: Path) -> None:
    """What holds no certificate is named; a folder with one is accepted."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.pem").write_text("no certificate\n")
    for environ in ({"SSL_CERT_DIR": str(tmp_path / "empty")}, {"SSL_CERT_FILE": str(tmp_path / "text.pem")}):
        check = failed(diagnose("https://gateway.test", environ))
        assert (check.name, check.hop) == ("environment", "client")
        assert str(tmp_path) in check.detail
    (tmp_path / "good").mkdir()
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "good" / "0123abcd.0"))
    assert trusted({"SSL_CERT_DIR": f"{tmp_path / 'empty'}{os.pathsep}{tmp_path / 'good'}"})


def refusing(answer: Route) -> Faults:
    """An HTTP proxy that answers every CONNECT so."""

    def own(ask: Ask) -> Route | None:
        return answer if ask.method == "CONNECT" else None

    return Faults(answer=own)


@pytest.mark.parametrize(
    ("status", "fix"),
    [(407, "user and password"), (403, "add gateway.test to NO_PROXY"), (502, "add gateway.test to NO_PROXY")],
)
def test_a_proxy_that_refuses_to_connect(status: int, fix: str) -> None:
    """An HTTP proxy that refuses the tunnel is the fault, with its own words; the gateway was never asked."""

    async def run() -> Diagnosis:
        async with proxy("http://127.0.0.1:1", refusing((status, "", b""))) as front:
            return await examine(Options(url="https://gateway.test", key=KEY), {"HTTPS_PROXY": front})

    diagnosis = asyncio.run(run())
    check = failed(diagnosis)
    assert (check.name, diagnosis.failing_hop, diagnosis.code) == ("gateway", "client", "gateway_unreachable"), check
    assert str(status) in check.detail
    assert fix in check.fix


def test_a_proxy_that_inspects_tls() -> None:
    """A tunnel whose TLS is another's: the certificate is named, not a server that speaks no HTTP."""

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await writer.start_tls(context)
        except (asyncio.IncompleteReadError, ssl.SSLError, ConnectionError):
            pass
        writer.close()

    async def run() -> Diagnosis:
        server = await asyncio.start_server(tunnel, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await examine(
                Options(url="https://gateway.test", key=KEY), {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}
            )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("gateway.test").configure_cert(context)
    check = failed(asyncio.run(run()))
    assert (check.name, "certificate of gateway.test" in check.detail, "SSL_CERT_FILE" in check.fix) == (
        "gateway",
        True,
        True,
    )


def test_a_host_with_ipv6_only() -> None:
    """A gateway that listens on IPv6 only is found by its address in brackets."""

    async def run() -> Diagnosis:
        async with serve(HEALTHY, host="::1") as url:
            return await examine(Options(url=url, key=KEY), {"NO_PROXY": "[::1]"})

    assert socket.has_ipv6
    assert asyncio.run(run()).ok
