"""What a model card changes in every request: extra fields of the body, fields left out, and headers. Pure.

A header's value may name environment variables (`${TEAM_TOKEN}`). What must always hold: config.toml, which is meant to be committed,
holds no secret in a header, so a value that is one must name a variable; no message repeats a value.
"""

import re
from collections.abc import Mapping
from typing import Any

OWN_FIELDS = frozenset({"messages", "model", "n", "stream"})
"""Fields that DCE cannot do without, or that have a setting of their own."""

_OWN_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "host", "te"}
    | {"trailer", "transfer-encoding", "upgrade", "expect", "proxy-authorization", "x-dce-session"}
)
"""Headers that describe the request as DCE sends it."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_FIELD_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_NAME = re.compile(r"auth|cookie|credential|key|pass|secret|signature|token", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"(^|\s)(bearer|basic)\s+\S|[A-Za-z0-9+/_=-]{24,}|sk-|ghp_|eyJ", re.IGNORECASE)

MAX_HEADERS = 20
MAX_DEPTH = 20


def extra_body_problem(fields: Mapping[str, Any]) -> str:
    """What is wrong with extra fields; "" if nothing is."""
    own = next((name for name in fields if name in OWN_FIELDS), None)
    if own is not None:
        return f"may not contain {own!r}, which DCE sets itself"
    return "contains null, which config.toml cannot hold; use `omit`" if _has_null(fields) else ""


def omit_problem(names: tuple[str, ...]) -> str:
    """What is wrong with the names of fields to leave out."""
    for name in names:
        if name in OWN_FIELDS:
            return f"may not name {name!r}: no request works without it"
        if not _FIELD_NAME.fullmatch(name):
            return "contains something that is not the name of a field"
    return ""


def headers_problem(headers: Mapping[str, str]) -> str:
    """What is wrong with headers. Values are never repeated."""
    if len(headers) > MAX_HEADERS:
        return f"has {len(headers)} headers, must be at most {MAX_HEADERS}"
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            return "contains an invalid header name"
        if name.lower() in _OWN_HEADERS:
            return f"may not set {name!r}, which belongs to the connection"
        if not _is_sendable(value):
            return f"has a value for {name!r} with a character that is not allowed in a header"
        if _is_secret(name, value):
            return (
                f"holds what looks like a secret for {name!r}, but config.toml is meant to be committed: put the secret into an "
                "environment variable and write ${NAME} in its place"
            )
    return ""


def _is_secret(name: str, value: str) -> bool:
    """Whether a value holds a secret as such, not only variables."""
    if _SECRET_VALUE.search(_VARIABLE.sub("", value)):
        return True
    return bool(_SECRET_NAME.search(name)) and not _VARIABLE.search(value)


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they may be shown: a secret that someone wrote into a header by hand, which no request uses, is masked."""
    headers = values.get("headers")
    if not isinstance(headers, Mapping):
        return dict(values)
    masked = {name: "…" if _is_secret(name, str(value)) else value for name, value in headers.items()}
    return {**values, "headers": masked}


def filled_in(headers: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The headers with their variables' values. A variable that is not set stays as it is, so that `unset_in` can name it."""
    return {
        name: _VARIABLE.sub(lambda found: environ.get(found[1], "").strip() or found[0], value)
        for name, value in headers.items()
    }


def unusable(headers: Mapping[str, str]) -> str:
    """Why filled-in headers cannot be sent; "" if they can."""
    for name, value in headers.items():
        if missing := _VARIABLE.search(value):
            return f"the header {name!r} needs the environment variable {missing[1]}, which is not set"
        if not _is_sendable(value):
            return f"the value of the header {name!r} has a character that is not allowed in a header, such as a line break"
    return ""


def _is_sendable(value: str) -> bool:
    return value.isascii() and value.isprintable() and bool(value.strip())


def _has_null(value: object, depth: int = 0) -> bool:
    if depth > MAX_DEPTH:
        return True
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return value is None or any(_has_null(item, depth + 1) for item in inner)
