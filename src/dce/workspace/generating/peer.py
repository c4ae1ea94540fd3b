"""Who is at the other end of a link, a row a kind of server: what it is called, at which hop it is, and which codes its faults have.

What must always hold: no message holds a key, a prompt or the text of a foreign page.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping

import msgspec

from dce.wire.errors import DceError, Hop

ErrorOfAnswer = Callable[[int, Mapping[str, str], bytes, str], DceError]
"""Status, headers, beginning of the body, URL → what an answer that is not the one asked for means."""


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of server. `has_heartbeat`: it never is silent for long, so silence is a fault by itself."""

    name: str
    hop: Hop
    unreachable: str
    silent: str
    foreign: str
    """The code of whatever such a server would not answer."""
    has_heartbeat: bool
    error_of_answer: ErrorOfAnswer

    def fault(self, code: str, message: str, hint: str = "") -> DceError:
        """An error of this server."""
        return DceError(code, message, hint=hint, hop=self.hop)

    def interrupted(self, what: str) -> DceError:
        """A stream that ended before its responses did: `what` happened to it in the middle."""
        return self.fault("stream_interrupted", f"the connection to {self.name} {what} in the middle of the stream")

    def silence(self, seconds: float) -> DceError:
        """Nothing came for that long."""
        beat = ", not even a heartbeat" if self.has_heartbeat else ""
        return self.fault(self.silent, f"nothing came from {self.name} for {seconds:.0f} s{beat}")


def error_of_transport(error: Exception, url: str, peer: Peer) -> DceError:
    """Why there was no answer."""
    from dce.workspace.light_httpx import httpx  # noqa: PLC0415 - see there

    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return peer.fault(peer.unreachable, f"{url} does not answer: no connection in time")
    if isinstance(error, httpx.TimeoutException):
        return peer.fault(peer.silent, f"{url} took the request and then was silent for too long")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | UnicodeError):
        return DceError("invalid_input", f"{peer.name}'s URL is not usable: {error}")
    if _is_no_http(error):
        return peer.fault(peer.foreign, f"{url} does not speak HTTP: {error}")
    return peer.fault(peer.unreachable, f"{url} cannot be reached: {_reason(error)}", _hint(error, peer))


def _is_no_http(error: BaseException) -> bool:
    """Whether the parser of HTTP refused what came. A server that closes without a word raises the same, but not from the parser."""
    import h11  # noqa: PLC0415 - comes with httpx

    return any(isinstance(each, h11.RemoteProtocolError) for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, the innermost last; of several attempts the first one's."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else found.__cause__ or found.__context__


def _reason(error: BaseException) -> str:
    """What the system said, the innermost last: httpx's own sentence says only that all attempts failed."""
    told = [each for each in _causes(error) if isinstance(each, OSError) and each.errno is not None]
    return str(told[-1] if told else error) or type(error).__name__


def _hint(error: BaseException, peer: Peer) -> str:
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"The certificate of {peer.name} is not trusted here: set SSL_CERT_FILE to its CA, or check the host name."
        if isinstance(each, ssl.SSLError):
            return "The port does not speak TLS: check whether the URL should begin with http://."
    return ""
