"""The doctor's questions: what goes wrong below HTTP, told apart."""

import asyncio
import ssl

import httpx
import pytest

from dce.doctor.findings import Failure
from dce.doctor.http import MAX_BODY_BYTES, failure_of
from dce.doctor.probe import Probe
from dce.doctor.target import read_target
from tests.doctor.scripted import KEY, serve


def caused(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "refused"),
        (caused(httpx.ConnectError("x"), ConnectionRefusedError()), "refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed"), "refused"),
        (TimeoutError(), "timeout"),
        (httpx.ReadTimeout("x"), "timeout"),
        (caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError(1, "x")), "certificate"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "tls"),
        (ConnectionResetError(), "closed"),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), "closed"),
        (httpx.RemoteProtocolError("illegal status line"), "protocol"),
        (OSError(113, "No route to host"), "unreachable"),
    ],
)
def test_kinds_of_failure(error: Exception, kind: str) -> None:
    """Refused, silent, untrusted, not TLS, closed, not HTTP and unreachable are different things to mend."""
    assert failure_of(error).kind == kind


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
