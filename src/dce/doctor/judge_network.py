"""The first steps: environment, name, connection, TLS. Pure functions from what the probe saw to a finding.

Invariant: however a step fails, the finding has a code of wire/errors.py, the fact as observed, and one next step.
"""

from collections.abc import Callable, Mapping

from dce.doctor.findings import CertificateFault, Connected, Failure, Finding, Resolved, failing
from dce.doctor.target import Target
from dce.wire.errors import Hop


def judge_environment(fault: Failure | None, target: Target) -> Finding:
    """The environment's HTTP proxy and certificate authorities, before anything is sent."""
    if fault is None:
        through = f"requests to {target.host} go through the proxy {target.proxy_name}" if target.proxy else ""
        return Finding(detail=through or f"no proxy is used for {target.host}")
    if fault.kind == "trust":
        fix = "Correct SSL_CERT_FILE or SSL_CERT_DIR, or unset it to trust this machine's own authorities."
        return failing("invalid_input", f"the trusted authorities cannot be read: {fault.text}", fix)
    return proxy_refuses(fault, target, code="invalid_input")


def proxy_refuses(fault: Failure, target: Target, code: str = "gateway_unreachable") -> Finding:
    """The environment's HTTP proxy does not lead to the gateway; the gateway itself was not contacted."""
    first = "Correct"
    if "socksio" in fault.text:
        first = "Install the package (`pip install socksio`), correct"
    elif "407" in fault.text:
        first = "Put the proxy's user and password into"
    fix = f"{first} HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or add {target.host} to NO_PROXY."
    detail = f"the proxy {target.proxy_name} from the environment does not lead to {target.host}: {fault.text}"
    return failing(code, detail, fix, Hop.CLIENT)


def judge_name(reply: Resolved | Failure, target: Target) -> Finding:
    """Name resolution."""
    host, _ = target.first_hop
    if isinstance(reply, Resolved):
        via = f" (the environment's HTTP proxy, used for {target.host})" if target.proxy else ""
        addresses = ", ".join(reply.addresses[:3])
        return Finding(detail=f"{host}{via} is {addresses}" if addresses != host else f"{host} is an address{via}")
    if target.proxy:
        return proxy_refuses(Failure(kind="proxy", text=f"its name cannot be resolved: {reply.text}"), target)
    fix = "Check the host name in DCE_URL, then this machine's DNS, VPN or hosts file."
    return failing("gateway_unreachable", f"the name {host!r} cannot be resolved: {reply.text}", fix)


def judge_connection(reply: Connected | Failure, target: Target) -> Finding:
    """The TCP connection."""
    host, port = target.first_hop
    where = f"{host}:{port}"
    if isinstance(reply, Connected):
        detail = f"connected to {where} in {reply.elapsed_s * 1000:.0f} ms"
        if target.scheme == "http" and not target.is_loopback:
            fix = "Ask the operator to put TLS in front of the gateway (docs/operations/tls.md) and use https://."
            return Finding(
                detail=f"{detail}; plain HTTP to another machine: anyone on the network path can read the key and the code",
                fix=fix,
            )
        return Finding(detail=detail)
    if target.proxy:
        said = {"refused": f"{where} refused the connection", "timeout": f"{where} did not answer"}
        fault = Failure(kind="proxy", text=said.get(reply.kind) or f"{where} is unreachable: {reply.text}")
        return proxy_refuses(fault, target, "gateway_timeout" if reply.kind == "timeout" else "gateway_unreachable")
    if reply.kind == "refused":
        fix = f"Nothing listens on {where}. Start the gateway there (`dce gateway serve`), or correct the port in DCE_URL."
        return failing("gateway_unreachable", f"{where} refused the connection", fix)
    if reply.kind == "timeout":
        fix = "A firewall or VPN is dropping the connection, or the host is down: ask the network's or the gateway's operator."
        return failing("gateway_timeout", f"{where} did not answer", fix)
    return failing("gateway_unreachable", f"{where} is unreachable: {reply.text}", "Check the network and the VPN.")


