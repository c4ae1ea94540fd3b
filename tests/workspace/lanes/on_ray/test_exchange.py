"""exchange.py: two folders that are kept alike."""

import os
import stat
from pathlib import Path

import pytest

from dce.workspace.judging.lanes.on_ray import exchange
from dce.workspace.judging.lanes.on_ray.exchange import Changes, Mirror, Sent
from tests.workspace.judging import snapshot, write


def _pair(tmp_path: Path) -> tuple[Path, Mirror, Path, Mirror]:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    return here, Mirror(here), there, Mirror(there)


def test_what_changes_travels_once_and_both_ways(tmp_path: Path) -> None:
    """New, changed and deleted files travel, with their modes; what came from the other side does not go back."""
    here, mine, there, theirs = _pair(tmp_path)
    write(here / "d" / "a", "1", mode=0o755)
    write(here / "b", "1")
    theirs.apply(mine.changes())
    assert snapshot(here) == snapshot(there)
    assert theirs.changes() == Changes()
    (there / "b").unlink()
    write(there / "d" / "a", "2")
    write(there / "d" / "e" / "c", b"\xff")
    mine.apply(theirs.changes())
    assert snapshot(here) == snapshot(there)
    assert mine.changes() == Changes()
    assert stat.S_IMODE((here / "d" / "a").stat().st_mode) == 0o755


def test_a_file_that_is_written_again_is_new(tmp_path: Path) -> None:
    """A report that a second run writes with the same content counts as written."""
    here, mine, there, theirs = _pair(tmp_path)
    write(there / "report", "same")
    mine.apply(theirs.changes())
    before = (here / "report").stat()
    (there / "report").unlink()
    write(there / "report", "same")
    os.utime(there / "report", (5, 5))
    mine.apply(theirs.changes())
    after = (here / "report").stat()
    assert (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns)


def test_only_plain_files_travel(tmp_path: Path) -> None:
    """Links, pipes and what they lead to stay where they are."""
    here, mine, there, theirs = _pair(tmp_path)
    write(tmp_path / "outside", "secret")
    (there / "link").symlink_to(tmp_path / "outside")
    (there / "folder").symlink_to(tmp_path)
    os.mkfifo(there / "pipe")
    mine.apply(theirs.changes())
    assert not list(here.iterdir())


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A command that puts a link where DCE writes next gains nothing: the link is replaced, whether it is the file or its folder."""
    here, mine, there, theirs = _pair(tmp_path)
    write(tmp_path / "outside", "kept")
    (tmp_path / "target").mkdir()
    (there / "asked").symlink_to(tmp_path / "outside")
    (there / "folder").symlink_to(tmp_path / "target")
    write(here / "asked", "new")
    write(here / "folder" / "x", "new")
    theirs.apply(mine.changes())
    assert (tmp_path / "outside").read_text() == "kept"
    assert not list((tmp_path / "target").iterdir())
    assert ((there / "asked").read_text(), (there / "folder" / "x").read_text()) == ("new", "new")


@pytest.mark.parametrize("path", ["../x", "/tmp/dce-x", "a/../../x", "", ".", "a\0b"])
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    """Whatever a node says a file is called, nothing is written or deleted outside the folder."""
    here, mine, _, _ = _pair(tmp_path)
    write(tmp_path / "x", "kept")
    mine.apply(Changes(files=(Sent(path, b"evil", 0o644),), gone=(path,)))
    assert (tmp_path / "x").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "there", "x"]
    assert not list(here.iterdir())


def test_what_travels_at_once_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest files come, the rest is counted, and is not tried again before it changes."""
    monkeypatch.setattr(exchange, "MAX_FILES", 3)
    _, mine, there, theirs = _pair(tmp_path)
    for name, size in (("huge", 5000), ("large", 900), ("a", 10), ("b", 20)):
        write(there / name, b"x" * size)
    changes = theirs.changes(1000)
    assert ([sent.path for sent in changes.files], changes.left_out) == (["a", "b", "large"], 1)
    mine.apply(changes)
    assert theirs.changes(1000) == Changes()


def test_a_side_that_forgot_gets_everything(tmp_path: Path) -> None:
    """For a new node, all that is known here is new."""
    here, mine, there, theirs = _pair(tmp_path)
    write(here / "a", "1")
    mine.changes()
    mine.forget()
    theirs.apply(mine.changes())
    assert snapshot(here) == snapshot(there)
