"""The doctor's questions: what goes wrong below HTTP, told apart."""

import asyncio
import socket
import ssl

import h11
import httpx2
import pytest

from dce.doctor.findings import Failure
from dce.doctor.http import MAX_BODY_BYTES, failure_of
from dce.doctor.probe import AddressInfo, Probe, first_connection
from dce.doctor.target import read_target
from tests.doctor.scripted import KEY, serve


def caused(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "refused"),
        (caused(httpx2.ConnectError("x"), ConnectionRefusedError()), "refused"),
        (caused(OSError("x"), ExceptionGroup("x", [OSError(101, "x"), ConnectionRefusedError()])), "refused"),
        (TimeoutError(), "timeout"),
        (httpx2.ReadTimeout("x"), "timeout"),
        (caused(httpx2.ConnectError("x"), ssl.SSLCertVerificationError(1, "x")), "certificate"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "tls"),
        (ConnectionResetError(), "closed"),
        (httpx2.RemoteProtocolError("x"), "closed"),
        (caused(httpx2.RemoteProtocolError("x"), h11.RemoteProtocolError("x")), "protocol"),
        (httpx2.LocalProtocolError("Illegal header value b'Bearer sk-secret\\n'"), "protocol"),
        (caused(ConnectionResetError(), ssl.SSLWantReadError()), "closed"),
        (OSError(113, "No route to host"), "unreachable"),
    ],
)
def test_kinds_of_failure(error: Exception, kind: str) -> None:
    """Refused, silent, untrusted, not TLS, closed, not HTTP and unreachable are different things to mend."""
    assert failure_of(error).kind == kind
    assert "sk-secret" not in failure_of(error).text


def test_a_huge_answer_is_cut() -> None:
    """A foreign server cannot fill the memory."""

    async def run() -> int:
        big = {"*": (200, "", b"x" * (MAX_BODY_BYTES + 5000))}
        async with serve(big) as url, Probe(read_target(url, {}), KEY, {}) as probe:
            reply = await probe.health()
        assert not isinstance(reply, Failure)
        return len(reply.body)

    assert asyncio.run(run()) == MAX_BODY_BYTES


def test_the_key_goes_only_where_it_is_needed() -> None:
    """`/healthz`, `/readyz` and the route check are asked without the key: a foreign server does not get it."""

    async def run() -> list[int]:
        refuse, take = (403, "", b""), (200, "", b"")
        paths = ("GET /healthz", "GET /readyz", "POST /api/dce/proxy")
        routes = dict.fromkeys(paths, take) | {f"{path} +key": refuse for path in paths}
        async with serve(routes) as url, Probe(read_target(url, {}), KEY, {}) as probe:
            replies = [await probe.health(), await probe.ready(), await probe.route()]
        return [reply.status for reply in replies if not isinstance(reply, Failure)]

    assert asyncio.run(run()) == [200, 200, 200]


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_name_with_several_addresses_is_refused_only_if_all_refuse() -> None:
    """The first address that takes a connection is used; if none does, each one's reason is kept as a type."""

    def at(port: int) -> AddressInfo:
        return socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)

    async def run() -> Failure | None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            sock = await first_connection([at(closed_port()), at(server.getsockname()[1])])
            assert sock.getpeername() == server.getsockname()
            sock.close()
        try:
            await first_connection([at(closed_port()), at(closed_port())])
        except OSError as error:
            return failure_of(error)
        return None

    failure = asyncio.run(run())
    assert failure is not None
    assert failure.kind == "refused"


def test_an_address_that_leads_nowhere_does_not_hide_the_others() -> None:
    """An address that neither accepts nor refuses does not keep the next one from being tried."""

    async def run() -> str:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        ):
            waiting = [socket.socket() for _ in range(8)]
            for sock in waiting:  # fills the backlog: further connections are neither accepted nor refused
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
            found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", one.getsockname()) for one in (full, server)]
            sock = await first_connection(found)
            peer = sock.getpeername()
            for one in (sock, *waiting):
                one.close()
            return "next" if peer == server.getsockname() else "first"

    assert asyncio.run(run()) == "next"
