"""The ledger: rows are written once, late if they must, and never lost; what a key used is known at once."""

import contextlib
import logging
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.gateway.accounting import ledger as module
from dce.gateway.accounting.ledger import FILE, MEMORY_HOURS, Entry, Ledger, open_ledger
from dce.wire.errors import DceError
from tests.fakes.chain import eventually

HOUR = 3600.0
NOW = 500_000 * HOUR


def entry(choice: int = 0, **fields: Any) -> Entry:
    """A row."""
    known: dict[str, Any] = {
        "stream_id": "s1",
        "request_id": "r1",
        "key_id": "k1",
        "model": "m",
        "backend": "http://b",
        "route": "/api/dce/proxy",
        "outcome": "finished",
        "ended_by": "model",
        "started_at": NOW,
        "completion_tokens": 10,
    }
    return Entry(choice=choice, **{**known, **fields})


def written(folder: Path) -> list[tuple[Any, ...]]:
    """What is on disk: (stream, choice, completion tokens)."""
    with contextlib.closing(sqlite3.connect(folder / FILE)) as db:
        return db.execute("SELECT stream_id, choice, completion_tokens FROM responses ORDER BY 1, 2").fetchall()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger that writes."""
    ledger = Ledger(tmp_path)
    ledger.start()
    yield ledger
    ledger.close()


def test_rows_come_to_disk_by_themselves(ledger: Ledger, tmp_path: Path) -> None:
    """What was added is on disk soon, every column of it, while the ledger runs; another process may read meanwhile."""
    ledger.add(entry(0, ttft_s=0.5, thinking_tokens=3))
    ledger.add(entry(1))
    eventually(lambda: ledger.pending == 0)
    assert written(tmp_path) == [("s1", 0, 10), ("s1", 1, 10)]
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as db:
        row = db.execute(f"SELECT {', '.join(module.COLUMNS)} FROM responses WHERE choice = 0").fetchone()
    assert Entry(**dict(zip(module.COLUMNS, row, strict=True))) == entry(0, ttft_s=0.5, thinking_tokens=3)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    """Rows added just before the end are on disk after it, whether or not the writer had begun."""
    for name, is_started in (("a", True), ("b", False)):
        (tmp_path / name).mkdir()
        ledger = Ledger(tmp_path / name)
        if is_started:
            ledger.start()
        for choice in range(500):
            ledger.add(entry(choice))
        ledger.close()
        assert len(written(tmp_path / name)) == 500


def test_a_response_is_written_once(tmp_path: Path, ledger: Ledger) -> None:
    """A second row of the same response changes nothing, as when a commit's answer was lost and it is tried again."""
    ledger.add(entry(0))
    ledger.add(entry(0, completion_tokens=99))
    eventually(lambda: ledger.pending == 0)
    assert written(tmp_path) == [("s1", 0, 10)]


