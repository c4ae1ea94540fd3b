"""TLS over real sockets with real certificates: each way in which it fails has a name of its own and its own fix."""

import asyncio
import datetime
import functools
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from dce.doctor.findings import Check, Diagnosis
from dce.doctor.tree import Options, examine
from tests.doctor.scripted import HEALTHY, KEY, serve

DAY = datetime.timedelta(days=1)


@functools.cache
def authority() -> trustme.CA:
    """The tests' own authority."""
    return trustme.CA()


def good() -> trustme.LeafCert:
    return authority().issue_cert("localhost", "127.0.0.1")


def expired() -> trustme.LeafCert:
    return authority().issue_cert("localhost", "127.0.0.1", not_after=datetime.datetime.now(datetime.UTC) - DAY)


def from_tomorrow() -> trustme.LeafCert:
    return authority().issue_cert("localhost", "127.0.0.1", not_before=datetime.datetime.now(datetime.UTC) + DAY)


def for_another() -> trustme.LeafCert:
    return authority().issue_cert("dce.example.com")


@asynccontextmanager
async def serve_tls(certificate: trustme.LeafCert) -> AsyncIterator[str]:
    """A healthy gateway behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    async with serve(HEALTHY, context) as url:
        yield url


def diagnose(
    certificate: Callable[[], trustme.LeafCert], trust: Path | str, change: Callable[[str], str] = str
) -> Diagnosis:
    async def run() -> Diagnosis:
        async with serve_tls(certificate()) as url:
            return await examine(Options(url=change(url), key=KEY), {"SSL_CERT_FILE": str(trust)} if trust else {})

    return asyncio.run(run())


def failed(diagnosis: Diagnosis) -> Check:
    return next(check for check in diagnosis.checks if check.ok is False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The authority's certificate, as SSL_CERT_FILE wants it."""
    file = tmp_path / "root.pem"
    authority().cert_pem.write_to_path(str(file))
    return file


def test_trusted(root: Path) -> None:
    """A certificate of an authority that SSL_CERT_FILE names is accepted, and how long it is valid is said."""
    diagnosis = diagnose(good, root)
    assert diagnosis.ok, diagnosis
    assert "valid until" in next(check.detail for check in diagnosis.checks if check.name == "tls")


@pytest.mark.parametrize(
    ("certificate", "detail", "fix"),
    [
        (expired, "has expired on", "renew"),
        (from_tomorrow, "not valid before", "clock"),
        (for_another, "it is for dce.example.com", "https://dce.example.com"),
    ],
)
def test_what_is_wrong_with_a_certificate(
    certificate: Callable[[], trustme.LeafCert], detail: str, fix: str, root: Path
) -> None:
    """Expired, not yet valid and for another host are told apart, with the certificate's own dates and names."""
    check = failed(diagnose(certificate, root))
    assert check.name == "tls"
    assert detail in check.detail
    assert fix in check.fix


def test_private_authority() -> None:
    """An authority that nobody here trusts: the fix says how to trust it."""
    check = failed(diagnose(good, ""))
    assert "not signed by an authority" in check.detail
    assert "SSL_CERT_FILE" in check.fix


def test_authorities_that_cannot_be_read(tmp_path: Path) -> None:
    """An SSL_CERT_FILE that is not there is the fault, not the server's certificate."""
    check = failed(diagnose(good, tmp_path / "missing.pem"))
    assert (check.name, check.hop, "missing.pem" in check.detail) == ("environment", "client", True)
    assert "SSL_CERT_FILE" in check.fix


def test_plain_http_to_a_tls_port(root: Path) -> None:
    """http:// to a port that speaks TLS: the fix is https://, though the server says nothing that could be read."""
    check = failed(diagnose(good, root, lambda url: url.replace("https:", "http:")))
    assert (check.name, "expects TLS" in check.detail) == ("gateway", True)
    assert check.fix.startswith("Set DCE_URL to https://127.0.0.1:")


def test_tls_to_a_plain_port() -> None:
    """https:// to a port that speaks plain HTTP: seen as such, and the fix is http://."""

    async def run() -> Diagnosis:
        async with serve(HEALTHY) as url:
            return await examine(Options(url=url.replace("http:", "https:"), key=KEY), {})

    check = failed(asyncio.run(run()))
    assert (check.name, "speaks plain HTTP" in check.detail) == ("tls", True)
    assert "http://127.0.0.1:" in check.fix
