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
    body: bytes = b""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """No answer. `text` is what the system said."""

    kind: Literal["dns", "refused", "timeout", "unreachable", "certificate", "tls", "closed", "protocol"]
    text: str = ""


Reply = Answer | Failure


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A host name's addresses."""

    addresses: tuple[str, ...]


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that was made, in `elapsed_s` seconds; `tls` is the protocol's version, "" without."""

    peer: str
    elapsed_s: float
    tls: str = ""


class Streamed(msgspec.Struct, frozen=True, kw_only=True):
    """What one generation of one token gave: seconds to the first token, how it ended, the body of an error."""

    first_token_s: float | None = None
    finish_reason: str = ""
    is_done: bool = False
    failure: Answer | Failure | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a step's reply means: `code` is "" when the step is well, else a row of wire/errors.py."""

    code: str = ""
    detail: str = ""
    fix: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the diagnosis. `ok` is None when the step was not tried because an earlier one failed."""

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
