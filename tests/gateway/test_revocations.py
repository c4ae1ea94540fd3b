"""A key can be revoked on a full disk: in place, seen by every process at once, and moved into the database later."""

import fcntl
import os
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dce.gateway.access import revocations
from dce.gateway.access.keys import FILE as DATABASE
from dce.gateway.access.keys import KeyStore
from dce.gateway.access.revocations import FILE, PAGE_BYTES, SLOTS, Revocations, revoked_in
from dce.wire.errors import DceError


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[KeyStore]:
    """The keys as a running gateway has them open."""
    store = KeyStore(tmp_path / "data")
    yield store
    store.close()


def on_a_full_disk(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`dce gateway keys …` in a process that can make no file longer than the page: no log of the database takes a change."""
    program = "import sys; from dce.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", program, "gateway", "keys", *words, "--data-dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (PAGE_BYTES, PAGE_BYTES)),
    )


def held(folder: Path) -> dict[str, float]:
    """What the page holds."""
    return revoked_in((folder / FILE).read_bytes())


def in_database(folder: Path) -> set[str]:
    """The keys that are revoked in the database itself."""
    db = sqlite3.connect(folder / DATABASE)
    try:
        return {key_id for (key_id,) in db.execute("SELECT id FROM keys WHERE revoked_at IS NOT NULL")}
    finally:
        db.close()


def refused(store: KeyStore, secret: str) -> bool:
    """Whether the secret is refused as invalid."""
    try:
        store.find(secret)
    except DceError as error:
        return error.code == "invalid_key"
    return False


def test_a_key_is_revoked_on_a_full_disk(gateway: KeyStore, tmp_path: Path) -> None:
    """A running gateway refuses it from the next request on; the command says where the revocation is, and lists it."""
    folder = tmp_path / "data"
    key, secret = gateway.create("leaked")
    other, kept = gateway.create("other")
    gateway.find(secret)
    done = on_a_full_disk(folder, "revoke", "leaked")
    assert (done.returncode, done.stdout) == (0, f"revoked {key.id} (leaked)\n")
    assert "in force" in done.stderr
    assert "free disk space" in done.stderr
    assert refused(gateway, secret)
    assert gateway.find(kept) == other
    assert gateway.revoked({key.id, other.id}) == {key.id}
    assert set(held(folder)) == {key.id}
    assert in_database(folder) == set()
    assert f"{key.id}  leaked  revoked" in on_a_full_disk(folder, "list").stdout
    again = on_a_full_disk(folder, "revoke", "leaked")
    assert again.returncode == 1
    assert "not_found" in again.stderr


def test_the_database_takes_it_over(gateway: KeyStore, tmp_path: Path) -> None:
    """As soon as the database can be written, it has the revocation with its time, and the page is free again; it never works between."""
    folder = tmp_path / "data"
    key, secret = gateway.create("leaked")
    on_a_full_disk(folder, "revoke", "leaked")
    (at,) = held(folder).values()
    store = KeyStore(folder)
    assert held(folder) == {}
    assert in_database(folder) == {key.id}
    assert refused(gateway, secret)
    assert refused(store, secret)
    assert [key.revoked_at for key in gateway.list()] == [at]
    store.close()


def test_a_later_revocation_takes_over_too(tmp_path: Path) -> None:
    """A process that had the keys open before moves the page with its own next revocation."""
    store = KeyStore(tmp_path)
    first, _ = store.create("first")
    second, _ = store.create("second")
    page = Revocations(tmp_path)
    page.add([first.id], 5.0)
    page.close()
    store.revoke("second")
    assert store.write_fault == ""
    assert held(tmp_path) == {}
    assert in_database(tmp_path) == {first.id, second.id}
    store.close()


def test_the_first_revocation_counts(tmp_path: Path) -> None:
    """A key that is revoked in the database keeps its time, whatever the page says."""
    store = KeyStore(tmp_path, clock=lambda: 3.0)
    key, _ = store.create("ann")
    store.revoke("ann")
    store._revocations.add([key.id], 9.0)
    assert [one.revoked_at for one in store.list()] == [3.0]
    store.close()
    store = KeyStore(tmp_path)
    assert [one.revoked_at for one in store.list()] == [3.0]
    store.close()


def test_other_changes_say_what_is_missing(gateway: KeyStore, tmp_path: Path) -> None:
    """What needs the database fails on a full disk with the fact and the next step, and changes nothing."""
    key, secret = gateway.create("ann")
    for words in (["create", "bob"], ["edit", "ann", "--rpm", "5"], ["rotate", "ann"]):
        done = on_a_full_disk(tmp_path / "data", *words)
        assert done.returncode != 0
        assert "gateway · write_failed" in done.stderr
        assert "Free disk space" in done.stderr
    assert gateway.list() == [key]
    assert gateway.find(secret) == key


def test_the_page_is_private_and_holds_no_secret(tmp_path: Path) -> None:
    """The file has its full size from the start, is its owner's alone, and holds ids and times."""
    store = KeyStore(tmp_path)
    store.close()
    assert (tmp_path / FILE).stat().st_size == PAGE_BYTES
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_processes_at_once_lose_no_revocation(tmp_path: Path) -> None:
    """Several processes that revoke and take over at once leave what each of them added."""
    ids = [f"{at:08x}" for at in range(1, 61)]

    def add(part: int) -> None:
        page = Revocations(tmp_path)
        for key_id in ids[part::4]:
            page.add([key_id], 1.0)
            page.remove(["ffffffff"])
        page.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    assert set(held(tmp_path)) == set(ids)


def test_a_full_page_is_said(tmp_path: Path) -> None:
    """More revocations than the page holds are refused, with the next step; the key still works, and the message says so."""
    store = KeyStore(tmp_path)
    key, secret = store.create("one too many")
    page = Revocations(tmp_path)
    page.add([f"{at:08x}" for at in range(SLOTS)], 1.0)
    with pytest.raises(DceError) as caught:
        store._revoke_in_place([key], 1.0)
    assert caught.value.code == "write_failed"
    assert "It still works" in caught.value.hint
    assert store.find(secret) == key
    assert len(held(tmp_path)) == SLOTS
    page.close()
    store.close()


def test_a_lock_that_is_held_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that holds the page's lock and does not let go costs an error, not a hang."""
    page = Revocations(tmp_path)
    holder = os.open(tmp_path / FILE, os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    monkeypatch.setattr(revocations, "LOCK_S", 0.05)
    with pytest.raises(BlockingIOError):
        page.add(["12345678"], 1.0)
    os.close(holder)
    page.add(["12345678"], 1.0)
    assert held(tmp_path) == {"12345678": 1.0}
    other = os.open(tmp_path / FILE, os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it was released
    os.close(other)
    page.close()


def test_without_a_page_the_gateway_still_serves(tmp_path: Path) -> None:
    """Where the file cannot be used, keys work as before; only a revocation that needs it fails."""
    (tmp_path / FILE).mkdir()
    store = KeyStore(tmp_path)
    key, secret = store.create("ann")
    assert store.find(secret) == key
    with pytest.raises(DceError, match="could not be revoked"):
        store._revoke_in_place([key], 1.0)
    store.revoke("ann")
    assert refused(store, secret)
    store.close()


@pytest.mark.parametrize("page", [b"", b"x" * 15, b"\0" * PAGE_BYTES, b"\xff" * PAGE_BYTES])
def test_any_page_can_be_read(tmp_path: Path, page: bytes) -> None:
    """A cut or damaged page revokes no key that is live, and the next revocation writes a whole one."""
    store = KeyStore(tmp_path)
    key, secret = store.create("ann")
    (tmp_path / FILE).write_bytes(page)
    assert store.find(secret) == key
    assert store.list() == [key]
    store._revoke_in_place([key], 7.0)
    assert held(tmp_path) == {key.id: 7.0}
    assert refused(store, secret)
    store.close()
