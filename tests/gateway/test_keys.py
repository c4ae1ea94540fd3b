"""Keys: shown once, kept as digests, effective at once in every process."""

import contextlib
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dce.gateway.access.keys import MAX_KEY_CHARS, PREFIX, KeyStore
from dce.gateway.access.limits import NO_LIMITS, Limits
from dce.wire.errors import DceError


class Clock:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path, clock: Clock) -> Iterator[KeyStore]:
    store = KeyStore(tmp_path / "data", clock)
    yield store
    store.close()


def code_of(keys: KeyStore, secret: str) -> str:
    """The code of the refusal."""
    with pytest.raises(DceError) as caught:
        keys.find(secret)
    assert secret not in caught.value.message or not secret
    return caught.value.code


def test_a_key_is_found_by_its_secret_only(keys: KeyStore) -> None:
    """The secret finds its key; its id, its name and near misses do not."""
    key, secret = keys.create("alice")
    assert keys.find(secret) == key
    for wrong in ("", key.id, "alice", secret[:-1], secret + "x", secret.upper(), " " + secret, PREFIX):
        assert code_of(keys, wrong) == "invalid_key"


@pytest.mark.parametrize(
    "wrong", ["é" * 10, "x" * (MAX_KEY_CHARS + 1), "x" * 1_000_000, "\0"], ids=lambda wrong: f"{len(wrong)}"
)
def test_a_credential_no_key_could_be_is_refused(keys: KeyStore, wrong: str) -> None:
    """Odd or huge credentials are refused like any wrong one."""
    assert code_of(keys, wrong) == "invalid_key"


def test_the_files_hold_no_secret(tmp_path: Path) -> None:
    """Neither the database, its journal nor the pepper holds a secret in plain, and only the owner may read them."""
    store = KeyStore(tmp_path / "data")
    _, secret = store.create("alice")
    store.find(secret)
    for closed in (False, True):
        if closed:
            store.close()
        files = list((tmp_path / "data").iterdir())
        assert {"gateway.db", "pepper"} <= {file.name for file in files}
        for file in files:
            content = file.read_bytes()
            assert secret.encode() not in content
            assert secret.removeprefix(PREFIX).encode() not in content
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_revoking_acts_at_once_in_every_process(keys: KeyStore, tmp_path: Path) -> None:
    """A running gateway's store sees keys that another process makes or revokes, without reloading."""
    _, secret = keys.create("alice")
    keys.find(secret)
    script = (
        "import sys; from pathlib import Path; from dce.gateway.access.keys import KeyStore\n"
        "keys = KeyStore(Path(sys.argv[1])); keys.revoke('alice'); print(keys.create('bob')[1])"
    )
    made = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "data")], capture_output=True, text=True, check=True
    )
    assert code_of(keys, secret) == "invalid_key"
    assert keys.find(made.stdout.strip()).name == "bob"


def test_revoking_one_of_a_name_or_all(keys: KeyStore) -> None:
    """A name revokes all of its live keys, an id only that one; the rows stay, with the time."""
    (first, a), (_, b), (_, c) = keys.create("ci"), keys.create("ci"), keys.create("other")
    assert [key.id for key in keys.revoke(first.id)] == [first.id]
    assert code_of(keys, a) == "invalid_key"
    assert keys.find(b).name == "ci"
    assert len(keys.revoke("ci")) == 1
    assert code_of(keys, b) == "invalid_key"
    assert keys.find(c).name == "other"
    assert [key.revoked_at is None for key in keys.list()].count(False) == 2
    with pytest.raises(DceError, match="ci"):
        keys.revoke("ci")


