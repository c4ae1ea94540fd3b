"""Migrations: every step is taken once, whole or not at all."""

import sqlite3
from pathlib import Path

import pytest

from dce.workspace.record.migrations import APPLICATION_ID, STEPS, migrate


def _connect(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_a_new_file_gets_all_steps() -> None:
    """A fresh database ends at the newest version, marked as DCE's, with cycle 0."""
    db = _connect(":memory:")
    migrate(db)
    assert db.execute("PRAGMA user_version").fetchone()[0] == len(STEPS)
    assert db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    assert db.execute("SELECT id FROM cycles").fetchall() == [(0,)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()


def test_steps_are_not_taken_twice() -> None:
    """Migrating a database that is up to date changes nothing."""
    db = _connect(":memory:")
    migrate(db)
    before = list(db.iterdump())
    migrate(db)
    assert list(db.iterdump()) == before
    db.close()


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """If a statement of a step fails, the whole step is rolled back and the version does not change."""
    db = _connect(tmp_path / "x.db")
    db.execute("CREATE TABLE blobs (in_the_way)")
    before = list(db.iterdump())
    with pytest.raises(sqlite3.OperationalError):
        migrate(db)
    assert list(db.iterdump()) == before
    assert db.execute("PRAGMA user_version").fetchone()[0] == 0
    assert not db.in_transaction
    db.close()
