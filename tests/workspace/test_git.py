"""Calling git: its output, its errors, and the environment it ignores."""

from pathlib import Path

import pytest

from dce.workspace.tree.git import GitFailed, git_output, run_git


def test_it_says_what_git_prints(tmp_path: Path) -> None:
    """The output is complete, with its final newline."""
    run_git(tmp_path, ["init", "-q"])
    assert run_git(tmp_path, ["rev-parse", "--is-inside-work-tree"]) == "true\n"


def test_a_failure_is_gits_own_first_line(tmp_path: Path) -> None:
    """On failure, a read-only command returns nothing; one that matters says why."""
    run_git(tmp_path, ["init", "-q"])
    with pytest.raises(GitFailed, match=r"^fatal: .+"):
        run_git(tmp_path, ["rev-parse", "--verify", "nothing"])
    assert git_output(tmp_path, ["rev-parse", "--verify", "nothing"]) == ""


def test_our_variables_lead_nowhere_but_those_given_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook's GIT_DIR is not passed to git; a variable that the caller names is."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    run_git(tmp_path, ["init", "-q"])
    assert (tmp_path / ".git").is_dir()
    assert not (tmp_path / "elsewhere").exists()
    who = run_git(tmp_path, ["var", "GIT_AUTHOR_IDENT"], {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "a@b.invalid"})
    assert who.startswith("Ada <a@b.invalid>")


def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing git on PATH is an ordinary failure, not a crash."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitFailed, match="git"):
        run_git(tmp_path, ["status"])
    assert git_output(tmp_path, ["status"]) == ""
