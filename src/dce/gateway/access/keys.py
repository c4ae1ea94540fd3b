"""API keys: created once, shown once, stored as HMAC-SHA-256 under a pepper that is never in the database.

A running gateway sees at its next request what another process creates, changes or revokes (SQLite's data_version): there is nothing
to reload. A revocation works on a full disk too (revocations.py). The secret is in memory only while it is created or checked. Rotation replaces a key's secret; its id, limits and usage
stay, and a retired secret works until its own expiry.
"""

import contextlib
import hmac
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dce import durable
from dce.gateway.access.limits import NO_LIMITS, Limits
from dce.gateway.access.revocations import Revocations, revoked_in
from dce.wire.errors import DceError, Hop

FILE = "gateway.db"
PREFIX = "dce_"
SECRET_BYTES = 32
MAX_KEY_CHARS = 256
"""Maximum length of a credential: ours have 47 characters, and a megabyte of header is not worth hashing."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, digest BLOB NOT NULL UNIQUE,
    created_at REAL NOT NULL, expires_at REAL, revoked_at REAL
)"""
_RETIRED = """
CREATE TABLE IF NOT EXISTS retired_secrets (
    digest BLOB PRIMARY KEY, key_id TEXT NOT NULL REFERENCES keys (id), works_until REAL NOT NULL
)"""
_LIMITS = "ALTER TABLE keys ADD COLUMN limits TEXT NOT NULL DEFAULT '{}'"
"""Limits as JSON, so that a new kind of limit needs no migration."""
_SELECT = """
SELECT id, name, created_at, expires_at, revoked_at, limits,
    (SELECT max(works_until) FROM retired_secrets WHERE key_id = keys.id), digest
FROM keys ORDER BY created_at, id"""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret. Times are seconds since the epoch."""

    id: str
    name: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    limits: Limits = NO_LIMITS
    rotated_until: float | None = None
    """When the last retired secret stops working; None if the key was never rotated."""


class KeyStore:
    """The keys of one gateway, in `data_dir/gateway.db` (FILE) with the pepper beside it (both 0600)."""

    def __init__(self, data_dir: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._pepper = _pepper(data_dir / "pepper")
            self._db = _open(data_dir / FILE)
            self._revocations = Revocations(data_dir)
        except OSError as error:
            raise DceError(
                "invalid_input",
                f"cannot use the data folder {data_dir}: {error.strerror}",
                hint="Name a folder of your own with --data-dir or DCE_DATA_DIR.",
            ) from None
        self._folder = data_dir
        self._version = -1
        self._page = b""
        """The page of revocations that the database could not take, as last read."""
        self.write_fault = ""
        """Why the last revocation is not in the database yet; empty if it is."""
        self._by_digest: dict[bytes, tuple[Key, float | None]] = {}
        """By a secret's digest its key, and for a replaced secret its end."""
        self._by_id: dict[str, Key] = {}
        """Every key by id, including revoked and expired ones: for requests that waited."""
        self._salts: dict[str, str] = {}
        """Salts by key id, computed on first use; a salt never changes."""
        self._take_over()

    def close(self) -> None:
        """Closes the database."""
        self._db.close()
        self._revocations.close()

    def create(self, name: str, *, expires_at: float | None = None, limits: Limits = NO_LIMITS) -> tuple[Key, str]:
        """Creates a key and returns it with its secret, which cannot be shown again. Names are free text and need not be unique."""
        name = name.strip()
        if not name or len(name) > 100 or not name.isprintable():
            raise DceError("invalid_input", "a key's name must have 1 to 100 printable characters")
        secret = _new_secret()
        limits = changed(limits, {})
        key = Key(id=secrets.token_hex(4), name=name, created_at=self._clock(), expires_at=expires_at, limits=limits)
        with self._transaction():
            self._db.execute(
                "INSERT INTO keys (id, name, digest, created_at, expires_at, limits) VALUES (?, ?, ?, ?, ?, ?)",
                (key.id, key.name, self._digest(secret), key.created_at, key.expires_at, _encoded(limits)),
            )
        self._version = -1
        return key, secret

    def edit(self, name_or_id: str, changes: Mapping[str, Any]) -> Key:
        """Changes limits (fields of `Limits`) or `expires_at` of one key. Raises not_found, or invalid_input for a bad value."""
        with self._transaction():
            key = self._only_live(name_or_id)
            limits = changed(key.limits, {name: value for name, value in changes.items() if name != "expires_at"})
            expires_at = changes.get("expires_at", key.expires_at)
            self._db.execute(
                "UPDATE keys SET limits = ?, expires_at = ? WHERE id = ?", (_encoded(limits), expires_at, key.id)
            )
        self._version = -1
        return msgspec.structs.replace(key, limits=limits, expires_at=expires_at)

    def rotate(self, name_or_id: str, overlap_s: float) -> tuple[Key, str]:
        """Gives a key a new secret. Its earlier secrets work for at most `overlap_s` longer; limits and usage stay the key's."""
        secret, until = _new_secret(), self._clock() + overlap_s
        with self._transaction():
            key = self._only_live(name_or_id)
            (old,) = self._db.execute("SELECT digest FROM keys WHERE id = ?", (key.id,)).fetchone()
            self._db.execute(
                "UPDATE retired_secrets SET works_until = min(works_until, ?) WHERE key_id = ?", (until, key.id)
            )
            self._db.execute("INSERT INTO retired_secrets VALUES (?, ?, ?)", (old, key.id, until))
            self._db.execute("UPDATE keys SET digest = ? WHERE id = ?", (self._digest(secret), key.id))
        self._version = -1
        return msgspec.structs.replace(key, rotated_until=until), secret

    def list(self) -> list[Key]:
        """All keys, revoked ones too, oldest first."""
        return list(self._read(self._db.execute(_SELECT).fetchall(), self._revocations.page()).values())

    def revoke(self, name_or_id: str) -> Sequence[Key]:
        """Revokes the key with that id, or all live ones with that name, on a full disk too: `write_fault` says why the database could
        not take it. Raises not_found, or write_failed if nothing was revoked."""
        now = self._clock()
        self.write_fault = ""
        try:
            with self._transaction():
                live = self._live(name_or_id)
                self._db.executemany("UPDATE keys SET revoked_at = ? WHERE id = ?", [(now, key.id) for key in live])
        except DceError as error:
            live = self._live(name_or_id)  # raises again what was not found
            self._revoke_in_place(live, now)
            self.write_fault = error.message
        else:
            self._take_over()
        self._version = -1
        return [msgspec.structs.replace(key, revoked_at=now) for key in live]

    def _revoke_in_place(self, live: Sequence[Key], now: float) -> None:
        try:
            self._revocations.add([key.id for key in live], now)
        except OSError as error:
            raise DceError(
                "write_failed",
                f"the key could not be revoked, in the database or beside it: {error.strerror or error}",
                hint=f"It still works. Free disk space in {self._folder} and revoke it again, or stop the gateway.",
                hop=Hop.GATEWAY,
            ) from None

    def _take_over(self) -> None:
        """Moves into the database what was revoked while it could not be written. If it still cannot, the page remains."""
        held = revoked_in(self._revocations.page())
        if not held:
            return
        with contextlib.suppress(DceError, OSError):
            with self._transaction():
                self._db.executemany(
                    "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
                    [(at, key_id) for key_id, at in held.items()],
                )
            self._revocations.remove(held)

    def has_live(self) -> bool:
        """Whether any key would be accepted now."""
        now = self._clock()
        return any(key.revoked_at is None and (key.expires_at is None or key.expires_at > now) for key in self.list())

    def find(self, secret: str) -> Key:
        """The live key of a secret. Raises invalid_key or expired_key; the message never holds what was sent."""
        if len(secret) > MAX_KEY_CHARS or not secret.isascii():
            raise DceError("invalid_key", "the key is not valid")
        self._refresh()
        key, works_until = self._by_digest.get(self._digest(secret), (None, None))
        if key is None or key.revoked_at is not None:
            raise DceError("invalid_key", "the key is not valid")
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise DceError("expired_key", f"the key {key.name!r} has expired")
        if works_until is not None and works_until <= self._clock():
            raise DceError(
                "expired_key",
                f"the key {key.name!r} was rotated, and this secret has expired",
                hint="Use the new secret; ask the operator for it.",
            )
        return key

    def revoked(self, key_ids: Collection[str]) -> set[str]:
        """Those of the keys accepted earlier that have been revoked since."""
        self._refresh()
        return {key_id for key_id in key_ids if (key := self._by_id.get(key_id)) is None or key.revoked_at is not None}

    def named(self, name_or_id: str) -> Key:
        """The only live key with that name or id, for a setting that names it. Raises invalid_key, expired_key or invalid_input."""
        self._refresh()
        live = [key for key in self._by_id.values() if name_or_id in (key.id, key.name) and key.revoked_at is None]
        if not live:
            raise DceError("invalid_key", f"no live key has the name or id {name_or_id!r}")
        if len(live) > 1:
            raise DceError(
                "invalid_input", f"{len(live)} live keys are named {name_or_id!r}", hint="Name one by its id."
            )
        if live[0].expires_at is not None and live[0].expires_at <= self._clock():
            raise DceError("expired_key", f"the key {live[0].name!r} has expired")
        return live[0]

    def check(self, key_id: str) -> None:
        """Checks that a key accepted earlier is still valid. Raises invalid_key or expired_key."""
        self._refresh()
        key = self._by_id.get(key_id)
        if key is None or key.revoked_at is not None:
            raise DceError("invalid_key", "the key was revoked while its request waited")
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise DceError("expired_key", f"the key {key.name!r} expired while its request waited")

    def cache_salt(self, key: Key) -> str:
        """The salt that keeps a key's prompts apart in a backend's prefix cache. It cannot be guessed and does not reveal the key."""
        salt = self._salts.get(key.id)
        if salt is None:
            salt = self._salts[key.id] = hmac.digest(self._pepper, b"cache salt of " + key.id.encode(), "sha256").hex()
        return salt

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """A read and the write that depends on it, as one step: another process's change is not lost in between. Raises write_failed."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                yield
        except sqlite3.Error as error:
            raise DceError(
                "write_failed",
                f"the keys in {self._folder} could not be changed: {error}",
                hint="Nothing was changed. Free disk space, or correct the folder's permissions, and try again.",
                hop=Hop.GATEWAY,
            ) from None

    def _only_live(self, name_or_id: str) -> Key:
        live = self._live(name_or_id)
        if len(live) > 1:
            ids = ", ".join(key.id for key in live)
            raise DceError(
                "invalid_input",
                f"{len(live)} live keys are named {name_or_id!r}: {ids}",
                hint="Use the id of one of them.",
            )
        return live[0]

    def _live(self, name_or_id: str) -> Sequence[Key]:
        """The unrevoked keys with that id or name. Raises not_found."""
        live = [key for key in self.list() if name_or_id in (key.id, key.name) and key.revoked_at is None]
        if not live:
            raise DceError(
                "not_found",
                f"no live key has the name or id {name_or_id!r}",
                hint="`dce gateway keys list` lists them.",
            )
        return live

    def _digest(self, secret: str) -> bytes:
        return hmac.digest(self._pepper, secret.encode(), "sha256")

    def _refresh(self) -> None:
        """Rereads the table only when this or another connection changed it, or the page; otherwise the check costs a few µs."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        page = self._revocations.page()
        if version != self._version or page != self._page:
            rows = self._db.execute(_SELECT).fetchall()
            keys = self._read(rows, page)
            retired = self._db.execute("SELECT digest, key_id, works_until FROM retired_secrets")
            self._by_digest = {digest: (keys[key_id], until) for digest, key_id, until in retired}
            self._by_digest.update({row[-1]: (keys[row[0]], None) for row in rows})
            self._by_id = keys
            self._version, self._page = version, page

    def _read(self, rows: Sequence[tuple[Any, ...]], page: bytes) -> dict[str, Key]:
        """The keys by id, with the revocations of the page."""
        keys = {row[0]: _key(row) for row in rows}
        for key_id, at in revoked_in(page).items():
            if (key := keys.get(key_id)) is not None and key.revoked_at is None:
                keys[key_id] = msgspec.structs.replace(key, revoked_at=at)
        return keys


