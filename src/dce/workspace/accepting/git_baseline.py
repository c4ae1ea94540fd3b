"""What the workspace was before an acceptance, in git too: a commit under a ref of DCE's own, for `git diff refs/dce/baselines/1f0a9c3e/3`.

Restoring does not need it: the store's own copies are exact and work without git. What must always hold: HEAD, the index, branches, tags
and hooks are neither changed nor run; what goes in are the tracked files as they are, and those about to be replaced; a
failure is told and stops nothing.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence, Set
from pathlib import Path

import msgspec

from dce.workspace.tree.git import GitFailed, run_git

REF_FOLDER = "refs/dce/baselines"
"""Each workspace has a folder of its own in it: worktrees share their refs, and a repository can hold several workspaces."""

KEPT = 50
"""How many baselines are kept; older ones are git's to collect."""


class GitBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """The ref that holds the baseline, "" for none: outside a repository, or for what `problem` says."""

    ref: str = ""
    problem: str = ""


def keep_in_git(root: Path, acceptance_id: int, paths: Sequence[str]) -> GitBaseline:
    """Commits the tracked files below `root` and those of `paths` that exist under a private ref. Never raises."""
    try:
        index = _git(root, None, "rev-parse", "--path-format=absolute", "--git-path", "index")
    except GitFailed:
        return GitBaseline()
    try:
        with tempfile.TemporaryDirectory(prefix="dce-index-") as folder:
            own = Path(folder, "index")
            if Path(index).is_file():
                shutil.copy2(index, own)  # with its times, so that git need not read every file again
            ref = _commit(root, own, acceptance_id, [path for path in paths if (root / path).is_file()])
        _forget_old(root)
    except (GitFailed, OSError) as error:
        return GitBaseline(problem=f"no baseline in git: {error}")
    return GitBaseline(ref=ref)


def committed_paths(root: Path, accepted: Set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of accepted files (ref of the baseline, path), those that HEAD holds as they are on disk now, though it did not before.

    Never raises: without git, or without a commit, there are none.
    """
    paths = sorted({path for _, path in accepted})
    if not paths:
        return set()
    try:
        held = _entries(root, "HEAD", paths)
        diff = ("diff", "--no-ext-diff", "--name-only", "--relative", "-z", "HEAD", "--", *paths)
        edited = set(_git(root, None, "--no-optional-locks", "--literal-pathspecs", *diff).split("\0"))
    except GitFailed:
        return set()
    before = {ref: _before(root, ref, paths) for ref in {ref for ref, _ in accepted}}
    return {(ref, path) for ref, path in accepted if path not in edited and before[ref].get(path) != held.get(path)}


def _before(root: Path, ref: str, paths: Sequence[str]) -> dict[str, str]:
    """What was committed when a baseline was made; nothing if that is not known."""
    try:
        return _entries(root, f"{ref}^", paths) if ref else {}
    except GitFailed:
        return {}


def _entries(root: Path, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """Path → mode and object in a commit, of those of `paths` that it holds."""
    rows = _git(root, None, "--literal-pathspecs", "ls-tree", "-z", commit, "--", *paths).split("\0")
    return {path: entry for entry, _, path in (row.partition("\t") for row in rows) if path}


def _commit(root: Path, index: Path, acceptance_id: int, paths: Sequence[str]) -> str:
    _git(root, index, "add", "--update", "--", ".")
    if paths:
        _git(root, index, "--literal-pathspecs", "add", "--force", "--", *paths)
    tree = _git(root, index, "write-tree")
    try:
        parents = ["-p", _git(root, index, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")]
    except GitFailed:
        parents = []  # nothing was committed yet
    message = f"Before acceptance {acceptance_id}"
    commit = _git(root, index, "commit-tree", *parents, "-m", message, tree)
    ref = f"{_folder_of(root)}/{acceptance_id}"
    _git(root, index, "update-ref", ref, commit)
    return ref


def _folder_of(root: Path) -> str:
    return f"{REF_FOLDER}/{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}"


def _forget_old(root: Path) -> None:
    names = _git(root, None, "for-each-ref", "--format=%(refname)", _folder_of(root)).split()
    numbered = sorted((int(name.rsplit("/", 1)[1]), name) for name in names if name.rsplit("/", 1)[1].isdigit())
    for _, name in numbered[:-KEPT]:
        _git(root, None, "update-ref", "-d", name)


def _git(root: Path, index: Path | None, *arguments: str) -> str:
    """What a git command prints, in DCE's name and over `index` if one is given."""
    environment = {} if index is None else {"GIT_INDEX_FILE": str(index)}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "DCE", f"GIT_{who}_EMAIL": "dce@localhost"}
    return run_git(root, arguments, environment).strip()
