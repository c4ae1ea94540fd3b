"""Turns connection faults between this machine and a server into a `DceError` that names the hop and the next step.

What must always hold: faults are classified by exception type, never by a library's message; no message contains a key, a prompt or
the text of a foreign page. This module loads httpx2, so only `http/client.py` imports it.
"""

import ssl
from urllib.parse import urlsplit

import h11
import httpx2

from dce.wire.causes import causes
from dce.wire.errors import DceError, Hop
from dce.wire.proxies import shown
from dce.workspace.http.peer import Peer

FAULTS = (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError)
"""What a request can raise. UnicodeError: a host name that IDNA cannot encode."""

PROXY_FAULTS = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)
"""What a request through a proxy raises before the proxy has connected it to the server."""

_NO_TLS_FAULTS = (
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
    ssl.SSLSyscallError,
)
"""TLS errors that do not mean the port speaks no TLS: waits (they occur in the context of whatever ended the wait) and closed
connections.
"""


def error_of_transport(error: Exception, url: str, peer: Peer, *, has_begun: bool = False) -> DceError:
    """Why `peer` did not answer or, if the answer `has_begun`, why it is incomplete."""
    if isinstance(error, httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return peer.fault(peer.unreachable, f"{url} does not answer: the connection timed out")
    if isinstance(error, httpx2.TimeoutException):
        return peer.fault(peer.silent, f"{url} accepted the request but then sent nothing for too long")
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL | UnicodeError):
        return DceError("invalid_input", f"{peer.name}'s URL is not usable: {error}")
    if isinstance(error, httpx2.LocalProtocolError):  # its message contains the header's value, which may be the key
        return DceError("invalid_input", "the request cannot be sent: is there a line break in the key?")
    if isinstance(error, httpx2.DecodingError):
        return peer.fault(peer.foreign, f"{url} sent an answer that cannot be decompressed: {error}")
    led = causes(error)
    if has_begun:
        return peer.fault(peer.unreachable, f"the connection to {url} was lost in the middle of its answer")
    if any(
        isinstance(cause, h11.RemoteProtocolError) for cause in led
    ):  # bytes came, and the parser could not read them
        return peer.fault(peer.foreign, f"{url} does not speak HTTP: {error}")
    return peer.fault(peer.unreachable, f"{url} cannot be reached: {_reason(led)}", _hint(led, peer))


def error_of_proxy(error: Exception, url: str, proxy: str, code: str = "invalid_input") -> DceError:
    """Why the environment's proxy does not lead to `url`; the server itself was not contacted."""
    led = causes(error)
    reason, first = _reason(led), "Correct"
    if isinstance(error, ImportError):
        reason, first = "SOCKS needs the package `socksio`", "Install it (`pip install socksio`), correct"
    elif any(isinstance(cause, ssl.SSLCertVerificationError) for cause in led):
        first = "If it inspects TLS, set SSL_CERT_FILE to a file with its certificate authority; otherwise correct"
    return DceError(
        code,
        f"the proxy {shown(proxy)} from the environment cannot reach {url}: {reason}",
        hint=f"{first} HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or add {urlsplit(url).hostname} to NO_PROXY.",
        hop=Hop.CLIENT,
    )


def _reason(led: list[BaseException]) -> str:
    """The innermost system error, or httpx2's own message if there is none."""
    system = [
        cause for cause in led if isinstance(cause, OSError) and cause.errno and not isinstance(cause, _NO_TLS_FAULTS)
    ]
    return str(system[-1] if system else led[0]) or type(led[0]).__name__


def _hint(led: list[BaseException], peer: Peer) -> str:
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in led):
        return (
            f"The certificate of {peer.name} is not trusted here: set SSL_CERT_FILE to its CA, or check the host name."
        )
    if any(isinstance(cause, ssl.SSLError) and not isinstance(cause, _NO_TLS_FAULTS) for cause in led):
        return "The port does not speak TLS: check whether the URL should begin with http://."
    return ""
