"""Calling git: the one place where DCE runs it in a workspace.

What must always hold: no GIT_* variable of ours leads git to another repository, no program that the repository names is run
(fsmonitor, hooks), and no call waits for a person or for ever.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

GIT_TIMEOUT_S = 60.0
"""Longest time for one git command."""

_OPTIONS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.safecrlf=false", "gc.auto=0")


class GitFailed(Exception):
    """A git command that did not work; its text is git's own first line."""


def run_git(root: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a git command prints in `root`, with `environment` besides ours. Raises GitFailed."""
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
    """What a git command that only reads says in `root`; "" without git, outside a repository or when it fails."""
    try:
        return run_git(root, ["--no-optional-locks", *arguments])
    except GitFailed:
        return ""
