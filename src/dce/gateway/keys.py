"""API keys: made once, shown once, kept as HMAC-SHA-256 under a pepper that never enters the database.

A running gateway sees keys that another process creates or revokes at its next request (SQLite's data_version), so there
is nothing to reload. The secret is in memory only while it is being made or checked.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from dce.wire.errors import DceError

PREFIX = "dce_"
SECRET_BYTES = 32
MAX_KEY_CHARS = 256
"""Longest credential looked at: ours have 47 characters; a megabyte of header is not hashed."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, digest BLOB NOT NULL UNIQUE,
    created_at REAL NOT NULL, expires_at REAL, revoked_at REAL
)"""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key: everything but the secret. Times are seconds since the epoch."""

    id: str
    name: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


class KeyStore:
    """The keys of one gateway, in `data_dir/gateway.db` with the pepper beside it (both 0600)."""

    def __init__(self, data_dir: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._pepper = _pepper(data_dir / "pepper")
            self._db = _open(data_dir / "gateway.db")
        except OSError as error:
            raise DceError(
                "invalid_input",
                f"cannot use the data folder {data_dir}: {error.strerror}",
                hint="Name a folder of your own with --data-dir or DCE_DATA_DIR.",
            ) from None
        self._version = -1
        self._by_digest: dict[bytes, Key] = {}

    def close(self) -> None:
        """Closes the database."""
        self._db.close()

    def create(self, name: str, *, expires_at: float | None = None) -> tuple[Key, str]:
        """A new key and its secret, which cannot be had again. Names are free text; two keys may share one (rotation)."""
        name = name.strip()
        if not name or len(name) > 100 or not name.isprintable():
            raise DceError("invalid_input", "a key's name must have 1 to 100 printable characters")
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        key = Key(id=secrets.token_hex(4), name=name, created_at=self._clock(), expires_at=expires_at)
        self._db.execute(
            "INSERT INTO keys (id, name, digest, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
            (key.id, key.name, self._digest(secret), key.created_at, key.expires_at),
        )
        self._version = -1
        return key, secret

    def list(self) -> list[Key]:
        """All keys, revoked ones too, oldest first."""
        rows = self._db.execute("SELECT id, name, created_at, expires_at, revoked_at FROM keys ORDER BY created_at, id")
        return [_key(row) for row in rows]

    def revoke(self, name_or_id: str) -> Sequence[Key]:
        """Revokes the key with that id, or all live ones with that name. Raises not_found."""
        live = [key for key in self.list() if name_or_id in (key.id, key.name) and key.revoked_at is None]
        if not live:
            raise DceError(
                "not_found",
                f"no live key has the name or id {name_or_id!r}",
                hint="`dce gateway keys list` shows them.",
            )
        now = self._clock()
        self._db.executemany("UPDATE keys SET revoked_at = ? WHERE id = ?", [(now, key.id) for key in live])
        self._version = -1
        return [msgspec.structs.replace(key, revoked_at=now) for key in live]

    def has_live(self) -> bool:
        """Whether any key would be accepted now."""
        now = self._clock()
        return any(key.revoked_at is None and (key.expires_at is None or key.expires_at > now) for key in self.list())

    def find(self, secret: str) -> Key:
        """The live key of a secret. Raises invalid_key or expired_key; the message never holds what was sent."""
        if len(secret) > MAX_KEY_CHARS or not secret.isascii():
            raise DceError("invalid_key", "the key was not accepted")
        self._refresh()
        key = self._by_digest.get(self._digest(secret))
        if key is None or key.revoked_at is not None:
            raise DceError("invalid_key", "the key was not accepted")
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise DceError("expired_key", f"the key {key.name!r} has expired")
        return key

    def cache_salt(self, key: Key) -> str:
        """What keeps a key's prompts apart in a backend's prefix cache: nobody can guess another's, nor the key from it."""
        return hmac.new(self._pepper, b"cache salt of " + key.id.encode(), hashlib.sha256).hexdigest()

    def _digest(self, secret: str) -> bytes:
        return hmac.new(self._pepper, secret.encode(), hashlib.sha256).digest()

    def _refresh(self) -> None:
        """Rereads the table only when another connection or this one changed it: a few µs a request otherwise."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            rows = self._db.execute("SELECT id, name, created_at, expires_at, revoked_at, digest FROM keys")
            self._by_digest = {row[5]: _key(row[:5]) for row in rows}
            self._version = version


def _key(row: tuple[str, str, float, float | None, float | None]) -> Key:
    return Key(id=row[0], name=row[1], created_at=row[2], expires_at=row[3], revoked_at=row[4])


def _open(path: Path) -> sqlite3.Connection:
    """The database, made if there is none. One that cannot be read is refused, never replaced."""
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA busy_timeout=5000")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(_SCHEMA)
    except sqlite3.Error as error:
        db.close()
        raise DceError(
            "invalid_input", f"{path} cannot be used: {error}", hint="Nothing was changed. Restore it from a backup."
        ) from None
    return db


def _pepper(path: Path) -> bytes:
    """The pepper, made once. Linked into place whole, so that two processes starting together agree on one."""
    if not path.exists():
        draft = path.with_name(f"pepper.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    pepper = path.read_bytes()
    if len(pepper) < SECRET_BYTES:
        raise DceError(
            "invalid_input", f"{path} is damaged: keys cannot be checked without it", hint="Restore it from a backup."
        )
    return pepper
