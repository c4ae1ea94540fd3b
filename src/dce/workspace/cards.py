"""Model cards: named sets of settings, so that a cycle can choose its model and parameters by one name.

They are stored in `.dce/config.toml` as `[cards.NAME]` and can be committed; their keys are stored elsewhere (`key_vault.py`). What
must always hold: an unusable card is refused when it is written, not when it is used.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.file_update import updating
from dce.workspace.key_vault import KeyVault
from dce.workspace.request_options import shown
from dce.workspace.settings import BUILT_IN_CARDS, CARDS, CONFIG_FILE, Settings, check_settings, read_config
from dce.workspace.toml_edit import with_table, with_value

_NOT_OF_A_CARD = ("key", "card", "secrets", "exclude", "encoding")
CARD_FIELDS = tuple(name for name in Settings.__struct_fields__ if name not in _NOT_OF_A_CARD)
"""Settings that a card may hold."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Cards:
    """The cards of one workspace, and the rest of its configuration."""

    def __init__(self, state_dir: Path, vault: KeyVault) -> None:
        self._path = state_dir / CONFIG_FILE
        self.vault = vault

    def list(self) -> dict[str, dict[str, Any]]:
        """Name → its settings, without keys. Raises DceError invalid_input."""
        found = read_config(self._path).get(CARDS, {})
        if not isinstance(found, dict) or not all(isinstance(card, dict) for card in found.values()):
            raise DceError("invalid_input", f"{self._path}: each card must be a table [cards.NAME]")
        return {name: shown(card) for name, card in sorted(found.items())}

    def get(self, name: str) -> dict[str, Any]:
        """One card. Raises DceError not_found."""
        cards = {**BUILT_IN_CARDS, **self.list()}
        if name not in cards:
            raise DceError(
                "not_found", f"there is no model card {name!r}", hint=f"Available cards: {', '.join(cards) or 'none'}."
            )
        return dict(cards[name])

    def put(self, name: str, values: Mapping[str, Any]) -> None:
        """Saves a card, replacing one of the same name. Raises DceError invalid_input."""
        if not _NAME.fullmatch(name):
            raise DceError("invalid_input", f"{name!r} is not a valid card name: use letters, digits, - and _")
        check_fields(values)
        check_settings(f"the card {name!r}", values)
        self._edit(lambda text: with_table(text, CARDS, name, values))

    def remove(self, name: str) -> None:
        """Deletes a card and its key. Raises DceError not_found; conflict while it is the default; invalid_input for a built-in card."""
        if name in BUILT_IN_CARDS and name not in self.list():
            raise DceError("invalid_input", f"the card {name!r} is built in and cannot be removed")

        def without(text: str) -> str:
            self.get(name)
            if read_config(self._path).get("card") == name:
                raise DceError("conflict", f"{name!r} is the default card", hint="dce settings set card ''")
            return with_table(text, CARDS, name, None)

        self._edit(without)
        self.vault.forget(name)

    def set_value(self, name: str, text: str) -> Any:
        """Sets a setting of the workspace from text and returns its value; "" removes it (None). Raises DceError invalid_input or not_found (card)."""
        if name == "key":
            raise DceError(
                "invalid_input", "a key cannot be stored in config.toml", hint="Set DCE_API_KEY, or use a card."
            )
        value = parsed(name, text) if text else None
        if value is not None:
            check_settings("settings set", {name: value})
            if name == "card":
                self.get(str(value))
        elif name not in Settings.__struct_fields__:
            check_settings("settings set", {name: ""})
        self._edit(lambda text: with_value(text, name, value))
        return value

    def _text(self) -> str:
        read_config(self._path)  # refuses a file that is not TOML or holds a key
        return self._path.read_bytes().decode() if self._path.exists() else ""  # with its own line ends

    def _edit(self, edit: Callable[[str], str]) -> None:
        """Rewrites the file by `edit`. No other process changes it in between."""
        with updating(self._path.parent):
            durable.write(self._place(), edit(self._text()).encode())

    def _place(self) -> Path:
        """The file to write. A link is followed, so that whoever shares the file sees the edit, but only to a configuration."""
        if not self._path.is_symlink():
            return self._path
        place = Path(os.path.realpath(self._path))
        if not place.is_file():
            raise DceError(
                "invalid_input",
                f"{self._path} is a link to {place}, and there is no file",
                hint="Create that file, or remove the link.",
            )
        values = read_config(self._path)
        check_settings(str(place), {name: value for name, value in values.items() if name != CARDS})
        return place


def check_fields(fields: Iterable[str]) -> None:
    """Raises DceError invalid_input naming a field that a card cannot hold."""
    wrong = next((field for field in fields if field not in CARD_FIELDS), None)
    if wrong is not None:
        raise DceError(
            "invalid_input", f"a card has no setting {wrong!r}", hint=f"Settings of a card: {', '.join(CARD_FIELDS)}."
        )


def parsed(name: str, text: str) -> Any:
    """A setting's value parsed from text, by the type of the setting.

    Lists are comma-separated, and so is `encoding`: `*.py=cp1251,*.c=gbk`. The other tables are JSON.
    """
    if name in ("extra_body", "headers"):
        return _table(name, text)
    if name in ("exclude", "omit"):
        return [item.strip() for item in text.split(",") if item.strip()]
    if name == "encoding":
        pairs = [item.rpartition("=") for item in text.split(",") if item.strip()]
        return {pattern.strip(): encoding.strip() for pattern, _, encoding in pairs}
    kind = Settings.__annotations__.get(name)
    try:
        return msgspec.convert(text, kind, strict=False) if kind is not None else text
    except msgspec.ValidationError as error:
        raise DceError("invalid_input", f"settings: {name} {str(error).lower()}") from error


def _table(name: str, text: str) -> dict[str, Any]:
    """A table from JSON. The message repeats nothing of it: it may hold a secret by mistake."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        example = '{"X-Team": "${TEAM}"}' if name == "headers" else '{"top_k": 20}'
        raise DceError(
            "invalid_input", f"settings: {name} is not a JSON object", hint=f"Write it like {example}."
        ) from error
