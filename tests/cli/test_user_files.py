"""DCE's output never replaces the user's own files."""

import hashlib
import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Dce

OWN = "# My own notes\n"
FAULT_01 = Path(__file__).parents[1] / "fixtures/faults/01-prompt-md-overwritten"


def test_an_own_prompt_md_is_an_ordinary_file(dce: Dce, workspace: Path) -> None:
    """No verb that writes a prompt changes the user's own prompt.md, which can be selected like any file."""
    own = workspace / "prompt.md"
    own.write_text(OWN)
    assert "added prompt.md" in dce("select", "add", "prompt.md").out
    dce("prompt")
    dce("generate", "-n", 1)
    assert own.read_text() == OWN
    assert "My own notes" in (workspace / ".dce/prompt.md").read_text()


def test_the_fault_01_does_not_come_back(dce: Dce, workspace: Path) -> None:
    """[01]: after init, select, cycle and prompt the user's prompt.md is byte for byte what it was."""
    for name in ("prompt.md", "a.txt"):
        shutil.copy(FAULT_01 / name, workspace / name)
    dce("init", code=None)
    dce("select", "add", "a.txt")
    dce("cycle", "new", "-t", "T", "-m", "x")
    dce("prompt")
    assert (workspace / "prompt.md").read_bytes() == (FAULT_01 / "prompt.md").read_bytes()
    assert dce("select", "add", "prompt.md").out.startswith("added prompt.md")


def test_the_prompt_is_private_and_git_does_not_take_it(dce: Dce, workspace: Path) -> None:
    """The text of a git-ignored file selected by name is in the prompt, but not in anything that `git add -A` adds."""
    subprocess.run(["git", "init", "-q"], cwd=workspace, check=True)
    (workspace / ".gitignore").write_text("local.ini\n")
    (workspace / "local.ini").write_text("[only-here]\n")
    dce("select", "add", "local.ini")
    dce("prompt")
    dce("generate", "-n", 1)
    prompt = workspace / ".dce/prompt.md"
    assert "only-here" in prompt.read_text()
    assert stat.S_IMODE(prompt.stat().st_mode) == 0o600
    subprocess.run(["git", "add", "-A"], cwd=workspace, check=True)
    taken = subprocess.run(
        ["git", "grep", "--cached", "-l", "only-here"], cwd=workspace, capture_output=True, check=False
    )
    assert taken.stdout == b""


@pytest.mark.parametrize("verb", [("prompt", "--out"), ("export",)])
def test_no_verb_replaces_a_file_that_dce_did_not_write(dce: Dce, workspace: Path, verb: tuple[str, ...]) -> None:
    """A user's file, a link and a file changed since are refused and unchanged; DCE's own and forced ones are replaced."""
    readme = workspace / "readme.md"
    before = readme.read_bytes()
    link = workspace / "link.md"
    link.symlink_to(readme)
    for path in (readme, link):
        assert "did not write" in dce(*verb, path, code=3).err
    assert readme.read_bytes() == before
    assert link.is_symlink()
    dce(*verb, "ours.md")
    dce(*verb, "ours.md")
    assert stat.S_IMODE((workspace / "ours.md").stat().st_mode) == 0o600
    (workspace / "ours.md").write_text(OWN)
    told = dce(*verb, "ours.md", code=3).err
    assert "changed since DCE wrote it" in told
    assert "--force" in told
    assert (workspace / "ours.md").read_text() == OWN
    dce(*verb, "ours.md", "--force")
    assert (workspace / "ours.md").read_text() != OWN


@pytest.mark.parametrize("verb", [("prompt", "--out"), ("export",)])
def test_not_even_on_request_is_dces_state_replaced(dce: Dce, workspace: Path, verb: tuple[str, ...]) -> None:
    """Outputs into .dce or .git are refused, also through another spelling; nothing changes."""
    store = next((workspace / ".dce").glob("*.db"))
    for path in (store, workspace / "src/../.dce" / store.name, ".dce/new.md", ".git/config"):
        assert "cannot be written" in dce(*verb, path, "--force", code=3).err
    assert not (workspace / ".dce/new.md").exists()
    assert store.read_bytes().startswith(b"SQLite format 3")
    dce("cycle", "list")


def test_a_folder_and_a_device_are_refused_whatever_is_asked(dce: Dce, workspace: Path) -> None:
    """A folder in place of the copy is an error that names it."""
    assert "cannot be written" in dce("prompt", "--out", "src", "--force", code=3).err
    assert "cannot be written" in dce("prompt", "--out", "missing/f.md", code=3).err


def test_a_copy_names_the_prompt_on_the_disk_too(dce: Dce, workspace: Path) -> None:
    """`--out F` writes the same bytes to F and .dce/prompt.md; naming the latter makes no copy; a glob does not select a copy."""
    dce("prompt", "--out", "copy.md")
    assert (workspace / "copy.md").read_bytes() == (workspace / ".dce/prompt.md").read_bytes()
    dce("prompt", "--out", ".dce/prompt.md")
    told = dce("select", "add", "copy.md", code=3).err
    assert "a prompt that DCE wrote" in told
    assert "copy.md" in dce("select", "add", ".").err


def test_a_prompt_of_an_older_version_is_left_and_said_once(dce: Dce, workspace: Path) -> None:
    """An old prompt.md in the root is kept, still identifies a pasted answer's prompt, and is mentioned only once."""
    dce("prompt")
    old = workspace / "prompt.md"
    (workspace / ".dce/prompt.md").rename(old)
    before = hashlib.sha256(old.read_bytes()).hexdigest()
    (workspace / "answer.txt").write_text("no files")
    dce("paste", "1", "answer.txt", code=None)
    assert (workspace / ".dce/prompt.md").read_bytes() == old.read_bytes()
    dce("cycle", "edit", "-m", "Something else.")
    assert "older version" in dce("prompt").err
    assert "older version" not in dce("prompt").err
    assert hashlib.sha256(old.read_bytes()).hexdigest() == before
    files = json.loads(dce("files", "--json").out)
    assert any(
        row["path"] == "prompt.md" and row["excluded"] for row in (files if isinstance(files, list) else files["files"])
    )
