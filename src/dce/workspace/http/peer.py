"""Who is at the other end of a link, a row for each kind of server: its name in messages, its hop, and the codes of its faults."""

from collections.abc import Callable, Mapping

import msgspec

from dce.wire.errors import DceError, Hop

ErrorOfAnswer = Callable[[int, Mapping[str, str], bytes, str], DceError]
"""Status, headers, beginning of the body, URL → what an answer that is not the one asked for means."""


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of server. `unreachable`, `silent` and `foreign` are codes: no connection, no answer in time, an answer that such a
    server does not give. `has_heartbeat`: it is never silent for long, so silence is a fault by itself.
    """

    name: str
    hop: Hop
    unreachable: str
    silent: str
    foreign: str
    has_heartbeat: bool
    error_of_answer: ErrorOfAnswer

    def fault(self, code: str, message: str, hint: str = "") -> DceError:
        """An error of this server."""
        return DceError(code, message, hint=hint, hop=self.hop)

    def interrupted(self, what: str) -> DceError:
        """A stream that ended before its responses did: `what` happened to the connection."""
        return self.fault("stream_interrupted", f"the connection to {self.name} {what} in the middle of the stream")

    def silence(self, seconds: float) -> DceError:
        """Nothing came for that long."""
        beat = ", not even a heartbeat" if self.has_heartbeat else ""
        return self.fault(self.silent, f"nothing came from {self.name} for {seconds:.0f} s{beat}")
