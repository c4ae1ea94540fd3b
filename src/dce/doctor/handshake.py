"""TLS diagnosis: what this machine trusts, what exactly is wrong with a certificate, and whether a port speaks HTTP or TLS."""

import asyncio
import os
import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from dce.doctor.findings import Certificate, CertificateFault, Failure
from dce.doctor.target import Target

ASK_TIMEOUT_S = 5.0
"""Timeout for a second look at a port that has already failed once."""

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""The name under which OpenSSL finds a certificate in a folder."""

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name: it lets us read when an expired certificate expired."""

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
"""Verification codes of OpenSSL and, on macOS and Windows, of the system's own trust store."""


def trusted(environ: Mapping[str, str]) -> ssl.SSLContext:
    """What DCE's clients trust: SSL_CERT_FILE or SSL_CERT_DIR alone if set, else this machine's own authorities. Raises OSError."""
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if file:
        return ssl.create_default_context(cafile=file)
    if folder:
        _require_certificates(folder)
        return ssl.create_default_context(capath=folder)
    return httpx2.create_ssl_context(trust_env=False)


def _require_certificates(folders: str) -> None:
    """Raises OSError unless one of the folders (separated like PATH) holds a certificate under a name that OpenSSL looks for. OpenSSL
    itself says nothing, and then trusts nobody."""
    for folder in map(Path, folders.split(os.pathsep)):
        if folder.is_dir() and any(_HASHED.fullmatch(entry.name) for entry in folder.iterdir()):
            return
    raise OSError("no folder with certificates (OpenSSL wants them under hashed names: run `openssl rehash` on it)")


def fault_of(error: ssl.SSLCertVerificationError) -> CertificateFault:
    """What is wrong with a certificate."""
    return _FAULTS.get(getattr(error, "verify_code", 0), "other")


async def explain(failure: Failure, target: Target, environ: Mapping[str, str]) -> Failure:
    """A failed handshake, with what a second connection shows: the certificate's names and dates, or that the port speaks plain HTTP."""
    if failure.kind == "certificate":
        return msgspec.structs.replace(failure, certificate=await _read_certificate(target, environ))
    if failure.kind in ("tls", "closed", "timeout") and await speaks_http(target):
        return msgspec.structs.replace(failure, other_speech="http")
    return failure


async def _read_certificate(target: Target, environ: Mapping[str, str]) -> Certificate:
    """The certificate's contents, whatever its names and dates. Readable only if a trusted authority signed it."""
    context = await asyncio.to_thread(trusted, environ)
    context.check_hostname = False
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            _, writer = await asyncio.open_connection(target.host, target.port, ssl=context)
    except (OSError, ssl.SSLError):
        return Certificate()
    peer_certificate = writer.get_extra_info("peercert") or {}
    writer.transport.abort()
    return certificate_of(peer_certificate)


def certificate_of(peer_certificate: Mapping[str, Any]) -> Certificate:
    """A certificate from the result of `SSLSocket.getpeercert`."""
    names: Iterable[tuple[str, str]] = peer_certificate.get("subjectAltName", ())
    return Certificate(
        names=tuple(name for _, name in names),
        not_before=str(peer_certificate.get("notBefore", "")),
        not_after=str(peer_certificate.get("notAfter", "")),
    )


async def speaks_tls(target: Target) -> bool:
    """Whether the port answers a TLS handshake, whatever its certificate."""
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
