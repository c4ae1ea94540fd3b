"""The body of a request as the settings want it: fields added or left out. What a server refuses is in wire/refusals.py: a refusal of what
the user chose is an error that says how to leave it out.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from dce.wire.refusals import names_field


class RequestShape(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings change in a request's body."""

    extra_body: Mapping[str, Any] = {}
    omit: tuple[str, ...] = ()

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body with the extra fields, which replace DCE's own, and without the omitted ones."""
        return {name: value for name, value in {**body, **self.extra_body}.items() if name not in self.omit}


def advice(body: Mapping[str, Any], said: str) -> str:
    """How to leave out a field that a refusal names; "" if it names none that can be left out."""
    named = next((name for name in body if name not in ("messages", "model", "stream") and names_field(said, name)), "")
    if not named:
        return ""
    return f"If this server does not take `{named}`, leave it out: dce settings set omit {named}, or `--omit {named}` for a model card."
