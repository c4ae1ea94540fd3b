"""The doctor's data types: what a probe saw, what it means, and the machine-readable diagnosis."""

from typing import Literal

import msgspec

from dce.wire.errors import CODES, Hop


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer from any server. `body` is its beginning."""

    status: int
    content_type: str = ""
    server: str = ""
    location: str = ""
    retry_after: str = ""
    date: str = ""
    encoding: str = ""
    authenticate: str = ""
    """The WWW-Authenticate header: who asks for a login."""
    received_at: float = 0.0
    """This machine's clock when the answer arrived, in seconds since the epoch."""
    body: bytes = b""


CertificateFault = Literal["expired", "not_yet_valid", "wrong_host", "self_signed", "unknown_authority", "other"]


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """Names and validity of a server's certificate. Times as the certificate writes them."""

    names: tuple[str, ...] = ()
    not_before: str = ""
    not_after: str = ""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """No answer. `text` is the system's own message.

    `trust` and `proxy` are faults of the environment: its certificate authorities, its HTTP proxy.
    For a certificate: what is wrong with it and, if it could be read, what it says. `other_speech`: the protocol the port turned out
    to speak instead of the one it was asked in.
    """

    kind: Literal[
        "dns", "refused", "timeout", "unreachable", "certificate", "tls", "closed", "protocol", "trust", "proxy"
    ]
    text: str = ""
    fault: CertificateFault = "other"
    certificate: Certificate = Certificate()
    other_speech: Literal["", "http", "tls"] = ""


Reply = Answer | Failure


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A host name's addresses."""

    addresses: tuple[str, ...]


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A connection, made in `elapsed_s` seconds; `tls` is the TLS version, "" without TLS."""

    peer: str
    elapsed_s: float
    tls: str = ""
    certificate: Certificate = Certificate()


class TokenProbe(msgspec.Struct, frozen=True, kw_only=True):
    """The result of generating one token: seconds to the first token, how it ended, the body of an error. `queue_position`: its last
    position in the gateway's queue, 0 once its turn came, None if it never waited."""

    first_token_s: float | None = None
    queue_position: int | None = None
    finish_reason: str = ""
    is_done: bool = False
    failure: Answer | Failure | None = None


class PacingProbe(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a stream paced by the gateway: when each event was sent and when it arrived, in ms, each counted from its own first."""

    sent_ms: tuple[int, ...] = ()
    came_ms: tuple[int, ...] = ()
    is_done: bool = False
    server: str = ""
    encoding: str = ""
    failure: Answer | Failure | None = None


class CancelProbe(msgspec.Struct, frozen=True, kw_only=True):
    """The result of dropping a stream halfway: whether it was still running `waited_s` later, according to the gateway.

    `was_running` is False when it ended by itself before it could be dropped: then the probe shows nothing.
    """

    was_running: bool = False
    is_running: bool = False
    waited_s: float = 0.0
    server: str = ""
    failure: Answer | Failure | None = None


class BodyProbe(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to requests that a gateway refuses for their content, after reading them whole: one with source code, a large one of
    `sent` bytes and, only where the gateway refused neither, a plain small one."""

    code: Reply
    large: Reply | None = None
    plain: Reply | None = None
    sent: int = 0


class SilenceProbe(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a stream with a long silence in the middle. `promised_s`, `promised_bytes` and `promised_comments` are what the
    gateway says it sends (None: it did not say, because it is too old); `quiet_s`: how long the silence lasted until something came or
    the stream broke."""

    asked_s: float = 0.0
    promised_s: float | None = None
    promised_bytes: int = 0
    promised_comments: int = 0
    bytes: int = 0
    comments: int = 0
    quiet_s: float = 0.0
    is_done: bool = False
    server: str = ""
    failure: Answer | Failure | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a step's reply means: `code` is "" when the step passed, else a code of wire/errors.py. `hop` is at fault; "" means the
    code's own hop.

    A step that passed may still have a `fix`: it works, but something about it should be changed.
    """

    code: str = ""
    detail: str = ""
    fix: str = ""
    hop: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the diagnosis. `ok` is None when the step was skipped because an earlier one failed. A passed step with a `fix` is
    a warning."""

    hop: str
    name: str
    ok: bool | None
    detail: str = ""
    fix: str = ""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The whole tree. `failing_hop` and `code` are None when every step passed. `elapsed_s`: how long it took."""

    ok: bool
    failing_hop: str | None
    code: str | None
    checks: tuple[Check, ...]
    elapsed_s: float = 0.0


def failing(code: str, detail: str, fix: str = "", hop: Hop | str = "") -> Finding:
    """A failed step; without a `fix` of its own it gets the code's hint, without a `hop` the code's."""
    return Finding(code=code, detail=detail, fix=fix or CODES[code].hint, hop=str(hop))
