"""`.dceallow` is the user's file: any encoding, line end and link is kept, and what cannot be read is a clear error (fault T10)."""

import codecs
import os
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.outbound.allowlist import ALLOW_FILE, AllowList, allow
from dce.workspace.project import Project


def _allowed(project: Project, path: str) -> bool:
    return AllowList.of(project).allows(path, "")


@pytest.mark.parametrize(
    ("before", "encoding"),
    [
        (b"# caf\xe9\nold/**\n", "latin-1"),
        (codecs.BOM_UTF16_LE + "# caf\u00e9\nold/**\n".encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + "old/**".encode("utf-16-be"), "utf-16-be"),
        (codecs.BOM_UTF8 + b"old/**\n", "utf-8"),
        (b"# caf\xc3\xa9\r\nold/**\r\n", "utf-8"),
    ],
    ids=["latin-1", "utf-16-le", "utf-16-be without a last newline", "utf-8 with a mark", "crlf"],
)
def test_entries_are_added_in_the_files_own_form(tmp_path: Path, before: bytes, encoding: str) -> None:
    """Every byte stays; old and new entries are in force."""
    project = Project.init(tmp_path)
    (tmp_path / ALLOW_FILE).write_bytes(before)
    assert allow(project, ["new/**"]) == ("new/**",)
    after = (tmp_path / ALLOW_FILE).read_bytes()
    assert after.startswith(before)
    end = "\r\n" if b"\r\n" in before else "\n"
    assert after[len(before) :].decode(encoding).lstrip("\n") == f"new/**{end}"
    assert _allowed(project, "old/a.py")
    assert _allowed(project, "new/a.py")
    assert allow(project, ["new/**"]) == ()
    assert (tmp_path / ALLOW_FILE).read_bytes() == after


@pytest.mark.parametrize(
    "content", [b"a\0b\n", codecs.BOM_UTF16_LE + b"a", b"a" * 1_000_001], ids=["zero", "half", "large"]
)
def test_what_is_no_list_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    """A file that is not text is a clear error for readers and writers, and is not changed."""
    project = Project.init(tmp_path)
    (tmp_path / ALLOW_FILE).write_bytes(content)
    for act in (lambda: AllowList.of(project), lambda: allow(project, ["new/**"])):
        with pytest.raises(DceError, match=r"\.dceallow is (?:not text|too large)") as caught:
            act()
        assert caught.value.code == "invalid_input"
    assert (tmp_path / ALLOW_FILE).read_bytes() == content


def test_an_entry_that_the_encoding_lacks_is_refused(tmp_path: Path) -> None:
    """Nothing is written if the file's encoding cannot hold the entry."""
    project = Project.init(tmp_path)
    (tmp_path / ALLOW_FILE).write_bytes(b"# caf\xe9\n")
    with pytest.raises(DceError, match="is not UTF-8"):
        allow(project, ["\u4e2d/**"])
    assert (tmp_path / ALLOW_FILE).read_bytes() == b"# caf\xe9\n"


def test_a_folder_in_its_place_is_a_clear_error(tmp_path: Path) -> None:
    """A folder named like the list is an error that names it."""
    project = Project.init(tmp_path)
    (tmp_path / ALLOW_FILE).mkdir()
    with pytest.raises(DceError, match=r"\.dceallow cannot be read"):
        allow(project, ["new/**"])


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_a_symbolic_link_is_written_through(tmp_path: Path, place: str) -> None:
    """The link stays, and the shared list gets the entry."""
    root = tmp_path / "w"
    root.mkdir()
    project = Project.init(root)
    shared = root / "lists.txt" if place == "inside" else tmp_path / "team.dceallow"
    shared.write_text("old/**\n", "utf-8")
    (root / ALLOW_FILE).symlink_to(shared)
    allow(project, ["new/**"])
    assert (root / ALLOW_FILE).is_symlink()
    assert shared.read_text("utf-8") == "old/**\nnew/**\n"


@pytest.mark.parametrize("is_there", [True, False], ids=["another file", "nothing"])
def test_a_link_that_leads_elsewhere_is_refused(tmp_path: Path, is_there: bool) -> None:
    """A committed link to a file that is no allow-list, or to nothing, is neither followed nor replaced."""
    root = tmp_path / "w"
    root.mkdir()
    project = Project.init(root)
    target = tmp_path / "config"
    if is_there:
        target.write_text("Host x\n", "utf-8")
    (root / ALLOW_FILE).symlink_to(target)
    with pytest.raises(DceError, match="outside the workspace" if is_there else "does not exist"):
        allow(project, ["new/**"])
    assert (root / ALLOW_FILE).is_symlink()
    assert not is_there or target.read_text("utf-8") == "Host x\n"


def test_a_hard_link_keeps_its_other_names(tmp_path: Path) -> None:
    """The other name sees the new entry."""
    root = tmp_path / "w"
    root.mkdir()
    project = Project.init(root)
    shared = tmp_path / "shared"
    shared.write_text("old/**\n", "utf-8")
    os.link(shared, root / ALLOW_FILE)
    allow(project, ["new/**"], "harmless")
    assert shared.read_text("utf-8") == "old/**\nnew/**  # harmless\n"
    assert shared.stat().st_nlink == 2
