"""Reads a backend's key from the configuration, a file or the environment, so that the configuration need not contain it.

Keys are read at startup and at each reload, and never shown: not in messages, `repr` or logs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dce.wire.errors import DceError

MAX_KEY_BYTES = 8 * 1024
"""Maximum key size: an identity provider's token has 2 KB; a larger file is not a key."""

_SOURCES = ("key", "key_file", "key_env")


def backend_key(row: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> str:
    """The key of a backend's table, "" for none. A relative `key_file` is relative to `folder`, the configuration's. Raises invalid_input."""
    url = row["url"]
    given = [name for name in _SOURCES if row.get(name)]
    if len(given) > 1:
        raise DceError(
            "invalid_input",
            f"the backend {url} has both {given[0]} and {given[1]}",
            hint="Set only one of them.",
        )
    if row.get("key_file"):
        key = _from_file(folder / str(row["key_file"]), url)
    elif row.get("key_env"):
        key = environ.get(str(row["key_env"]), "").strip()
        if not key:
            raise DceError(
                "invalid_input",
                f"the environment variable {row['key_env']}, which should hold the key of {url}, is not set or empty",
            )
    else:
        key = row.get("key", "")
    if isinstance(key, str) and not (key.isascii() and key.isprintable()):
        raise DceError("invalid_input", f"the key of the backend {url} has characters that are not allowed in a header")
    return key


def _from_file(path: Path, url: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise DceError("invalid_input", f"cannot read {path}, the key of {url}: {error.strerror}") from None
    key = content.decode("latin-1").strip()
    if not key or len(content) > MAX_KEY_BYTES:
        raise DceError("invalid_input", f"{path}, which should hold the key of {url}, is empty or too large for a key")
    return key
