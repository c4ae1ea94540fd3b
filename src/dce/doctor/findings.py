"""What the doctor's parts hand to each other: what was seen, what it means, and the diagnosis that a program can read."""

from typing import Literal

import msgspec

from dce.wire.errors import CODES


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer, whoever gave it. `body` is its beginning."""

    status: int
    content_type: str = ""
    server: str = ""
    location: str = ""
    retry_after: str = ""
    date: str = ""
    encoding: str = ""
    received_at: float = 0.0
    """This machine's clock when the answer came, in seconds since the epoch."""
    body: bytes = b""


CertificateFault = Literal["expired", "not_yet_valid", "wrong_host", "self_signed", "unknown_authority", "other"]


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a server's certificate says of itself. Times as the certificate writes them."""

    names: tuple[str, ...] = ()
    not_before: str = ""
    not_after: str = ""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """No answer. `text` is what the system said.

    Of a certificate: what is wrong with it and, where it could be read, what it says. `other_speech`: the port was asked the
    other way, and that is what it speaks.
    """

    kind: Literal["dns", "refused", "timeout", "unreachable", "certificate", "tls", "closed", "protocol", "trust"]
    text: str = ""
    fault: CertificateFault = "other"
    certificate: Certificate = Certificate()
    other_speech: Literal["", "http", "tls"] = ""


Reply = Answer | Failure


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A host name's addresses."""

    addresses: tuple[str, ...]


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that was made, in `elapsed_s` seconds; `tls` is the protocol's version, "" without."""

    peer: str
    elapsed_s: float
    tls: str = ""
    certificate: Certificate = Certificate()


class TokenProbe(msgspec.Struct, frozen=True, kw_only=True):
    """What one generation of one token gave: seconds to the first token, how it ended, the body of an error. `queue_position`: its
    last place in the gateway's queue, 0 when its turn had come, None if it never waited."""

    first_token_s: float | None = None
    queue_position: int | None = None
    finish_reason: str = ""
    is_done: bool = False
    failure: Answer | Failure | None = None


class PacingProbe(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that the gateway paces: when each event was sent and when it came, in ms, each counted from its own first."""

    sent_ms: tuple[int, ...] = ()
    came_ms: tuple[int, ...] = ()
    is_done: bool = False
    server: str = ""
    encoding: str = ""
    failure: Answer | Failure | None = None


class CancelProbe(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that was dropped in its midst: whether it still ran `waited_s` later, as the gateway tells its owner.

    `was_running` is False when it had ended by itself before it could be dropped: then nothing can be told from it.
    """

    was_running: bool = False
    is_running: bool = False
    waited_s: float = 0.0
    server: str = ""
    failure: Answer | Failure | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a step's reply means: `code` is "" when the step is well, else a row of wire/errors.py.

    A step that is well may have a `fix` all the same: it works, and something about it should be mended.
    """

    code: str = ""
    detail: str = ""
    fix: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the diagnosis. `ok` is None when the step was not tried because an earlier one failed. One that is well and
    has a `fix` is a warning."""

    hop: str
    name: str
    ok: bool | None
    detail: str = ""
    fix: str = ""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The whole tree. `failing_hop` and `code` are None when all is well."""

    ok: bool
    failing_hop: str | None
    code: str | None
    checks: tuple[Check, ...]


def failing(code: str, detail: str, fix: str = "") -> Finding:
    """A failed step; without a fix of its own it takes the next step of the code's row."""
    return Finding(code=code, detail=detail, fix=fix or CODES[code].hint)
