"""A full disk and a read-only store are distinguished from a broken one, and an unwritable store can still be read."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.accepting.baseline import changing
from dce.workspace.file_update import updating
from dce.workspace.project import Project
from dce.workspace.record.backups import EVERY_S, KEEP, Backups
from dce.workspace.record.failures import failure_of
from dce.workspace.record.migrations import APPLICATION_ID, STEPS, _statements
from dce.workspace.record.recovery import recover
from dce.workspace.record.store import STORE_FILE, Store
from dce.workspace.settings import Settings
from dce.workspace.transfer import export_history
from dce.workspace.workspace import Workspace
from dce.workspace.writer_lock import WriterLock
from tests.workspace.loop import a_generation, a_store

NOBODY = 65534


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Runs the block as a user without rights: the tests may run as root, for whom nothing is read-only."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _read_only(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    folder.chmod(0o555)


def test_a_read_only_store_is_read(open_folder: Path, request: pytest.FixtureRequest) -> None:
    """A store with unwritable folder and files can be read; a write is refused as read-only, never reported as damage (T23)."""
    root = open_folder / "project"
    root.mkdir()
    project = Project.init(root)
    with Workspace.open(project, Settings()) as workspace:
        generation = a_generation(workspace.store)
    before = (project.state_dir / STORE_FILE).read_bytes()
    names = sorted(path.name for path in project.state_dir.iterdir())
    _read_only(project.state_dir)
    request.getfixturevalue("as_nobody")
    with Workspace.open(project, Settings()) as workspace:
        assert workspace.store.database.is_read_only
        assert workspace.store.generations.get(generation.id) == generation
        assert len(workspace.responses(generation.id)) == 3
        workspace.store.token_counts.put("t", {"a" * 64: 1})
        with pytest.raises(DceError) as caught:
            workspace.cycles.create("new")
    assert caught.value.code == "write_failed"
    assert "intact" in caught.value.hint
    assert (project.state_dir / STORE_FILE).read_bytes() == before
    assert sorted(path.name for path in project.state_dir.iterdir()) == names


def test_a_read_only_store_is_read_with_its_log(open_folder: Path, request: pytest.FixtureRequest) -> None:
    """Data that a killed process left in the log can be read from a read-only store, even with an older schema (T23)."""
    folder = open_folder / "killed"
    folder.mkdir()
    (open_folder / "living").mkdir()
    with a_store(open_folder / "living") as store:
        store.cycles.create("only in the log")
        for name in (STORE_FILE, f"{STORE_FILE}-wal"):
            shutil.copyfile(open_folder / "living" / name, folder / name)
    _read_only(folder)
    request.getfixturevalue("as_nobody")
    with Store(folder / STORE_FILE) as store:
        assert store.cycles.current().title == "only in the log"
        with pytest.raises(DceError) as caught:
            store.meta.set("a", "1")
    assert caught.value.code == "write_failed"
    assert sorted(path.name for path in folder.iterdir()) == [STORE_FILE, f"{STORE_FILE}-wal"]


_FILL = """
import resource, sys
from pathlib import Path
from dce.wire.errors import DceError
from dce.workspace.accepting.baseline import changing
from dce.workspace.file_update import updating
from dce.workspace.record.recovery import recover
from dce.workspace.record.store import Store
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store(Path(sys.argv[1])) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        for number in range(100):
            store.blobs.put_all([bytes([number]) * 50_000])
    except DceError as error:
        print(error.code, error.hint)
