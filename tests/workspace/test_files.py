"""Listing and reading the workspace's files."""

import codecs
import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.tree.files import MAX_TEXT_BYTES, SNIFF_BYTES, FileEntry, list_files, read_text


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "workspace"
    root.mkdir()
    return Project.init(root)


def git(root: Path, *arguments: str) -> None:
    """Runs git with its own identity and no user configuration."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=root, env=environment, check=True, capture_output=True)


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def names(project: Project) -> list[str]:
    return [entry.path for entry in list_files(project)]


def reasons(project: Project) -> dict[str, str]:
    return {entry.path: entry.excluded for entry in list_files(project) if entry.excluded}


TREE: dict[str, str | bytes] = {
    ".gitignore": "build/\n*.log\n",
    ".github/ci.yml": "x",
    "src/a.py": "a",
    "src/é 日.py": "b",
    "build/out.js": "x",
    "debug.log": "x",
    "prompt.md": "a file of the user's own",
    "docs/prompt.md": "a document",
}
LISTED = [".github/ci.yml", ".gitignore", "docs/prompt.md", "prompt.md", "src/a.py", "src/é 日.py"]


def test_outside_a_repository_gitignore_is_honoured_all_the_same(project: Project) -> None:
    """Hidden files are listed; ignored ones and .dce are not; the order is by path."""
    write(project.root, TREE)
    assert names(project) == LISTED


def test_in_a_repository_git_says_what_belongs(project: Project) -> None:
    """Tracked and untracked files are listed, tracked ones even if ignored now; deleted ones are left out."""
    write(project.root, TREE)
    git(project.root, "init")
    git(project.root, "add", "-f", "debug.log", "src/a.py")
    git(project.root, "commit", "-m", "x")
    assert names(project) == sorted([*LISTED, "debug.log"])
    (project.root / "src/a.py").unlink()
    assert "src/a.py" not in names(project)


def test_a_workspace_may_be_a_subfolder_of_a_repository(tmp_path: Path) -> None:
    """Paths are relative to the workspace, files outside it are not listed, and the repository's rules apply."""
    write(tmp_path, {".gitignore": "*.log\n", "beside.py": "", "sub/in.py": "", "sub/x.log": ""})
    git(tmp_path, "init")
    assert names(Project.init(tmp_path / "sub")) == ["in.py"]


def test_a_workspace_that_its_repository_ignores_has_files_too(tmp_path: Path) -> None:
    """A scratch folder ignored by the repository above is walked instead of appearing empty."""
    write(
        tmp_path,
        {".gitignore": "scratch/\n", "scratch/in.py": "", "scratch/.gitignore": "*.log\n", "scratch/x.log": ""},
    )
    git(tmp_path, "init")
    assert names(Project.init(tmp_path / "scratch")) == [".gitignore", "in.py"]


def test_git_variables_of_the_caller_do_not_redirect_the_listing(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a hook's GIT_DIR points elsewhere, the workspace's own repository is still the one listed."""
    other = tmp_path / "other"
    write(other, {"foreign.py": ""})
    git(other, "init")
    git(other, "add", ".")
    write(project.root, {"mine.py": ""})
    git(project.root, "init")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert names(project) == ["mine.py"]


def test_a_repository_cannot_make_the_listing_run_a_program(project: Project) -> None:
    """The fsmonitor hook that a repository's own configuration names is not run."""
    write(project.root, {"a.py": "", "hook.sh": "#!/bin/sh\ntouch ran\n"})
    (project.root / "hook.sh").chmod(0o755)
    git(project.root, "init")
    git(project.root, "config", "core.fsmonitor", "./hook.sh")
    assert "a.py" in names(project)
    assert not (project.root / "ran").exists()


def test_listing_writes_nothing_into_the_repository(project: Project) -> None:
    """The index is not refreshed, so that another running git command is not disturbed."""
    write(project.root, {"a.py": "a"})
    git(project.root, "init")
    git(project.root, "add", ".")
    index = project.root / ".git" / "index"
    os.utime(project.root / "a.py", (1, 1))
    before = index.read_bytes()
    list_files(project)
    assert index.read_bytes() == before
    assert not (project.root / ".git" / "index.lock").exists()


def test_what_cannot_go_in_is_listed_with_its_reason(project: Project) -> None:
    """Binary, badly encoded, huge and odd files are listed, with the reason for leaving them out."""
    root = project.root
    write(
        root,
        {
            "image.bin": b"\x89PNG\0\0",
            "fine.txt": "naïve",
            "empty.txt": "",
            'quo"te.txt': "x",
            "back\\slash.txt": "x",
        },
    )
    with (root / "huge.csv").open("wb") as file:
        file.truncate(MAX_TEXT_BYTES + 1)
    (root / "out").symlink_to("/etc/hostname")
    os.mkfifo(root / "pipe")
    found = reasons(project)
    assert found["image.bin"] == "binary"
    assert found["huge.csv"].startswith("too large (5.0 MB")
    assert "outside" in found["out"]
    assert "name" in found['quo"te.txt']
    assert "backslash" in found["back\\slash.txt"]
    assert found.get("pipe", "not a regular file") == "not a regular file"
    assert {"fine.txt", "empty.txt"}.isdisjoint(found)


def test_a_character_cut_by_the_peek_is_no_fault(project: Project) -> None:
    """A file counts as UTF-8 even if the peek ends in the middle of a character."""
    write(project.root, {"a.txt": "a" + "é" * SNIFF_BYTES})
    assert reasons(project) == {}


def test_names_that_are_not_utf8_are_listed_as_excluded(project: Project) -> None:
    """A name in another encoding is shown as well as possible, and is left out."""
    raw = os.path.join(os.fsencode(project.root), b"caf\xe9.txt")  # noqa: PTH118 - bytes
    try:
        with open(raw, "wb"):  # noqa: PTH123 - bytes
            pass
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    git(project.root, "init")
    assert list_files(project) == [FileEntry(path="caf\ufffd.txt", size=0, excluded="its name is not UTF-8")]


def test_a_repository_in_the_workspace_is_one_excluded_entry(project: Project) -> None:
    """A nested repository's files do not belong to the workspace: it is one entry with the reason."""
    write(project.root, {"mine.py": "", "nested/theirs.py": ""})
    git(project.root / "nested", "init")
    git(project.root, "init")
    assert names(project) == ["mine.py", "nested"]
    assert "a nested repository" in reasons(project)["nested"]


def test_read_text_gives_text_and_the_hash_of_the_bytes(project: Project) -> None:
    """Text is exact, including line ends; a byte-order mark counts in hash and size but is not text."""
    content = b"\xef\xbb\xbfone\r\ntwo \xe2\x82\xac"
    write(project.root, {"a/b.txt": content})
    file = read_text(project, "./a/b.txt")
    assert file.path == "a/b.txt"
    assert file.text == "one\r\ntwo €"
    assert file.sha256 == sha256(content).hexdigest()
    assert file.size == len(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a\0b", "binary"),
        (b"x" * 9000 + b"\0", "binary"),
        (b"\xff\xfea", "marked as UTF-16"),
        (b"\x89PNG\x02\x03", "binary"),
    ],
)
def test_what_is_not_text_is_refused_by_name(project: Project, content: bytes, reason: str) -> None:
    """A file that is not text is refused, even if only its end shows it (fault P9)."""
    write(project.root, {"f": content})
    with pytest.raises(DceError, match="f is not text") as caught:
        read_text(project, "f")
    assert caught.value.code == "invalid_input"
    assert reason in caught.value.message


