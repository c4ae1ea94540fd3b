"""Keys of model cards: in the system's keyring where there is one, else in a file that only its owner may read.

What must always hold: a key stands in no file that is committed and in no message. A key belongs to one card of one workspace.
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
"""Variable: `0` leaves the system's keyring alone."""


class Keyring(Protocol):
    """What is used of the package `keyring`."""

    def get_password(self, service: str, name: str) -> str | None:
        """The password kept under a name."""

    def set_password(self, service: str, name: str, password: str) -> None:
        """Keeps one."""

    def delete_password(self, service: str, name: str) -> None:
        """Forgets one."""


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
            ):  # a keyring may fail in any way (locked, no desktop): then the file counts
                if key := self._keyring.get_password(SERVICE, self._name(card)):
                    return key
        return self._read().get(card)

    def put(self, card: str, key: str) -> Literal["keyring", "file"]:
        """Keeps a card's key; says where."""
        self._read()  # refuses a file that others can read before the keyring is changed
        is_in_keyring = False
        if self._keyring is not None:
            with contextlib.suppress(Exception):  # as above
                self._keyring.set_password(SERVICE, self._name(card), key)
                is_in_keyring = True
        self._keep(card, None if is_in_keyring else key)
        return "keyring" if is_in_keyring else "file"

    def forget(self, card: str) -> None:
        """Forgets a card's key wherever it is; none is no error."""
        if self._keyring is not None:
            with contextlib.suppress(Exception):  # as above; also "there is none"
                self._keyring.delete_password(SERVICE, self._name(card))
        self._keep(card, None)

    def _keep(self, card: str, key: str | None) -> None:
        """Changes one card's key in the file; None takes it out. No other process changes the file in between."""
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
            raise DceError("invalid_input", f"{self._path} cannot be read as keys") from None

    def _write(self, keys: Mapping[str, str]) -> None:
        if not keys:
            self._path.unlink(missing_ok=True)
            return
        durable.write(self._path, msgspec.json.encode(keys), durable.PRIVATE)
