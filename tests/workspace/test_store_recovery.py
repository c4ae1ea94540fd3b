"""A damaged store is refused, diagnosed and recovered: its three files belong together, and none is ever lost."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.record.backups import Backups
from dce.workspace.record.condition import examine, problems_of
from dce.workspace.record.recovery import recover, restore_backup
from dce.workspace.record.replacing import FOLDER, NOTE
from dce.workspace.record.responses import Status
from dce.workspace.record.store import STORE_FILE, Store
from tests.workspace.loop import a_generation

TEXT = "an answer of some length\n" * 40
ANSWERS = 60
LOGGED = 20
"""Few enough that the log contains all of them: SQLite checkpoints it after 1,000 pages."""


def _fill(store: Store, count: int = ANSWERS) -> None:
    """Generations with one complete answer each, and an acceptance with its pre-image."""
    for number in range(count):
        generation = a_generation(store, n=1)
        response = store.responses.get(generation.id, 1)
        store.progress.save_ends(
            [msgspec.structs.replace(response, status=Status.COMPLETE, text=f"{number} {TEXT}", ended_at=2.0)]
        )
    store.blobs.put_all([b"before"])
    store.acceptances.insert(1, 1, 1, "[]", 5.0)


def _as_killed(folder: Path, filled: Path) -> Path:
    """The files of a store whose process was killed: its last writes are only in the log."""
    folder.mkdir()
    with Store(filled) as store:
        _fill(store, LOGGED)
        for part in filled.parent.glob(f"{STORE_FILE}*"):
            shutil.copyfile(part, folder / part.name)
    return folder / STORE_FILE


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    (tmp_path / "living").mkdir()
    return _as_killed(tmp_path / "killed", tmp_path / "living" / STORE_FILE)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A store of one file, whose log was checkpointed."""
    folder = tmp_path / "closed"
    folder.mkdir()
    with Store(folder / STORE_FILE) as store:
        _fill(store)
    return folder / STORE_FILE


def _content(folder: Path) -> dict[str, bytes]:
    """The folder's content, except SQLite's shared-memory index and the lock, which hold no data."""
    names = [path for path in folder.iterdir() if path.is_file() and path.suffix not in (".db-shm", "")]
    return {path.name: path.read_bytes() for path in names}


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _answers(path: Path) -> int:
    """How many complete answers a store has."""
    with Store(path) as store:
        texts = [response.text for one in store.generations.list() for response in store.responses.latest(one.id)]
        return sum(text.partition(" ")[2] == TEXT for text in texts)


def _refused(path: Path) -> DceError:
    """Asserts that opening is refused and changes no byte; returns the error."""
    before = _content(path.parent)
    with pytest.raises(DceError) as caught:
        Store(path)
    assert caught.value.code == "store_unreadable"
    assert "dce store" in caught.value.hint
    assert _content(path.parent) == before
    return caught.value


def test_a_log_without_its_store_gets_no_fresh_one(killed: Path) -> None:
    """A missing file beside a log is refused, and `recover` saves the answers in the log (T22)."""
    killed.unlink()
    size = _log(killed).stat().st_size
    assert f"{size:,} bytes" in _refused(killed).message
    assert examine(killed).state == "missing"
    done = recover(killed)
    assert (Path(done.set_aside) / _log(killed).name).stat().st_size == size
    assert _answers(killed) == LOGGED
    assert examine(killed).state == "sound"


def test_a_log_beside_an_empty_file_is_kept(killed: Path) -> None:
    """SQLite would delete the log beside an empty file: DCE prevents that and saves the answers in it (T22)."""
    os.truncate(killed, 0)
    assert "empty" in _refused(killed).message
    assert examine(killed).state == "empty"
    assert _log(killed).exists()
    recover(killed)
    assert _answers(killed) == LOGGED
    with Store(killed) as store:
        assert store.blobs.get(store.blobs.put_all([b"before"])[0]) == b"before"
        assert [row.id for row in store.acceptances.list("planned")] == [1]


def test_a_crash_is_no_damage(killed: Path) -> None:
    """A log left by a killed process belongs to its file: it is valid and is checkpointed as usual."""
    found = examine(killed)
    assert found.state == "sound"
    assert found.log is not None
    assert found.log.committed > 0
    assert found.counts["responses"] == LOGGED
    assert recover(killed).set_aside == ""
    assert _answers(killed) == LOGGED


