"""planner.py: a dry run says what accepting does, links, folders and files that git left out included."""

import os
import subprocess
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import Options, accept, plan, redo, restore
from dce.workspace.judging.board import board
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import Bench, snapshot, write


def _rename(old: str, new: str, content: str | None = None) -> FileBlock:
    if content is None:
        return FileBlock(path=new, content="", action="rename", from_path=old)
    return FileBlock(path=new, content=content, from_path=old)


@pytest.mark.parametrize("content", [None, "two\n"])
@pytest.mark.parametrize("path", ["dirlink/x.txt", "dirlink/new/x.txt", "real/../dirlink/x.txt", "away"])
def test_a_rename_through_a_link_is_done_as_planned(tmp_path: Path, path: str, content: str | None) -> None:
    """A file renamed into a linked folder, or to a link without a target, arrives where the link leads, and comes back."""
    bench = Bench(tmp_path, {"x.txt": "one\n", "real/y.txt": "y\n"})
    (tmp_path / "dirlink").symlink_to("real")
    (tmp_path / "away").symlink_to("real/z.txt")
    generation = bench.answer(Reading(files=(_rename("x.txt", path, content),)))
    before = snapshot(tmp_path)
    planned = plan(bench, generation, 1)
    if ".." in path:
        assert planned[0].refused
        return
    assert [(write.change, write.refused) for write in planned] == [("renamed", ""), ("deleted", "")]
    accept(bench, generation, 1)
    accepted = snapshot(tmp_path)
    assert (tmp_path / path).read_text() == (content or "one\n")
    assert not (tmp_path / "x.txt").exists()
    restore(bench)
    assert snapshot(tmp_path) == before
    redo(bench)
    assert snapshot(tmp_path) == accepted


def test_two_files_renamed_to_one_place_are_refused(tmp_path: Path) -> None:
    """Two names of one place, one of them through a link, are not both written."""
    bench = Bench(tmp_path, {"x.txt": "one\n", "w.txt": "two\n", "real/y.txt": "y\n"})
    (tmp_path / "dirlink").symlink_to("real")
    generation = bench.answer(Reading(files=(_rename("x.txt", "dirlink/n.txt"), _rename("w.txt", "real/n.txt"))))
    assert [bool(write.refused) for write in plan(bench, generation, 1)] == [False, False, True]
    with pytest.raises(DceError, match="twice"):
        accept(bench, generation, 1)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "blocks",
    [
        (FileBlock(path="n", content="x\n"), FileBlock(path="n/deep/m", content="y\n")),
        (FileBlock(path="n", content="x\n"), _rename("a.py", "n/a.py")),
    ],
)
def test_a_file_and_a_folder_of_one_name_are_refused(tmp_path: Path, blocks: tuple[FileBlock, ...], order: int) -> None:
    """A plan that needs a folder where it also writes a file is refused by the dry run already, in either order."""
    bench = Bench(tmp_path, {"a.py": "one\n"})
    generation = bench.answer(Reading(files=blocks[::order]))
    before = snapshot(tmp_path)
    assert any("the same plan" in write.refused for write in plan(bench, generation, 1))
    with pytest.raises(DceError, match="the same plan"):
        accept(bench, generation, 1)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "block",
    [
        FileBlock(path="d/new/n.py", content="x\n"),
        FileBlock(path="d/a.py", content="x\n"),
        FileBlock(path="d/a.py", content="", action="delete"),
        FileBlock(path="d/a.py", content="", action="mode", mode="755"),
        _rename("d/a.py", "a.py"),
        _rename("b.py", "d/b.py"),
    ],
)
def test_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: FileBlock) -> None:
    """Nothing is created, replaced, moved or deleted in a folder that may not be written, and the dry run says so."""
    bench = Bench(tmp_path, {"d/a.py": "one\n", "b.py": "two\n"})
    generation = bench.answer(Reading(files=(block,)))
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "d" and may(path, mode))
    assert "the folder d is read-only" in {write.refused for write in plan(bench, generation, 1)}


def _git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


@pytest.mark.parametrize("folder", [".", "sub"])
@pytest.mark.parametrize(
    "block",
    [
        FileBlock(path="src/number.py", content="x = 1\n"),
        FileBlock(path="src/number.py", content="", action="delete"),
        FileBlock(path="src/number.py", content="", action="mode", mode="755"),
        _rename("a.py", "src/number.py"),
        _rename("src/number.py", "b.py"),
    ],
)
def test_a_file_that_git_left_out_is_not_new(tmp_path: Path, block: FileBlock, folder: str) -> None:
    """A path that a sparse checkout leaves empty is refused, forced too: its text in git's index would be replaced unseen."""
    root = tmp_path / folder
    write(root / "src/number.py", "a long text\n" * 20)
    write(root / "a.py", "one\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "first")
    _git(root, "update-index", "--skip-worktree", "src/number.py")
    (root / "src/number.py").unlink()
    bench = Bench(root)
    generation = bench.answer(Reading(files=(block,)))
    [planned] = plan(bench, generation, 1, options=Options(force=True))
    assert "sparse checkout" in planned.refused
    with pytest.raises(DceError, match="sparse checkout") as caught:
        accept(bench, generation, 1, options=Options(force=True))
    assert "git sparse-checkout" in caught.value.hint
    assert not (root / "src/number.py").exists()
    assert "stale_base" in board(bench, generation)[0].flags


def test_a_file_deleted_since_git_has_it_is_new(tmp_path: Path) -> None:
    """A tracked file that the user deleted, and any other absent one, can be created."""
    write(tmp_path / "n.py", "one\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    (tmp_path / "n.py").unlink()
    bench = Bench(tmp_path)
    generation = bench.answer({"n.py": "x\n", "m.py": "y\n"})
    assert [(write.change, write.refused) for write in plan(bench, generation, 1)] == [("new", ""), ("new", "")]


@pytest.mark.parametrize("kind", ["folder", "fifo", "binary", "conflict"])
def test_merging_is_not_offered_where_it_cannot_help(tmp_path: Path, kind: str) -> None:
    """A folder, a pipe, bytes that are no text, and a conflict under --merge get a next step other than --merge."""
    bench = Bench(tmp_path, {"a.py": "one\n"})
    generation = bench.answer({"a.py": "two\n"})
    place = tmp_path / "a.py"
    if kind in {"folder", "fifo"}:
        place.unlink()
        (Path.mkdir if kind == "folder" else os.mkfifo)(place)
    else:
        place.write_bytes(b"\0\1\2" if kind == "binary" else b"three\n")
    for options in (Options(), Options(merge=True)) if kind != "conflict" else (Options(merge=True),):
        with pytest.raises(DceError) as caught:
            accept(bench, generation, 1, options=options)
        assert caught.value.code == "stale_file"
        assert caught.value.hint
        assert "--merge" not in caught.value.hint


def test_what_is_at_the_path_is_named_before_what_git_left_out(tmp_path: Path) -> None:
    """Where a folder took the place of a file that git left out, the refusal names the folder, and no checkout."""
    write(tmp_path / "n.py", "one\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "update-index", "--skip-worktree", "n.py")
    (tmp_path / "n.py").unlink()
    (tmp_path / "n.py").mkdir()
    bench = Bench(tmp_path)
    [planned] = plan(bench, bench.answer({"n.py": "x\n"}), 1)
    assert planned.refused == "it is a folder"
