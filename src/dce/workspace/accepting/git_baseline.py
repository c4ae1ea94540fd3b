"""The state of the workspace before an acceptance, as a git commit under a private ref, for `git diff refs/dce/baselines/1f0a9c3e/3`.

Restoring does not need it: the store's own copies are exact and work without git. Invariants: HEAD, the index, branches and tags
do not change and no hook runs; the commit contains the tracked files as they are now and the files about to be replaced; a failure
is reported and stops nothing.
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
"""Each workspace has its own folder here: worktrees share refs, and a repository can contain several workspaces."""

KEPT = 50
"""How many baselines are kept; git may collect older ones."""


class GitBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """The ref of the baseline; "" if there is none, outside a repository or because of `problem`."""

    ref: str = ""
    problem: str = ""


def keep_in_git(root: Path, acceptance_id: int, paths: Sequence[str]) -> GitBaseline:
    """Commits the tracked files below `root`, and the existing ones of `paths`, under a private ref. Never raises."""
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
    """The accepted files (ref of the baseline, path) whose present content HEAD contains, and did not contain before.

    Never raises: without git or a commit, the result is empty.
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
    """What was committed when a baseline was made; empty if unknown."""
    try:
        return _entries(root, f"{ref}^", paths) if ref else {}
    except GitFailed:
        return {}


def _entries(root: Path, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """Path → mode and object, for those of `paths` that a commit contains."""
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
    """The output of a git command, run with DCE as the author and with `index`, if given."""
    environment = {} if index is None else {"GIT_INDEX_FILE": str(index)}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "DCE", f"GIT_{who}_EMAIL": "dce@localhost"}
    return run_git(root, arguments, environment).strip()
