"""Reading many files at once gives the same results as reading each alone."""

import os
from pathlib import Path

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.tree.files import MAX_TEXT_BYTES, read_text
from dce.workspace.tree.text_reader import TextReader

FILES = {
    "a.py": b"a = 1\n",
    "empty.py": b"",
    "src/b.py": "b = 'ü'\r\n".encode(),
    "src/deep/c.py": b"c = 3",
    "src/.hidden": b"h",
    "src/mark.txt": b"\xef\xbb\xbfwith a mark",
    "src/older.txt": "gr\xfc\xdfe aus dem S\xfcden\n".encode("latin-1") * 9,
    "src/wide.txt": "wide".encode("utf-16"),
    "src/binary.bin": b"\x00\x01\x02",
    "src/large.txt": b"x" * (MAX_TEXT_BYTES + 1),
    "src/ümlaut.py": b"u",
    "src/with space.py": b"s",
    "src/ends.": b"dot",
    "src/note.ipynb": b'{"cells": []}',
    ".git/config": b"[core]",
    ".dce/config.toml": b"",
}
LINKS = {
    "link.py": "a.py",
    "dangling.py": "nowhere",
    "circle.py": "circle.py",
    "out.py": "../outside/o.py",
    "into_git.py": ".git/config",
    "inner": "src",
    "outer": "../outside",
    "git_folder": ".git",
    "src/up": "..",
}
NAMES = [
    *FILES,
    *LINKS,
    *("inner/b.py", "inner/deep/c.py", "outer/o.py", "git_folder/config", "src/up/a.py", "src/up/.git/config"),
    *("./a.py", "src//b.py", "src/./b.py", "src/b.py/", "/a.py", "//a.py", "../outside/o.py", "src/../a.py", "~/a.py"),
    *(
        "C:/a.py",
        "src\\b.py",
        "git~1/config",
        "src/git~1",
        ".GIT/config",
        ".dce/config.toml",
        "",
        ".",
        "src",
        "src/fifo",
    ),
    *("missing.py", "missing/a.py", "a.py/b.py", "src/nul\0.py", "src/line\n.py"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A workspace with everything that a path can lead to."""
    root = tmp_path_factory.mktemp("reading") / "work"
    for name, content in {**FILES, "../outside/o.py": b"outside"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "src" / "fifo")
    return Project(root)


def _alone(project: Project, path: str) -> object:
    try:
        return msgspec.to_builtins(read_text(project, path))
    except DceError as error:
        return error.code, error.message


def _together(reader: TextReader, path: str) -> object:
    try:
        return msgspec.to_builtins(reader.read(path))
    except DceError as error:
        return error.code, error.message


@pytest.mark.parametrize("path", NAMES)
def test_it_says_what_reading_alone_says(project: Project, path: str) -> None:
    """The text or refusal is the same whatever a path leads to, even if its folder is known already."""
    reader = TextReader(project)
    expected = _alone(project, path)
    assert _together(reader, path) == expected
    for other in NAMES:
        _together(reader, other)
    assert _together(reader, path) == expected


def test_a_link_that_takes_a_files_place_is_not_followed_out(project: Project, tmp_path: Path) -> None:
    """A known folder does not make a file in it trusted that has become a link to the outside."""
    root = tmp_path / "work"
    root.mkdir()
    (root / "a.py").write_text("a", "utf-8")
    (tmp_path / "secret").write_text("s", "utf-8")
    reader = TextReader(Project(root))
    assert reader.read("a.py").text == "a"
    (root / "a.py").unlink()
    (root / "a.py").symlink_to("../secret")
    with pytest.raises(DceError, match="outside the workspace") as caught:
        reader.read("a.py")
    assert caught.value.code == "outside_workspace"
