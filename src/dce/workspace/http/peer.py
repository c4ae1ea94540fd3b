"""The kinds of servers at the other end of a link: name in messages, hop, and error codes."""

from collections.abc import Callable, Mapping

import msgspec

from dce.wire.errors import DceError, Hop

SSE = "text/event-stream"

ErrorOfAnswer = Callable[[int, Mapping[str, str], bytes, str], DceError]
"""Status, headers, beginning of the body, URL → the error that an unexpected answer means."""


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of server. `unreachable`, `silent` and `foreign` are error codes: no connection, no answer in time, an answer that such
    a server does not give. `has_heartbeat`: it is never silent for long, so silence alone is a fault. `stream_types`: the media types
    under which it sends an event stream, "" for none at all. `hints`: the next step for a code, where it is not the code's own one.
    """

    name: str
    hop: Hop
    unreachable: str
    silent: str
    foreign: str
    has_heartbeat: bool
    error_of_answer: ErrorOfAnswer
    stream_types: frozenset[str] = frozenset({SSE})
    hints: Mapping[str, str] = {}

    def fault(self, code: str, message: str, hint: str = "") -> DceError:
        """An error of this server."""
        return DceError(code, message, hint=hint or self.hints.get(code, ""), hop=self.hop)

    def interrupted(self, what: str) -> DceError:
        """The error for a stream that ended before its responses did; `what` happened to the connection."""
        return self.fault("stream_interrupted", f"the connection to {self.name} {what} in the middle of the stream")

    def silence(self, seconds: float) -> DceError:
        """The error for a silence of that many seconds."""
        beat = ", not even a heartbeat" if self.has_heartbeat else ""
        return self.fault(self.silent, f"nothing came from {self.name} for {seconds:.0f} s{beat}")