def test_a_backup_beside_a_stale_log_is_refused(killed: Path) -> None:
    """The old log is not replayed into a backup that was copied over the file by hand; `recover` keeps the backup (T22)."""
    with Store(killed.parent / "other" / STORE_FILE) as other:
        other.cycles.create("in the backup")
        backup = Backups(other.path).take()
    shutil.copyfile(backup, killed)
    assert "another store's" in _refused(killed).message
    assert examine(killed).state == "foreign_log"
    recover(killed)
    with Store(killed) as store:
        assert store.cycles.current().title == "in the backup"
        assert store.generations.list() == ()


def test_the_log_of_another_store_is_told(killed: Path, tmp_path: Path) -> None:
    """A store beside another store's log is detected and kept, without the log (T22)."""
    with Store(tmp_path / "big" / STORE_FILE) as other:
        for number in range(400):
            other.blobs.put_all([bytes([number % 256]) * 3000 + str(number).encode()])
        other.cycles.create("mine")
    shutil.copyfile(tmp_path / "big" / STORE_FILE, killed)
    assert "another store's" in _refused(killed).message
    assert examine(killed).state == "foreign_log"
    recover(killed)
    with Store(killed) as store:
        assert store.cycles.current().title == "mine"
        assert store.database.row("SELECT count(*) FROM blobs")[0] == 400


@pytest.mark.parametrize("content", [b"no database " * 1000, b"\0" * 8192])
def test_a_foreign_file_beside_a_log_stays_as_it_is(killed: Path, content: bytes) -> None:
    """A log is not replayed into another file in the store's place; the answers in the log are saved (T22)."""
    killed.write_bytes(content)
    _refused(killed)
    recover(killed)
    assert _answers(killed) == LOGGED


def _pages(path: Path, table: str) -> list[int]:
    with sqlite3.connect(path) as db:
        query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'"
        try:
            found = [row[0] for row in db.execute(query, (table,))]
        except sqlite3.OperationalError:  # this SQLite has no dbstat: the root at least is known
            found = [row[0] for row in db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))]
    db.close()
    return found


