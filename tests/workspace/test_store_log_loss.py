"""SQLite never drops what a damaged write-ahead log or schema still holds: such a store is refused, and `recover` reads the rest."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.record.condition import examine
from dce.workspace.record.recovery import recover
from dce.workspace.record.responses import Status
from dce.workspace.record.store import STORE_FILE, Store
from dce.workspace.record.write_ahead_log import read_log
from tests.workspace.loop import a_generation

ANSWERS = 12
FRAME, PAGE = 24, 4096
TEXT = "an answer of some length\n" * 40


def _fill(store: Store, first: int, count: int) -> None:
    for number in range(first, first + count):
        generation = a_generation(store, n=1)
        response = store.responses.get(generation.id, 1)
        ended = msgspec.structs.replace(response, status=Status.COMPLETE, text=f"{number} {TEXT}", ended_at=2.0)
        store.progress.save_ends([ended])


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The files of a store whose process was killed: half of its answers are only in the log."""
    filled = tmp_path / "living" / STORE_FILE
    filled.parent.mkdir()
    with Store(filled) as store:
        _fill(store, 0, ANSWERS // 2)
    folder = tmp_path / "killed"
    folder.mkdir()
    with Store(filled) as store:
        _fill(store, ANSWERS // 2, ANSWERS // 2)
        for part in filled.parent.glob(f"{STORE_FILE}*"):
            shutil.copyfile(part, folder / part.name)
    return folder / STORE_FILE


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _index(path: Path) -> Path:
    return path.with_name(path.name + "-shm")


def _overwrite(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        file.write(content)


def _answers(path: Path) -> int:
    with Store(path) as store:
        return sum(len(store.responses.latest(one.id)) for one in store.generations.list())


def _bytes(path: Path) -> dict[str, bytes]:
    return {part.name: part.read_bytes() for part in path.parent.glob(f"{STORE_FILE}*")}


def _kept(path: Path) -> dict[str, bytes]:
    """The store's files without the index, which holds no data."""
    return {name: content for name, content in _bytes(path).items() if not name.endswith("-shm")}


def _refused(path: Path) -> DceError:
    """Asserts that opening and diagnosing change no byte; returns the error of opening."""
    before = _bytes(path)
    with pytest.raises(DceError) as caught:
        Store(path)
    assert caught.value.code == "store_unreadable"
    assert examine(path).state == "damaged_log"
    assert _bytes(path) == before
    return caught.value


@pytest.mark.parametrize(
    ("at", "content", "lost"),
    [
        pytest.param(0, bytes(32), 0, id="no-header"),
        pytest.param(5, b"\xff", 0, id="header-version"),
        pytest.param(17, b"\xff", 0, id="header-salt"),
        pytest.param(29, b"\xff", 0, id="header-checksum"),
        pytest.param(200, b"XYZ", 1, id="first-frame"),
        pytest.param(32 + 3 * (FRAME + PAGE) + 9, b"\xff", 1, id="salt-of-a-frame"),
        pytest.param(32 + 3 * (FRAME + PAGE) + 2, b"\xff", 1, id="page-number"),
        pytest.param(-2000, b"XYZ", 1, id="last-frame"),
        pytest.param(-3 * (FRAME + PAGE), bytes(3 * (FRAME + PAGE)), 3, id="zeros-at-the-end"),
        pytest.param(-2 * (FRAME + PAGE), b"Q" * 2 * (FRAME + PAGE), 2, id="garbage-at-the-end"),
    ],
)
@pytest.mark.parametrize("has_index", [True, False])
def test_a_damaged_log_is_refused_and_read(killed: Path, at: int, content: bytes, lost: int, has_index: bool) -> None:
    """Damage anywhere in a log is refused without changing a byte, and costs no frame but its own (T22)."""
    whole = read_log(_log(killed))
    assert whole is not None
    assert not whole.is_damaged
    _overwrite(_log(killed), at, content)
    if not has_index:
        _index(killed).unlink()
    error = _refused(killed)
    text = f"the write-ahead log is damaged: {whole.frames - lost:,} of {whole.frames:,} frames can be read"
    assert text in error.message
    assert "`dce store recover`" in error.hint
    log = _log(killed).read_bytes()
    done = recover(killed)
    assert (done.state, done.lost) == ("damaged_log", text)
    assert (Path(done.set_aside) / _log(killed).name).read_bytes() == log
    assert _answers(killed) >= ANSWERS - lost
    assert examine(killed).state == "sound"


def _emptied(path: Path) -> None:
    _log(path).write_bytes(b"")


def _removed(path: Path) -> None:
    _log(path).unlink()


def _cut(path: Path) -> None:
    os.truncate(_log(path), 32 + 3 * (FRAME + PAGE))


@pytest.mark.parametrize(("lose", "state"), [(_emptied, "missing"), (_removed, "missing"), (_cut, "damaged")])
def test_the_index_tells_how_long_the_log_was(killed: Path, lose: Callable[[Path], None], state: str) -> None:
    """A log that is shorter than the index of the killed process says is refused; `recover` keeps the rest and says so (T22)."""
    lose(killed)
    assert f"the write-ahead log is {state}: " in _refused(killed).message
    assert f"the write-ahead log is {state}: " in recover(killed).lost
    assert ANSWERS // 2 <= _answers(killed) < ANSWERS


@pytest.mark.parametrize("content", [b"", b"garbage" * 5000, bytes(32768)])
def test_an_index_that_says_nothing_costs_nothing(killed: Path, content: bytes) -> None:
    """The index is only a hint: without a sound one the log alone decides (T22)."""
    _index(killed).write_bytes(content)
    assert _answers(killed) == ANSWERS


@pytest.mark.parametrize("cut", [1, PAGE, PAGE + FRAME - 1])
def test_a_last_frame_cut_off_is_a_crash(killed: Path, cut: int) -> None:
    """A frame that was being written when the power failed is no damage (T22)."""
    _index(killed).unlink()
    os.truncate(_log(killed), _log(killed).stat().st_size - cut)
    assert ANSWERS - 1 <= _answers(killed) <= ANSWERS


def _wal(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    return db


def test_frames_that_sqlite_leaves_behind_are_no_damage(tmp_path: Path) -> None:
    """Older frames after a reset log, and those of a transaction that was rolled back, are part of a sound log (T22)."""
    path = tmp_path / "x.db"
    db = _wal(path)
    db.execute("CREATE TABLE t (text)")
    for _ in range(3):
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 3000,)] * 40)
        db.execute("PRAGMA wal_checkpoint(RESTART)")
        db.execute("INSERT INTO t VALUES ('short')")
        log = read_log(_log(path))
        assert log is not None
        assert not log.is_damaged
        assert log.committed == log.frames < _log(path).stat().st_size // PAGE
    db.execute("PRAGMA cache_size = 5")
    db.execute("BEGIN")
    db.executemany("INSERT INTO t VALUES (?)", [("y" * 3000,)] * 60)
    db.execute("ROLLBACK")
    db.execute("INSERT INTO t VALUES ('after')")
    log = read_log(_log(path))
    db.close()
    assert log is not None
    assert not log.is_damaged


def test_a_store_in_use_is_not_judged(killed: Path) -> None:
    """While a connection has the store open, its files may be halfway through a write: SQLite's own index decides (T22)."""
    with Store(killed) as store:
        log = _log(killed).read_bytes()
        _overwrite(_log(killed), 0, bytes(4))
        with Store(killed) as second:
            assert second.generations.list() == store.generations.list()
        _log(killed).write_bytes(log)


def _in_schema(path: Path, word: bytes, content: bytes) -> None:
    _overwrite(path, path.read_bytes().index(word) + 7, content)


@pytest.mark.parametrize(
    "table", [b"CREATE TABLE blobs", b"CREATE TABLE responses", b"CREATE INDEX pieces_of_response"]
)
@pytest.mark.parametrize("size", [1, 50, 500, 5000])
@pytest.mark.parametrize("byte", [b"\x01", b"\xf8"])
def test_a_damaged_schema_costs_nothing(killed: Path, table: bytes, size: int, byte: bytes) -> None:
    """DCE knows its schema: wrong bytes in it are refused without merging the log, and every row is recovered (T22)."""
    _in_schema(killed, table, byte * size)
    before = _kept(killed)
    with pytest.raises(DceError) as caught:
        Store(killed)
    assert caught.value.code == "store_unreadable"
    assert _kept(killed) == before
    recover(killed)
    assert _answers(killed) == ANSWERS


def test_a_schema_on_other_pages_is_mended(killed: Path) -> None:
    """A store migrated after it was filled has tables on other pages than a fresh one: they are found in its own schema (T22)."""
    with Store(killed):
        pass
    with sqlite3.connect(killed, isolation_level=None) as db:
        db.execute("CREATE TABLE moved AS SELECT * FROM blobs")
        db.execute("DROP TABLE judgements")
        db.execute("CREATE TABLE filler (x)")
        db.execute(
            "CREATE TABLE judgements (generation INTEGER NOT NULL, slot INTEGER NOT NULL, version INTEGER NOT NULL, mark TEXT NOT NULL,"
            " rating INTEGER NOT NULL, note TEXT NOT NULL, updated_at REAL NOT NULL, PRIMARY KEY (generation, slot, version))"
        )
        db.execute("INSERT INTO judgements VALUES (1, 1, 1, 'shortlisted', 4, 'a note of mine', 0)")
    db.close()
    _in_schema(killed, b"CREATE TABLE judgements", b"\x01")
    recover(killed)
    with Store(killed) as store:
        assert [one.note for one in store.judgements.all(1)] == ["a note of mine"]


@pytest.mark.parametrize("content", [b"x" * 100, b"hello world\n" * 500])
def test_a_file_with_nothing_of_a_store_is_no_recovery(tmp_path: Path, content: bytes) -> None:
    """If no row of the history can be read, the recovery fails and changes nothing (T22)."""
    path = tmp_path / STORE_FILE
    path.write_bytes(content)
    assert "store restore" not in examine(path).next
    with pytest.raises(DceError, match=r"nothing of .* can be read"):
        recover(path)
    assert path.read_bytes() == content
