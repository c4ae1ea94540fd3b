"""The reason for leaving a file out names the rule and its place (fault P8)."""

import subprocess
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.tree.why import why


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A repository with ignore rules, excluded files and ordinary ones."""
    for path in ("a.py", "build/out.py", "layout.py", "x.snap", ".env", "sub/c.tmp", "prompt.md"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("x")
    (tmp_path / "old").mkdir()
    (tmp_path / "old/prompt.md").write_text("<prompt.md>\n\n<M1. artifact schema>\n")
    (tmp_path / "b.bin").write_bytes(b"\0")
    (tmp_path / ".gitignore").write_text("# ours\nbuild/\n*.tmp\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    project = Project.init(tmp_path)
    (project.state_dir / "config.toml").write_text('exclude = ["*.snap"]')
    return project


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("build/out.py", "'build/' (.gitignore:2)"),
        ("sub/c.tmp", "'*.tmp' (.gitignore:3)"),
        ("x.snap", "'*.snap' in config.toml"),
        ("b.bin", "binary"),
        (".env", "keys or passwords"),
        ("old/prompt.md", "a prompt that DCE wrote"),
    ],
)
def test_the_rule_is_named(project: Project, path: str, reason: str) -> None:
    """The reason names the rule and, for ignore rules, file and line."""
    assert reason in why(project, path)


@pytest.mark.parametrize("path", ["a.py", "layout.py", "./a.py"])
def test_ordinary_files_have_no_reason(project: Project, path: str) -> None:
    """A selectable file has no reason, however much its name resembles a rule."""
    assert why(project, path) == ""


def test_a_link_that_leads_out_is_a_reason(project: Project) -> None:
    """A listed file that cannot be resolved is explained, not refused."""
    (project.root / "out").symlink_to("/etc/hostname")
    assert "outside the workspace" in why(project, "out")
    with pytest.raises(DceError, match="leads upwards"):
        why(project, "../x")


def test_what_is_not_there_is_not_found(project: Project) -> None:
    """A misspelt name does not count as an ignored file, nor a folder as a file."""
    with pytest.raises(DceError, match="no file"):
        why(project, "b.py")
    with pytest.raises(DceError, match="folder"):
        why(project, "build")


def test_what_is_in_a_repository_of_its_own_is_not_called_ignored(project: Project) -> None:
    """A submodule's file is explained by the submodule; a dangling link is reported as one."""
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-mx"],
    ):
        (project.root / "vendor").mkdir(exist_ok=True)
        subprocess.run(["git", *command], cwd=project.root / "vendor", check=True)
    (project.root / "vendor" / "v.py").write_text("x")
    assert why(project, "vendor/v.py").startswith("vendor is a nested repository")
    (project.root / "lost").symlink_to("nowhere")
    with pytest.raises(DceError, match="is a broken link"):
        why(project, "lost")