def _overwrite(path: Path, page: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(content)


@pytest.mark.parametrize("content", [b"\0" * 4096, b"\xa5" * 4096, b"\x0d" + b"\xff" * 60])
@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_a_destroyed_page_costs_its_rows_only(closed: Path, content: bytes, at: float) -> None:
    """If one page of the answers' table is destroyed, the answers on all other pages are kept, also later ones (T22)."""
    pages = _pages(closed, "responses")
    _overwrite(closed, pages[round(at * (len(pages) - 1))], content)
    assert examine(closed).state == "damaged"
    done = recover(closed)
    assert "responses" in done.damaged
    assert examine(closed).state == "sound"
    assert _answers(closed) >= ANSWERS - 6


@pytest.mark.parametrize("index", ["sqlite_autoindex_responses_1", "responses_by_status", "generations_of_cycle"])
def test_a_destroyed_index_costs_nothing(closed: Path, index: str) -> None:
    """Indexes are rebuilt from the rows (T22)."""
    for page in _pages(closed, index):
        _overwrite(closed, page, b"\0" * 4096)
    assert examine(closed).state == "damaged"
    recover(closed)
    assert _answers(closed) == ANSWERS


def test_a_lost_beginning_costs_nothing(closed: Path) -> None:
    """A store that lost its first page, with the schema, keeps its answers, since DCE knows that page (T22)."""
    _overwrite(closed, 1, b"\0" * 4096)
    _refused(closed)
    assert examine(closed).state == "damaged"
    recover(closed)
    assert _answers(closed) == ANSWERS


def test_the_project_scope_is_recovered(closed: Path) -> None:
    """Cycle 0 is row 0 of its table: a recovery keeps it with its text, as it does all others (T22)."""
    with Store(closed) as store:
        store.cycles.edit(0, context="What the project is for.")
    _overwrite(closed, 1, b"\0" * 4096)
    recover(closed)
    with Store(closed) as store:
        assert store.cycles.get(0).context == "What the project is for."


@pytest.mark.parametrize("share", [0.1, 0.5, 0.71, 0.72, 0.73, 0.9, 0.999])
def test_a_truncated_store_is_filled_from_its_backup(closed: Path, share: float) -> None:
    """The lost part of a truncated file comes from the newest backup; newer rows are kept if they can be read (T22)."""
    backup = Backups(closed).take()
    with Store(closed) as store:
        store.cycles.create("newer")
    os.truncate(closed, int(closed.stat().st_size * share))
    done = recover(closed)
    assert done.backup == str(backup)
    assert _answers(closed) == ANSWERS
    with Store(closed) as store:
        assert store.generations.insert(store.generations.get(1)).id == ANSWERS + 1


def test_an_answer_whose_generation_is_lost_is_kept(closed: Path) -> None:
    """Answers whose generation and prompt cannot be read get new ones (T22)."""
    for table in ("generations", "prompts"):
        for page in _pages(closed, table):
            _overwrite(closed, page, b"\0" * 4096)
    recover(closed)
    assert _answers(closed) == ANSWERS


def test_nothing_to_recover_from_changes_nothing(tmp_path: Path) -> None:
    """If nothing can be read and there is no backup, the error says so and the files are kept."""
    path = tmp_path / STORE_FILE
    path.write_bytes(b"")
    with pytest.raises(DceError) as caught:
        recover(path)
    assert caught.value.code == "not_found"
    assert path.read_bytes() == b""
    assert list((tmp_path / FOLDER).iterdir()) == []


_RUN = """
import os, signal, sys
from pathlib import Path
from dce.workspace.record.recovery import recover, restore_backup
def on_step(step):
    if step == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
path = Path(sys.argv[2])
recover(path, on_step=on_step) if sys.argv[1] == "recover" else restore_backup(path, sys.argv[1], on_step=on_step)
"""


@pytest.mark.parametrize("step", ["noted", "moved ", "moved -wal", "placed"])
@pytest.mark.parametrize("verb", ["recover", "restore"])
def test_a_kill_between_two_moves_is_finished(killed: Path, step: str, verb: str) -> None:
    """After a kill at any step, the store is refused until `recover` has finished; all old files and answers are kept (T22)."""
    with Store(killed.parent / "copy" / STORE_FILE) as other:
        _fill(other, 3)
        backup = Backups(other.path).take()
    if verb == "recover":
        os.truncate(killed, 0)
    before = {name: content for name, content in _content(killed.parent).items() if name.startswith(STORE_FILE)}
    argument = "recover" if verb == "recover" else str(backup)
    run = subprocess.run([sys.executable, "-c", _RUN, argument, str(killed), step], check=False, timeout=60)
    assert run.returncode == -signal.SIGKILL
    assert "recover" in _refused(killed).hint
    assert examine(killed).state == "half_replaced"
    aside = Path(recover(killed).set_aside)
    assert {name: (aside / name).read_bytes() for name in before} == before
    assert not (killed.parent / NOTE).exists()
    assert _answers(killed) == (LOGGED if verb == "recover" else 3)


def test_a_store_in_use_is_not_replaced(closed: Path) -> None:
    """While another process has the store open, its files are not replaced (T22)."""
    backup = Backups(closed).take()
    code = (
        "import sys; from pathlib import Path; from dce.workspace.record.store import Store\n"
        "store = Store(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(closed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(DceError) as caught:
            restore_backup(closed, backup.name)
        assert caught.value.code == "workspace_locked"
        assert not (closed.parent / FOLDER).exists()
    finally:
        holder.communicate("", timeout=60)
    restore_backup(closed, backup.name)
    assert _answers(closed) == ANSWERS


def test_a_restore_brings_the_whole_store_back(closed: Path) -> None:
    """The backup's answers, acceptance journal and pre-images are restored; the replaced store is set aside (T22, T23)."""
    backup = Backups(closed).take()
    with Store(closed) as store:
        store.cycles.create("since")
        store.acceptances.set(1, "undone")
    done = restore_backup(closed, backup.name)
    with Store(closed) as store:
        assert [row.id for row in store.acceptances.list("planned")] == [1]
        assert store.cycles.current().title != "since"
        assert store.meta.get("backup") is None
    with Store(Path(done.set_aside) / STORE_FILE) as old:
        assert old.cycles.current().title == "since"
    assert backup.exists()


@pytest.fixture
def broken_backups(closed: Path) -> Path:
    folder = closed.parent / "backups"
    folder.mkdir()
    (folder / "dce-text.db").write_text("no database")
    shutil.copyfile(closed, folder / "dce-broken.db")
    _overwrite(folder / "dce-broken.db", _pages(closed, "responses")[0], b"\0" * 4096)
    return closed


def test_a_damaged_backup_is_not_restored(broken_backups: Path) -> None:
    """A backup is checked before it replaces the store; a refusal changes nothing (T22)."""
    before = _content(broken_backups.parent)
    for name, code in (("dce-text.db", "store_unreadable"), ("dce-broken.db", "store_unreadable"), ("x", "not_found")):
        with pytest.raises(DceError) as caught:
            restore_backup(broken_backups, name)
        assert caught.value.code == code
    assert _content(broken_backups.parent) == before
    assert problems_of(broken_backups) == ()
