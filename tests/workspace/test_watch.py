"""Changes are reported as they happen."""

import threading
from pathlib import Path

import pytest

from dce.workspace.project import Project
from dce.workspace.tree.watch import changes

pytest.importorskip("watchfiles")


@pytest.mark.parametrize("is_polling", [False, True])
def test_changes_are_reported(tmp_path: Path, is_polling: bool) -> None:
    """A written file is reported by relative path; DCE's state and git's objects are not, but their ignore rules are."""
    project = Project.init(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    stop, seen = threading.Event(), set[str]()

    def write_until_stopped() -> None:
        number = 0
        while not stop.wait(0.02):  # the watch starts some time after the iterator
            number += 1
            for name in (".dce/dce.db", ".git/index", ".dce/config.toml", "src/a.py"):
                (tmp_path / name).write_text("x" * number)

    writer = threading.Thread(target=write_until_stopped)
    writer.start()
    try:
        for batch in changes(project, stop, is_polling=is_polling):
            seen |= batch
            if {"src/a.py", ".dce/config.toml"} <= seen:
                break
    finally:
        stop.set()
        writer.join()
    assert seen == {"src/a.py", ".dce/config.toml"}


def test_a_watch_that_sees_nothing_says_that_it_works(tmp_path: Path) -> None:
    """Without changes the iterator yields empty sets, and `stop` ends it."""
    stop = threading.Event()
    batches = changes(Project.init(tmp_path), stop)
    while next(batches):  # changes from creating the workspace may come first
        pass
    stop.set()
    assert next(batches, None) is None
