"""Runs git; nothing else in DCE runs it in a workspace.

What must always hold: no GIT_* variable of DCE's environment points git to another repository; no program configured by the
repository is run (fsmonitor, hooks); no call prompts for input or runs without a timeout.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

GIT_TIMEOUT_S = 60.0
"""Timeout of one git command."""

_OPTIONS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.safecrlf=false", "gc.auto=0")


class GitFailed(Exception):
    """A git command failed; the message is the first line that git printed."""


def run_git(root: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """The output of a git command run in `root`, with `environment` added to DCE's own. Raises GitFailed."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    around |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | dict(environment or {})
    command = ["git", *(word for option in _OPTIONS for word in ("-c", option)), *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=around,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitFailed(str(error)) from error
    if done.returncode:
        raise GitFailed(os.fsdecode(done.stderr).strip().partition("\n")[0] or f"git {arguments[0]} failed")
    return os.fsdecode(done.stdout)


def git_output(root: Path, arguments: Sequence[str]) -> str:
    """The output of a read-only git command in `root`; "" without git, outside a repository, or if it fails."""
    try:
        return run_git(root, ["--no-optional-locks", *arguments])
    except GitFailed:
        return ""


def left_out_names(root: Path) -> frozenset[str]:
    """The files below `root` that git tracks but does not check out (a sparse checkout, skip-worktree)."""
    rows = git_output(root, ["ls-files", "-t", "-z", "--cached"]).split("\0")
    return frozenset(row[2:] for row in rows if row.startswith("S "))