def judge_tls(reply: Connected | Failure, target: Target) -> Finding:
    """The TLS handshake."""
    if isinstance(reply, Connected):
        until = f", valid until {reply.certificate.not_after}" if reply.certificate.not_after else ""
        return Finding(detail=f"{reply.tls}, certificate trusted{until}")
    code = "gateway_timeout" if reply.kind == "timeout" else "gateway_unreachable"
    if reply.kind == "certificate":
        fact, fix = _CERTIFICATES[reply.fault](reply, target)
        return failing(code, fact, fix)
    if reply.other_speech == "http":
        fact = f"{target.host}:{target.port} speaks plain HTTP, and the request used TLS"
        fix = f"Set DCE_URL to http://{target.host}:{target.port}"
        if not target.is_loopback:
            fix += ", or better, ask the operator to put TLS in front of it: over plain HTTP anyone on the network path can read key and code."
        return failing(code, fact, fix)
    fix = f"If the gateway has no TLS, use http://{target.host}:{target.port}; otherwise check the log of the server that terminates TLS."
    return failing(code, f"the TLS handshake with {target.host}:{target.port} failed: {reply.text}", fix)


FactAndFix = tuple[str, str]
"""The fact and the fix."""


def _expired(reply: Failure, target: Target) -> FactAndFix:
    since = f" on {reply.certificate.not_after}" if reply.certificate.not_after else ""
    return (
        f"the certificate of {target.host} has expired{since}",
        "Ask the gateway's operator to renew it (Caddy renews by itself when it can reach its authority); "
        "if this machine's clock is wrong, correct it.",
    )


def _not_yet_valid(reply: Failure, target: Target) -> FactAndFix:
    since = f" before {reply.certificate.not_before}" if reply.certificate.not_before else ""
    return (
        f"the certificate of {target.host} is not valid{since}, which by this machine's clock is in the future",
        "Correct this machine's clock; if it is right, the certificate was issued on a machine with a wrong clock: tell the operator.",
    )


def _wrong_host(reply: Failure, target: Target) -> FactAndFix:
    names = ", ".join(reply.certificate.names[:5])
    of = f"; it is for {names}" if names else ""
    plain = [name for name in reply.certificate.names if "*" not in name]
    example = f", such as https://{plain[0]}" if plain else ""
    return (
        f"the certificate is not for {target.host}{of}",
        f"Use a name it covers{example}, or ask the operator to add {target.host}. If the certificate is a stranger's: on a guest network, "
        "log in with a browser first; otherwise several sites share one address, and another one terminates TLS.",
    )


def _unknown_authority(reply: Failure, target: Target) -> FactAndFix:
    return (
        f"the certificate of {target.host} is not signed by an authority this machine trusts: {reply.text}",
        "If the operator uses a private authority (Caddy's `tls internal`, a company CA), set SSL_CERT_FILE to a file with its "
        "root certificate (docs/operations/tls.md); it then replaces this machine's authorities. If the authority is public, this "
        "machine may have no authorities (a minimal container: install the package ca-certificates), the server does not send the "
        "intermediate certificate, or a middlebox intercepts TLS: tell the operator.",
    )


def _self_signed(reply: Failure, target: Target) -> FactAndFix:
    return (
        f"the certificate of {target.host} is self-signed: {reply.text}",
        "Get that certificate from the operator over another channel and set SSL_CERT_FILE to it; "
        "better, ask them to use an authority (docs/operations/tls.md).",
    )


def _other(reply: Failure, target: Target) -> FactAndFix:
    return (
        f"the certificate of {target.host} was not accepted: {reply.text}",
        "If your own authority signed it, set SSL_CERT_FILE to the authority's certificate; "
        "otherwise the gateway's name or certificate is wrong: tell its operator.",
    )


_CERTIFICATES: Mapping[CertificateFault, Callable[[Failure, Target], FactAndFix]] = {
    "expired": _expired,
    "not_yet_valid": _not_yet_valid,
    "wrong_host": _wrong_host,
    "unknown_authority": _unknown_authority,
    "self_signed": _self_signed,
    "other": _other,
}
