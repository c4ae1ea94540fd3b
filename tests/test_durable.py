"""Files are replaced whole or not at all, and their drafts leave nothing behind."""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce import durable

posix_only = pytest.mark.skipif(os.name != "posix", reason="permissions and links are POSIX's")


@pytest.fixture
def usual_mode() -> Iterator[int]:
    """What the process gives a new file, under an umask that is not the usual one."""
    before = os.umask(0o027)
    yield 0o640
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _fail(draft: Path, error: BaseException) -> None:
    draft.write_bytes(b"half")
    raise error


def test_a_file_is_made_and_replaced(tmp_path: Path) -> None:
    """What is written is there, whether a file was there before or not, and nothing else is."""
    path = tmp_path / "a"
    for content in (b"one", b"", b"three" * 100_000):
        durable.write(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@posix_only
def test_a_new_file_has_the_processs_default_mode(tmp_path: Path, usual_mode: int) -> None:
    """A file that was not there gets what the umask leaves, as any other file of the process."""
    durable.write(tmp_path / "a", b"")
    assert _mode(tmp_path / "a") == usual_mode


@posix_only
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755, 0o444])
def test_a_mode_is_kept(tmp_path: Path, usual_mode: int, mode: int) -> None:
    """A file that is replaced keeps its permissions, also read-only ones; set-id bits have no business on content of ours."""
    path = tmp_path / "a"
    path.touch()
    path.chmod(mode | stat.S_ISUID)
    durable.write(path, b"new")
    assert (_mode(path), path.read_bytes()) == (mode, b"new")
    assert mode != usual_mode


@posix_only
def test_a_mode_that_is_given_counts(tmp_path: Path) -> None:
    """A private file is private from its first byte, whatever the file before it allowed."""
    path = tmp_path / "a"
    path.touch(0o666)
    with durable.replacing(path, durable.PRIVATE) as draft:
        assert _mode(draft) == durable.PRIVATE
        draft.write_bytes(b"key")
    assert _mode(path) == durable.PRIVATE


@posix_only
def test_a_draft_of_a_private_file_is_private(tmp_path: Path) -> None:
    """No one else can read the draft of a file that only its owner may read."""
    path = tmp_path / "a"
    path.touch()
    path.chmod(0o600)
    with durable.replacing(path) as draft:
        assert _mode(draft) == 0o600


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=["full disk", "Ctrl-C"])
def test_a_failure_changes_nothing(tmp_path: Path, error: BaseException) -> None:
    """Whatever ends the writing, the old content stays, the draft is gone and the error comes through."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    for way in (durable.replacing, durable.creating):
        with pytest.raises(type(error)) as raised, way(path) as draft:
            _fail(draft, error)
        assert raised.value is error
    assert [(each, each.read_bytes()) for each in tmp_path.iterdir()] == [(path, b"old")]


def test_a_target_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    """A folder is not replaced by a file, and no draft is left beside it."""
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        durable.write(tmp_path / "a", b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


@posix_only
@pytest.mark.parametrize("is_linked", [False, True], ids=["itself", "behind a link"])
def test_a_pipe_is_refused(tmp_path: Path, is_linked: bool) -> None:
    """What is no file stays what it is: writing to a device by name must not put a file in its place."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(OSError, match="not a regular file"):
        durable.write(tmp_path / ("link" if is_linked else "pipe"), b"new")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "pipe"]
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """No folder is made on the way: whoever names one knows whether it should be there."""
    with pytest.raises(FileNotFoundError):
        durable.write(tmp_path / "no" / "a", b"")


@posix_only
@pytest.mark.parametrize("goal", ["outside", "nothing"])
def test_a_link_is_replaced_and_not_followed(tmp_path: Path, goal: str) -> None:
    """A link that a shared workspace brought makes us write nowhere else, and lends no permissions."""
    folder = tmp_path / "folder"
    folder.mkdir()
    outside = tmp_path / "outside"
    outside.write_bytes(b"theirs")
    outside.chmod(0o666)
    link = folder / "config"
    link.symlink_to(tmp_path / goal)
    durable.write(link, b"ours")
    assert (link.is_symlink(), link.read_bytes()) == (False, b"ours")
    assert outside.read_bytes() == b"theirs"
    assert not (tmp_path / "nothing").exists()
    assert _mode(link) & 0o002 == 0


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    """A draft's name is never longer than its target's may be."""
    path = tmp_path / ("a" * 255)
    durable.write(path, b"new")
    assert path.read_bytes() == b"new"


def test_readers_see_whole_contents(tmp_path: Path) -> None:
    """Whoever reads while several write sees one of the contents, whole, and never none."""
    path = tmp_path / "a"
    contents = [bytes([letter]) * 50_000 for letter in b"abc"]
    durable.write(path, contents[0])
    writers = [threading.Thread(target=_write_often, args=(path, content)) for content in contents]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_bytes())
    assert seen <= set(contents)
    assert list(tmp_path.iterdir()) == [path]


def _write_often(path: Path, content: bytes) -> None:
    for _ in range(20):
        durable.write(path, content)


def test_the_first_of_several_makers_stays(tmp_path: Path) -> None:
    """A file that is made once holds what the first maker wrote, and the others find that."""
    path = tmp_path / "a"
    for content in (b"first", b"second"):
        with durable.creating(path, durable.PRIVATE) as draft:
            draft.write_bytes(content)
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_is_not_written_anew(tmp_path: Path) -> None:
    """`write_new` makes files only: another's content is never lost to it."""
    durable.write_new(tmp_path / "a", b"new", 0o640, like=tmp_path / "b")
    with pytest.raises(FileExistsError):
        durable.write_new(tmp_path / "a", b"newer", None, like=tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_folder_that_cannot_be_synced_is_no_error_but_a_broken_one_is(tmp_path: Path) -> None:
    """A system that cannot sync folders is left at that; a folder that is gone is told."""
    durable.sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        durable.sync_folder(tmp_path / "gone")