"""


def test_a_full_disk_is_not_damage(tmp_path: Path) -> None:
    """A full disk is reported as that, with the advice to leave the files alone; saved data is intact afterwards (T23)."""
    with a_store(tmp_path) as store:
        store.cycles.create("kept")
    run = subprocess.run(
        [sys.executable, "-c", _FILL, str(tmp_path / STORE_FILE)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.startswith("write_failed Free disk space")
    assert "do not move or delete" in run.stdout
    with a_store(tmp_path) as store:
        assert store.cycles.current().title == "kept"
        assert store.database.row("PRAGMA integrity_check")[0] == "ok"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SQLITE_FULL", "write_failed"),
        ("SQLITE_IOERR_WRITE", "write_failed"),
        ("SQLITE_IOERR_SHMSIZE", "write_failed"),
        ("SQLITE_READONLY", "write_failed"),
        ("SQLITE_READONLY_DBMOVED", "write_failed"),
        ("SQLITE_CANTOPEN", "write_failed"),
        ("SQLITE_BUSY", "workspace_locked"),
        ("SQLITE_IOERR_READ", "store_unreadable"),
        ("SQLITE_CORRUPT", "store_unreadable"),
        ("SQLITE_NOTADB", "store_unreadable"),
    ],
)
def test_each_failure_is_told_by_its_code(tmp_path: Path, name: str, code: str) -> None:
    """Full, read-only, busy and broken are four different errors (T23)."""
    (tmp_path / STORE_FILE).touch()
    error = sqlite3.OperationalError("it failed")
    error.sqlite_errorcode = getattr(sqlite3, name)
    told = failure_of(error, tmp_path / STORE_FILE)
    assert told.code == code
    assert ("dce store check" in told.hint) == (code == "store_unreadable")


def test_a_clock_that_goes_back_costs_no_backup(tmp_path: Path) -> None:
    """Backups are kept in the order in which they were made: the newest stays, whatever the clock said (T23)."""
    now = [2_000_000_000.0]
    with a_store(tmp_path) as store:
        backups = Backups(store.path, lambda: now[0])
        taken = []
        for _ in range(KEEP + 2):
            taken.append(backups.take())
            assert taken[-1].exists()
            now[0] -= 2 * EVERY_S
        assert backups.list() == tuple(reversed(taken[-KEEP:]))
        assert backups.roll() is not None  # the newest is dated in the future
        assert backups.roll() is None
        now[0] += EVERY_S
        assert backups.roll() is not None


def test_two_copies_in_a_second_are_two(tmp_path: Path) -> None:
    """A backup never replaces an earlier one with the same name (T23)."""
    with a_store(tmp_path) as store:
        backups = Backups(store.path, lambda: 1_700_000_000.0)
        paths = {backups.take(), backups.take(), backups.take()}
    assert len(paths) == 3
    assert set(backups.list()) == paths


def test_copies_without_a_label_are_the_oldest(tmp_path: Path) -> None:
    """Backups of an earlier version are deleted first, in the order of their names (T23)."""
    with a_store(tmp_path) as store:
        backups = Backups(store.path, lambda: 1_700_000_000.0)
        mine = backups.take()
        for day in range(1, KEEP + 1):
            (backups.folder / f"dce-2030010{day}T000000Z.db").write_bytes(b"unlabelled")
        last = backups.take()
    assert backups.list()[:2] == (last, mine)
    assert [path.name for path in backups.list()[2:]] == [f"dce-2030010{day}T000000Z.db" for day in (5, 4, 3)]


def _old_store(path: Path, version: int) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for step in STEPS[:version]:
        for statement in _statements(step):
            db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {version}")
    db.execute("UPDATE cycles SET context = 'as it was'")
    db.close()


@pytest.mark.parametrize("version", range(1, len(STEPS)))
def test_a_backup_precedes_each_migration(tmp_path: Path, version: int) -> None:
    """Before the first missing migration step the old store is backed up; a new or current store needs no backup (T23)."""
    _old_store(tmp_path / STORE_FILE, version)
    with a_store(tmp_path) as store:
        [backup] = Backups(store.path).list()
    db = sqlite3.connect(backup)
    assert db.execute("PRAGMA user_version").fetchone()[0] == version
    assert db.execute("SELECT context FROM cycles").fetchone()[0] == "as it was"
    db.close()
    a_store(tmp_path).close()
    assert Backups(tmp_path / STORE_FILE).list() == (backup,)


def test_without_a_backup_nothing_is_migrated(tmp_path: Path) -> None:
    """If the backup fails, the store is unchanged (T23)."""
    _old_store(tmp_path / STORE_FILE, 1)
    before = (tmp_path / STORE_FILE).read_bytes()
    (tmp_path / "backups").write_text("in the way")
    with pytest.raises(DceError, match="no backup could be made"):
        a_store(tmp_path)
    assert (tmp_path / STORE_FILE).read_bytes() == before


def _damage(path: Path, table: str) -> None:
    """Makes an index entry differ from its row, as a flipped bit would: SQLite reads on without an error."""
    db = sqlite3.connect(path)
    root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    db.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        page = bytearray(file.read(4096))
        at = len(page) - 20
        page[at] ^= 0x0F
        file.seek((root - 1) * 4096)
        file.write(page)


def test_a_damaged_row_is_never_said_not_to_exist(tmp_path: Path) -> None:
    """If the path to a row is damaged, the error says damaged; in an intact store the same query gives not found (T23)."""
    with a_store(tmp_path) as store:
        generation = a_generation(store)
        unknown: list[Callable[[], object]] = [
            lambda: store.generations.get(99),
            lambda: store.prompts.get("x"),
            lambda: store.blobs.get("x"),
        ]
        for ask in unknown:
            with pytest.raises(DceError) as caught:
                ask()
            assert caught.value.code == "not_found"
    _damage(tmp_path / STORE_FILE, "sqlite_autoindex_prompts_1")
    with a_store(tmp_path) as store:
        hidden: list[Callable[[], object]] = [
            lambda: store.generations.get(generation.id),
            store.generations.list,
            store.generations.latest,
            lambda: store.prompts.get(generation.prompt_sha256),
            lambda: store.responses.get(99, 1),
            lambda: store.cycles.get(99),
            lambda: store.acceptances.get(99),
        ]
        for ask in hidden:
            with pytest.raises(DceError) as caught:
                ask()
            assert caught.value.code == "store_unreadable"
            assert "dce store check" in caught.value.hint


@pytest.fixture
def unwritable(open_folder: Path) -> Path:
    """A workspace with one cycle whose `.dce` may only be read."""
    with Workspace.open(Project.init(open_folder), Settings()) as workspace:
        workspace.store.cycles.create("Kept")
    _read_only(open_folder / ".dce")
    return open_folder


def test_a_read_only_store_is_exported(unwritable: Path, request: pytest.FixtureRequest) -> None:
    """The history of a read-only store can be written elsewhere; DCE cannot note the file, so it does not replace it unasked (T23)."""
    target = unwritable / "out"
    target.mkdir()
    target.chmod(0o777)
    request.getfixturevalue("as_nobody")
    with Workspace.open(Project.find(unwritable), Settings()) as workspace:
        assert export_history(workspace, target / "h.dce") > 1
        with pytest.raises(DceError) as caught:
            export_history(workspace, target / "h.dce")
        assert caught.value.code == "conflict"
        export_history(workspace, target / "h.dce", is_forced=True)


def test_a_lock_that_may_not_be_written_is_a_failed_write(unwritable: Path, request: pytest.FixtureRequest) -> None:
    """Where `.dce` may not be written, every lock says `write_failed` and names the folder to make writable (T23)."""
    request.getfixturevalue("as_nobody")
    state_dir = unwritable / ".dce"
    with Workspace.open(Project.find(unwritable), Settings()) as workspace:
        for enter in (
            lambda: updating(state_dir),
            lambda: WriterLock(state_dir, lambda: None).hold("accept"),
            lambda: changing(workspace, "accept"),
        ):
            with pytest.raises(DceError) as caught, enter():
                pass
            assert caught.value.code == "write_failed"
            assert ".dce folder" in caught.value.hint
    with pytest.raises(DceError) as caught:
        recover(state_dir / STORE_FILE)
    assert caught.value.code == "write_failed"


@pytest.mark.parametrize("name", ["lock.json", "accept.lock", "files.lock", "lock"])
def test_a_folder_in_place_of_a_lock_is_a_failed_write(tmp_path: Path, name: str) -> None:
    """Whatever keeps one lock file from being written, the error names it, and the other locks are released (T23)."""
    with Workspace.open(Project.init(tmp_path), Settings()) as workspace:
        (tmp_path / ".dce" / name).mkdir()
        with pytest.raises(DceError) as caught, changing(workspace, "accept"), updating(tmp_path / ".dce"):
            pass
        assert caught.value.code == "write_failed"
        assert name in caught.value.message
        (tmp_path / ".dce" / name).rmdir()
        with changing(workspace, "accept"), updating(tmp_path / ".dce"):
            pass
