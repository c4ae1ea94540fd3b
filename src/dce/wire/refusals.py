"""Request fields that a server refuses, and the form it takes instead.

What must always hold: only what DCE itself puts into a request is renamed or left out unasked (the name of the output limit,
`stream_options`). A parameter that the user chose is never dropped in silence.
"""

import re
from collections.abc import Mapping
from typing import Any

_RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The output limit has two names; newer models of OpenAI take only the second, older servers only the first."""

_DISPENSABLE = ("stream_options",)
"""Fields that DCE adds of its own accord and can do without: then the server's token counts are missing."""

_UNKNOWN = re.compile(
    r"un(supported|known|recogni[sz]ed|expected)|not (be )?(supported|permitted|allowed|recogni[sz]ed)|does not support"
    r"|extra (inputs?|fields?)|additional propert|no longer|deprecated|forbidden|instead",
    re.IGNORECASE,
)


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

    def retries(self, body: Mapping[str, Any], sent: Mapping[str, Any], said: str, *, is_again: bool) -> bool:
        """Whether `body`, refused in the form `sent`, should be sent once more in another form.

        `is_again`: another form of it was refused before. If this one was refused as well, it was not the names, and they are forgotten.
        """
        # Another response may have learnt the same while this one was under way.
        if self.learn(sent, said) or self.apply(body) != sent:
            return True
        if is_again:
            self.forget()
        return False

    def learn(self, body: Mapping[str, Any], said: str) -> bool:
        """Takes a server's refusal of `body`. Returns whether it taught another form."""
        for name, other in _RENAMED.items():
            is_new = name in body and name not in self._kept and not {name, other} & self._names.keys()
            if (
                is_new
                and other not in body
                and names_field(said, name)
                and (names_field(said, other) or _UNKNOWN.search(said))
            ):
                self._names[name] = other
                return True
        for name in _DISPENSABLE:
            if name in body and name not in self._kept and name not in self._names and names_field(said, name):
                self._names[name] = None
                return True
        return False

    def forget(self) -> None:
        """Forgets what was learnt."""
        self._names.clear()


def names_field(said: str, field: str) -> bool:
    """Whether a message names a field, as a word of its own: `max_tokens` is not in `max_tokens_total`."""
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(field)}(?![A-Za-z0-9_])", said) is not None
