"""TLS, asked about: what this machine trusts, what exactly is wrong with a certificate, and which of two languages a port speaks."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

import httpx2
import msgspec

from dce.doctor.findings import Certificate, CertificateFault, Failure
from dce.doctor.target import Target

ASK_TIMEOUT_S = 5.0
"""For one look at a port that has already failed us once."""

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name: lets us read when a certificate that ended did so."""

_FAULTS: Mapping[int, CertificateFault] = {
    # OpenSSL, on Linux and wherever SSL_CERT_FILE or SSL_CERT_DIR is set
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "unknown_authority",
    20: "unknown_authority",
    21: "unknown_authority",
    62: "wrong_host",
    64: "wrong_host",
    # Security.framework, on macOS
    -67602: "wrong_host",
    -67818: "expired",
    -67843: "unknown_authority",
    # CryptoAPI, on Windows
    0x800B0101: "expired",
    0x800B0109: "unknown_authority",
    0x800B010A: "unknown_authority",
    0x800B010F: "wrong_host",
}
"""Verification codes of whoever checks certificates: macOS and Windows ask their own trust stores."""


def trusted(environ: Mapping[str, str]) -> ssl.SSLContext:
    """What the clients of DCE trust: SSL_CERT_FILE or SSL_CERT_DIR alone if one is set, else this machine's own authorities. Raises OSError."""
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if file:
        return ssl.create_default_context(cafile=file)
    if folder:
        return ssl.create_default_context(capath=folder)
    return httpx2.create_ssl_context(trust_env=False)


def fault_of(error: ssl.SSLCertVerificationError) -> CertificateFault:
    """What is wrong with a certificate."""
    return _FAULTS.get(getattr(error, "verify_code", 0), "other")


async def explain(failure: Failure, target: Target, environ: Mapping[str, str]) -> Failure:
    """A handshake that failed, with what a second look tells: the certificate's names and dates, or that the port speaks plain HTTP."""
    if failure.kind == "certificate":
        return msgspec.structs.replace(failure, certificate=await _read_certificate(target, environ))
    if failure.kind in ("tls", "closed", "timeout") and await speaks_http(target):
        return msgspec.structs.replace(failure, other_speech="http")
    return failure


async def _read_certificate(target: Target, environ: Mapping[str, str]) -> Certificate:
    """What the certificate says, whatever its names and dates: readable only when somebody we trust has signed it."""
    context = await asyncio.to_thread(trusted, environ)
    context.check_hostname = False
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            _, writer = await asyncio.open_connection(target.host, target.port, ssl=context)
    except (OSError, ssl.SSLError):
        return Certificate()
    told = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    return certificate_of(told)


def certificate_of(told: Mapping[str, Any]) -> Certificate:
    """A certificate as `SSLSocket.getpeercert` tells it."""
    names: Iterable[tuple[str, str]] = told.get("subjectAltName", ())
    return Certificate(
        names=tuple(name for _, name in names),
        not_before=str(told.get("notBefore", "")),
        not_after=str(told.get("notAfter", "")),
    )


async def speaks_tls(target: Target) -> bool:
    """Whether the port answers a TLS hello, with whatever certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            _, writer = await asyncio.open_connection(target.host, target.port, ssl=context)
    except (OSError, ssl.SSLError):
        return False
    writer.transport.abort()
    return True


async def speaks_http(target: Target) -> bool:
    """Whether the port answers plain HTTP."""
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(target.host, target.port)
            try:
                writer.write(f"GET /healthz HTTP/1.1\r\nHost: {target.host}\r\nConnection: close\r\n\r\n".encode())
                return (await reader.read(5)).startswith(b"HTTP/")
            finally:
                writer.transport.abort()
    except OSError:
        return False