def test_a_key_expires_at_its_time(keys: KeyStore, clock: Clock) -> None:
    """Valid until its time, refused as expired from then on, and no longer live."""
    _, secret = keys.create("alice", expires_at=2000.0)
    clock.now = 1999.9
    assert keys.find(secret).name == "alice"
    assert keys.has_live()
    clock.now = 2000.0
    assert code_of(keys, secret) == "expired_key"
    assert not keys.has_live()


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\x1b[31m"], ids=repr)
def test_a_name_must_be_printable(keys: KeyStore, name: str) -> None:
    """A name that could not stand in one line of a list is refused."""
    with pytest.raises(DceError, match="name"):
        keys.create(name)


def test_two_starting_together_agree_on_one_pepper(tmp_path: Path) -> None:
    """Stores opened side by side accept each other's keys."""
    first, second = KeyStore(tmp_path), KeyStore(tmp_path)
    _, secret = first.create("alice")
    assert second.find(secret).name == "alice"
    assert not list(tmp_path.glob("pepper.*"))
    first.close()
    second.close()


@pytest.mark.parametrize("damage", ["pepper", "gateway.db", "folder"])
def test_damage_is_named_and_nothing_replaced(tmp_path: Path, damage: str) -> None:
    """A truncated pepper, a database that is none, or a file in place of the folder is refused and left as it is."""
    data = tmp_path / "data"
    if damage == "folder":
        data.write_bytes(b"in the way")
    else:
        KeyStore(data).close()
        (data / damage).write_bytes(b"nonsense" * 2)
    with pytest.raises(DceError, match=data.name) as caught:
        KeyStore(data)
    assert caught.value.code in {"invalid_input", "store_unreadable"}
    assert b"in the way" in data.read_bytes() if damage == "folder" else (data / damage).read_bytes() == b"nonsense" * 2


LIMITS = Limits(rpm=60, tpm=1000, concurrency=4, max_n=2, models=("a", "b"), budget_tokens=10, budget_period="day")


def test_limits_are_kept_and_changed_for_a_running_gateway(keys: KeyStore, tmp_path: Path) -> None:
    """A key is found with its limits; another process changes them, and the next look sees that; the rest stays."""
    key, secret = keys.create("alice", limits=LIMITS, expires_at=2000.0)
    assert keys.find(secret) == key
    other = KeyStore(tmp_path / "data")
    other.edit("alice", {"rpm": 5, "tpm": None, "expires_at": None})
    other.close()
    found = keys.find(secret)
    assert found.limits == msgspec.structs.replace(LIMITS, rpm=5, tpm=None)
    assert (found.id, found.expires_at) == (key.id, None)


@pytest.mark.parametrize("wrong", [{"rpm": -1}, {"weight": 1e9}, {"budget_period": "week"}, {"models": [1]}], ids=repr)
def test_a_limit_that_cannot_be_is_refused(keys: KeyStore, wrong: dict[str, object]) -> None:
    """A bad value changes nothing and is named."""
    key, secret = keys.create("alice", limits=LIMITS)
    with pytest.raises(DceError) as caught:
        keys.edit("alice", wrong)
    assert next(iter(wrong)) in caught.value.message
    assert keys.find(secret) == key


def test_a_name_that_two_keys_share_names_neither(keys: KeyStore) -> None:
    """Changing or rotating is for one key: of a shared name the ids are shown."""
    (first, _), (second, _) = keys.create("ci"), keys.create("ci")
    for change in (lambda name: keys.edit(name, {"rpm": 1}), lambda name: keys.rotate(name, 60)):
        with pytest.raises(DceError) as caught:
            change("ci")
        assert all(key.id in caught.value.message for key in (first, second))  # made in the same second: in any order
        assert caught.value.code == "invalid_input"
        change(first.id)
    with pytest.raises(DceError, match="nobody"):
        keys.edit("nobody", {})


def test_a_rotated_key_has_two_secrets_until_the_overlap_ends(keys: KeyStore, clock: Clock) -> None:
    """Old and new work side by side and are one key; then the old one has ended, and says so."""
    key, old = keys.create("alice", limits=LIMITS)
    rotated, new = keys.rotate("alice", 100.0)
    assert (rotated.id, rotated.limits, rotated.rotated_until) == (key.id, LIMITS, 1100.0)
    assert keys.find(old) == keys.find(new) == rotated
    clock.now = 1100.0
    assert code_of(keys, old) == "expired_key"
    assert keys.find(new).id == key.id


def test_a_leaked_secret_ends_at_once(keys: KeyStore) -> None:
    """Without an overlap every earlier secret ends, also one whose own overlap still ran."""
    _, first = keys.create("alice")
    _, second = keys.rotate("alice", 1000.0)
    _, third = keys.rotate("alice", 0.0)
    assert [code_of(keys, secret) for secret in (first, second)] == ["expired_key"] * 2
    assert keys.find(third).name == "alice"


def test_revoking_ends_all_secrets_of_a_key(keys: KeyStore) -> None:
    """A rotated key that is revoked cannot be used with any of its secrets."""
    _, old = keys.create("alice")
    _, new = keys.rotate("alice", 1000.0)
    keys.revoke("alice")
    assert [code_of(keys, secret) for secret in (old, new)] == ["invalid_key"] * 2


def test_a_database_from_before_limits_is_taken_over(tmp_path: Path) -> None:
    """Keys of the first version work on, without limits, and can be given some."""
    store = KeyStore(tmp_path)
    _, secret = store.create("alice")
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "gateway.db")) as db:
        db.executescript("ALTER TABLE keys DROP COLUMN limits; DROP TABLE retired_secrets;")
    store = KeyStore(tmp_path)
    assert store.find(secret).limits == NO_LIMITS
    assert store.edit("alice", {"rpm": 3}).limits.rpm == 3
    store.close()


def test_a_second_rotation_does_not_extend_the_first_ones_end(keys: KeyStore, clock: Clock) -> None:
    """A retired secret ends at its own time, however long the overlap of a later rotation is."""
    _, first = keys.create("alice")
    _, second = keys.rotate("alice", 100.0)
    _, third = keys.rotate("alice", 10_000.0)
    clock.now = 1100.0
    assert code_of(keys, first) == "expired_key"
    assert keys.find(second) == keys.find(third)


def test_a_waiting_requests_key_is_checked_for_its_end(keys: KeyStore, clock: Clock) -> None:
    """A key that expires or is revoked while its request waits no longer starts it; a key that is valid does."""
    expiring, _ = keys.create("alice", expires_at=1100.0)
    revoked, _ = keys.create("bob")
    keys.check(expiring.id)
    keys.check(revoked.id)
    clock.now = 1100.0
    keys.revoke("bob")
    for key, code in ((expiring, "expired_key"), (revoked, "invalid_key")):
        with pytest.raises(DceError) as caught:
            keys.check(key.id)
        assert caught.value.code == code
    with pytest.raises(DceError, match="revoked while its request waited"):
        keys.check("no such key")


def test_a_store_sees_its_own_changes_at_once(keys: KeyStore) -> None:
    """What one process creates, edits, rotates or revokes counts for its own next request, too: SQLite tells only of others' changes."""
    key, secret = keys.create("alice")
    assert keys.find(secret).limits == NO_LIMITS
    keys.edit(key.id, {"rpm": 3})
    assert keys.find(secret).limits.rpm == 3
    _, new = keys.rotate(key.id, 0.0)
    assert code_of(keys, secret) == "expired_key"
    assert keys.find(new).id == key.id
    keys.revoke(key.id)
    assert code_of(keys, new) == "invalid_key"
