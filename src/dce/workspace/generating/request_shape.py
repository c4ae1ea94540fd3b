"""The body of a request as the settings and the server want it: fields added, left out, or renamed once the server has refused them.

What must always hold: only what DCE itself puts into a request is renamed or left out unasked (the name of the output limit,
`stream_options`). A parameter that the user chose is never dropped in silence: its refusal is an error that says how to leave it out.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The output limit has two names; newer models of OpenAI take only the second, older servers only the first."""

_DISPENSABLE = ("stream_options",)
"""Fields that DCE adds of its own accord and can do without: then the server's token counts are missing."""

_UNKNOWN = re.compile(
    r"un(supported|known|recogni[sz]ed|expected)|not (be )?(supported|permitted|allowed|recogni[sz]ed)|does not support"
    r"|extra (inputs?|fields?)|additional propert|no longer|deprecated|forbidden|instead",
    re.IGNORECASE,
)


class RequestShape(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings change in a request's body."""

    extra_body: Mapping[str, Any] = {}
    omit: tuple[str, ...] = ()

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body with the extra fields, which replace DCE's own, and without the omitted ones."""
        return {name: value for name, value in {**body, **self.extra_body}.items() if name not in self.omit}


class Refusals:
    """The fields that one server has refused. Fields in `kept`, which the user wrote down, stay as they are."""

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self._kept = kept
        self._names: dict[str, str | None] = {}
        """Refused name → the name to use, None for none."""

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body without what was refused."""
        names = {name: self._names.get(name, name) for name in body}
        return {new: body[name] for name, new in names.items() if new is not None}

    def learn(self, body: Mapping[str, Any], said: str) -> bool:
        """Takes a server's refusal of `body`. Returns whether the request should be sent again, in another form."""
        for name, other in _RENAMED.items():
            is_new = name in body and name not in self._kept and not {name, other} & self._names.keys()
            if is_new and other not in body and _names(said, name) and (_names(said, other) or _UNKNOWN.search(said)):
                self._names[name] = other
                return True
        for name in _DISPENSABLE:
            if name in body and name not in self._kept and name not in self._names and _names(said, name):
                self._names[name] = None
                return True
        return False

    def forget(self) -> None:
        """The other form was refused too: it was not the names."""
        self._names.clear()


def advice(body: Mapping[str, Any], said: str) -> str:
    """How to leave out a field that a refusal names; "" if it names none that can be left out."""
    named = next((name for name in body if name not in ("messages", "model", "stream") and _names(said, name)), "")
    if not named:
        return ""
    return f"If this server does not take `{named}`, leave it out: dce settings set omit {named}, or `--omit {named}` for a model card."


def _names(said: str, field: str) -> bool:
    """Whether a message names a field, as a word of its own: `max_tokens` is not in `max_tokens_total`."""
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(field)}(?![A-Za-z0-9_])", said) is not None