def test_a_locked_database_is_written_later(tmp_path: Path, ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """While another process holds the database nothing waits for it; the rows come when it lets go, and the log said it once."""
    ledger._db.execute("PRAGMA busy_timeout=1")
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for choice in range(10):
            ledger.add(entry(choice))
        eventually(lambda: ledger.fault)
        assert ledger.pending == 10
        assert ledger.used("k1", NOW) == 100
    eventually(lambda: ledger.pending == 0)
    assert len(written(tmp_path)) == 10
    eventually(lambda: ledger.fault == "")
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


def test_a_full_disk_is_written_later(tmp_path: Path, ledger: Ledger) -> None:
    """When the database cannot grow the batch is kept whole, and written when there is room again."""
    (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
    ledger._db.execute(f"PRAGMA max_page_count={pages}")
    for choice in range(2000):
        ledger.add(entry(choice))
    eventually(lambda: "full" in ledger.fault)
    assert written(tmp_path) == []
    ledger._db.execute("PRAGMA max_page_count=100000")
    eventually(lambda: ledger.pending == 0)
    assert len(written(tmp_path)) == 2000


def test_what_cannot_be_written_at_the_end_is_said(
    tmp_path: Path, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """A close while the disk is full gives up after its patience, and the log has the number of rows."""
    (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
    ledger._db.execute(f"PRAGMA max_page_count={pages}")
    for choice in range(2000):
        ledger.add(entry(choice))
    ledger.close()
    assert "the ledger lost 2000 rows" in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    "bad", [{"model": "\ud800"}, {"completion_tokens": 2**70}], ids=["half a character", "too large"]
)
def test_a_row_that_no_database_takes_holds_up_no_other(tmp_path: Path, ledger: Ledger, bad: dict[str, Any]) -> None:
    """It is dropped and counted; those before and after it are written."""
    for choice in range(5):
        ledger.add(entry(choice, **(bad if choice == 2 else {})))
    eventually(lambda: ledger.pending == 0)
    ledger.add(entry(5))
    eventually(lambda: ledger.pending == 0)
    assert [choice for _, choice, _ in written(tmp_path)] == [0, 1, 3, 4, 5]
    assert ledger.dropped == 1


def test_rows_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    """What waits has a limit; beyond it rows are dropped and counted, and budgets still know their tokens."""
    ledger = Ledger(tmp_path)
    ledger._added = module.MAX_PENDING - 1
    ledger.add(entry(0))
    ledger.add(entry(1))
    assert (ledger.dropped, ledger.used("k1", NOW)) == (1, 20)
    ledger._added = 1
    ledger.close()
    assert len(written(tmp_path)) == 1


Spent = st.lists(st.tuples(st.sampled_from(["k1", "k2"]), st.integers(0, 20), st.integers(0, 1000)), max_size=30)


@settings(max_examples=30, deadline=None)
@given(Spent, st.integers(0, 20))
def test_what_a_key_used(tmp_path_factory: pytest.TempPathFactory, spent: Any, since: int) -> None:
    """Used is the sum of prompt and answer of that key's responses since an hour, the same after a restart."""
    folder = tmp_path_factory.mktemp("ledger")
    ledger = Ledger(folder)
    for at, (key_id, hour, tokens) in enumerate(spent):
        ledger.add(entry(at, key_id=key_id, started_at=NOW - hour * HOUR, prompt_tokens=1, completion_tokens=tokens))
    for _ in range(2):
        for key_id in ("k1", "k2", "k3"):
            true = sum(tokens + 1 for key, hour, tokens in spent if key == key_id and hour <= since)
            assert ledger.used(key_id, NOW - since * HOUR) == true
        ledger.close()
        ledger = Ledger(folder)
    ledger.close()


def test_the_memory_of_a_key_has_a_limit(tmp_path: Path) -> None:
    """Of each key no more than MEMORY_HOURS hours are remembered one by one; what is older counts in the sum of all."""
    ledger = Ledger(tmp_path)
    for hour in range(MEMORY_HOURS + 5):
        ledger.add(entry(hour, started_at=NOW + hour * HOUR, completion_tokens=1))
    for _ in range(2):
        assert ledger.used("k1", 0) == MEMORY_HOURS + 5
        assert ledger.used("k1", 1) == MEMORY_HOURS
        assert len(ledger._hours["k1"]) == MEMORY_HOURS
        ledger.close()
        ledger = Ledger(tmp_path)
    ledger.close()


def _foreign(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)


def _newer(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("damage", [_foreign, _newer, _folder])
def test_what_cannot_be_read_is_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """A file that is no ledger, or a newer one, is refused with its path or version, and stays as it is."""
    damage(tmp_path / FILE)
    before = (tmp_path / FILE).read_bytes() if (tmp_path / FILE).is_file() else b""
    with pytest.raises(DceError, match="ledger"):
        Ledger(tmp_path)
    assert not before or (tmp_path / FILE).read_bytes() == before


def test_a_killed_writer_leaves_what_it_wrote(tmp_path: Path) -> None:
    """After kill -9 the rows that were on disk are there and the ledger can be used."""
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.gateway.test_ledger import entry\n"
        "from dce.gateway.accounting.ledger import Ledger\n"
        "from tests.fakes.chain import eventually\n"
        "ledger = Ledger(Path(sys.argv[1])); ledger.start()\n"
        "[ledger.add(entry(choice)) for choice in range(100)]\n"
        "eventually(lambda: ledger.pending == 0)\n"
        "ledger.add(entry(100)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == -9
    open_ledger(tmp_path / FILE).close()
    assert len(written(tmp_path)) in (100, 101)


DAY = 24 * HOUR


def test_old_rows_are_deleted(tmp_path: Path) -> None:
    """At its start a ledger deletes what is older than it should be, in several batches if need be, and nothing else."""
    ledger = Ledger(tmp_path)
    count = 2 * module.PRUNE_ROWS + 10
    for choice in range(count):
        ledger.add(entry(choice, started_at=NOW - 40 * DAY - choice, completion_tokens=1))
    ledger.add(entry(count, started_at=NOW - 39 * DAY))
    ledger.close()
    ledger = Ledger(tmp_path, keep_days=40, wall=lambda: NOW)
    ledger.add(entry(count + 1))
    ledger.start()
    # The row that began 40 days ago to the second is no older than that.
    eventually(lambda: [choice for _, choice, _ in written(tmp_path)] == [0, count, count + 1])
    ledger.close()


def test_budgets_know_what_was_deleted(tmp_path: Path) -> None:
    """What a key has used in all is the same before and after, also after a restart: deleting rows refills no budget."""
    ledger = Ledger(tmp_path)
    for choice in range(10):
        ledger.add(entry(choice, key_id=f"k{choice % 2}", started_at=NOW - 10 * DAY * choice, prompt_tokens=choice))
    used = {key_id: ledger.used(key_id, 0) for key_id in ("k0", "k1")}
    ledger.close()
    for keep_days in (60, 60, 40, None):
        ledger = Ledger(tmp_path, keep_days, wall=lambda: NOW)
        ledger.start()
        left = min(10, 1 + (keep_days or 40) // 10)
        eventually(lambda: len(written(tmp_path)) == left)  # noqa: B023
        assert {key_id: ledger.used(key_id, 0) for key_id in used} == used
        ledger.close()


def test_a_running_ledger_takes_another_time(ledger: Ledger, tmp_path: Path) -> None:
    """Rows that may be kept no longer go although nothing else happens."""
    ledger.add(entry(started_at=HOUR))
    eventually(lambda: written(tmp_path))
    ledger.keep(32)
    eventually(lambda: not written(tmp_path))
    assert ledger.used("k1", 0) == 10


def test_a_ledger_of_the_first_version_is_brought_up(tmp_path: Path) -> None:
    """One that was written before rows could be deleted keeps its rows and learns to."""
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.executescript(module._MIGRATIONS[0])
        db.execute("PRAGMA user_version=1")
    ledger = Ledger(tmp_path)
    ledger.add(entry(started_at=HOUR))
    ledger.close()
    ledger = Ledger(tmp_path, keep_days=32)
    ledger.start()
    eventually(lambda: not written(tmp_path))
    ledger.close()