def test_reading_what_is_not_there_or_no_file_says_so(project: Project) -> None:
    """Missing files, folders, pipes, over-long files and outside paths each have their own error, and none hangs."""
    (project.root / "folder").mkdir()
    os.mkfifo(project.root / "pipe")
    with (project.root / "huge").open("wb") as file:
        file.truncate(MAX_TEXT_BYTES + 1)
    for path, code in (
        ("nothing", "not_found"),
        ("folder/x/y", "not_found"),
        ("folder", "invalid_input"),
        ("pipe", "invalid_input"),
        ("huge", "invalid_input"),
        ("../x", "outside_workspace"),
    ):
        with pytest.raises(DceError) as caught:
            read_text(project, path)
        assert caught.value.code == code, path


@pytest.mark.parametrize(
    ("content", "encoding", "text"),
    [
        ("naïve €".encode("utf-16"), "utf-16", "naïve €"),
        (codecs.BOM_UTF16_BE + "naïve".encode("utf-16-be"), "utf-16", "naïve"),
        ("naïve".encode("utf-32"), "utf-32", "naïve"),
        (b"\xef\xbb\xbfna\xc3\xafve\r\n", "utf-8-sig", "naïve\r\n"),
        (b"x = 1\r\n" * 2000 + b"# na\xefve caf\xe9\r\n", "", "x = 1\r\n" * 2000 + "# naïve café\r\n"),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю. ".encode("cp1251") * 9, "cp1251", ""),
    ],
)
def test_encodings_are_found_and_named(project: Project, content: bytes, encoding: str, text: str) -> None:
    """Files with a byte-order mark or a legacy encoding are read, line ends kept, and the text names its encoding (fault P13)."""
    write(project.root, {"f.txt": content})
    file = read_text(project, "f.txt")
    assert file.encoding == encoding or not encoding
    assert file.text == text or not text
    assert file.sha256 == sha256(content).hexdigest()
    assert reasons(project) == {}


def test_a_listing_says_that_a_file_is_in_another_encoding(project: Project) -> None:
    """A peek gives the encoding of the byte-order mark, or that it is a legacy one."""
    write(project.root, {"a": "x", "b": "text".encode("utf-16"), "c": "naïve".encode("latin-1")})
    assert {entry.path: entry.encoding for entry in list_files(project)} == {"a": "", "b": "utf-16", "c": "older"}


@pytest.mark.parametrize("is_repository", [True, False])
def test_excluded_patterns_keep_files_out_and_say_so(project: Project, is_repository: bool) -> None:
    """DCE's own patterns work as in a .gitignore; the reason names the pattern (fault P8)."""
    write(
        project.root,
        {"a.snap": "x", "keep.snap": "x", "vendor/b.py": "x", "src/vendor/c.py": "x", ".github/d.yml": "x"},
    )
    (project.state_dir / "config.toml").write_text('exclude = ["*.snap", "!keep.snap", "/vendor/"]\n')
    if is_repository:
        git(project.root, "init")
    found = reasons(project)
    assert set(found) == {"a.snap", "vendor/b.py"}
    assert "'*.snap'" in found["a.snap"]
    assert names(project) == [".github/d.yml", "a.snap", "keep.snap", "src/vendor/c.py", "vendor/b.py"]


def test_exclude_patterns_that_cannot_be_read_are_an_error(project: Project) -> None:
    """A damaged configuration does not count as one without patterns."""
    for line in ('exclude = "*.snap"', "exclude = [1]"):
        (project.state_dir / "config.toml").write_text(line + "\n")
        with pytest.raises(DceError, match="exclude"):
            list_files(project)
