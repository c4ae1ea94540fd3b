"""What the workspace was before an acceptance, in git too: a commit under a ref of DCE's own, for `git diff refs/dce/baselines/3`.

Restoring does not need it: the store's own copies are exact and work without git. What must always hold: HEAD, the index, branches, tags
and hooks are neither changed nor run; what goes in are the tracked files as they are, and those about to be replaced; a
failure is told and stops nothing.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

REF_FOLDER = "refs/dce/baselines"

KEPT = 50
"""How many baselines are kept; older ones are git's to collect."""

GIT_TIMEOUT_S = 60.0
"""Longest time for one git command."""

_OPTIONS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.safecrlf=false", "gc.auto=0")


class GitBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """The ref that holds the baseline, "" for none: outside a repository, or for what `problem` says."""

    ref: str = ""
    problem: str = ""


class _Failed(Exception):
    """A git command that did not work."""


def keep_in_git(root: Path, acceptance_id: int, paths: Sequence[str]) -> GitBaseline:
    """Commits the tracked files below `root` and those of `paths` that exist under a private ref. Never raises."""
    try:
        index = _git(root, None, "rev-parse", "--path-format=absolute", "--git-path", "index")
    except _Failed:
        return GitBaseline()
    try:
        with tempfile.TemporaryDirectory(prefix="dce-index-") as folder:
            own = Path(folder, "index")
            if Path(index).is_file():
                shutil.copy2(index, own)  # with its times, so that git need not read every file again
            ref = _commit(root, own, acceptance_id, [path for path in paths if (root / path).is_file()])
        _forget_old(root)
    except (_Failed, OSError) as error:
        return GitBaseline(problem=f"no baseline in git: {error}")
    return GitBaseline(ref=ref)


def _commit(root: Path, index: Path, acceptance_id: int, paths: Sequence[str]) -> str:
    _git(root, index, "add", "--update", "--", ".")
    if paths:
        _git(root, index, "--literal-pathspecs", "add", "--force", "--", *paths)
    tree = _git(root, index, "write-tree")
    try:
        parents = ["-p", _git(root, index, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")]
    except _Failed:
        parents = []  # nothing was committed yet
    message = f"Before acceptance {acceptance_id}"
    commit = _git(root, index, "commit-tree", *parents, "-m", message, tree)
    ref = f"{REF_FOLDER}/{acceptance_id}"
    _git(root, index, "update-ref", ref, commit)
    return ref


def _forget_old(root: Path) -> None:
    names = _git(root, None, "for-each-ref", "--format=%(refname)", REF_FOLDER).split()
    numbered = sorted((int(name.rsplit("/", 1)[1]), name) for name in names if name.rsplit("/", 1)[1].isdigit())
    for _, name in numbered[:-KEPT]:
        _git(root, None, "update-ref", "-d", name)


def _git(root: Path, index: Path | None, *arguments: str) -> str:
    """What a git command prints. No GIT_* of ours may lead it to another repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "DCE", f"GIT_{who}_EMAIL": "dce@localhost"}
    if index is not None:
        environment["GIT_INDEX_FILE"] = str(index)
    command = ["git", *(word for option in _OPTIONS for word in ("-c", option)), *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _Failed(str(error)) from error
    if done.returncode:
        raise _Failed(os.fsdecode(done.stderr).strip().partition("\n")[0] or f"git {arguments[0]} failed")
    return os.fsdecode(done.stdout).strip()