def changed(limits: Limits, changes: Mapping[str, Any]) -> Limits:
    """`limits` with some fields replaced. Raises invalid_input naming the invalid value."""
    try:
        return msgspec.convert({**msgspec.structs.asdict(limits), **changes}, Limits)
    except msgspec.ValidationError as error:
        raise DceError("invalid_input", f"invalid limit: {error}") from None


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def _encoded(limits: Limits) -> str:
    return msgspec.json.encode(limits).decode()


def _key(row: tuple[Any, ...]) -> Key:
    return Key(
        id=row[0],
        name=row[1],
        created_at=row[2],
        expires_at=row[3],
        revoked_at=row[4],
        limits=msgspec.json.decode(row[5], type=Limits),
        rotated_until=row[6],
    )


def _open(path: Path) -> sqlite3.Connection:
    """Opens the database, or creates it. An unreadable one is refused, never replaced."""
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA busy_timeout=5000")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(_SCHEMA)
        db.execute(_RETIRED)
        _add_limits(db)
    except sqlite3.Error as error:
        db.close()
        raise DceError(
            "invalid_input", f"{path} cannot be used: {error}", hint="Nothing was changed. Restore it from a backup."
        ) from None
    return db


def _add_limits(db: sqlite3.Connection) -> None:
    """Adds the limits column to databases of versions without it; existing keys get no limits."""
    db.execute("BEGIN IMMEDIATE")
    with db:
        if "limits" not in [row[1] for row in db.execute("PRAGMA table_info(keys)")]:
            db.execute(_LIMITS)


def _pepper(path: Path) -> bytes:
    """The pepper, created once: of two processes starting together, both use the first one's. It is on disk before any key is made with it."""
    if not path.exists():
        with durable.creating(path, durable.PRIVATE) as draft:
            draft.write_bytes(secrets.token_bytes(SECRET_BYTES))
    pepper = path.read_bytes()
    if len(pepper) < SECRET_BYTES:
        raise DceError(
            "invalid_input", f"{path} is damaged; without it no key can be checked", hint="Restore it from a backup."
        )
    return pepper
