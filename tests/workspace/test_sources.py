"""Selections from elsewhere: git, a cycle's prompt, traces and diffs."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.context.sources import changed_in_git, changed_since, containing, git_status, named_in
from dce.workspace.project import Project
from dce.workspace.record.prompts import ManifestEntry
from dce.workspace.tree.files import FileEntry, list_files

PATHS = (
    "src/app/main.py",
    "src/app/util.py",
    "lib/util.py",
    "web/Board.tsx",
    "com/acme/Foo.java",
    "src/lib.rs",
    "go/x.go",
    "Makefile",
)
ENTRIES = [*(FileEntry(path=path, size=1) for path in PATHS), FileEntry(path="logo.png", size=1, excluded="binary")]


def _git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A workspace in a subfolder of a repository with one commit."""
    root = tmp_path / "sub"
    root.mkdir()
    for name in ("a.py", "b.py", "gone.py", "-c.py"):
        (root / name).write_text(name)
    (tmp_path / "outside.py").write_text("x")
    _git(tmp_path, "init")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-m", "first")
    return Project.init(root)


def test_changed_in_git(project: Project) -> None:
    """Modified, staged and untracked files of the workspace are found, but not deleted, ignored or outside ones."""
    (project.root / "a.py").write_text("new")
    (project.root / "-c.py").write_text("staged")
    _git(project.root, "add", "./-c.py")
    (project.root / "new.py").write_text("x")
    (project.root / "new.bin").write_bytes(b"\0")
    (project.root / "gone.py").unlink()
    (project.root.parent / "outside.py").write_text("y")
    assert changed_in_git(project) == ("-c.py", "a.py", "new.py")
    _git(project.root, "add", ".")
    _git(project.root, "commit", "-m", "second")
    assert changed_in_git(project) == ()
    assert changed_in_git(project, "HEAD~1") == ("-c.py", "a.py", "new.py")


def test_everything_is_new_before_the_first_commit(tmp_path: Path) -> None:
    """In a repository without a commit every file counts as changed; outside a repository there is nothing to compare with."""
    (tmp_path / "a.py").write_text("x")
    project = Project.init(tmp_path)
    with pytest.raises(DceError, match="no commit"):
        changed_in_git(project)
    _git(tmp_path, "init")
    assert changed_in_git(project) == ("a.py",)


@pytest.mark.parametrize("ref", ["nowhere", "--output=x", "HEAD; touch x", ""])
def test_an_unknown_commit_is_not_found(project: Project, ref: str) -> None:
    """A name that is not a commit is an error, and is never taken as an option of git (fault S1)."""
    with pytest.raises(DceError) as caught:
        changed_in_git(project, ref)
    assert caught.value.code == "not_found"
    assert not (project.root / "x").exists()


def test_changed_since_a_prompt(project: Project) -> None:
    """Changed files are those that differ from the prompt, and others written since; a touched but identical file is not changed."""
    sha = hashlib.sha256(b"a.py").hexdigest()
    manifest = [ManifestEntry(path=path, sha256=sha, size=4) for path in ("a.py", "b.py")]
    for name, moment in (("a.py", 3000), ("b.py", 3000), ("gone.py", 1000), ("-c.py", 3000)):
        os.utime(project.root / name, (moment, moment))
    assert changed_since(project, manifest, 2000.0) == ("-c.py", "b.py")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Traceback:\n  File "/home/me/w/src/app/main.py", line 3, in f\n    x()\n', ["src/app/main.py"]),
        ("/app/src/app/util.py:12: error: bad type", ["src/app/util.py"]),
        (
            "diff --git a/src/app/util.py b/src/app/util.py\n--- a/src/app/util.py\n+++ b/src/app/util.py\n@@ -1 +1 @@",
            ["src/app/util.py"],
        ),
        ("    at render (file:///srv/web/Board.tsx:10:5)", ["web/Board.tsx"]),
        ("    at com.acme.Foo.bar(Foo.java:12)", ["com/acme/Foo.java"]),
        ("  --> src/lib.rs:3:9\n", ["src/lib.rs"]),
        ("goroutine 1:\n\t/build/go/x.go:44 +0x1d", ["go/x.go"]),
        ("C:\\proj\\src\\app\\main.py(12,3): error", ["src/app/main.py"]),
        ("util.py is ambiguous and so is nothing", []),
        ("logo.png cannot go in; ../../etc/passwd is no file here; https://example.org/index.html", []),
        ("make: *** [Makefile:3: all] Error", ["Makefile"]),
        ("FAILED lib/util.py::test_x - see src/app/main.py.", ["lib/util.py", "src/app/main.py"]),
    ],
)
def test_files_named_in_text(text: str, found: list[str]) -> None:
    """Traces, diffs and compiler output name files by path, path suffix or unique name; ambiguous names match nothing."""
    assert list(named_in(text, ENTRIES)) == found


def test_what_git_says_of_each_file(project: Project) -> None:
    """Changed, staged, new and moved files are listed by workspace path; deleted and outside ones are not."""
    (project.root / "a.py").write_text("new")
    (project.root / "new.py").write_text("x")
    (project.root / "staged.py").write_text("y")
    (project.root / "gone.py").unlink()
    (project.root.parent / "outside.py").write_text("changed")
    _git(project.root, "add", "staged.py")
    _git(project.root, "mv", "b.py", "moved.py")
    said = git_status(project)
    assert {path: said.get(path) for path in ("a.py", "new.py", "staged.py", "moved.py")} == {
        "a.py": "modified",
        "new.py": "untracked",
        "staged.py": "added",
        "moved.py": "renamed",
    }
    assert not {"gone.py", "outside.py", "../outside.py", "b.py"} & said.keys()


def test_files_that_hold_a_text(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Text is found in any case, with git in a repository and by reading elsewhere; text that looks like an option is not one."""
    (project.root / "a.py").write_text("Needle -e .* in hay")
    assert containing(project, "NEEDLE", list_files(project)) == ("a.py",)
    assert containing(project, "-e .*", list_files(project)) == ("a.py",)
    assert containing(project, "not there", list_files(project)) == ()
    plain = tmp_path_factory.mktemp("plain")
    (plain / "b.py").write_text("a needle")
    other = Project.init(plain)
    assert containing(other, "Needle", list_files(other)) == ("b.py",)
    for text in ("", "a\nb", "x" * 2_000):
        with pytest.raises(DceError, match="one line"):
            containing(project, text, [])
