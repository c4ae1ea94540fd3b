"""A listing updated incrementally equals a fresh one."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dce.workspace.project import Project
from dce.workspace.tree.files import list_files
from dce.workspace.tree.listing import MAX_UPDATED, Listing

NAMES = (
    "a.py",
    "b.log",
    "build/out.py",
    "src/c.py",
    "src/deep/d.py",
    "src",
    ".gitignore",
    ".dce/config.toml",
    "e[1].py",
    "*.py",
)


def _project(root: Path, *, is_repository: bool) -> Project:
    (root / ".gitignore").write_text("*.log\nbuild/\n")
    if is_repository:
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return Project.init(root)


def _do(root: Path, action: str, name: str) -> None:
    path = root / name
    if any(parent.is_file() for parent in path.parents) or (path.is_dir() and action != "remove"):
        return
    if action == "remove":
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"write": b"x = 1\n", "binary": b"\0", "grow": b"y" * 99}[action]
    path.write_bytes({".gitignore": b"*.py\n", ".dce/config.toml": b'exclude = ["a.*"]\n'}.get(name, content))


@pytest.mark.parametrize("is_repository", [True, False])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.lists(st.tuples(st.sampled_from(["write", "binary", "grow", "remove"]), st.sampled_from(NAMES)), max_size=3),
        max_size=4,
    )
)
def test_updates_give_what_listing_anew_would(
    tmp_path_factory: pytest.TempPathFactory, is_repository: bool, steps: list[list[tuple[str, str]]]
) -> None:
    """After any edits, in a repository or not, the updated listing equals a fresh one, and its reported changes are the difference."""
    root = tmp_path_factory.mktemp("w")
    project = _project(root, is_repository=is_repository)
    listing = Listing(project)
    for step in steps:
        before = {entry.path: entry for entry in listing.entries()}
        for action, name in step:
            _do(root, action, name)
        changed = listing.update(name for _, name in step)
        fresh = list_files(project)
        assert listing.entries() == fresh
        after = {entry.path: entry for entry in fresh}
        assert changed == {path for path in before | after if before.get(path) != after.get(path)}


def test_many_changes_at_once(tmp_path: Path) -> None:
    """As many changes as a checkout makes cause a fresh listing, with the same result."""
    project = _project(tmp_path, is_repository=True)
    listing = Listing(project)
    names = [f"f{number}.py" for number in range(MAX_UPDATED + 1)]
    for name in names:
        (tmp_path / name).write_text("x")
    random.Random(1).shuffle(names)
    assert listing.update(names) == frozenset(names)
    assert listing.entries() == list_files(project)
