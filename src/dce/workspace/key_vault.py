"""Keys of model cards, stored in the system's keyring if there is one, otherwise in a file that only its owner may read.

What must always hold: no committed file and no message contains a key. A key belongs to one card of one workspace.
"""

import contextlib
import importlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.file_update import updating

KEYS_FILE = "card-keys.json"
SERVICE = "dce"
KEYRING_SWITCH = "DCE_KEYRING"
"""Environment variable: `0` turns the system's keyring off."""


class Keyring(Protocol):
    """The part of the package `keyring` that DCE uses."""

    def get_password(self, service: str, name: str) -> str | None:
        """The password stored under a name."""

    def set_password(self, service: str, name: str, password: str) -> None:
        """Stores a password."""

    def delete_password(self, service: str, name: str) -> None:
        """Deletes a password."""


def find_keyring(environ: Mapping[str, str]) -> Keyring | None:
    """The package `keyring`, if it is installed (`pip install keyring`) and not switched off."""
    if environ.get(KEYRING_SWITCH) == "0":
        return None
    try:
        found: Any = importlib.import_module("keyring")
    except ImportError:
        return None
    return cast("Keyring", found)


class KeyVault:
    """The keys of one workspace's cards."""

    def __init__(self, state_dir: Path, keyring: Keyring | None) -> None:
        self._path = state_dir / KEYS_FILE
        self._keyring = keyring

    def get(self, card: str) -> str | None:
        """A card's key. Raises DceError invalid_input if others can read the file."""
        if self._keyring is not None:
            with contextlib.suppress(
                Exception
            ):  # a keyring can fail in any way (locked, no desktop): fall back to the file
                if key := self._keyring.get_password(SERVICE, self._name(card)):
                    return key
        return self._read().get(card)

    def put(self, card: str, key: str) -> Literal["keyring", "file"]:
        """Stores a card's key and returns where it is."""
        self._read()  # before changing the keyring, refuse a file that others can read
        is_in_keyring = False
        if self._keyring is not None:
            with contextlib.suppress(Exception):  # as above
                self._keyring.set_password(SERVICE, self._name(card), key)
                is_in_keyring = True
        self._keep(card, None if is_in_keyring else key)
        return "keyring" if is_in_keyring else "file"

    def forget(self, card: str) -> None:
        """Deletes a card's key wherever it is stored; a missing key is not an error."""
        if self._keyring is not None:
            with contextlib.suppress(Exception):  # as above; also "no such key"
                self._keyring.delete_password(SERVICE, self._name(card))
        self._keep(card, None)

    def _keep(self, card: str, key: str | None) -> None:
        """Changes one card's key in the file; None removes it. No other process changes the file in between."""
        with updating(self._path.parent):
            others = {name: kept for name, kept in self._read().items() if name != card}
            self._write(others if key is None else others | {card: key})

    def _name(self, card: str) -> str:
        return f"{self._path.parent}#{card}"

    def _read(self) -> dict[str, str]:
        try:
            mode = self._path.stat().st_mode
            content = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise DceError("invalid_input", f"{self._path} can be read by others", hint=f"chmod 600 {self._path}")
        try:
            return msgspec.json.decode(content, type=dict[str, str])
        except msgspec.MsgspecError:
            raise DceError("invalid_input", f"{self._path} is not a valid key file") from None

    def _write(self, keys: Mapping[str, str]) -> None:
        if not keys:
            self._path.unlink(missing_ok=True)
            return
        durable.write(self._path, msgspec.json.encode(keys), durable.PRIVATE)
