"""What the first three hops mean: the name, the connection, TLS. Pure functions from what the probe saw to a finding.

What must hold: however one of them fails, the finding has a code of wire/errors.py, the fact as it was seen, and one next step.
"""

from collections.abc import Callable, Mapping

from dce.doctor.findings import CertificateFault, Connected, Failure, Finding, Resolved, failing
from dce.doctor.target import Target


def judge_name(reply: Resolved | Failure, target: Target) -> Finding:
    """Name resolution."""
    host, _ = target.first_hop
    if isinstance(reply, Resolved):
        via = f" (the HTTP proxy of the environment, on the way to {target.host})" if target.proxy else ""
        addresses = ", ".join(reply.addresses[:3])
        return Finding(detail=f"{host}{via} is {addresses}" if addresses != host else f"{host} is an address{via}")
    fix = "Check the spelling of DCE_URL's host; then this machine's DNS, VPN or hosts file."
    if target.proxy:
        fix = "Check the proxy named in HTTP_PROXY/HTTPS_PROXY, or set NO_PROXY to the gateway's host."
    return failing("gateway_unreachable", f"the name {host!r} cannot be resolved: {reply.text}", fix)


def judge_connection(reply: Connected | Failure, target: Target) -> Finding:
    """The TCP connection."""
    host, port = target.first_hop
    where = f"{host}:{port}"
    if isinstance(reply, Connected):
        detail = f"connected to {where} in {reply.elapsed_s * 1000:.0f} ms"
        if target.scheme == "http" and not target.is_loopback:
            fix = "Have the operator put TLS in front of the gateway (docs/operations/tls.md) and use https://."
            return Finding(
                detail=f"{detail}; plain http to another machine: the key and the code travel readable", fix=fix
            )
        return Finding(detail=detail)
    if reply.kind == "refused":
        fix = f"Nothing listens on {where}. Start the gateway there (`dce gateway serve`), or correct the port in DCE_URL."
        return failing("gateway_unreachable", f"{where} refused the connection", fix)
    if reply.kind == "timeout":
        fix = (
            "A firewall or VPN drops the connection, or the host is down: ask whoever runs the network or the gateway."
        )
        return failing("gateway_timeout", f"{where} did not answer", fix)
    return failing("gateway_unreachable", f"{where} cannot be reached: {reply.text}", "Check the network and VPN.")


def judge_tls(reply: Connected | Failure, target: Target) -> Finding:
    """The TLS handshake."""
    if isinstance(reply, Connected):
        until = f", valid until {reply.certificate.not_after}" if reply.certificate.not_after else ""
        return Finding(detail=f"{reply.tls}, certificate trusted{until}")
    code = "gateway_timeout" if reply.kind == "timeout" else "gateway_unreachable"
    if reply.kind == "trust":
        fix = "Correct SSL_CERT_FILE or SSL_CERT_DIR, or unset it to trust this machine's own authorities."
        return failing(code, f"the authorities to trust cannot be read: {reply.text}", fix)
    if reply.kind == "certificate":
        fact, fix = _CERTIFICATES[reply.fault](reply, target)
        return failing(code, fact, fix)
    if reply.other_speech == "http":
        fact = f"{target.host}:{target.port} speaks plain HTTP, and was asked for TLS"
        fix = f"Set DCE_URL to http://{target.host}:{target.port}"
        if not target.is_loopback:
            fix += ", or better have the operator put TLS before it: over plain HTTP key and code travel readable."
        return failing(code, fact, fix)
    fix = f"If the gateway has no TLS, use http://{target.host}:{target.port}; else look at the log of what ends TLS there."
    return failing(code, f"no TLS with {target.host}:{target.port}: {reply.text}", fix)


Told = tuple[str, str]
"""The fact and the fix."""


def _expired(reply: Failure, target: Target) -> Told:
    since = f" on {reply.certificate.not_after}" if reply.certificate.not_after else ""
    return (
        f"the certificate of {target.host} has expired{since}",
        "Tell the gateway's operator to renew it (Caddy does by itself when it can reach its authority); "
        "if this machine's clock is wrong, correct that.",
    )


def _not_yet_valid(reply: Failure, target: Target) -> Told:
    since = f" before {reply.certificate.not_before}" if reply.certificate.not_before else ""
    return (
        f"the certificate of {target.host} is not valid{since}, and this machine thinks that is yet to come",
        "Correct this machine's clock; if it is right, the certificate was made on a machine whose clock is wrong: tell the operator.",
    )


def _wrong_host(reply: Failure, target: Target) -> Told:
    names = ", ".join(reply.certificate.names[:5])
    of = f"; it is for {names}" if names else ""
    plain = [name for name in reply.certificate.names if "*" not in name]
    example = f", such as https://{plain[0]}" if plain else ""
    return (
        f"the certificate is not for {target.host}{of}",
        f"Use a name that it is for{example}; or have the operator add {target.host} to it. If that name is a stranger's: in a guest network, "
        "log in with a browser first; else several sites share one address, and TLS ends at another.",
    )


def _unknown_authority(reply: Failure, target: Target) -> Told:
    return (
        f"nobody this machine trusts has signed the certificate of {target.host}: {reply.text}",
        "If the operator has an authority of their own (Caddy's `tls internal`, a company CA), set SSL_CERT_FILE to a file with its "
        "root certificate (docs/operations/tls.md); it then replaces this machine's authorities. If the operator's is a public one, this "
        "machine may have no authorities (a minimal container: install the package ca-certificates), the server sends no "
        "intermediate certificate, or something on the way opens TLS: tell the operator.",
    )


def _self_signed(reply: Failure, target: Target) -> Told:
    return (
        f"the certificate of {target.host} is signed by itself: {reply.text}",
        "Have the operator give you that certificate by another way and set SSL_CERT_FILE to it; "
        "better, have them use an authority (docs/operations/tls.md).",
    )


def _other(reply: Failure, target: Target) -> Told:
    return (
        f"the certificate of {target.host} is not accepted: {reply.text}",
        "If it is signed by your own authority, set SSL_CERT_FILE to its certificate; "
        "else the gateway's name or certificate is wrong: tell its operator.",
    )


_CERTIFICATES: Mapping[CertificateFault, Callable[[Failure, Target], Told]] = {
    "expired": _expired,
    "not_yet_valid": _not_yet_valid,
    "wrong_host": _wrong_host,
    "unknown_authority": _unknown_authority,
    "self_signed": _self_signed,
    "other": _other,
}
