"""The privacy notice: what is sent, what is kept and for how long, what is logged. Public, at `GET /api/dce/privacy`.

Invariant: it is true. The tables here list the fields of the ledger and of the log line; tests check them against the ledger's columns
and against log lines actually written.
"""

from collections.abc import Mapping

import msgspec

from dce.gateway.front.request import Request
from dce.gateway.settings import GatewaySettings

LEDGER_FIELDS: Mapping[str, str] = {
    "stream_id": "a random number for the request",
    "choice": "which of its responses",
    "request_id": "another random number, also in the log",
    "key_id": "which key asked",
    "model": "which model",
    "backend": "which model server",
    "route": "which route was asked",
    "responses": "how many responses were asked for",
    "prompt_tokens": "how long the prompt was",
    "cached_tokens": "how much of it was cached on the server",
    "thinking_tokens": "how long the model thought",
    "completion_tokens": "how long the answer was",
    "exactness": "how exact the counts are",
    "ttft_s": "how long until the first word",
    "duration_s": "how long until the end",
    "outcome": "finished, stopped or lost",
    "finish_reason": "why it ended",
    "ended_by": "who ended it",
    "started_at": "when it began",
}
"""Every column of the ledger, in order."""

LOG_FIELDS: Mapping[str, str] = {
    "request_id": "a random number for the request",
    "method": "its method",
    "path": "its route",
    "status": "the status of its answer",
    "outcome": "how it ended",
    "key_id": "which key asked",
    "duration_ms": "how long it took",
    "model": "which model",
    "backend": "which model server",
    "n": "how many responses",
    "tokens": "how long the prompt and the answers were",
}
"""Every field a log line may have."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Kept data: what, where, until when."""

    what: str
    where: str
    until: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The notice. `operator` and `contact` are the operator's text, "" if not set."""

    sent: tuple[str, ...]
    kept: tuple[Kept, ...]
    logged: tuple[str, ...]
    never: tuple[str, ...]
    operator: str
    contact: str


def notice_of(settings: GatewaySettings) -> Notice:
    """The notice for these settings."""
    minutes = settings.max_resume_grace_s / 60
    apart = (
        "separate from other keys' (each key has its own cache salt)"
        if settings.isolate_prefix_cache
        else "shared with other keys: timing could reveal what another key asked"
    )
    return Notice(
        sent=(
            "Your client sends the prompt (with the files you selected), the settings of the request and your key.",
            "The gateway forwards the prompt and settings, not the key, to a model server configured by its operator, and to nobody else.",
            "`dce doctor` sends a two-word prompt of its own.",
        ),
        kept=(
            Kept(
                what="the answers' last frames, so that a client that lost its connection can resume",
                where="the gateway's memory",
                until=f"the stream has ended and its client has been gone for its grace period (at most {minutes:g} minutes)",
            ),
            Kept(
                what=f"prompts and answers in the model servers' own cache, {apart}",
                where="the model servers' memory",
                until="they need the space; ask their operator what else they keep",
            ),
            Kept(
                what="a row for each response: " + _listed(LEDGER_FIELDS),
                where="the gateway's ledger",
                until=f"{days} days have passed" if (days := settings.ledger_keep_days) else "the operator deletes it",
            ),
            Kept(
                what="your key's name, limits and times, and a digest that identifies it; the key itself is not kept",
                where="the gateway's key file",
                until="the operator deletes it",
            ),
        ),
        logged=(f"A line for each request: {_listed(LOG_FIELDS)}. The operator decides how long logs are kept.",),
        never=(
            "Prompts, answers, file names and keys are in no log, no ledger and no metric, and are never written to the gateway's disk.",
            "Nothing is sent to the makers of this software.",
        ),
        operator=settings.privacy_text,
        contact=settings.privacy_contact,
    )


def _listed(fields: Mapping[str, str]) -> str:
    return ", ".join(dict.fromkeys(fields.values()))


def as_text(notice: Notice) -> str:
    """The notice as plain text."""
    lines = ["What this gateway does with what you send", ""]
    lines += [f"* {line}" for line in notice.sent]
    lines += ["", "Kept:", *(f"* {kept.what}. Where: {kept.where}. Until: {kept.until}." for kept in notice.kept)]
    lines += ["", "Logged:", *(f"* {line}" for line in notice.logged)]
    lines += ["", "Never:", *(f"* {line}" for line in notice.never)]
    if notice.operator:
        lines += ["", "The operator says:", notice.operator]
    if notice.contact:
        lines += ["", f"Contact: {notice.contact}"]
    return "\n".join(lines) + "\n"


class Privacy:
    """Answers `GET /api/dce/privacy`: JSON, or plain text for browsers and clients that accept `text/…`."""

    def __init__(self, settings: GatewaySettings) -> None:
        notice = notice_of(settings)
        self._json, self._text = msgspec.json.encode(notice), as_text(notice).encode()

    async def answer(self, request: Request) -> None:
        """Sends the notice. Public, so that people can read it before they ask for a key. It names no model, backend or key."""
        if "text/" not in request.header(b"accept"):
            await request.answer(200, self._json)
            return
        length = str(len(self._text)).encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length)]
        await request.start(200, [*headers, (b"x-content-type-options", b"nosniff")])
        await request.finish(self._text)
