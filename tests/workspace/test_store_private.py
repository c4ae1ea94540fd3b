"""The store's files can be read only by their owner, or by a group that someone let write them."""

import stat
from pathlib import Path

import pytest

from dce.workspace.record.backups import Backups
from dce.workspace.record.recovery import recover, restore_backup
from dce.workspace.record.store import STORE_FILE, Store


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _modes(folder: Path) -> dict[str, int]:
    """The modes of all databases and of what belongs to them, by name."""
    return {path.name: _mode(path) for path in folder.rglob("*.db*") if path.is_file()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / STORE_FILE


def test_all_files_of_a_store_are_private(path: Path) -> None:
    """A new store, its log, its index and its backups have mode 0600, the folders 0700 (T1)."""
    with Store(path) as store:
        store.meta.set("x", "y")
        assert len(_modes(path.parent)) == 3
        backup = Backups(path).take()
        assert set(_modes(path.parent).values()) == {0o600}
    restore_backup(path, backup.name)
    with Store(path):
        pass
    assert set(_modes(path.parent).values()) == {0o600}
    folders = [one for one in path.parent.rglob("*") if one.is_dir()]
    assert len(folders) == 3
    assert {_mode(folder) for folder in folders} == {0o700}


@pytest.mark.parametrize(
    ("before", "after"),
    [(0o644, 0o600), (0o640, 0o600), (0o664, 0o660), (0o660, 0o660), (0o666, 0o660), (0o755, 0o600)],
)
def test_a_store_of_an_earlier_version_becomes_private(path: Path, before: int, after: int) -> None:
    """Others lose their rights when the store is opened, and so do the backups; a group that may write keeps its own (T1)."""
    with Store(path):
        backup = Backups(path).take()
    path.chmod(before)
    backup.chmod(before)
    with Store(path) as store:
        store.meta.set("x", "y")
        Backups(path).take()
        assert set(_modes(path.parent).values()) == {after}


def test_a_recovered_store_is_as_private_as_the_old_one(path: Path) -> None:
    """A recovery gives the new store the old one's readers, and no others (T1)."""
    for mode in (0o644, 0o660):
        with Store(path) as store:
            store.meta.set("x", "y")
        with path.open("r+b") as file:
            file.write(bytes(4096))
        path.chmod(mode)
        recover(path)
        assert _mode(path) == (0o600 if mode == 0o644 else 0o660)
